"""N-grams of texts that are given as ids: which tokens are one, and their hashes. NumPy only.

Shapes: B texts, T tokens of a text, M n-grams in a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.data.sequences import Sequences

AT_ONCE = 2**20  # tokens: bounds memory
MULTIPLIER, MIXER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)

Hashes = NDArray[np.uint32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Patterns:
    """Which tokens of a text are an n-gram."""

    longest: int  # tokens of the longest run; all shorter runs count too
    gap: int = (
        0  # most tokens between the two of a pair, which counts too (skip-bigrams, Guthrie et al. 2006)
    )
    ending: int = 0  # what begins in the last so many tokens of a text counts once more, as another n-gram

    @cached_property
    def offsets(self) -> list[NDArray[np.int64]]:
        """Where the tokens of each kind of n-gram are, from its first."""
        runs = [np.arange(length) for length in range(1, self.longest + 1)]
        return runs + [np.array([0, gap + 1]) for gap in range(1, self.gap + 1)]

    def worthwhile(self, sequences: Sequences) -> Patterns:
        """Return these without the ending if texts are hardly longer than it in the mean."""
        return self if sequences.lengths.mean() >= 2 * self.ending else replace(self, ending=0)

    def places(self, ids: NDArray[Any], left: Rows) -> tuple[Rows, Rows, Hashes]:
        """Return of each n-gram where it begins, which of the `offsets` it has, and its hash.

        Parameters
        ----------
        ids
            (T,) of a text, or of several, one after another.
        left
            (T,) tokens from each one to the end of its text, itself counted.
        """
        steps = ids.astype(np.uint64) + np.uint64(1)
        run = np.zeros(len(steps), np.uint64)
        begins, kinds, hashes = [], [], []
        for kind, offsets in enumerate(self.offsets):
            width = int(offsets[-1]) + 1
            first = np.flatnonzero(left >= width)
            if kind < self.longest:  # grows out of the one before
                run = run[: max(0, len(steps) - kind)] * MULTIPLIER + steps[kind:]
                rolling = run[first]
            else:
                pair = steps[first] * MULTIPLIER + steps[first + width - 1]
                rolling = pair ^ (np.uint64(width) << np.uint64(56))
            mixed = (rolling ^ (rolling >> np.uint64(29))) * MIXER >> np.uint64(32)
            if self.ending:
                again = left[first] <= self.ending
                marked = (mixed[again] + np.uint64(1)) * MULTIPLIER >> np.uint64(32)
                first, mixed = np.concatenate([first, first[again]]), np.concatenate([mixed, marked])
            begins.append(first)
            kinds.append(np.full(len(first), kind))
            hashes.append(mixed.astype(np.uint32))
        return np.concatenate(begins), np.concatenate(kinds), np.concatenate(hashes)

    def of(self, sequences: Sequences) -> Iterator[tuple[int, Rows, Hashes]]:
        """Give parts of texts: the number of the first, and of each n-gram its text, from there, and hash."""
        first, ends = 0, sequences.offsets[1:]
        while first < len(sequences):
            begin = sequences.offsets[first]
            last = max(first + 1, int(np.searchsorted(ends, begin + AT_ONCE, side="right")))
            owners = np.repeat(np.arange(last - first), sequences.lengths[first:last])
            end = int(sequences.offsets[last])
            left = ends[first:last][owners] - np.arange(begin, end)
            begins, _, hashes = self.places(sequences.values[begin:end], left)
            yield first, owners[begins], hashes
            first = last

    def counted(self, sequences: Sequences) -> tuple[Hashes, Rows]:
        """Return the different n-grams of texts, sorted, and in how many texts each is."""
        parts = [distinct(rows, hashes)[1] for _, rows, hashes in self.of(sequences)]
        return np.unique(np.concatenate(parts), return_counts=True)

    def features(self, sequences: Sequences, hashes: Hashes) -> Any:
        """Return a sparse matrix (B, M) of which of (M,) n-grams each text has."""
        from scipy import sparse

        rows, places = [], []
        for first, owners, of_texts in self.of(sequences):
            texts, columns = present(hashes, owners, of_texts)
            rows.append(first + texts)
            places.append(columns)
        cells = np.concatenate(rows), np.concatenate(places)
        return sparse.csr_matrix((np.ones(len(cells[0]), np.float32), cells), (len(sequences), len(hashes)))


def distinct(rows: Rows, hashes: Hashes) -> tuple[Rows, Hashes]:
    """Return texts and n-grams, each pair once, ordered by the n-gram: so a search for them is fast."""
    pairs = np.sort(hashes.astype(np.uint64) << np.uint64(32) | rows.astype(np.uint64))
    once = pairs[np.diff(pairs, prepend=~pairs[:1]) != 0]  # np.unique hashes: 20 times slower (numpy 2.4)
    return (once & np.uint64(2**32 - 1)).astype(np.int64), (once >> np.uint64(32)).astype(np.uint32)


def present(table: Hashes, rows: Rows, hashes: Hashes) -> tuple[Rows, Rows]:
    """Return texts and places in a table of the n-grams that are there, each once for a text."""
    rows, hashes = distinct(rows, hashes)
    places = np.minimum(np.searchsorted(table, hashes), len(table) - 1)
    there = table[places] == hashes
    return rows[there], places[there]
