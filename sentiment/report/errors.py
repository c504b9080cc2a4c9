"""Where a model fails, as tables: kinds of texts, its worst mistakes, labels that look wrong."""

from collections.abc import Sequence
from typing import Any

from sentiment.report import phrases
from sentiment.report.classes import NOTHING, WORST
from sentiment.report.document import Cell, Section, Table, passage
from sentiment.report.phrases import p_value, percent, points

LABEL = 30  # columns of text for a class beside a text


def slices(report: dict[str, Any]) -> Section:
    """Return the parts of the texts, the worst first."""
    found = report.get("failures", {}).get("slices", [])
    corrected = all("q" in one for one in found)
    score = phrases.part_score(report)
    rows: list[list[Cell]] = [
        [
            f"{one['slice']}: {one['value']}",
            f"{one['count']:,}",
            percent(one[score], one["interval"]),
            points(one["difference"]),
            p_value(one["q" if corrected else "p"]),
        ]
        for one in found
    ]
    if not rows:
        return Section("slices", "Where it fails")
    texts, several = phrases.texts(report), phrases.several(report)
    name = f"mean F1 of a {phrases.text(report)}" if several else "accuracy"
    sentence = f"Kinds of {texts}, the worst first. Difference: in points of {name}, to all other {texts}."
    if corrected:
        test = "the test of Mann and Whitney" if several else "Fisher's exact test"
        sentence += f" p: {test}, corrected for the number of kinds."
    head = [f"{texts} with", texts, f"{name}, 95 % interval", "difference", "p"]
    return Section("slices", "Where it fails", [sentence], [Table(head, rows[:WORST], more=rows[WORST:])])


def mistakes(report: dict[str, Any], letters: int, most: int) -> Section:
    """Return what the model was surest of and wrong about; of several labels, the texts of most loss."""
    several = phrases.several(report)
    rows: list[list[Cell]] = [
        [
            str(one["row"]),
            *(_labels(one) if several else _classes(one)),
            *([passage(one["text"], letters, one.get("words", []))] if "text" in one else []),
        ]
        for one in report.get("failures", {}).get("mistakes", [])[:most]
    ]
    title, sentences = "Furthest mistakes" if phrases.ordinal(report) else "Most confident mistakes", []
    head = ["row", "true", "predicted", "probability", phrases.text(report)]
    if several:
        title, head[1:4] = "Worst mistakes", ["missed", "added", "loss"]
        sentences = [
            "The highest log loss, summed over all labels. The label that costs most has its probability."
        ]
    if not rows:
        return Section("mistakes", title)
    return Section("mistakes", title, sentences, [Table(head[: len(rows[0])], rows, wordy=(1, 2, 4))])


def suspects(report: dict[str, Any], letters: int, most: int) -> Section:
    """Return the labels that the model contradicts."""
    rows: list[list[Cell]] = [
        [
            f"{one['split']} {one['row']}",
            phrases.shorten(one["label"], LABEL),
            phrases.shorten(one["suggested"], LABEL),
            f"{one['quality']:.3f}",
            *([passage(one["text"], letters // 2)] if "text" in one else []),
        ]
        for one in report.get("failures", {}).get("suspects", [])[:most]
    ]
    if not rows:
        return Section("suspects", "Suspected label errors")
    count = report["failures"].get("suspect_count", len(report["failures"]["suspects"]))
    sentence = f"Labels that the model contradicts (confident learning): {count:,}, the most suspect first."
    head = ["row", "label", "suggested", "quality", phrases.text(report)][: len(rows[0])]
    return Section("suspects", "Suspected label errors", [sentence], [Table(head, rows, wordy=(0, 1, 2, 4))])


def _classes(one: dict[str, Any]) -> list[Cell]:
    return [
        phrases.shorten(one["label"], LABEL),
        phrases.shorten(one["predicted"], LABEL),
        percent(one["probability"]),
    ]


def _labels(one: dict[str, Any]) -> list[Cell]:
    """Return the missed and the added labels, and the loss."""
    worst, sure = one["label"], f"{phrases.shorten(one['label'], LABEL)} ({percent(one['probability'])})"

    def told(names: Sequence[str], but: Sequence[str]) -> str:
        wrong = [name for name in names if name not in but]
        first = [sure] if worst in wrong else []
        others = [name for name in wrong if name != worst]
        more = [phrases.shorten(", ".join(others), LABEL)] if others else []
        return ", ".join(first + more) or NOTHING

    return [
        told(one["labels"], one["predicted"]),
        told(one["predicted"], one["labels"]),
        f"{one['loss']:.1f}",
    ]
