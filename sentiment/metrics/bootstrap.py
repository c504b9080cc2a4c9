"""Intervals: Wilson's, and percentiles of scores that are computed anew for each bootstrap resample."""

from collections.abc import Iterator, Sequence

import numpy as np

from sentiment.metrics.arrays import Array, Intervals, Mask

CHUNK = 50  # bootstrap resamples worked on at once: bounds memory


def resamplings(count: int, resamples: int) -> Iterator[Array]:
    """Yield how often each of the texts is drawn, (R, B), in parts of at most `CHUNK` resamples."""
    generator = np.random.default_rng(0)
    for start in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - start)
        yield generator.multinomial(count, np.full(count, 1 / count), size).astype(np.float64)


def percentiles(drawn: Sequence[dict[str, Array]]) -> Intervals:
    """Return the 95 % intervals of scores that were drawn in parts, each (R,)."""
    result: Intervals = {}
    for name in drawn[0]:
        values = np.concatenate([part[name] for part in drawn])
        finite = values[np.isfinite(values)]  # a resample may lack a rare class
        result[name] = [float(edge) for edge in np.percentile(finite, [2.5, 97.5])] if len(finite) else None
    return result


def wilson(count: int, total: int) -> list[float] | None:
    """Return Wilson's 95 % interval of the share `count` of `total`, or None of nothing."""
    from scipy import stats

    if not total:
        return None
    interval = stats.binomtest(count, total).proportion_ci(method="wilson")
    return [float(interval.low), float(interval.high)]


class Ranking:
    """ROC-AUC and average precision of one class under many weightings of the same texts."""

    def __init__(self, positive: Mask, score: Array) -> None:
        self.order = np.argsort(-score, kind="stable")
        ranked, self.positive = score[self.order], positive[self.order]
        ties = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        # Neither score changes if ranks without a positive that follow one another become one.
        telling = np.add.reduceat(self.positive, ties) > 0
        self.ties = ties[telling | np.concatenate([[True], telling[:-1]])]

    def scores(self, weights: Array) -> Array:
        """Return ROC-AUC and average precision, (2, R), for weights (R, B); NaN without both sides."""
        ranked = weights[:, self.order]
        positives = np.add.reduceat(ranked * self.positive, self.ties, axis=1)
        negatives = np.add.reduceat(ranked, self.ties, axis=1) - positives
        found, passed = positives.cumsum(1), negatives.cumsum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            auc = (negatives * (found - positives / 2)).sum(1) / (found[:, -1] * passed[:, -1])
            precision = np.nan_to_num(found / (found + passed))
            average_precision = (precision * positives).sum(1) / found[:, -1]
        result: Array = np.array([auc, average_precision])
        result[:, passed[:, -1] == 0] = np.nan  # nothing to rank it before: a precision of 1 says nothing
        return result
