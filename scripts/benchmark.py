"""How fast the package is, beside what one would write without it.

    python scripts/benchmark.py --json benchmark.json        # everything, on a quiet machine
    python scripts/benchmark.py --only step equal            # some parts
    python scripts/benchmark.py --quick --lengths synthetic  # seconds, no corpus: only to try the script

The parts are the functions in PARTS. All run in this one process, strictly in turn: in each round every
competitor is timed once, after one round that is not timed, so that whatever slows the machine slows all
of them alike. Ratios are of medians over the rounds. PASS and FAIL stand beside the figures that are
promised. stdout gets the table, as Markdown; stderr gets the progress; --json keeps every single time.

Denormal numbers are flushed to zero for all (torch.set_flush_denormal), as `sentiment train` does.
"""

import argparse
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import tokenizers
import torch
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from tokenizers import Regex, pre_tokenizers
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence, pad_sequence

import sentiment
from sentiment import bundle, config, recurrent, runtime
from sentiment.batches import buckets, pack
from sentiment.config import Config, CorpusConfig, ModelConfig, RuntimeConfig, TrainingConfig
from sentiment.corpus import read_corpus
from sentiment.errors import SentimentError
from sentiment.model import SequenceClassifier, infer, positions, unpack
from sentiment.predictor import Predictor
from sentiment.recurrent import native
from sentiment.sequences import Sequences
from sentiment.tokenizer import Tokenizer
from sentiment.training import Examples, Step, Trainer

Row = dict[str, Any]
Times = dict[str, list[float]]
Lengths = NDArray[np.int64]
E, H = 100, 128  # the package's default sizes
SMS = "Ok, running late, will be at the station by 7. Can you pick me up? Thx"
CPU = torch.device("cpu")


@dataclass
class Context:
    """What the parts share: how much to do, and the texts."""

    quick: bool
    full: bool
    rounds: int
    corpus: str
    texts_needed: int

    def pick(self, usual: int, quick: int) -> int:
        """Choose a size."""
        return quick if self.quick else usual

    @cached_property
    def data(self) -> tuple[str, list[str], NDArray[np.int64]]:
        """Where the texts are from, the texts in random order, their classes."""
        generator = np.random.default_rng(0)
        if self.corpus != "synthetic":
            try:
                raw = read_corpus(CorpusConfig(name=self.corpus))
                pairs = [
                    (text, label)
                    for split in raw.splits.values()
                    for text, label in zip(split.texts, split.labels, strict=True)
                    if label is not None
                ]
                names = sorted({label for _, label in pairs})
                chosen = [pairs[i] for i in generator.permutation(len(pairs))[: self.texts_needed]]
                return self.corpus, [t for t, _ in chosen], np.array([names.index(x) for _, x in chosen])
            except SentimentError as error:
                log(f"the corpus cannot be loaded, so the texts are synthetic: {error}")
        return "synthetic", synthetic(self.texts_needed, generator), np.arange(self.texts_needed) % 2

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The default one, trained on the texts."""
        return Tokenizer.train(self.data[1][: self.pick(25_000, 150)], Config().tokenizer)

    def examples(self, count: int) -> Examples:
        """Tokenize the first texts, cut at the default 400 tokens."""
        _, texts, labels = self.data
        return Examples(self.tokenizer.encode(texts[:count]).sequences, labels[:count])

    def batches(self, count: int, size: int) -> list[Lengths]:
        """Draw `count` of the batches that an epoch would have: lengths in buckets."""
        lengths = self.examples(self.pick(5_000, 150)).sequences.lengths
        drawn = buckets(lengths, size, size * int(lengths.max()), np.random.default_rng(0))
        return [lengths[rows] for rows in drawn if len(rows) == size][:count]


def synthetic(count: int, generator: np.random.Generator) -> list[str]:
    """Make texts as long as film reviews (log-normal, median 175, mean 230), with Zipf's words."""
    letters = "etaoinshrdlu"
    words = [",", "."] + [a + b + c + d for a in letters for b in letters for c in letters for d in letters]
    sigma = math.sqrt(2 * math.log(230 / 175))
    lengths = np.maximum(10, generator.lognormal(math.log(175), sigma, count)).astype(int)
    ranks = np.exp(generator.random(lengths.sum()) * math.log(len(words))).astype(int) - 1
    return [" ".join(words[i] for i in part) for part in np.split(ranks, np.cumsum(lengths)[:-1])]


