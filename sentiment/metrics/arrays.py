"""Names of what goes in and out here: B texts, C classes, L labels where a text may have several."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Labels = NDArray[np.int64]  # (B,) classes by number, or (B, L) of 0 and 1
Probabilities = NDArray[np.float64]  # (B, C), rows that sum to 1; or (B, L), each label's own
Thresholds = Sequence[float] | None  # (L,) from which labels are given; 0.5 each by default
Scores = dict[str, float | None]
Intervals = dict[str, list[float] | None]
OfMatrices = Callable[[Array], dict[str, Array]]  # confusion matrices (R, C, C) to scores, each (R,)
