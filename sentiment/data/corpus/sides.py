"""Texts that are dealt to sides, so that equal ones stand on one side and each label keeps its share."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sentiment.data.corpus.labels import Label, names_in
from sentiment.data.corpus.raw import RawCorpus, RawSplit


@dataclass
class Texts:
    """Rows, the normalised keys that equal texts share, and whether a text may have several labels."""

    split: RawSplit
    keys: list[str]
    several: bool

    @classmethod
    def of(cls, split: RawSplit, raw: RawCorpus) -> "Texts":
        """Return the usable rows of a split of a corpus."""
        return cls(split, [raw.input.key(text) for text in split.texts], raw.several)

    @property
    def first(self) -> dict[str, int]:
        """The first row of each group of equal texts, by their key."""
        rows: dict[str, int] = {}
        for row, key in enumerate(self.keys):
            rows.setdefault(key, row)
        return rows

    def take(self, rows: Iterable[int]) -> "Texts":
        """Return some of the rows."""
        rows = list(rows)
        return replace(self, split=self.split.take(rows), keys=[self.keys[row] for row in rows])

    def remove(self, rows: set[int]) -> int:
        """Remove rows, and return how many."""
        rest = self.take(row for row in range(len(self.keys)) if row not in rows)
        self.split, self.keys = rest.split, rest.keys
        return len(rows)

    def remove_equal(self, others: "Texts") -> int:
        """Remove the texts that are equal to some of others."""
        keys = set(others.keys)
        return self.remove({row for row, key in enumerate(self.keys) if key in keys})

    def divided(self, keys: Collection[str]) -> tuple["Texts", "Texts"]:
        """Return all other rows, and those of some groups."""
        sides = ([], [])  # type: tuple[list[int], list[int]]
        for row, key in enumerate(self.keys):
            sides[key in keys].append(row)
        return self.take(sides[0]), self.take(sides[1])

    def cut(self, share: float, names: Sequence[str], seed: int, left: int) -> tuple["Texts", "Texts"]:
        """Divide the groups of equal texts, stratified by the label of each group's first text.

        At least one group of each class is cut, and `left` of them stay; of several labels, if they can.
        """
        first = self.first
        groups = np.array(list(first), object)
        labels = numbered([self.split.labels[row] for row in first.values()], names, self.several)
        generator = np.random.default_rng(seed)
        chosen: set[str] = set()
        if self.several:
            counts, size = labels.sum(0), len(groups)
            taken = np.maximum(0, np.minimum(np.maximum(1, share * counts), counts - left))
            wanted, sizes = np.stack([counts - taken, taken]), np.array([1 - share, share]) * size
            chosen = set(groups[stratify(labels, wanted, sizes, generator) == 1])
        else:
            for label in range(len(names)):
                mine = generator.permutation(groups[labels == label])
                chosen |= set(mine[: max(0, min(max(1, round(share * len(mine))), len(mine) - left))])
        return self.divided(chosen)


def numbered(labels: Sequence[Label | None], names: Sequence[str], several: bool) -> NDArray[np.int64]:
    """Return the numbers of classes (B,), or (B, L) of 0 and 1 where a text may have several."""
    numbers = {name: number for number, name in enumerate(names)}
    if not several:
        return np.array([numbers[str(label)] for label in labels], np.int64)
    marks = np.zeros((len(labels), len(names)), np.int64)
    for row, label in enumerate(labels):
        marks[row, [numbers[name] for name in names_in(label)]] = 1
    return marks


def stratify(
    labels: NDArray[np.int64],
    wanted: NDArray[np.float64],
    sizes: NDArray[np.float64],
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Deal texts by iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011).

    The rarest label among the remaining texts goes first. Each text with it goes to the side that still wants
    most texts with this label; ties go to the side that wants most texts, and then by lot.

    Parameters
    ----------
    labels
        (B, L) of 0 and 1.
    wanted
        (S, L) texts with each label that each side wants.
    sizes
        (S,) texts that each side wants.

    Returns
    -------
    array
        (B,) the side of each text.
    """
    wanted, sizes = wanted.astype(np.float64), sizes.astype(np.float64)  # what is still wanted
    order = generator.permutation(len(labels))  # ties between texts are broken by lot
    sides = np.full(len(labels), -1)

    def deal(rows: NDArray[np.int64], wishes: NDArray[np.float64]) -> None:
        for row in rows:
            best = np.flatnonzero(wishes == wishes.max())
            best = best[sizes[best] == sizes[best].max()]
            side = best[0] if len(best) == 1 else generator.choice(best)
            sides[row] = side
            wanted[side] -= labels[row]
            sizes[side] -= 1

    remaining = labels.sum(0)
    while remaining.any():
        rarest = int(np.where(remaining > 0, remaining, len(labels) + 1).argmin())
        rows = order[(labels[order, rarest] == 1) & (sides[order] < 0)]
        deal(rows, wanted[:, rarest])
        remaining = remaining - labels[rows].sum(0)
    deal(order[sides[order] < 0], sizes)  # those without a label
    return sides
