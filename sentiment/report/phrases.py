"""How numbers of a report are written, and its sentences: one wording for HTML, Markdown and terminal."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from sentiment.core.strings import printable
from sentiment.evaluation import baselines
from sentiment.metrics.catalogue import signed

CHANCE = 0.05  # from this p on a difference is within chance
LEFT_TO_PERSON = 0.1  # share of the texts in the sentence on coverage


def texts(report: dict[str, Any]) -> str:
    """Say what is classified: texts, or sequences of features."""
    return "sequences" if report.get("tokenizer", {}).get("kind") == "features" else "texts"


def text(report: dict[str, Any]) -> str:
    """Say what one of them is."""
    return texts(report).removesuffix("s")


def tokens(report: dict[str, Any]) -> str:
    """Say what one of them consists of."""
    return "tokens" if texts(report) == "texts" else "steps"


def several(report: dict[str, Any]) -> bool:
    """Say whether a text may have several labels, or none."""
    return report.get("task") == "multilabel"


def ordinal(report: dict[str, Any]) -> bool:
    """Say whether the classes are grades."""
    return report.get("task") == "ordinal"


def noun(report: dict[str, Any]) -> tuple[str, str]:
    """Say what a text is given, one and many."""
    return ("label", "labels") if several(report) else ("class", "classes")


def main_score(report: dict[str, Any]) -> str:
    """Return the key of the score by which models are compared."""
    return "micro_f1" if several(report) else "mae" if ordinal(report) else "accuracy"


def part_score(report: dict[str, Any]) -> str:
    """Return the key of the score that parts of the texts have."""
    return "samples_f1" if several(report) else "accuracy"


def correct(report: dict[str, Any]) -> str:
    """Say what the accuracy counts."""
    return "all labels right" if several(report) else "right"


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
    digits = 2 if any(0 < one < 0.0005 or 0.9995 <= one < 1 for one in shown) else 1
    first, *rest = (f"{100 * one:.{digits}f}" for one in shown)
    return f"{first} %" + (f" [{rest[0]}, {rest[1]}]" if rest else "")


def rounded(value: float) -> str:
    """Write a share that stands for a round number: 10 %."""
    return f"{100 * value:.0f} %"


def points(difference: float | None, edges: Sequence[float] | None = None) -> str:
    """Write a difference of two shares in percentage points: +1.4 [+0.9, +1.8]."""
    if difference is None:
        return "–"
    first, *rest = (f"{100 * one:+.1f}".replace("-", "−") for one in (difference, *(edges or ())))
    return first + (f" [{rest[0]}, {rest[1]}]" if rest else "")


def grades(difference: float | None, edges: Sequence[float] | None = None) -> str:
    """Write a difference of two mean errors in grades: −0.021 [−0.043, +0.002]."""
    if difference is None:
        return "–"
    first, *rest = (f"{one:+.3f}".replace("-", "−") for one in (difference, *(edges or ())))
    return first + (f" [{rest[0]}, {rest[1]}]" if rest else "")


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


def scored_texts(report: dict[str, Any]) -> int:
    """Return how many texts the scores are about."""
    test = report["test"]
    return sum(map(sum, test["confusion_matrices"][0] if several(report) else test["confusion_matrix"]))


def strongest(report: dict[str, Any]) -> str | None:
    """Return the key of the baseline with the highest accuracy, or micro F1 of several labels.

    Of grades it is the one with the least absolute error.
    """
    rivals, score = report.get("baselines") or {}, main_score(report)
    return max(rivals, key=lambda name: signed(score, rivals[name][score])) if rivals else None


def verdict(report: dict[str, Any]) -> str:
    """Say in one sentence how good the model is, and whether it beats the strongest baseline."""
    test, corpus, score = report["test"], report.get("corpus", {}), main_score(report)
    held_out = "held-out " if corpus.get("sizes", {}).get("train") else ""
    of = f" on {scored_texts(report):,} {held_out}{texts(report)}"
    of += f" of {corpus['name']}" if corpus.get("name") else ""
    if ordinal(report):
        low, high = report["intervals"]["mae"]
        kappa = number(test["quadratic_kappa"])
        sentence = (
            f"{test['mae']:.3f} grades off [{low:.3f}, {high:.3f}] on average, quadratic kappa {kappa}{of}"
        )
    else:
        value, _, edges = percent(test[score], report["intervals"][score]).partition(" [")
        sentence = f"{value} {'micro F1' if several(report) else 'accuracy'} [{edges}{of}"
    key = strongest(report)
    if key is None:
        return sentence + "."
    rival, name = report["baselines"][key], baselines.title(key)
    paired = rival.get("comparison", {})
    difference = paired.get("difference", test[score] - rival[score])
    unit, above, below = "points", "above", "below"
    if ordinal(report):
        paired, difference = paired.get("mae", {}), rival["mae"] - test["mae"]
        unit, above, below = "grades", "nearer than", "further off than"
    p = paired.get("p")
    proof = "" if p is None else f", p {p_value(p) if p < 0.001 else '= ' + p_value(p)}"
    gap = f"{abs(difference):.3f}" if ordinal(report) else f"{abs(100 * difference):.1f}"
    if float(gap) == 0:
        return f"{sentence}; as good as {name}{proof}."
    if p is not None and p >= CHANCE:
        return f"{sentence}; {gap} {unit} {above if difference > 0 else below} {name}, within chance{proof}."
    if difference < 0:
        return f"{sentence}; the simpler {name} WINS, by {gap} {unit}{proof}."
    return f"{sentence}; {gap} {unit} {above} {name}{proof}."


def coverage(report: dict[str, Any]) -> tuple[float, float] | None:
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


def coverage_sentence(report: dict[str, Any]) -> str | None:
    """Say what it brings to leave the least sure texts to a person."""
    kept = coverage(report)
    if kept is None:
        return None
    are = "have all labels right" if several(report) else "are right"
    return (
        f"If the least sure {rounded(1 - kept[0])} are left to a person, "
        f"{percent(kept[1])} of the others {are}, instead of {percent(report['test']['accuracy'])}."
    )


def operating_names(decision: dict[str, Any], labels: Sequence[str]) -> dict[str, str]:
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
