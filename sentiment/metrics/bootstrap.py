"""Intervals: Wilson's, and percentiles of bootstrap resamples."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

CHUNK = 50  # bootstrap resamples worked on at once: bounds memory


def resamplings(count: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each of the texts is drawn, (R, B), in parts of at most `CHUNK` resamples."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - start)
        yield generator.multinomial(count, np.full(count, 1 / count), size).astype(np.float64)


def percentiles(drawn: Sequence[dict[str, NDArray[np.float64]]]) -> dict[str, list[float] | None]:
    """Return the 95 % intervals of scores that were drawn in parts, each (R,)."""
    result: dict[str, list[float] | None] = {}
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
