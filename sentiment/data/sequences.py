"""Many sequences of different lengths in two flat arrays; long ones may be read in windows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Steps = NDArray[np.uint16] | NDArray[np.int32] | NDArray[np.float32]
Truncation = Literal["head", "tail", "head+tail"]


@dataclass(frozen=True)
class Sequences:
    """Sequences of token ids, or of feature vectors, one after another.

    Attributes
    ----------
    values
        All steps: (N,) ids, of 16 bits where these suffice, or (N, F) features.
    offsets
        (B + 1,) where each sequence begins; the last is N.
    window
        A longer sequence is read in windows of so many steps; None if all are read whole.
    overlap
        Steps that a window shares at least with the next.
    """

    values: Steps
    offsets: NDArray[np.int64]
    window: int | None = None
    overlap: int = 0

    @classmethod
    def of(cls, arrays: Iterable[Steps | Sequence[int]]) -> "Sequences":
        """Join one array for each sequence; a list is taken as ids."""
        parts = [np.asarray(array, np.int32) if isinstance(array, list) else array for array in arrays]
        lengths = np.fromiter((len(part) for part in parts), np.int64, len(parts))
        values = np.concatenate(parts) if parts else np.empty(0, np.int32)
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def joined(cls, parts: Sequence["Sequences"]) -> "Sequences":
        """Put the sequences of several parts, all read in the same windows, one after another."""
        lengths = np.concatenate([part.lengths for part in parts])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return replace(parts[0], values=np.concatenate([part.values for part in parts]), offsets=offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Steps:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(B,) number of steps of each sequence."""
        return np.diff(self.offsets)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(B,) number of windows in which each sequence is read; 1 if it is read whole."""
        return self._counts(self.lengths)

    def steps(self, most: int | None = None) -> NDArray[np.int64]:
        """(B,) number of steps that are read of each sequence, in at most so many windows."""
        lengths = self.lengths
        if self.window is None:
            return lengths
        counts = self._counts(lengths)
        kept = counts if most is None else np.minimum(counts, most)
        return np.where(counts > 1, kept * self.window, lengths)

    def windowed(self, longest: int, overlap: int) -> "Sequences":
        """Have sequences of more than `longest` steps read in windows."""
        return replace(self, window=longest, overlap=overlap)

    def windows(
        self, rows: NDArray[np.int64], most: int | None = None, generator: np.random.Generator | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Say where the windows of some sequences begin (W,), their lengths (W,) and numbers (B,).

        The windows of one sequence are of one length, and spread evenly from its first to its last step.
        Of a sequence that has more than `most`, so many are drawn.
        """
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        counts = self._counts(lengths)
        if self.window is None or counts.max() == 1:
            return starts, lengths, counts
        kept = counts if most is None else np.minimum(counts, most)
        begins = np.cumsum(kept) - kept
        number = np.arange(kept.sum()) - np.repeat(begins, kept)
        for row in np.flatnonzero(kept < counts):
            assert generator is not None
            drawn = generator.choice(counts[row], kept[row], replace=False)
            number[begins[row] : begins[row] + kept[row]] = np.sort(drawn)
        beyond, gaps = np.maximum(lengths - self.window, 0), np.maximum(counts - 1, 1)
        places = number * np.repeat(beyond, kept) // np.repeat(gaps, kept)
        return np.repeat(starts, kept) + places, np.repeat(lengths - beyond, kept), kept

    def _counts(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.window is None:
            return np.ones_like(lengths)
        beyond = np.maximum(lengths - self.window, 0)
        return 1 + -(-beyond // (self.window - self.overlap))

    def truncated(self, longest: int, policy: Truncation) -> "Sequences":
        """Keep at most `longest` steps: the first, the last, or half of each."""
        lengths = self.lengths
        if not len(self) or lengths.max() <= longest:
            return self
        kept = np.minimum(lengths, longest)
        head = {"head": kept, "tail": 0 * kept, "head+tail": (kept + 1) // 2}[policy]
        offsets = np.concatenate([[0], np.cumsum(kept)])
        step = np.arange(offsets[-1]) - np.repeat(offsets[:-1], kept)
        skipped = np.where(step < np.repeat(head, kept), 0, np.repeat(lengths - kept, kept))
        return Sequences(self.values[np.repeat(self.offsets[:-1], kept) + step + skipped], offsets)

    def mixed(self, other: "Sequences", mask: NDArray[np.bool_]) -> "Sequences":
        """Return these sequences, but those of `other` where `mask` (B,) says so."""
        starts = np.where(mask, len(self.values) + other.offsets[:-1], self.offsets[:-1])
        lengths = np.where(mask, other.lengths, self.lengths)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return replace(self, values=np.concatenate([self.values, other.values])[places], offsets=offsets)

    def pieces(self, longest: int) -> "Sequences":
        """Cut each sequence into pieces of at most `longest` steps; nothing is left out."""
        counts = -(-self.lengths // longest)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        starts = np.repeat(self.offsets[:-1], counts) + longest * (np.arange(counts.sum()) - before)
        return Sequences(self.values, np.append(starts, self.offsets[-1]))


@dataclass(frozen=True)
class Encoded:
    """What became of some texts, or sequences of features.

    Attributes
    ----------
    sequences
        What the recurrence reads: token ids, at least one for each text; or normalised features.
    whole
        The same, not truncated.
    unknown_rate
        (B,) share of unknown tokens among those of the whole text; 0 of features.
    truncated
        (B,) whether there are steps that are not read.
    lengths
        (B,) steps of the whole.
    """

    sequences: Sequences
    whole: Sequences
    unknown_rate: NDArray[np.float64]
    truncated: NDArray[np.bool_]
    lengths: NDArray[np.int64]
