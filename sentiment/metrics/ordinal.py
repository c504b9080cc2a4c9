"""Grades: classes in order, such as 1 to 5 stars. How one is decided, and scores of them.

B texts, C grades, from the lowest.
"""

import numpy as np
from numpy.typing import NDArray


def median(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the grades (B,) at which probabilities (B, C), summed up from the lowest, reach a half.

    Of all decisions it has the least absolute error to expect.
    """
    return np.asarray((probabilities[:, :-1].cumsum(1) < 0.5).sum(1))


def scores(matrices: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return what confusion matrices (R, C, C) of grades say beside the scores of classes, each (R,).

    ``mae`` is the mean absolute error in steps, from one grade to the next; ``within_one`` the share that is
    one step off at most; ``quadratic_kappa`` the agreement beyond chance, mistakes weighing by the squares of
    their steps (Cohen 1968); ``spearman`` the rank correlation of true and decided grades. The last two are 0
    where they are not defined, as all grades are one.
    """
    places = np.arange(matrices.shape[1])
    steps = np.abs(places[:, None] - places)
    true, decided = matrices.sum(2), matrices.sum(1)  # (R, C)
    total = true.sum(1)

    def mean(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray((matrices * weights).sum((1, 2)) / total)

    by_chance = np.einsum("ri,rj,ij->r", true, decided, steps**2) / total**2
    # Ranks of equal grades are their mean; from the middle of all ranks.
    ranks, theirs = (sums.cumsum(1) - (sums + total[:, None]) / 2 for sums in (true, decided))
    spread = (true * ranks**2).sum(1) * (decided * theirs**2).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = 1 - mean(steps**2) / by_chance
        correlation = np.einsum("rij,ri,rj->r", matrices, ranks, theirs) / np.sqrt(spread)
    return {
        "mae": mean(steps),
        "quadratic_kappa": np.nan_to_num(kappa),
        "within_one": mean((steps <= 1).astype(np.int64)),
        "spearman": np.nan_to_num(correlation),
    }
