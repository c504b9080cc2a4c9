"""Is one classifier better than another on the same texts? Arrays in, numbers out."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.scores import Comparison, Difference
from sentiment.metrics.arrays import Array, Labels, Mask, OfMatrices
from sentiment.metrics.label_scores import share

BATCH = 2**20  # numbers worked on at once: bounds memory
SHUFFLES = 9_999  # of the permutation test: its p is 1 of 10,000 at least


def compare_classes(
    labels: Labels,
    ours: Labels,
    theirs: Labels,
    of_matrices: OfMatrices,
    names: Sequence[str],
    resamples: int,
) -> Comparison:
    """Compare two classifiers on the same texts.

    Parameters
    ----------
    labels, ours, theirs
        (B,) true classes, and the classes that each of the two predicts.
    of_matrices, names
        What gives the scores of confusion matrices, and those of them whose differences are wanted:
        ``accuracy``, and others.

    Returns
    -------
    dict
        ``difference`` of the accuracies, ours − theirs, and its 95 % ``interval`` (percentiles of a
        bootstrap over the texts, which are the same for both); ``ours_only`` and ``theirs_only``, the
        texts that only one of the two has right; ``p`` of McNemar's exact test on them, two-sided
        (McNemar 1947); and the first two of each other score, under its name.
    """
    ours_only, theirs_only = _contested(ours == labels, theirs == labels)
    parts = _differences(np.stack([labels, ours, theirs]), of_matrices, names, resamples)
    whole = {"ours_only": ours_only, "theirs_only": theirs_only, "p": mcnemar(ours_only, theirs_only)}
    return cast(Comparison, {**parts.pop("accuracy"), **whole, **parts})


def compare_labels(labels: Labels, ours: Labels, theirs: Labels, resamples: int = 1000) -> Comparison:
    """Compare two classifiers on the same texts, which may have several labels.

    Parameters
    ----------
    labels, ours, theirs
        (B, L) true labels, and those that each of the two gives.

    Returns
    -------
    dict
        ``difference`` of the micro F1, ours − theirs, its 95 % ``interval`` (percentiles of a bootstrap
        over the texts, which are the same for both), and ``p`` of approximate randomisation, two-sided: how
        often the difference is as large if for each text chance says which of the two gave which answer
        (Noreen 1989; Yeh 2000). ``ours_only`` and ``theirs_only`` are the texts that only
        one of the two has wholly right; under ``accuracy`` are the difference of their shares, and ``p`` of
        McNemar's exact test on them.
    """
    # Of a text only these numbers matter; many texts share them.
    columns = [(labels & ours).sum(1), (labels & theirs).sum(1), ours.sum(1), theirs.sum(1)]
    kinds, counts = np.unique(np.stack([*columns, labels.sum(1)], 1), axis=0, return_counts=True)

    def apart(sums: NDArray[Any]) -> Array:  # (R, 5) -> (R,)
        hits, given, true = sums[:, :2], sums[:, 2:4], sums[:, 4:]
        f1 = share(2 * hits, given + true, 0.0)
        return np.asarray(f1[:, 0] - f1[:, 1])

    sums, swap = counts @ kinds, kinds[:, [1, 0, 3, 2, 4]] - kinds
    difference = float(apart(sums[None])[0])
    generator, batch = np.random.default_rng(0), max(1, BATCH // len(counts))
    drawn, shuffled = [], []
    for size in _parts(resamples, batch):
        drawn.append(apart(generator.multinomial(len(labels), counts / len(labels), size) @ kinds))
    for size in _parts(SHUFFLES, batch):
        shuffled.append(apart(sums + generator.binomial(counts, 0.5, (size, len(counts))) @ swap))
    as_large = int((np.abs(np.concatenate(shuffled)) >= abs(difference) - 1e-12).sum())
    ours_only, theirs_only = _contested((ours == labels).all(1), (theirs == labels).all(1))
    return {
        "difference": difference,
        "interval": [float(edge) for edge in np.percentile(np.concatenate(drawn), [2.5, 97.5])],
        "p": (1 + as_large) / (1 + SHUFFLES),
        "ours_only": ours_only,
        "theirs_only": theirs_only,
        "accuracy": {
            "difference": (ours_only - theirs_only) / len(labels),
            "p": mcnemar(ours_only, theirs_only),
        },
    }


def mcnemar(ours_only: int, theirs_only: int) -> float:
    """Return p of McNemar's exact test, two-sided, from how many texts only one of two has right."""
    from scipy import stats

    contested = ours_only + theirs_only
    return float(stats.binomtest(ours_only, contested).pvalue) if contested else 1.0


