"""How numbers of a report are written, and its sentences: one wording for HTML, Markdown and terminal."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from sentiment.core.schema.report import Report
from sentiment.core.schema.scores import Baseline, DecisionFacts, Interval
from sentiment.core.strings import printable
from sentiment.evaluation import baselines
from sentiment.metrics.catalogue import signed
from sentiment.report.words import main_score, of_input, of_task, score_of

CHANCE = 0.05  # from this p on a difference is within chance
LEFT_TO_PERSON = 0.1  # share of the texts in the sentence on coverage


def number(value: float | None) -> str:
    """Write a score: 0.8914."""
    return "–" if value is None else f"{value:.4f}".replace("-", "−")


def interval(edges: Sequence[float] | None) -> str:
    """Write the interval of a score: [0.8875, 0.8952]."""
    return f"[{number(edges[0])}, {number(edges[1])}]" if edges else ""


def percent(value: float | None, edges: Sequence[float] | None = None) -> str:
    """Write a share, with its interval if there is one: 89.1 % [88.8, 89.5].

    There are two digits where one would round it to 0 or 100.
    """
    if value is None:
        return "–"
    shown = [value, *(edges or ())]
    digits = 2 if any(0 < share < 0.0005 or 0.9995 <= share < 1 for share in shown) else 1
    first, *rest = (f"{100 * share:.{digits}f}" for share in shown)
    return _around([f"{first} %", *rest])


def rounded(value: float) -> str:
    """Write a share that stands for a round number: 10 %."""
    return f"{100 * value:.0f} %"


def points(difference: float | None, edges: Sequence[float] | None = None) -> str:
    """Write a difference of two shares in percentage points: +1.4 [+0.9, +1.8]."""
    if difference is None:
        return "–"
    return _around([f"{100 * value:+.1f}".replace("-", "−") for value in (difference, *(edges or ()))])


def changes(report: Report, difference: float | None, edges: Sequence[float] | None = None) -> str:
    """Write a difference of the main score, in points, or in grades: −0.021 [−0.043, +0.002]."""
    if difference is None or not of_task(report).least:
        return points(difference, edges)
    return _around([f"{value:+.3f}".replace("-", "−") for value in (difference, *(edges or ()))])


def measure(report: Report, score: float, edges: Sequence[float] | None = None) -> str:
    """Write the main score: a share, or a mean error in grades, with its interval if there is one."""
    if not of_task(report).least:
        return percent(score, edges)
    return _around([f"{value:.3f}" for value in (score, *(edges or ()))])


def _around(shown: Sequence[str]) -> str:
    """Join a value and the edges of its interval, if there are any."""
    value, *edges = shown
    return value + (f" [{edges[0]}, {edges[1]}]" if edges else "")


def p_value(p: float | None) -> str:
    """Write a p-value: < 0.001, or 0.034."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def seconds(value: float | None) -> str:
    """Write a time: 467 s, 0.53 s."""
    if value is None:
        return "–"
    return f"{value:,.0f} s" if value >= 10 else f"{value:.2f} s" if value >= 0.005 else "< 0.01 s"


def width(text: str) -> int:
    """Return how many columns a text takes: two for an East Asian character."""
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in text)


def shorten(text: str, most: int) -> str:
    """Cut a text to so many columns, and say so with an ellipsis; characters that steer become spaces."""
    text = printable(text)
    if width(text) <= most:
        return text
    while width(text) > most - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def shortened(names: Sequence[str], most: int) -> list[str]:
    """Cut names to so many columns at their ends, or in the middle if some would become equal."""
    cut = [shorten(name, most) for name in names]
    if len(set(cut)) == len(set(names)):
        return cut
    half = most // 2
    return [
        shorten(name, most - half).removesuffix("…") + shorten(name[::-1], half + 1)[::-1]
        if width(name) > most
        else name
        for name in map(printable, names)
    ]


def scored_texts(report: Report) -> int:
    """Return how many texts the scores are about."""
    test = report["test"]
    matrix = test["confusion_matrix"] if "confusion_matrix" in test else test["confusion_matrices"][0]
    return sum(map(sum, matrix))


def strongest(report: Report) -> str | None:
    """Return the key of the baseline with the highest accuracy, or micro F1 of several labels.

    Of grades it is the one with the least absolute error.
    """
    rivals, name = report.get("baselines") or {}, of_task(report).task.main_score
    return max(rivals, key=lambda key: signed(name, main_score(report, rivals[key])), default=None)


