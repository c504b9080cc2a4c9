"""Whole tasks on a CPU: an epoch, predictions, tokenizing."""

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
from tokenizers import Regex, pre_tokenizers
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence, pad_sequence

import sentiment
from benchmark_parts.measuring import (
    CPU,
    SMS,
    Context,
    E,
    H,
    Row,
    Times,
    first,
    median,
    race,
    ratio,
    row,
    speeds,
    synchronize,
)
from sentiment.core import config_io, files
from sentiment.core.config import Config
from sentiment.core.sections.model import ModelConfig
from sentiment.core.sections.training import TrainingConfig
from sentiment.data.corpus import Split
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import UNKNOWN_ID, Tokenizer
from sentiment.evaluation import predictions
from sentiment.inference import bundle
from sentiment.inference.predictor import Predictor
from sentiment.metrics.decision import Decision
from sentiment.models.batches import buckets, pack
from sentiment.models.network import Network
from sentiment.training.events import Step
from sentiment.training.trainer import Data, Examples, Trainer


def classifier(tokenizer: Tokenizer, **sizes: Any) -> Network:
    """Make an untrained model of the default settings."""
    torch.manual_seed(0)
    return Network(2, ModelConfig(**sizes), vocab_size=len(tokenizer), embedding_size=E)


def epoch_seconds(
    model: Network, examples: Examples, training: TrainingConfig, precision: torch.dtype
) -> float:
    """Time the updates of one epoch of the package's trainer, where the model is."""
    device = next(model.parameters()).device
    few = Examples(first(examples.sequences, 2), examples.labels[:2])
    trainer = Trainer(model, Data(examples, few), training, device, precision=precision)
    synchronize()
    begun = time.perf_counter()
    for event in trainer.run():
        if isinstance(event, Step) and event.step == event.steps:
            break  # before validation
    synchronize()
    return time.perf_counter() - begun


def staged_epoch(model: Network, examples: Examples, training: TrainingConfig) -> dict[str, float]:
    """Do what the trainer does, with the graph cut between the stages, and time each of them."""
    spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        spent[name] += time.perf_counter() - begun

    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=training.learning_rate, fused=True)
    lengths, labels = examples.sequences.lengths, torch.from_numpy(examples.labels)
    drawn = buckets(lengths, training.batch_size, training.batch_tokens, np.random.default_rng([0, 0]))
    assert model.embedding is not None
    for rows in drawn:
        optimizer.zero_grad()
        with stage("packing"):
            batch = pack(examples.sequences, rows, CPU)
        with stage("embedding, forward"):
            embedded = model.embedding(batch.inputs)
        data = embedded.detach().requires_grad_()
        with stage("recurrence, forward"):
            output, (hidden, _) = model.recurrence(PackedSequence(data, batch.inputs.batch_sizes))
        cut = PackedSequence(output.data.detach().requires_grad_(), output.batch_sizes)
        with stage("pooling and loss, forward"):
            logits = model.decide(model.pool(cut, hidden.detach()))
            loss = nn.functional.cross_entropy(logits, labels[batch.rows])
        with stage("pooling and loss, backward"):
            loss.backward()
        with stage("recurrence, backward"):
            output.data.backward(cut.data.grad)
        with stage("embedding, backward"):
            embedded.backward(data.grad)
        with stage("clipping and optimizer"):
            nn.utils.clip_grad_norm_(model.parameters(), training.clip_norm)
            optimizer.step()
    return spent