def sign_flips(differences: Labels) -> float:
    """Return p of the exact paired permutation test that whole numbers (B,) have the mean 0, two-sided.

    Under the hypothesis each difference has either sign alike (Fisher 1935), so that the sum of those that
    are above 0 is one of binomials, each times its size. Where all sizes are 1 it is McNemar's test.
    """
    from scipy import signal, stats

    distribution = np.ones(1)
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    for size, count in zip(sizes, counts, strict=True):
        sums = np.zeros(size * count + 1)
        sums[::size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        distribution = signal.fftconvolve(distribution, sums)
    middle = (len(distribution) - 1) / 2
    off = np.abs(np.arange(len(distribution)) - middle)
    observed = abs(int(differences[differences > 0].sum()) - middle)
    return float(np.clip(distribution[off >= observed - 0.25].sum(), 0, 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of several tests so that any false finding among them is unlikely (Holm 1979)."""
    order = np.argsort(p_values)
    steps = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return [float(p) for p in adjusted]


def corrected_t(differences: Sequence[float], ratio: float) -> dict[str, Any]:
    """Test the mean of differences over the folds of a repeated cross-validation.

    The folds' training texts overlap, so that a plain t-test finds too much; this is the corrected
    resampled t-test of Nadeau & Bengio (2003), for repeats as in Bouckaert & Frank (2004).

    Parameters
    ----------
    differences
        One for each fold and repeat, at least two.
    ratio
        Texts tested on, over texts trained on, in a fold.

    Returns
    -------
    dict
        ``mean``, its 95 % ``interval``, and ``p``, two-sided. Differences that are all the same have no
        spread to judge by: then there is no interval, and `p` is 1 if they are 0, else None.
    """
    from scipy import stats

    values = np.asarray(differences, np.float64)
    mean, count = values.mean(), len(values)
    if np.ptp(values) < 1e-12:
        return {"mean": float(mean), "interval": None, "p": 1.0 if abs(mean) < 1e-12 else None}
    error = np.sqrt((1 / count + ratio) * values.var(ddof=1))
    width = stats.t.ppf(0.975, count - 1) * error
    p = 2 * stats.t.sf(abs(mean) / error, count - 1)
    return {"mean": float(mean), "interval": [float(mean - width), float(mean + width)], "p": float(p)}


def _differences(
    answers: Labels, of_matrices: OfMatrices, names: Sequence[str], resamples: int
) -> dict[str, Difference]:
    """Return the difference of each score, with its interval, for answers (3, B): true, ours, theirs.

    Which texts a resample draws matters only through how often it draws each combination of true
    class and two predictions; those counts are multinomial, and the combinations few.
    """
    from scipy import sparse

    classes = int(answers.max()) + 1
    kinds, counts = np.unique(answers, axis=1, return_counts=True)
    total = answers.shape[1]
    ones, rows = np.ones(len(counts)), np.arange(len(counts))
    cells = [  # (K, C²) for each of the two: the cell of its confusion matrix
        sparse.csr_array((ones, (rows, kinds[0] * classes + predicted)), (len(counts), classes**2))
        for predicted in kinds[1:]
    ]

    def apart(weights: NDArray[np.int64]) -> Array:
        """Return ours − theirs, (R, scores), for weights (R, K)."""
        both = [of_matrices((weights @ cell).reshape(-1, classes, classes)) for cell in cells]
        return np.stack([both[0][name] - both[1][name] for name in names], 1)

    generator = np.random.default_rng(0)
    batch = max(1, BATCH // max(classes**2, len(counts)))
    drawn = [apart(generator.multinomial(total, counts / total, size)) for size in _parts(resamples, batch)]
    edges = np.percentile(np.concatenate(drawn), [2.5, 97.5], axis=0)  # (2, scores)
    return {
        name: {"difference": float(value), "interval": [float(low), float(high)]}
        for name, value, low, high in zip(names, apart(counts[None])[0], *edges, strict=True)
    }


def _contested(ours_right: Mask, theirs_right: Mask) -> tuple[int, int]:
    """Count the texts that only one of two classifiers has right."""
    return int((ours_right & ~theirs_right).sum()), int((theirs_right & ~ours_right).sum())


def _parts(total: int, most: int) -> list[int]:
    return [min(most, total - start) for start in range(0, total, most)]