# ---- measuring -----------------------------------------------------------------------------------


def log(message: str) -> None:
    """Say something to the person who waits."""
    print(message, file=sys.stderr, flush=True)


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    synchronize()
    begun = time.perf_counter()
    function()
    synchronize()
    return time.perf_counter() - begun


def race(
    competitors: dict[str, Callable[[], object]], rounds: int, once: Sequence[str] = (), warm: bool = True
) -> Times:
    """Time every competitor once a round; those in `once` only in the first, and not warmed up."""
    times: Times = {name: [] for name in competitors}
    for number in range(0 if warm else 1, rounds + 1):
        for name, function in competitors.items():
            if name in once and number != 1:
                continue
            taken = seconds(function)
            if number:
                times[name].append(taken)
    return times


def row(
    name: str,
    value: float | None,
    unit: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
    **raw: Any,
) -> Row:
    """Make a line of the table; a figure with a bar passes or fails. A share is a number up to 1."""
    result: Row = {"name": name, "value": value, "unit": unit, "note": note, **raw}
    if value is not None and (at_least is not None or at_most is not None):
        bar = at_least if at_least is not None else at_most
        result["bar"] = f"{'>=' if at_least is not None else '<='} {show(bar, unit)}"
        result["pass"] = value >= at_least if at_least is not None else value <= (at_most or 0.0)
    return result


def speeds(times: Times, amount: float, unit: str) -> list[Row]:
    """Make a line for each competitor: amount per second, by the median."""
    return [row(name, amount / median(taken), unit, seconds=taken) for name, taken in times.items()]


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def ratio(times: Times, slower: str, faster: str = "ours") -> float:
    """Return how many times as fast one competitor is as another, by medians."""
    return median(times[slower]) / median(times[faster])


def matmul_peak(sizes: Sequence[int], device: torch.device, dtype: torch.dtype) -> float:
    """Return the most FLOP/s of square products."""
    best = 0.0
    for n in sizes:
        a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
        out = torch.empty_like(a)
        times = [seconds(lambda a=a, b=b, out=out: torch.mm(a, b, out=out)) for _ in range(4)]
        best = max(best, 2 * n**3 / min(times[1:]))
    return best


def lstm_flops(tokens: int, inputs: int, hidden: int) -> float:
    """Return FLOPs of a bidirectional layer, forward and backward: three products of each weight."""
    return 2 * 3 * 2 * tokens * 4 * hidden * (inputs + hidden)


# ---- the recurrent layers on a CPU -------------------------------------------------------------------


