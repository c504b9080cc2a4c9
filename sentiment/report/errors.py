"""Where a model fails, as tables: kinds of texts, its worst mistakes, labels that look wrong."""

from collections.abc import Sequence

from sentiment.core.schema.report import Mistake, Report, WrongLabels
from sentiment.report import phrases
from sentiment.report.classes import NOTHING, WORST
from sentiment.report.document import Cell, Section, Table, passage
from sentiment.report.phrases import p_value, percent, points
from sentiment.report.words import of_input, of_task, part_score

LABEL = 30  # columns of text for a class beside a text


def slices(report: Report) -> Section:
    """Return the parts of the texts, the worst first."""
    found = report.get("failures", {}).get("slices", [])
    corrected = all("q" in one for one in found)
    words, texts = of_task(report), of_input(report).texts
    rows: list[list[Cell]] = [
        [
            f"{one['slice']}: {one['value']}",
            f"{one['count']:,}",
            percent(part_score(report, one), one["interval"]),
            points(one["difference"]),
            p_value(one["q"] if corrected else one["p"]),
        ]
        for one in found
    ]
    if not rows:
        return Section("slices", "Where it fails")
    name = words.part.format(text=of_input(report).text)
    sentence = f"Kinds of {texts}, the worst first. Difference: in points of {name}, to all other {texts}."
    if corrected:
        sentence += f" p: {words.part_test}, corrected for the number of kinds."
    head = [f"{texts} with", texts, f"{name}, 95 % interval", "difference", "p"]
    return Section("slices", "Where it fails", [sentence], [Table(head, rows[:WORST], more=rows[WORST:])])


def mistakes(report: Report, letters: int, most: int) -> Section:
    """Return what the model was surest of and wrong about; of several labels, the texts of most loss."""
    words = of_task(report)
    rows: list[list[Cell]] = [
        [
            str(one["row"]),
            *_answers(one),
            *([passage(one["text"], letters, one.get("words", []))] if "text" in one else []),
        ]
        for one in report.get("failures", {}).get("mistakes", [])[:most]
    ]
    if not rows:
        return Section("mistakes", words.mistakes)
    head, notes = ["row", *words.mistake_head, of_input(report).text], list(words.mistake_note)
    return Section("mistakes", words.mistakes, notes, [Table(head[: len(rows[0])], rows, wordy=(1, 2, 4))])


def suspects(report: Report, letters: int, most: int) -> Section:
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
    head = ["row", "label", "suggested", "quality", of_input(report).text][: len(rows[0])]
    return Section("suspects", "Suspected label errors", [sentence], [Table(head, rows, wordy=(0, 1, 2, 4))])


def _answers(one: Mistake | WrongLabels) -> list[Cell]:
    """Return class, answer and probability, or the missed and the added labels, and the loss."""
    if "loss" in one:
        return _labels(one)
    return [
        phrases.shorten(one["label"], LABEL),
        phrases.shorten(one["predicted"], LABEL),
        percent(one["probability"]),
    ]


def _labels(one: WrongLabels) -> list[Cell]:
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
