"""English by task: a row each, so that no renderer asks which it is.

In a sentence, {texts} and {text} stand for the words of the input, and {score} for the main score.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentiment.core.schema.report import Report
from sentiment.data.inputs import Input, of_kind
from sentiment.metrics.catalogue import ALL_RIGHT, SCORES, Score
from sentiment.metrics.task import Task, task


@dataclass(frozen=True)
class TaskWords:
    """How a report speaks of a task.

    Attributes
    ----------
    task
        The task: its nouns, its main score and that of parts of the texts are its own.
    beside
        The score that is told beside the main one.
    figures, figures_of_two
        Scores of the first screen, and those if there are two classes.
    accuracy, right, are_right
        The accuracy in a table, and what it counts.
    verdict
        Begins the sentence on how good a model is; {value} and {edges} are the main score's.
    unit, above, below
        Of differences of the main score.
    interval, test
        How the main score's interval and the p of a difference are made, where models are compared.
    wilson
        What has Wilson's interval.
    against, alone
        Of the table of baselines: how it came about, and the column that only a score beside replaces.
    part, part_axis, length_axis, length_title, part_test
        The score of a part, beside an axis, with lengths, and the test of a difference.
    mistakes, mistake_head, mistake_note
        The table of mistakes.
    outcome, forecast, forecasts
        What came true, what a probability is of, and many of them.
    """

    task: Task
    figures: tuple[str, ...]
    figures_of_two: tuple[str, ...]
    verdict: str
    interval: str
    test: str
    against: str
    mistakes: str = "Most confident mistakes"
    mistake_head: tuple[str, ...] = ("true", "predicted", "probability")
    mistake_note: tuple[str, ...] = ()
    beside: str | None = None
    accuracy: Score = SCORES["accuracy"]
    right: str = "right"
    are_right: str = "are right"
    unit: str = "points"
    above: str = "above"
    below: str = "below"
    wilson: str = "accuracy"
    alone: str = "alone right"
    part: str = "accuracy"
    part_axis: str = "right"
    length_axis: str = "right"
    length_title: str = "Length and accuracy"
    part_test: str = "Fisher's exact test"
    outcome: str = "right"
    forecast: str = "predicted class"
    forecasts: str = "{texts}"

    @property
    def least(self) -> bool:
        """Whether less is better of the main score."""
        return SCORES[self.task.main_score].lower_is_better

    @property
    def titles(self) -> dict[str, str]:
        """Titles of all scores, in their order."""
        return {name: it.title for name, it in (SCORES | {"accuracy": self.accuracy}).items()}


AGAINST = (
    "Baselines saw the same training {texts}. Difference: the model's {score} less theirs, in points, with "
    "the 95 % interval of a paired bootstrap. Alone right: {texts} that only the model : only the baseline "
)
MULTICLASS = TaskWords(
    task=task("multiclass"),
    figures=("accuracy", "macro_f1"),
    figures_of_two=("accuracy", "mcc"),
    verdict="{value} accuracy [{edges}",
    interval="Wilson's of the accuracy",
    test="McNemar's exact test",
    against=AGAINST + "gets right; p: McNemar's exact test on them.",
)
ORDINAL = TaskWords(
    task=task("ordinal"),
    figures=("mae", "accuracy", "quadratic_kappa"),
    figures_of_two=("mae", "accuracy", "quadratic_kappa"),
    verdict="{value} grades off [{edges} on average, quadratic kappa {beside}",
    interval="of a bootstrap of the MAE",
    test="exact permutation test of the paired errors",
    against="Baselines saw the same training {texts}, and are decided by their medians too. Difference: the "
    "model's mean absolute error less theirs, in grades (below 0 the model is better), with the 95 % "
    "interval of a paired bootstrap; p: exact permutation test of the paired errors.",
    mistakes="Furthest mistakes",
    beside="quadratic_kappa",
    unit="grades",
    above="nearer than",
    below="further off than",
    alone="quadratic kappa",
)
MULTILABEL = TaskWords(
    task=task("multilabel"),
    figures=("micro_f1", "macro_f1", "accuracy"),
    figures_of_two=("micro_f1", "macro_f1", "accuracy"),
    verdict="{value} micro F1 [{edges}",
    interval="of a bootstrap of the micro F1",
    test="approximate randomisation",
    against=AGAINST + "gets wholly right; p: of approximate randomisation.",
    mistakes="Worst mistakes",
    mistake_head=("missed", "added", "loss"),
    mistake_note=(
        "The highest log loss, summed over all labels. The label that costs most has its probability.",
    ),
    accuracy=ALL_RIGHT,
    right="all labels right",
    are_right="have all labels right",
    wilson="{texts} with all labels right",
    part="mean F1 of a {text}",
    part_axis="mean F1 of a {text}",
    length_axis="F1 of a {text}",
    length_title="Length and F1",
    part_test="the test of Mann and Whitney",
    outcome="true",
    forecast="label",
    forecasts="labels",
)
WORDS = {"multiclass": MULTICLASS, "ordinal": ORDINAL, "multilabel": MULTILABEL}


def of_task(report: Report) -> TaskWords:
    """Return the words of a report's task; of one that does not name it, those of classes."""
    return WORDS[report.get("task", "multiclass")]


def of_input(report: Report) -> Input:
    """Return what a report's model classifies, which has its own words."""
    return of_kind(report.get("tokenizer", {}).get("kind"))


def by_main_score(name: str) -> TaskWords:
    """Return the words of the task whose models are compared by a score."""
    return next(words for words in WORDS.values() if words.task.main_score == name)


def main_score(report: Report, scores: Mapping[str, Any]) -> float:
    """Return the score by which models are compared."""
    return float(scores[of_task(report).task.main_score])


def part_score(report: Report, scores: Mapping[str, Any]) -> float:
    """Return the score that parts of the texts have."""
    return float(scores[of_task(report).task.part_score])


def score_of(scores: Mapping[str, Any], name: str) -> float | None:
    """Return a score by its name, None if there is none."""
    found: float | None = scores.get(name)
    return found