class Layers:
    """One BiLSTM three times with the same weights and inputs; each method trains on all batches.

    The loss is the sum of a max-pool over time; gradients go to inputs and weights.
    """

    def __init__(self, batches: list[Lengths]) -> None:
        torch.manual_seed(0)
        self.mine = recurrent.LSTM(E, H, bidirectional=True)
        self.theirs = nn.LSTM(E, H, bidirectional=True, batch_first=True)
        self.theirs_time_major = nn.LSTM(E, H, bidirectional=True)
        for other in (self.theirs, self.theirs_time_major):
            other.load_state_dict(self.mine.state_dict())
        self.lengths = [torch.from_numpy(lengths) for lengths in batches]
        self.inputs = [torch.randn(len(x), int(x.max()), E, requires_grad=True) for x in self.lengths]
        packs = [
            pack_padded_sequence(x.detach(), n, batch_first=True)
            for x, n in zip(self.inputs, self.lengths, strict=True)
        ]
        self.packs = [PackedSequence(p.data.requires_grad_(), p.batch_sizes) for p in packs]
        self.time_major = [x.detach().transpose(0, 1).contiguous().requires_grad_() for x in self.inputs]
        self.tokens = sum(len(p.data) for p in packs)
        with torch.no_grad():
            mine, theirs = self._mine(self.packs[0]), self._packed(self.inputs[0], self.lengths[0])
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)

    def ours(self) -> None:
        """Our layer, and our pooling."""
        for packed in self.packs:
            self._learn(self.mine, packed.data, self._mine(packed))

    def fallback(self) -> None:
        """The same without the compiled loops."""
        with mock.patch.object(native, "load", return_value=None):
            self.ours()

    def packed(self) -> None:
        """torch.nn's layer on packed sequences, as tutorials write it."""
        for inputs, lengths in zip(self.inputs, self.lengths, strict=True):
            self._learn(self.theirs, inputs, self._packed(inputs, lengths))

    def padded(self) -> None:
        """torch.nn's layer over the padding too, which is read and pooled: fast, and wrong."""
        for inputs in self.time_major:
            self._learn(self.theirs_time_major, inputs, self.theirs_time_major(inputs)[0].amax(0))

    def _mine(self, packed: PackedSequence) -> Tensor:
        output = self.mine(packed)[0]
        slot, step = positions(output.batch_sizes, CPU)
        return unpack(output.data, slot, step, output.batch_sizes, float("-inf")).amax(1)

    def _packed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        padded = pad_packed_sequence(self.theirs(packed)[0], batch_first=True, padding_value=float("-inf"))
        return padded[0].amax(1)

    @staticmethod
    def _learn(layer: nn.Module, inputs: Tensor, pooled: Tensor) -> None:
        layer.zero_grad()
        inputs.grad = None
        pooled.sum().backward()


PACKED, PADDED, FALLBACK = "nn.LSTM packed", "nn.LSTM padded", "ours, torch fallback"


def step(context: Context) -> list[Row]:
    """A training step of a BiLSTM on review lengths in buckets of 64."""
    layers = Layers(context.batches(context.pick(8, 1), context.pick(64, 8)))
    peaks: list[float] = []
    sizes = (1024, 1536, 2048) if not context.quick else (256,)
    competitors = {
        "sgemm": lambda: peaks.append(matmul_peak(sizes, CPU, torch.float32)),
        "ours": layers.ours,
        PADDED: layers.padded,
        FALLBACK: layers.fallback,
        PACKED: layers.packed,
    }
    times = race(competitors, context.rounds)
    del times["sgemm"], peaks[0]
    flops = lstm_flops(layers.tokens, E, H) / median(times["ours"])
    sizes_note = f"{len(layers.packs)} batches, {layers.tokens:,} tokens"
    return [
        *speeds(times, layers.tokens, "tokens/s"),
        row("ours / nn.LSTM packed", ratio(times, PACKED), "x", at_least=5.5, note=sizes_note),
        row("ours / nn.LSTM padded", ratio(times, PADDED), "x", at_least=1.5, note="it pools padding, too"),
        row("ours / torch fallback", ratio(times, FALLBACK), "x"),
        row("sgemm peak", median(peaks) / 1e9, "GFLOP/s", peaks=peaks),
        row("ours, model FLOP/s", flops / 1e9, "GFLOP/s"),
        row("ours, of sgemm peak", flops / median(peaks), "%", at_least=0.5),
    ]