def epoch(context: Context) -> list[Row]:
    """An epoch of the trainer, and how much of it is the recurrence."""
    examples = context.examples(context.pick(3_000, 64))
    model, training = classifier(context.tokenizer), TrainingConfig(epochs=1)
    whole: list[float] = []
    stages: list[dict[str, float]] = []
    competitors: dict[str, Callable[[], object]] = {
        "epoch": lambda: whole.append(epoch_seconds(model, examples, training, torch.float32)),
        "stages": lambda: stages.append(staged_epoch(model, examples, training)),
    }
    race(competitors, context.rounds)
    parts = {name: median([one[name] for one in stages[1:]]) for name in stages[0]}
    total, tokens = median(whole[1:]), int(examples.sequences.lengths.sum())
    kernel = parts["recurrence, forward"] + parts["recurrence, backward"]
    note = f"{len(examples.labels):,} texts, batches of {training.batch_size}"
    return [
        row("trainer", tokens / total, "tokens/s", seconds=whole[1:], note=note),
        row("epoch", total, "s", note=f"{tokens:,} tokens"),
        row("recurrence, of the epoch", kernel / total, "%", at_least=0.85),
        *(row(f"  {name}", taken / total, "%", note=f"{taken:.3f} s") for name, taken in parts.items()),
    ]