def verdict(report: Report) -> str:
    """Say in one sentence how good the model is, and whether it beats the strongest baseline."""
    test, corpus, words = report["test"], report.get("corpus", {}), of_task(report)
    held_out = "held-out " if corpus.get("sizes", {}).get("train") else ""
    of = f" on {scored_texts(report):,} {held_out}{of_input(report).noun}"
    of += f" of {corpus['name']}" if corpus.get("name") else ""
    around = report["intervals"][words.task.main_score]
    own, _, edges = measure(report, main_score(report, test), around).partition(" [")
    beside = number(score_of(test, words.beside)) if words.beside else ""
    sentence = words.verdict.format(value=own, edges=edges, beside=beside) + of
    key = strongest(report)
    if key is None:
        return sentence + "."
    rival, name = report["baselines"][key], baselines.title(key)
    difference, (_, _, p) = lead(report, rival), paired(report, rival)
    proof = "" if p is None else f", p {p_value(p) if p < 0.001 else '= ' + p_value(p)}"
    gap = f"{abs(difference):.3f}" if words.least else f"{abs(100 * difference):.1f}"
    if float(gap) == 0:
        return f"{sentence}; as good as {name}{proof}."
    side = words.above if difference > 0 else words.below
    if p is not None and p >= CHANCE:
        return f"{sentence}; {gap} {words.unit} {side} {name}, within chance{proof}."
    if difference < 0:
        return f"{sentence}; the simpler {name} WINS, by {gap} {words.unit}{proof}."
    return f"{sentence}; {gap} {words.unit} {side} {name}{proof}."


def paired(report: Report, rival: Baseline) -> tuple[float | None, Interval | None, float | None]:
    """Return difference, interval and p of the main score against a baseline."""
    found: Mapping[str, Any] = rival.get("comparison", {})
    found = found.get(of_task(report).task.main_score, found)
    return found.get("difference"), found.get("interval"), found.get("p")


def lead(report: Report, rival: Baseline) -> float:
    """Return by how much the model is better than a baseline."""
    difference, _, _ = paired(report, rival)
    if difference is None:
        difference = main_score(report, report["test"]) - main_score(report, rival)
    return signed(of_task(report).task.main_score, difference)


def coverage(report: Report) -> tuple[float, float] | None:
    """Return the share of texts kept, and their accuracy, where about 10 % are left to a person.

    None if that would be nobody: of few texts, or of texts that are equally sure.
    """
    curve = report.get("curves", {}).get("coverage")
    if not curve:
        return None
    pairs = zip(curve["coverage"], curve["accuracy"], strict=True)
    known = [(share, accuracy) for share, accuracy in pairs if accuracy is not None]
    kept = min(known, key=lambda pair: abs(pair[0] - (1 - LEFT_TO_PERSON)), default=(1.0, 0.0))
    return kept if rounded(kept[0]) != rounded(1) else None


def coverage_sentence(report: Report) -> str | None:
    """Say what it brings to leave the least sure texts to a person."""
    kept = coverage(report)
    if kept is None:
        return None
    return (
        f"If the least sure {rounded(1 - kept[0])} are left to a person, "
        f"{percent(kept[1])} of the others {of_task(report).are_right}, "
        f"instead of {percent(report['test']['accuracy'])}."
    )


def operating_names(decision: DecisionFacts, labels: Sequence[str]) -> dict[str, str]:
    """Return the names of the scores at the operating point, in their order."""
    positive = decision.get("positive")
    if decision.get("thresholds"):
        return {
            "precision": "precision, of all labels given",
            "recall": "recall, of all labels there are",
            "accuracy": "all labels of a text right",
            "coverage": "decided",
        }
    if positive is None:
        return {"accuracy": "accuracy", "coverage": "decided"}
    others = " and ".join(label for label in labels if label != positive)
    spam = "spam" in positive.casefold()
    return {
        "precision": f"precision of {positive}",
        "recall": f"{positive} caught" if spam else f"{positive} found",
        "false_positive_rate": f"{others} blocked" if spam else f"{others} taken for {positive}",
        "accuracy": "accuracy",
        "coverage": "decided",
    }
