"""Sequences → packed batches, in length buckets."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from sentiment.data.sequences import Sequences

POOL = 50  # batches drawn at random, then sorted by length: little padding, still a random order


@dataclass(frozen=True)
class Batch:
    """Some sequences, longest first, as W windows: a long sequence may be read in several."""

    inputs: PackedSequence  # ids (N,) or features (N, F), time-major
    lengths: Tensor  # (W,) steps of each window, descending, on the CPU
    rows: NDArray[np.int64]  # (B,) row of each sequence in the data
    counts: Tensor | None = None  # (B,) windows of each sequence, one after another; None if each has one

    @property
    def tokens(self) -> int:
        """Steps in all windows."""
        return len(self.inputs.data)


def resident(sequences: Sequences, device: torch.device) -> Tensor | None:
    """Copy all steps to the device, once for many batches; on a CPU there is nothing to copy."""
    if device.type == "cpu":
        return None
    values = sequences.values
    return torch.from_numpy(values if values.ndim > 1 else values.astype(np.int32)).to(device)


def pack(
    sequences: Sequences,
    rows: NDArray[np.int64],
    device: torch.device,
    values: Tensor | None = None,
    *,
    most: int | None = None,
    generator: np.random.Generator | None = None,
) -> Batch:
    """Gather rows of the data into one packed batch.

    Parameters
    ----------
    values
        All steps on the device, from `resident`; then the batch is gathered there.
    most, generator
        Most windows of a sequence, and what draws them if it has more.
    """
    rows = rows[np.argsort(-sequences.steps(most)[rows], kind="stable")]
    starts, lengths, counts = sequences.windows(rows, most, generator)  # in this order the longest come first
    # At step t the first batch_sizes[t] sequences are still running.
    batch_sizes = torch.from_numpy(np.searchsorted(-lengths, -np.arange(lengths[0]), side="left"))  # (T,)
    slot, step = positions(batch_sizes, device)
    places = torch.from_numpy(starts).to(device, non_blocking=True)[slot] + step  # (N,)
    if values is None:
        steps = sequences.values[places.cpu().numpy()]
        values = torch.from_numpy(steps if steps.ndim > 1 else steps.astype(np.int32)).to(device)
    else:
        values = values[places]
    several = torch.from_numpy(counts).to(device) if len(starts) > len(rows) else None
    return Batch(PackedSequence(values, batch_sizes), torch.from_numpy(lengths), rows, several)


def positions(batch_sizes: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the sequence and the time step of each packed row: two (N,) arrays.

    Only the (T,) sizes travel to the device, and nothing waits for it.
    """
    total = int(batch_sizes.sum())
    sizes = batch_sizes.to(device, non_blocking=True)
    step = torch.arange(len(sizes), device=device).repeat_interleave(sizes, output_size=total)
    slot = torch.arange(total, device=device) - (sizes.cumsum(0) - sizes)[step]
    return slot, step


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
        (B,) steps of each sequence; where windows overlap, steps count in each.
    batch_size, batch_tokens
        Most sequences in a batch, and most steps with padding; a batch has at least one sequence.
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
    """Yield batches of all sequences, longest first, for evaluation and prediction."""
    values = resident(sequences, device)
    for rows in buckets(sequences.steps(), batch_size, batch_tokens):
        yield pack(sequences, rows, device, values)


def balanced(labels: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many rows as there are labels (B,), of each class equally many.

    All rows of a class come equally often, up to a remainder that is drawn. Where the number of rows does not
    divide by the classes, those that get a row more are drawn, too.
    """
    classes = [np.flatnonzero(labels == label) for label in generator.permutation(np.unique(labels))]
    shares = np.diff(np.linspace(0, len(labels), len(classes) + 1).astype(np.int64))
    drawn = []
    for rows, share in zip(classes, shares, strict=True):
        drawn += [np.tile(rows, share // len(rows)), generator.choice(rows, share % len(rows), replace=False)]
    return np.concatenate(drawn)


def padding(batches: list[NDArray[np.int64]], lengths: NDArray[np.int64]) -> float:
    """Return the share of padding if batches were padded to their longest sequence."""
    area = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
    return 1 - sum(int(lengths[rows].sum()) for rows in batches) / area if area else 0.0


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
