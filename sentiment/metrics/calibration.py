"""How far probabilities can be believed: temperature, calibration error, the Brier score in parts.

Arrays in, numbers out. B texts, C classes; of two, the second is the positive one. L labels, where a text
may have several.
"""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sentiment.core.schema.scores import Bin, Brier, Calibration
from sentiment.metrics.arrays import Array, Labels, Mask, Probabilities
from sentiment.metrics.bootstrap import wilson
from sentiment.metrics.task import Task

BINS = 15  # as Guo et al. (2017)
COLDEST, HOTTEST = 0.05, 20.0
# Standard deviation of the prior on the logarithm of the temperature. Without a prior, a validation set
# without a mistake asks for a temperature of 0, and the next mistake costs without end. Chosen on the
# validation texts of SMS spam (five cuts of 410): fitted on a part of them, it loses least on the rest.
# Thousands of texts hardly feel it.
SPREAD = 0.2


def fit_temperature(labels: Labels, logits: Array, task: Task) -> float:
    """Return the temperature that makes logits (B, C) fit the labels (B,), or (B, L) both (Guo et al. 2017).

    It minimises the log loss plus a weak prior around 1 (log-normal, see `SPREAD`), within 0.05 and 20.
    The prior's penalty is 0 at 1, so the log loss of these labels is never higher than at 1.
    """
    from scipy import optimize, special

    labels, probabilities = task.questions(labels, task.probabilities(logits))
    logits = np.log(np.clip(probabilities, np.finfo(np.float64).tiny, 1))
    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        scaled = logits / np.exp(logarithm)
        total = (special.logsumexp(scaled, axis=1) - scaled[rows, labels]).sum()
        return float(total + (logarithm / SPREAD) ** 2 / 2)

    best = optimize.minimize_scalar(
        loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(best.x)) if best.fun < loss(0.0) else 1.0


def calibration(labels: Labels, probabilities: Probabilities, task: Task) -> Calibration:
    """Return how the probability of the class that is decided agrees with how often it is right.

    Of texts that may have several labels, (B, L), it is the probability of each label, and how often it is
    true.

    Returns
    -------
    dict
        ``ece``: expected calibration error, the mean over texts of the distance between the confidence
        and the accuracy of their bin, 15 bins of equal width (Guo et al. 2017). ``adaptive_ece``: the same
        with bins of equal mass (Nguyen and O'Connor 2015). ``brier``: see `brier`. ``bins`` and
        ``adaptive_bins``: the bins that have texts, with Wilson intervals of the accuracy.
    """
    confidence, right = task.believed(labels, probabilities)
    equal = np.linspace(0, 1, BINS + 1)
    index, adaptive = _equal_width(confidence), quantile_bins(confidence, BINS)
    bins = _bins(confidence, right, index)
    for row, number in zip(bins, np.unique(index), strict=True):
        row |= {"low": float(equal[number]), "high": float(equal[number + 1])}
    adaptive_bins = _bins(confidence, right, adaptive)
    return {
        "ece": _error(bins),
        "adaptive_ece": _error(adaptive_bins),
        "brier": brier(labels, probabilities, task),
        "bins": bins,
        "adaptive_bins": adaptive_bins,
    }


def brier(labels: Labels, probabilities: Probabilities, task: Task) -> Brier:
    """Return the Brier score and its parts (Murphy 1973), in 15 bins of equal width.

    ``score = reliability - resolution + uncertainty + within_bins``: the last is what forecasts that
    differ within a bin add (Stephenson et al. 2008), and is small. For more than two classes all are
    summed over the classes, each against the rest. Labels (B, L) of 0 and 1 are forecasts of their own.
    """
    parts = [_murphy(occurred, forecast) for occurred, forecast in task.forecasts(labels, probabilities)]
    return cast(Brier, {name: float(sum(part[name] for part in parts)) for name in parts[0]})


def quantile_bins(values: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Number at most `count` bins of about equal mass, (B,); equal values fall into one bin."""
    edges = np.quantile(values, np.arange(1, count) / count, method="inverted_cdf")
    return np.searchsorted(np.unique(edges), values, side="left").astype(np.int64)


def _murphy(occurred: Mask, forecast: Array) -> dict[str, float]:
    index = _equal_width(forecast)
    count = np.bincount(index, minlength=BINS)
    each = np.maximum(count, 1)
    mean_forecast = np.bincount(index, forecast, BINS) / each
    frequency = np.bincount(index, occurred, BINS) / each
    base, share = occurred.mean(), count / len(forecast)
    off_forecast, off_outcome = forecast - mean_forecast[index], occurred - frequency[index]
    return {
        "score": ((forecast - occurred) ** 2).mean(),
        "reliability": (share * (mean_forecast - frequency) ** 2).sum(),
        "resolution": (share * (frequency - base) ** 2).sum(),
        "uncertainty": base * (1 - base),
        "within_bins": (off_forecast**2 - 2 * off_forecast * off_outcome).mean(),
    }


def _equal_width(values: Array) -> NDArray[np.int64]:
    """Number the bins (low, high], (B,)."""
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], values, side="left").astype(np.int64)


def _bins(confidence: Array, right: Mask, index: NDArray[np.int64]) -> list[Bin]:
    """Return the bins that have texts, from the least confident; their edges are those of their texts."""
    rows: list[Bin] = []
    for number in np.unique(index):
        inside, hits = confidence[index == number], right[index == number]
        rows.append(
            {
                "low": float(inside.min()),
                "high": float(inside.max()),
                "count": len(inside),
                "confidence": float(inside.mean()),
                "accuracy": float(hits.mean()),
                "interval": wilson(int(hits.sum()), len(hits)),
            }
        )
    return rows


def _error(bins: list[Bin]) -> float:
    total = sum(row["count"] for row in bins)
    return float(sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in bins) / total)
