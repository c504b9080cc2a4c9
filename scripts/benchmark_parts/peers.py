"""Two linear classifiers beside ours."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark_parts.measuring import CPU, Context, Row, first, race, row, speeds
from benchmark_parts.tasks import classifier
from sentiment.core.config import Config
from sentiment.core.sections.training import TrainingConfig
from sentiment.data.tokenizer import Tokenizer
from sentiment.models.network import infer
from sentiment.training.trainer import Data, Examples, Trainer


class Ours:
    """Tokenizer, four epochs of the default model."""

    def __init__(self, texts: list[str], labels: NDArray[np.int64]) -> None:
        self.tokenizer = Tokenizer.train(texts, Config().tokenizer)
        examples = Examples(self.tokenizer.encode(texts).sequences, labels)
        self.model = classifier(self.tokenizer)
        few = Examples(first(examples.sequences, 32), labels[:32])  # the last epoch is as good
        trainer = Trainer(self.model, Data(examples, few), TrainingConfig(epochs=4, metric="log_loss"), CPU)
        for _ in trainer.run():
            pass

    def predict(self, texts: list[str]) -> list[int]:
        """Return classes."""
        found: list[int] = infer(self.model, self.tokenizer.encode(texts).sequences, CPU).argmax(1).tolist()
        return found


class TfIdf:
    """Words and word pairs, logistic regression."""

    def __init__(self, texts: list[str], labels: NDArray[np.int64]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)
        self.model = make_pipeline(vectorizer, LogisticRegression(C=10, max_iter=1000)).fit(texts, labels)

    def predict(self, texts: list[str]) -> list[int]:
        """Return classes."""
        return list(self.model.predict(texts))


class FastText:
    """Words and word pairs, five epochs as it does by default."""

    def __init__(self, texts: list[str], labels: NDArray[np.int64]) -> None:
        import fasttext

        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "train.txt")
            lines = (
                f"__label__{label} {self._line(text)}\n" for text, label in zip(texts, labels, strict=True)
            )
            file.write_text("".join(lines), "utf-8")
            self.model = fasttext.train_supervised(
                str(file), wordNgrams=2, thread=torch.get_num_threads(), verbose=0
            )

    def predict(self, texts: list[str]) -> list[int]:
        """Return classes."""
        return [int(best[0][9:]) for best in self.model.predict([self._line(text) for text in texts])[0]]

    @staticmethod
    def _line(text: str) -> str:
        return " ".join(text.lower().split())


def peers(context: Context) -> list[Row]:
    """Training from raw texts and predicting, beside two linear classifiers."""
    kinds: dict[str, Any] = {"ours, 4 epochs": Ours, "TF-IDF + LR": TfIdf, "fastText": FastText}
    rows = []
    try:
        import fasttext  # noqa: F401
    except ImportError:
        note = "skipped: needs fastText, pip install 'sentiment[benchmark]'"
        del kinds["fastText"]
        rows.append(row("fastText", None, "texts/s", note=note))
    _, texts, labels = context.data
    size = min(context.pick(2_000, 64), len(texts) // 2)
    held, truth = texts[size : 2 * size], labels[size : 2 * size]
    made: dict[str, Any] = {}

    def train(name: str) -> None:
        made[name] = kinds[name](texts[:size], labels[:size])

    training = race({name: partial(train, name) for name in kinds}, min(3, context.rounds))
    predicting = race({name: partial(made[name].predict, held) for name in kinds}, context.rounds)
    for name in kinds:
        right = float(np.mean(np.array(made[name].predict(held)) == truth))
        rows += speeds({f"{name}, training": training[name]}, size, "texts/s")
        rows += speeds({f"{name}, predicting": predicting[name]}, size, "texts/s")
        rows[-1]["note"] = f"{right:.1%} right on {size:,} other texts"
    return rows
