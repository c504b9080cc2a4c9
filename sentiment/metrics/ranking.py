"""ROC-AUC and average precision of many bootstrap resamples, without sorting again."""

import numpy as np
from numpy.typing import NDArray


class Ranking:
    """ROC-AUC and average precision of one class under many weightings of the same texts."""

    def __init__(self, positive: NDArray[np.bool_], score: NDArray[np.float64]) -> None:
        self.order = np.argsort(-score, kind="stable")
        ranked, self.positive = score[self.order], positive[self.order]
        ties = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        # Neither score changes if ranks without a positive that follow one another become one.
        telling = np.add.reduceat(self.positive, ties) > 0
        self.ties = ties[telling | np.concatenate([[True], telling[:-1]])]

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ROC-AUC and average precision, (2, R), for weights (R, B); NaN without both sides."""
        ranked = weights[:, self.order]
        positives = np.add.reduceat(ranked * self.positive, self.ties, axis=1)
        negatives = np.add.reduceat(ranked, self.ties, axis=1) - positives
        found, passed = positives.cumsum(1), negatives.cumsum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            auc = (negatives * (found - positives / 2)).sum(1) / (found[:, -1] * passed[:, -1])
            precision = np.nan_to_num(found / (found + passed))
            average_precision = (precision * positives).sum(1) / found[:, -1]
        result: NDArray[np.float64] = np.array([auc, average_precision])
        result[:, passed[:, -1] == 0] = np.nan  # nothing to rank it before: a precision of 1 says nothing
        return result
