"""Deal texts that may have several labels to sides, so that each label has its share on each."""

import numpy as np
from numpy.typing import NDArray


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