class Tutorial(nn.Module):
    """The same classifier as tutorials write it; it takes the weights of ours."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        assert model.embedding is not None
        self.embedding = nn.Embedding(*model.embedding.weight.shape)
        self.recurrence = nn.LSTM(E, H, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(4 * H, 2)
        self.load_state_dict(model.state_dict())

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return probabilities (B, 2) for padded ids (B, T)."""
        packed = pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.recurrence(packed)[0], batch_first=True)
        padding = torch.arange(output.shape[1]) >= lengths[:, None]
        largest = output.masked_fill(padding[:, :, None], float("-inf")).amax(1)
        mean = output.sum(1) / lengths[:, None]
        logits: Tensor = self.linear(torch.cat([largest, mean], 1))
        return logits.softmax(1)

    @torch.inference_mode()
    def predict(self, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
        """Classify texts in batches of 64, in their order."""
        parts = []
        for start in range(0, len(texts), 64):
            found = tokenizer.inner.encode_batch(texts[start : start + 64], add_special_tokens=False)
            whole = Sequences.of([item.ids or [UNKNOWN_ID] for item in found])
            encoded = whole.truncated(tokenizer.config.max_length, tokenizer.config.truncation)
            ids = [torch.from_numpy(encoded[i]).long() for i in range(len(encoded))]
            parts.append(self(pad_sequence(ids, batch_first=True), torch.from_numpy(encoded.lengths)))
        return torch.cat(parts)


def write_bundle(folder: Path, tokenizer: Tokenizer) -> bundle.Bundle:
    """Write an untrained model of the default size where the command line can read it."""
    model, working = classifier(tokenizer), files.partial(folder)
    working.mkdir()
    files.write_text(working / "config.toml", config_io.dumps(Config()))
    tokenizer.save(working / "tokenizer.json")
    bundle.save_model(working / "model.safetensors", model)
    files.write_text(working / "history.jsonl", "")
    files.write_json(working / "report.json", {"test": {}, "intervals": {}, "tokenizer": {}})
    decision, two = Decision.plain(("negative", "positive")), np.full((2, 2), 0.5)
    files.write_json(working / bundle.DECISION, decision.as_dict())
    for name in (bundle.PREDICTIONS, bundle.VALIDATION_PREDICTIONS):
        predictions.write(working / name, decision, Split(["a", "b"], np.array([0, 1])), two)
    sizes = {"vocab_size": len(tokenizer), "embedding_size": E, "input_size": None}
    about = {"revision": None, "fingerprint": ""}
    manifest = {"kind": "text", "task": "multiclass", "labels": ["negative", "positive"]}
    bundle.complete(folder, manifest | {"model": sizes, "corpus": about})
    return bundle.load(folder)


def predict(context: Context) -> list[Row]:
    """Many texts, one text, and one text by the command line; weights and tokenizer are the same."""
    texts = context.data[1][: context.pick(2_000, 64)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "model")
        predictor = Predictor(write_bundle(folder, context.tokenizer))
        tokenizer, tutorial = predictor.bundle.tokenizer, Tutorial(predictor.bundle.model).eval()
        mine, theirs = predictor.probabilities(texts[:64])[0], tutorial.predict(tokenizer, texts[:64])
        np.testing.assert_allclose(mine, theirs.numpy(), atol=1e-5)
        times = race(
            {
                "ours": lambda: predictor.predict(texts),
                "tutorial": lambda: tutorial.predict(tokenizer, texts),
                "tokenizing alone": lambda: tokenizer.encode(texts),
            },
            context.rounds,
        )
        encoded = tokenizer.encode(texts)
        lengths = np.where(encoded.truncated, 0, encoded.sequences.lengths)
        review, count = texts[int(lengths.argmax())], context.pick(300, 3)  # all of it is read
        single = {
            name: race({name: partial(predictor.predict, [text])}, count)[name]
            for name, text in {"SMS": SMS, "review": review}.items()
        }
        processes = commands(folder, context.pick(5, 1))
    note = f"{len(texts):,} texts; tokenizing included"
    milliseconds = {name: 1e3 * median(taken) for name, taken in single.items()}
    return [
        *speeds(times, len(texts), "texts/s"),
        row("ours / tutorial", ratio(times, "tutorial"), "x", at_least=3, note=note),
        row("one SMS", milliseconds["SMS"], "ms", at_most=1, note=f"median of {count}"),
        row("one review", milliseconds["review"], "ms", at_most=10, note=f"{lengths.max()} tokens"),
        row("sentiment predict TEXT", median(processes["predict"]), "s", at_most=0.7, note="whole process"),
        row("sentiment --help", median(processes["help"]), "s", at_most=0.3, note="whole process"),
        row("python -c 'import torch'", median(processes["import"]), "s", note="for comparison"),
    ]


def commands(folder: Path, repeats: int) -> Times:
    """Time whole processes."""
    paths = [str(Path(sentiment.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    arguments = {
        "predict": ["-m", "sentiment.cli", "predict", "--model", str(folder), "--device", "cpu", SMS],
        "help": ["-m", "sentiment.cli", "--help"],
        "import": ["-c", "import torch"],
    }

    def run(name: str) -> None:
        command = [sys.executable, *arguments[name]]
        subprocess.run(command, check=True, capture_output=True, env=environment)

    return race({name: partial(run, name) for name in arguments}, repeats)


def encode(context: Context) -> list[Row]:
    """Our word tokenizer, and the same pipeline with a Split on a Regex for the words."""
    texts, mine = context.data[1][: None if context.full else context.pick(5_000, 64)], context.tokenizer
    inner = tokenizers.Tokenizer.from_str(mine.inner.to_str())
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+|[^\w\s]+"), "removed", invert=True)

    times = race(
        {
            "ours": lambda: mine.encode(texts),
            "Split": lambda: [item.ids for item in inner.encode_batch(texts)],
            "Split, encode_batch_fast": lambda: [item.ids for item in inner.encode_batch_fast(texts)],
        },
        context.rounds,
    )
    whole = Sequences.of([item.ids or [UNKNOWN_ID] for item in inner.encode_batch(texts)])
    a, b = mine.encode(texts).sequences, whole.truncated(mine.config.max_length, mine.config.truncation)
    same = [np.array_equal(a[i], b[i]) for i in range(len(texts))]
    plain = [one for one, text in zip(same, texts, strict=True) if text.isascii()]
    return [
        *speeds(times, len(texts), "texts/s"),
        row("ours / Split", ratio(times, "Split"), "x", at_least=2, note=f"{len(texts):,} texts"),
        row("ours / Split, encode_batch_fast", ratio(times, "Split, encode_batch_fast"), "x"),
        row("equal tokens, ASCII texts", sum(plain) / max(1, len(plain)), "%", at_least=1),
        row("equal tokens, all texts", sum(same) / len(same), "%"),
    ]
