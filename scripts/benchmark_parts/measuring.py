"""Clocks, races, rows of the table, and the texts that the parts share."""

import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sentiment.core.errors import SentimentError
from sentiment.core.sections.data import CorpusConfig, TokenizerConfig
from sentiment.data.corpus import read_corpus
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import Tokenizer
from sentiment.models.batches import buckets
from sentiment.training.trainer import Examples

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
        """One that keeps 400 tokens, trained on the texts."""
        return Tokenizer.train(self.data[1][: self.pick(25_000, 150)], TokenizerConfig(max_length=400))

    def examples(self, count: int) -> Examples:
        """Tokenize the first texts, cut at 400 tokens."""
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
    competitors: Mapping[str, Callable[[], object]], rounds: int, once: Sequence[str] = (), warm: bool = True
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
        times = [seconds(partial(torch.mm, a, b, out=out)) for _ in range(4)]
        best = max(best, 2 * n**3 / min(times[1:]))
    return best


def lstm_flops(tokens: int, inputs: int, hidden: int) -> float:
    """Return FLOPs of a bidirectional layer, forward and backward: three products of each weight."""
    return 2 * 3 * 2 * tokens * 4 * hidden * (inputs + hidden)


def first(sequences: Sequences, count: int) -> Sequences:
    """Return the first sequences."""
    return Sequences(sequences.values[: sequences.offsets[count]], sequences.offsets[: count + 1])


def show(value: float | None, unit: str) -> str:
    """Write a figure with its unit."""
    if value is None:
        return "-"
    if unit == "%":
        return f"{value:.1%}"
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{number}{unit}" if unit == "x" else f"{number} {unit}"