def long(context: Context) -> list[Row]:
    """One batch of long sequences; nn.LSTM packed takes minutes for it, so it gets one step."""
    shortest, size = context.pick(1024, 64), context.pick(32, 4)
    lengths = np.random.default_rng(0).integers(shortest, 2 * shortest + 1, size)
    layers = Layers([-np.sort(-lengths)])
    log(f"  {PACKED} may take 5 to 15 minutes for its single step")
    competitors = {"ours": layers.ours, PADDED: layers.padded, PACKED: layers.packed}
    times = race(competitors, context.rounds, once=[PACKED])
    note = f"one step of it, {layers.tokens:,} tokens, not warmed up"
    return [
        *speeds(times, layers.tokens, "tokens/s"),
        row("ours / nn.LSTM packed", ratio(times, PACKED), "x", at_least=150, note=note),
        row("ours / nn.LSTM padded", ratio(times, PADDED), "x"),
    ]


def growth(context: Context) -> list[Row]:
    """Time for a token as sequences of equal length grow."""
    longest = context.pick(4096, 64)
    steps = [longest // 32, longest // 8, longest // 2, longest]
    layers = {T: Layers([np.full(context.pick(32, 4), T)] * (longest // T)) for T in steps}
    times = race({f"T = {T}": layers[T].ours for T in steps}, context.rounds)
    tokens = layers[longest].tokens  # the same for all
    change = ratio(times, f"T = {longest}", f"T = {steps[0]}")
    return [
        *speeds(times, tokens, "tokens/s"),
        row(f"time a token, T = {longest} / {steps[0]}", change, "x", at_most=1.2),
    ]


def equal(context: Context) -> list[Row]:
    """Equal lengths, where padding costs nothing: many sizes against nn.LSTM without packing."""
    rows = []
    for hidden in (32, 64, 128, 256, 512, 1024) if not context.quick else (32,):
        for layers in (1, 2, 3) if not context.quick else (1, 2):
            for bidirectional in (False, True):
                times = _equal(context, hidden, layers, bidirectional)
                name = f"H = {hidden}, {layers} layers, {'bi' if bidirectional else 'uni'}"
                rows.append(row(name, ratio(times, "padded"), "x", times=times))
                log(f"  {name}: {rows[-1]['value']:.2f}")
    least = min(rows, key=lambda one: one["value"])
    return [*rows, row("ours / nn.LSTM, the least", least["value"], "x", at_least=0.9, note=least["name"])]


def _equal(context: Context, hidden: int, layers: int, bidirectional: bool) -> Times:
    size, steps = context.pick(32, 4), context.pick(100 if hidden < 512 else 25, 10)
    mine = recurrent.LSTM(hidden, hidden, layers, bidirectional=bidirectional)
    theirs = nn.LSTM(hidden, hidden, layers, bidirectional=bidirectional)
    theirs.load_state_dict(mine.state_dict())
    inputs = torch.randn(steps, size, hidden, requires_grad=True)
    data = inputs.detach().flatten(0, 1).requires_grad_()
    packed = PackedSequence(data, torch.full((steps,), size))
    upstream = torch.randn(steps, size, hidden * (1 + bidirectional))

    def learn(layer: nn.Module, leaf: Tensor, whole: PackedSequence | Tensor) -> None:
        for _ in range(max(1, 256 // hidden)):  # so that the clock's grain does not matter
            layer.zero_grad()
            leaf.grad = None
            output = layer(whole)[0]
            output = output.data if isinstance(output, PackedSequence) else output
            output.backward(upstream.view(output.shape))

    return race(
        {"ours": lambda: learn(mine, data, packed), "padded": lambda: learn(theirs, inputs, inputs)},
        context.rounds,
    )


# ---- whole tasks on a CPU ------------------------------------------------------------------------


def classifier(tokenizer: Tokenizer, **sizes: Any) -> SequenceClassifier:
    """Make an untrained model of the default settings."""
    torch.manual_seed(0)
    return SequenceClassifier(2, ModelConfig(**sizes), vocab_size=len(tokenizer), embedding_size=E)


def epoch_seconds(
    model: SequenceClassifier, examples: Examples, training: TrainingConfig, precision: torch.dtype
) -> float:
    """Time the updates of one epoch of the package's trainer, where the model is."""
    device = next(model.parameters()).device
    few = Examples(first(examples.sequences, 2), examples.labels[:2])
    trainer = Trainer(model, examples, few, training, device=device, precision=precision)
    synchronize()
    begun = time.perf_counter()
    for event in trainer.run():
        if isinstance(event, Step) and event.step == event.steps:
            break  # before validation
    synchronize()
    return time.perf_counter() - begun


def first(sequences: Sequences, count: int) -> Sequences:
    """Return the first sequences."""
    return Sequences(sequences.values[: sequences.offsets[count]], sequences.offsets[: count + 1])


def staged_epoch(model: SequenceClassifier, examples: Examples, training: TrainingConfig) -> dict[str, float]:
    """Do what the trainer does, with the graph cut between the stages, and time each of them."""
    spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        spent[name] += time.perf_counter() - begun

    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=training.learning_rate)
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
            pooled = [model.pool(name, cut, hidden.detach()) for name in model.config.pooling]
            logits = model.linear(model.dropout(torch.cat(pooled, 1)))
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

    def __init__(self, model: SequenceClassifier) -> None:
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
        return self.linear(torch.cat([largest, mean], 1)).softmax(1)

    @torch.inference_mode()
    def predict(self, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
        """Classify texts in batches of 64, in their order."""
        parts = []
        for start in range(0, len(texts), 64):
            encoded = tokenizer.encode(texts[start : start + 64]).sequences
            ids = [torch.from_numpy(encoded[i]) for i in range(len(encoded))]
            parts.append(self(pad_sequence(ids, batch_first=True), torch.from_numpy(encoded.lengths)))
        return torch.cat(parts)


def write_bundle(folder: Path, tokenizer: Tokenizer) -> bundle.Bundle:
    """Write an untrained model of the default size where the command line can read it."""
    model, working = classifier(tokenizer), bundle.partial(folder)
    working.mkdir()
    bundle.write_text(working / "config.toml", config.dumps(Config()))
    tokenizer.save(working / "tokenizer.json")
    bundle.save_model(working / "model.safetensors", model)
    bundle.write_text(working / "history.jsonl", "")
    bundle.write_json(working / "report.json", {"test": {}, "intervals": {}, "tokenizer": {}})
    sizes = {"vocab_size": len(tokenizer), "embedding_size": E, "input_size": None}
    about = {"revision": None, "fingerprint": ""}
    bundle.complete(folder, {"labels": ["negative", "positive"], "model": sizes, "corpus": about})
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
        lengths = context.examples(len(texts)).sequences.lengths
        review, count = texts[int(lengths.argmax())], context.pick(300, 3)
        single = race(
            {"SMS": lambda: predictor.predict([SMS]), "review": lambda: predictor.predict([review])}, count
        )
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

    return race({name: lambda name=name: run(name) for name in arguments}, repeats)


def encode(context: Context) -> list[Row]:
    """Our word tokenizer, and the same with a Split on a Regex for the words."""
    texts, mine = context.data[1][: None if context.full else context.pick(5_000, 64)], context.tokenizer
    inner = tokenizers.Tokenizer.from_str(mine.inner.to_str())
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+|[^\w\s]+"), "removed", invert=True)
    split = Tokenizer(inner, mine.config)
    times = race({"ours": lambda: mine.encode(texts), "Split": lambda: split.encode(texts)}, context.rounds)
    a, b = mine.encode(texts).sequences, split.encode(texts).sequences
    same = [np.array_equal(a[i], b[i]) for i in range(len(texts))]
    plain = [one for one, text in zip(same, texts, strict=True) if text.isascii()]
    return [
        *speeds(times, len(texts), "texts/s"),
        row("ours / Split", ratio(times, "Split"), "x", at_least=2, note=f"{len(texts):,} texts"),
        row("equal tokens, ASCII texts", sum(plain) / max(1, len(plain)), "%", at_least=1),
        row("equal tokens, all texts", sum(same) / len(same), "%"),
    ]


# ---- other tools ---------------------------------------------------------------------------------


class Ours:
    """Tokenizer, four epochs of the default model."""

    def __init__(self, texts: list[str], labels: NDArray[np.int64]) -> None:
        self.tokenizer = Tokenizer.train(texts, Config().tokenizer)
        examples = Examples(self.tokenizer.encode(texts).sequences, labels)
        self.model = classifier(self.tokenizer)
        few = Examples(first(examples.sequences, 32), labels[:32])  # the last epoch is as good
        trainer = Trainer(self.model, examples, few, TrainingConfig(epochs=4, metric="log_loss"), device=CPU)
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
    size = context.pick(2_000, 64)
    _, texts, labels = context.data
    fit, held = slice(size), slice(size, 2 * size)
    made: dict[str, Any] = {}
    training = race(
        {name: lambda name=name: made.update({name: kinds[name](texts[fit], labels[fit])}) for name in kinds},
        min(3, context.rounds),
    )
    predicting = race({name: lambda m=m: m.predict(texts[held]) for name, m in made.items()}, context.rounds)
    for name, model in made.items():
        right = float(np.mean(np.array(model.predict(texts[held])) == labels[held]))
        note = f"{right:.1%} right on {len(labels[held]):,} other texts"
        rows += speeds({f"{name}, training": training[name]}, size, "texts/s")
        rows += speeds({f"{name}, predicting": predicting[name]}, len(labels[held]), "texts/s")
        rows[-1]["note"] = note
    return rows


# ---- a GPU ---------------------------------------------------------------------------------------


def gpu(context: Context) -> list[Row]:
    """The trainer on a GPU beside cuDNN alone on the same batches, 256 units, batches of 256."""
    if not torch.cuda.is_available():
        return [row("trainer", None, "tokens/s", note="skipped: torch finds no GPU")]
    device = torch.device("cuda")
    return on_device(context, device, runtime.choose_precision("auto", device))


def on_device(context: Context, device: torch.device, precision: torch.dtype) -> list[Row]:
    """Do the part `gpu`; any device will do to try it."""
    hidden, size = context.pick(256, 16), context.pick(256, 8)
    examples = context.examples(context.pick(25_000, 64))
    training = TrainingConfig(epochs=1, batch_size=size, batch_tokens=400 * size)
    model = classifier(context.tokenizer, hidden_size=hidden).to(device)
    lengths = examples.sequences.lengths
    drawn = buckets(lengths, size, training.batch_tokens, np.random.default_rng([0, 0]))
    shapes = [pack(examples.sequences, rows, CPU).inputs.batch_sizes for rows in drawn]
    area = max(len(shape) * int(shape[0]) for shape in shapes)
    layer = nn.LSTM(E, hidden, bidirectional=True).to(device, precision)
    inputs = torch.randn(area, E, device=device).to(precision)
    upstream = torch.randn(area, 2 * hidden, device=device).to(precision)

    def bare(padded: bool) -> None:
        for shape in shapes:
            steps, width = len(shape), int(shape[0])
            count = steps * width if padded else int(shape.sum())
            data = inputs[:count].detach().requires_grad_()
            layer.zero_grad()
            if padded:
                output = layer(data.view(steps, width, E))[0].flatten(0, 1)
            else:
                output = layer(PackedSequence(data, shape))[0].data
            output.backward(upstream[:count])

    whole: list[float] = []
    peaks: list[float] = []
    peak_sizes = (4096, 8192) if device.type == "cuda" else (128,)
    times = race(
        {
            "matmul": lambda: peaks.append(matmul_peak(peak_sizes, device, precision)),
            "trainer": lambda: whole.append(epoch_seconds(model, examples, training, precision)),
            "cuDNN packed": lambda: bare(False),
            "cuDNN padded": lambda: bare(True),
        },
        context.rounds,
    )
    del times["matmul"], peaks[0], whole[0]
    times["trainer"], tokens = whole, int(lengths.sum())
    flops = lstm_flops(tokens, E, hidden) / median(whole)
    note = f"{len(lengths):,} texts, {tokens:,} tokens, {len(shapes)} batches"
    return [
        *speeds(times, tokens, "tokens/s"),
        row("trainer / cuDNN packed", ratio(times, "cuDNN packed", "trainer"), "x", note=str(precision)),
        row("trainer / cuDNN padded", ratio(times, "cuDNN padded", "trainer"), "x", note="padded by buckets"),
        row("epoch", median(whole), "s", note=note),
        row("matmul peak", median(peaks) / 1e9, "GFLOP/s", peaks=peaks, note=str(precision)),
        row("trainer, model FLOP/s of peak", flops / median(peaks), "%"),
    ]


# ---- the run -------------------------------------------------------------------------------------

PARTS = {
    part.__name__: part for part in (step, long, growth, equal, epoch, predict, encode, peers, gpu)
}  # fmt: skip


def machine() -> dict[str, Any]:
    """Describe where this runs."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), cpu)
    omp = [line for line in torch.__config__.parallel_info().splitlines() if line.startswith("OpenMP")]
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "kernel": recurrent.kernel(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "omp": omp[0] if omp else None,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cudnn": torch.backends.cudnn.version() if torch.cuda.is_available() else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "tokenizers": tokenizers.__version__,
    }


def show(value: float | None, unit: str) -> str:
    """Write a figure with its unit."""
    if value is None:
        return "-"
    if unit == "%":
        return f"{value:.1%}"
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{number}{unit}" if unit == "x" else f"{number} {unit}"


def table(rows: list[Row]) -> Table:
    """Lay the figures out."""
    result = Table("part", "what", "figure", "bar", "verdict", "note", box=box.MARKDOWN)
    for one in rows:
        verdict = {True: "PASS", False: "FAIL", None: ""}[one.get("pass")]
        figure = show(one["value"], one["unit"])
        result.add_row(one["part"], one["name"], figure, one.get("bar", ""), verdict, one["note"])
    return result


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description="Speed of the package beside what one would write without.")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="NAME", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, only to try the script")
    parser.add_argument("--full", action="store_true", help="encode all labelled texts")
    parser.add_argument("--rounds", type=int, help="default 5, quick 2")
    parser.add_argument("--corpus", default="imdb", help="where texts come from (default imdb)")
    parser.add_argument("--lengths", choices=["corpus", "synthetic"], default="corpus")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as torch finds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every time that was taken")
    options = parser.parse_args()

    runtime.prepare(RuntimeConfig(device="cpu", threads=options.threads), 0)
    parts = options.only or list(PARTS)
    on_gpu = "gpu" in parts and torch.cuda.is_available()
    texts = 150 if options.quick else 50_000 if options.full else 25_000 if on_gpu else 5_000
    corpus = "synthetic" if options.lengths == "synthetic" else options.corpus
    rounds = options.rounds or (2 if options.quick else 5)
    context = Context(options.quick, options.full, rounds, corpus, texts)
    facts, rows = machine(), []
    log(", ".join(f"{name} {value}" for name, value in facts.items() if value is not None))
    for name in parts:
        log(f"{name}: {PARTS[name].__doc__}")
        begun = time.perf_counter()
        rows += [{"part": name, **one} for one in PARTS[name](context)]
        log(f"  {time.perf_counter() - begun:.0f} s")
        if options.json:  # after each part, as a run is long
            source = context.data[0] if "data" in vars(context) else None
            settings = {"quick": options.quick, "rounds": rounds, "texts": source}
            whole = {"machine": facts, "settings": settings, "rows": rows}
            bundle.write_json(options.json, whole)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(table(rows))
    verdicts = [one["pass"] for one in rows if "pass" in one]
    log(f"{sum(verdicts)} of {len(verdicts)} bars held")


if __name__ == "__main__":
    main()
