"""Sequences → packed batches, in length buckets."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from sentiment.sequences import Sequences

POOL = 50  # batches drawn at random, then sorted by length: little padding, still a random order


@dataclass(frozen=True)
class Batch:
    """Some sequences, longest first.

    Attributes
    ----------
    inputs
        Packed ids (N,) or features (N, F), time-major.
    lengths
        (B,) steps of each sequence, descending, on the CPU.
    rows
        (B,) where each sequence stands in the data.
    """

    inputs: PackedSequence
    lengths: Tensor
    rows: NDArray[np.int64]

    @property
    def tokens(self) -> int:
        """Steps in all sequences."""
        return len(self.inputs.data)


def pack(sequences: Sequences, rows: NDArray[np.int64], device: torch.device) -> Batch:
    """Gather rows of the data into one packed batch."""
    lengths = sequences.lengths[rows]
    order = np.argsort(-lengths, kind="stable")
    rows, lengths = rows[order], lengths[order]
    # At step t the first batch_sizes[t] sequences are still running.
    batch_sizes = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left")  # (T,)
    starts = np.concatenate([[0], np.cumsum(batch_sizes)[:-1]])
    step = np.repeat(np.arange(lengths[0]), batch_sizes)  # (N,)
    slot = np.arange(len(step)) - np.repeat(starts, batch_sizes)  # (N,) which sequence
    values = torch.from_numpy(sequences.values[sequences.offsets[rows][slot] + step])
    inputs = PackedSequence(values.to(device, non_blocking=True), torch.from_numpy(batch_sizes))
    return Batch(inputs, torch.from_numpy(lengths), rows)


def buckets(
    lengths: NDArray[np.int64],
    batch_size: int,
    batch_tokens: int,
    generator: np.random.Generator | None = None,
) -> list[NDArray[np.int64]]:
    """Group rows of similar length.

    Parameters
    ----------
    lengths
        (B,) steps of each sequence.
    batch_size, batch_tokens
        Most sequences in a batch, and most steps counting padding; one sequence always fits.
    generator
        Shuffles the rows within random pools, and the batches. Without one the order is by length.

    Returns
    -------
    list of arrays
        Rows of each batch; together every row once.
    """
    if generator is None:
        return _cut(np.argsort(-lengths, kind="stable"), lengths, batch_size, batch_tokens)
    shuffled = generator.permutation(len(lengths))
    batches = []
    for start in range(0, len(shuffled), POOL * batch_size):
        pool = shuffled[start : start + POOL * batch_size]
        by_length = pool[np.argsort(-lengths[pool], kind="stable")]
        batches += _cut(by_length, lengths, batch_size, batch_tokens)
    return [batches[index] for index in generator.permutation(len(batches))]


def in_order(
    sequences: Sequences, batch_size: int, batch_tokens: int, device: torch.device
) -> Iterator[Batch]:
    """Yield all sequences, longest first: what evaluation and prediction run over."""
    for rows in buckets(sequences.lengths, batch_size, batch_tokens):
        yield pack(sequences, rows, device)


def padding(batches: list[NDArray[np.int64]], lengths: NDArray[np.int64]) -> float:
    """Share of padding if the batches were padded to their longest sequence."""
    area = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
    return 1 - int(lengths.sum()) / area if area else 0.0


def _cut(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], batch_size: int, batch_tokens: int
) -> list[NDArray[np.int64]]:
    """Cut rows that are sorted by falling length into batches within the limits."""
    batches, start = [], 0
    while start < len(rows):
        size = max(1, min(batch_size, batch_tokens // max(1, int(lengths[rows[start]]))))
        batches.append(rows[start : start + size])
        start += size
    return batches
