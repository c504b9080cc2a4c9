"""Every score once: what it is called, which side is better, and for which tasks it is.

A score that is added here, and to `quick_scores` of a task, is in every report.
"""

from dataclasses import dataclass, replace

from sentiment.core.config import Config
from sentiment.core.errors import UsageError, listed
from sentiment.metrics.task import task as task_of

ONE, GRADES, SEVERAL = ("multiclass", "ordinal"), ("ordinal",), ("multilabel",)  # tasks, by labels of a text
ALL = ONE + SEVERAL


@dataclass(frozen=True)
class Score:
    """How a score is shown, and what it is for."""

    title: str  # in a report
    tasks: tuple[str, ...]  # that have it
    metric: tuple[str, ...] = ()  # tasks in which it can be ``training.metric``
    lower_is_better: bool = False
    column: str = ""  # instead of the title, where several models are compared
    short: str = ""  # instead of the title, beside an epoch


SCORES = {  # in the order of a report
    "mae": Score("MAE, in grades", GRADES, GRADES, True, column="MAE, grades", short="MAE"),
    "quadratic_kappa": Score("quadratic kappa", GRADES, GRADES, short="kappa"),
    "within_one": Score("within one grade", GRADES),
    "spearman": Score("Spearman", GRADES),
    "accuracy": Score("accuracy", ALL, ALL),
    "balanced_accuracy": Score("balanced accuracy", ONE, ONE),
    "micro_f1": Score("micro F1", SEVERAL, SEVERAL),
    "macro_f1": Score("macro F1", ALL, ALL),
    "weighted_f1": Score("weighted F1", ALL),
    "samples_f1": Score("F1 of a text, mean", SEVERAL, SEVERAL),
    "jaccard": Score("Jaccard index of a text, mean", SEVERAL, SEVERAL),
    "hamming_loss": Score("Hamming loss", SEVERAL, lower_is_better=True),
    "mcc": Score("MCC", ONE, ONE),
    "lrap": Score("label ranking average precision", SEVERAL),
    "coverage_error": Score("coverage error", SEVERAL, lower_is_better=True),
    "roc_auc": Score("ROC-AUC", ALL, ALL),
    "average_precision": Score("average precision", ALL, SEVERAL),
    "log_loss": Score("log loss", ALL, ALL, lower_is_better=True),
    "brier": Score("Brier score", ALL, lower_is_better=True),
}
# Of several labels accuracy asks more: all labels of a text.
ALL_RIGHT = replace(SCORES["accuracy"], title="all labels of a text right", column="all right")
CALIBRATION = {  # of the same texts, from bins of their probabilities
    "ece": Score("expected calibration error", ALL, lower_is_better=True, column="ECE"),
    "adaptive_ece": Score("adaptive calibration error", ALL, lower_is_better=True),
}


def column(name: str) -> str:
    """Return the title of a score where several models are compared."""
    score = (SCORES | CALIBRATION)[name]
    return score.column or score.title


def short(name: str) -> str:
    """Return the title of a score beside an epoch."""
    return SCORES[name].short or SCORES[name].title


def signed(name: str, value: float) -> float:
    """Return the value of a score so that more is better."""
    return -value if SCORES[name].lower_is_better else value


def choices(task: str) -> list[str]:
    """Return the scores that can be ``training.metric``, that of "auto" first."""
    kind = task_of(task)
    fitting = (name for name, score in SCORES.items() if kind.scored_as in score.metric)
    return list(dict.fromkeys([kind.metric, *fitting]))


def checked(settings: Config, where: str = "") -> Config:
    """Return settings; refuse, after `where`, a ``training.metric`` that no task has, before any work."""
    name = settings.training.metric
    known = ["auto", *(score for score, it in SCORES.items() if it.metric)]
    if name not in known:
        *others, last = map(repr, known)
        raise UsageError(
            f"{where}setting training.metric: input should be {', '.join(others)} or {last}, not {name!r}"
        )
    return settings


def metric_of(name: str, task: str) -> str:
    """Return the score that chooses the epoch; UsageError if ``training.metric`` is not of this task."""
    known = choices(task)
    if name == "auto":
        return known[0]
    if name not in known:
        raise UsageError(
            f"training.metric = {name!r} is not for the task {task}; choose one of {listed(known)}"
        )
    return name
