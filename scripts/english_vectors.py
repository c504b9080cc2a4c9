"""Make `sentiment/assets/english.safetensors`: the vectors that classifiers begin from by default.

    python scripts/english_vectors.py

They are skip-gram vectors (100 numbers, five passes) of the training, validation and unlabelled texts of
IMDB, without any text that occurs in its test split: about 17 million tokens of film reviews. Stored are
30,000 lower-case words and signs and their vectors in half precision. It takes some ten minutes.
"""

import tempfile
from pathlib import Path

import numpy as np
import safetensors.numpy

from sentiment.core import config_io
from sentiment.data.corpus import load_corpus
from sentiment.models.embeddings import ENGLISH, SPECIAL
from sentiment.runs.folder import Run
from sentiment.runs.prepare import prepare
from sentiment.runs.train import TRAIN


def main() -> None:
    """Train the vectors and write the file."""
    settings = config_io.load(None, {"corpus.name": "imdb", "embedding.source": "skipgram"})
    with tempfile.TemporaryDirectory() as working:
        corpus = load_corpus(settings.corpus, settings.seed)
        run = Run(TRAIN, settings, Path(working) / "run")
        run.working.mkdir()
        ready = prepare(run, corpus)
    assert ready.matrix is not None
    tokens = "\n".join(ready.tokenizer.vocabulary[SPECIAL:]).encode()
    safetensors.numpy.save_file(
        {
            "vectors": ready.matrix[SPECIAL:].astype(np.float16),
            "tokens": np.frombuffer(tokens, np.uint8),
        },
        ENGLISH,
        {"texts": f"{corpus.source}, without test", "license": "MIT"},
    )


if __name__ == "__main__":
    main()
