"""Grades: classes in order, such as 1 to 5 stars. Their names, how one is decided, and scores of them.

B texts, C grades, from the lowest.
"""

import re
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from sentiment.errors import CorpusError, UsageError, listed

NUMBER = re.compile(r"[-+−]?\d{1,15}(?:\.\d{1,15})?(?!\.?\d)")  # −2, 3.5, 4 stars


def numbers(names: Sequence[str]) -> list[float] | None:
    """Return the numbers that the names of grades begin with, if all do and no two are equal."""
    found = [match and float(match[0].replace("−", "-")) for match in map(NUMBER.match, names)]
    values = [value for value in found if value is not None]
    return values if len(set(values)) == len(names) else None


def in_order(
    found: Collection[str], given: Sequence[str] | None, known: Sequence[str] | None, source: str
) -> tuple[str, ...]:
    """Return the grades of a corpus from the lowest to the highest.

    Parameters
    ----------
    found
        The labels of its training texts.
    given
        The order by ``corpus.grades``, if it is set.
    known
        The order of the source's own numbers, if it numbers them. Numbers in the names go before it.

    Raises
    ------
    CorpusError
        If nothing says what the order is, or there are fewer than three.
    UsageError
        If `given` names other grades.
    """
    if len(found) < 3:
        raise CorpusError(
            f"{source}: {listed(sorted(found))} are two classes, which have no order to learn; leave out "
            "corpus.task=ordinal"
        )
    if given is not None:
        if sorted(given) != sorted(found):
            raise UsageError(
                f"corpus.grades = {','.join(given)}: give each label of the training texts of {source} once, "
                f"which are: {listed(sorted(found))}"
            )
        return tuple(given)
    names = sorted(found)
    if values := numbers(names):
        return tuple(sorted(names, key=dict(zip(names, values, strict=True)).__getitem__))
    if known is not None:
        return tuple(name for name in known if name in found)
    raise CorpusError(
        f"{source}: the labels {listed(names)} do not say their order; give it, lowest first: "
        f"--set 'corpus.grades={','.join(names)}', in the right order"
    )


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
