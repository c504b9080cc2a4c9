"""What is measured of labels and probabilities.

Of an interval, the two numbers are the lower and the upper end of 95 %. It is None, and so is a score, where
there is nothing to measure.
"""

from typing import Literal, NotRequired, TypedDict

Interval = list[float]
Table = list[list[int]]


class Scores(TypedDict):
    """The scores of every task that are single numbers; one may have more, of `metrics.catalogue`."""

    accuracy: float
    macro_f1: float
    weighted_f1: float
    roc_auc: float | None
    average_precision: float | None
    log_loss: float
    brier: float


ClassScores = TypedDict(
    "ClassScores", {"precision": float, "recall": float, "f1-score": float, "support": float}
)


class TestScores(Scores):
    """All that is said of the test texts: also of each class, and which are taken for which."""

    labels: list[str]
    classification_report: dict[str, ClassScores | float]  # by class, and the averages
    confusion_matrix: NotRequired[Table]  # row: true class
    confusion_matrices: NotRequired[list[Table]]  # of each label
    missed_and_added: NotRequired[Table]


class Difference(TypedDict):
    """Of one score of two models."""

    difference: float
    interval: NotRequired[Interval]
    p: NotRequired[float]


class Comparison(TypedDict):
    """Of two models on the same texts; the first three are of the main score but for grades."""

    difference: float
    interval: Interval
    p: float
    ours_only: int
    theirs_only: int
    accuracy: NotRequired[Difference]
    mcc: NotRequired[Difference]
    mae: NotRequired[Difference]
    quadratic_kappa: NotRequired[Difference]
    p_holm: NotRequired[float]


class BaselineFacts(TypedDict):
    """What else is known of a baseline."""

    train_seconds: float
    predict_seconds: float
    C: NotRequired[float]
    svm_share: NotRequired[float]
    features: NotRequired[int]
    thresholds: NotRequired[list[float]]


class Baseline(TestScores, BaselineFacts):
    cached: bool
    comparison: Comparison


class Bin(TypedDict):
    """Texts, or labels, that are about as sure."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    interval: Interval | None


class Brier(TypedDict):
    """The score is reliability - resolution + uncertainty + within_bins."""

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


class CalibrationErrors(TypedDict):
    ece: float
    adaptive_ece: float
    brier: Brier
    bins: list[Bin]
    adaptive_bins: list[Bin]


class Calibration(CalibrationErrors):
    before: NotRequired[CalibrationErrors]  # the temperature


class Roc(TypedDict):
    fpr: list[float]
    tpr: list[float]
    auc: float


class PrecisionRecall(TypedDict):
    recall: list[float]
    precision: list[float]
    average_precision: float


class MeanCurves(TypedDict):
    roc: Roc
    pr: PrecisionRecall


class Coverage(TypedDict):
    """What the surest share of the texts reaches, and the probability from which on they are."""

    coverage: list[float]
    accuracy: list[float]
    threshold: list[float]


class Histogram(TypedDict):
    edges: list[float]
    counts: dict[str, list[int]]


class PartScore(TypedDict):
    """Of a part of the texts: the accuracy, or the mean F1 of a text."""

    count: int
    interval: Interval | None
    accuracy: NotRequired[float]
    samples_f1: NotRequired[float]


class LengthBin(PartScore):
    low: int
    high: int


class Curves(TypedDict):
    """By label: the positive one of two classes, else each against the rest."""

    roc: dict[str, Roc]
    pr: dict[str, PrecisionRecall]
    mean: NotRequired[MeanCurves]
    coverage: Coverage
    histogram: Histogram
    lengths: NotRequired[list[LengthBin]]


class Unsure(TypedDict):
    low: float
    high: float
    share: float


class Counts(TypedDict):
    """Texts, or labels, behind the rates of a decision."""

    right: int
    wrong: int
    unsure: int
    true_positive: NotRequired[int]
    false_positive: NotRequired[int]
    true_negative: NotRequired[int]
    false_negative: NotRequired[int]


class Rate(TypedDict):
    value: float | None
    interval: Interval | None


class TestRates(TypedDict):
    """Of the texts that are decided; coverage is their share."""

    accuracy: Rate
    coverage: Rate
    precision: NotRequired[Rate]
    recall: NotRequired[Rate]
    false_positive_rate: NotRequired[Rate]
    counts: Counts


class ValidationRates(TypedDict):
    accuracy: float | None
    coverage: float | None
    precision: NotRequired[float | None]
    recall: NotRequired[float | None]
    false_positive_rate: NotRequired[float | None]
    counts: Counts
    intervals: dict[str, Interval | None]


class DecisionFacts(TypedDict):
    """What ``decision.json`` holds, and how it did on test."""

    labels: list[str]
    temperature: float
    rule: Literal["argmax", "threshold", "thresholds", "median"]
    positive: str | None
    threshold: float | None
    thresholds: list[float] | None
    target: str | None
    reached: bool | None
    unsure: Unsure | None
    validation: ValidationRates | None
    test: TestRates
    holds: bool | None  # None if there is no target
