"""What each class, or label, gets: its scores, and what is taken for what."""

from sentiment.core.schema.report import Report
from sentiment.core.schema.scores import ClassScores, TestScores
from sentiment.report import phrases
from sentiment.report.document import Cell, Section, Table
from sentiment.report.phrases import number, percent
from sentiment.report.words import of_input, of_task

MANY_CLASSES = 12  # from here on a confusion matrix no longer fits a page of text
WORST = 10  # rows shown of a long table
CONFUSION_HEAD = 48  # columns of text for the names of all classes, in a table 80 wide
NOTHING = "(none)"  # where a label was missed and none added, or the other way round


def classes(report: Report) -> Section:
    """Return the scores of each class, and the confusion matrix; of many the most frequent confusions."""
    if "missed_and_added" in report["test"]:
        found = _confusions(report)
        return Section("classes", "Labels", tables=[_each(report), *([found] if found.rows else [])])
    many = len(report["test"]["labels"]) > MANY_CLASSES
    confused = _confusions(report) if many else _confusion(report["test"])
    return Section("classes", "Classes", tables=[_each(report), confused])


def by_class(test: TestScores) -> dict[str, ClassScores]:
    """Return the scores of each class."""
    each = test["classification_report"]
    return {name: its for name in test["labels"] if not isinstance(its := each[name], float)}


def _each(report: Report) -> Table:
    """Return the table of scores; of texts that may have several labels with area and threshold."""
    each, labels, words = by_class(report["test"]), report["test"]["labels"], of_task(report)
    many = len(labels) > MANY_CLASSES
    areas = report.get("curves", {}).get("pr", {})
    decided = report.get("decision", {}).get("thresholds")
    thresholds = dict(zip(labels, decided or (), strict=False))
    rows: list[list[Cell]] = []
    for name in sorted(labels, key=lambda name: each[name]["f1-score"]) if many else labels:
        its = each[name]
        scores: list[float | None] = [its["precision"], its["recall"], its["f1-score"]]
        if words.several:
            area = areas[name]["average_precision"] if name in areas else None
            scores += [area, thresholds.get(name, 0.5)]
        rows.append([name, *map(number, scores), f"{its['support']:,.0f}"])
    shown = WORST if many else len(rows)
    note = f"The {shown} {words.labels} of lowest F1; there are {len(rows) - shown} more." if many else ""
    further_heads = ("AP", "threshold") if words.several else ()
    head = [words.label, "precision", "recall", "F1", *further_heads, of_input(report).texts]
    return Table(head, rows[:shown], f"Each {words.label}", note, rows[shown:])


def _confusion(test: TestScores) -> Table:
    """Return the confusion matrix; classes of long names are numbered."""
    labels = test["labels"]
    fits = sum(phrases.width(label) + 2 for label in labels) <= CONFUSION_HEAD
    names = labels if fits else [f"{place} {label}" for place, label in enumerate(labels, 1)]
    columns = labels if fits else [str(place) for place in range(1, len(labels) + 1)]
    rows: list[list[Cell]] = [
        [name, *(f"{count:,}" for count in row)]
        for name, row in zip(names, test["confusion_matrix"], strict=True)
    ]
    return Table(["true \\ predicted", *columns], rows, "Confusion matrix")


def confusions(test: TestScores) -> list[tuple[str, str, int, float]]:
    """Return true class, predicted class, texts, and their share of the true class: most texts first.

    Of texts that may have several labels: the label that was missed, the one that was added in the same
    text, and the share of the texts with the first.
    """
    labels, found = test["labels"], []
    if "missed_and_added" in test:
        matrix = [row[:-1] for row in test["missed_and_added"][:-1]]
        totals = [sum(one[1]) for one in test["confusion_matrices"]]
    else:
        matrix, totals = test["confusion_matrix"], [sum(row) for row in test["confusion_matrix"]]
    for name, row, total in zip(labels, matrix, totals, strict=True):
        found += [
            (name, other, count, count / total)
            for other, count in zip(labels, row, strict=True)
            if count and other != name
        ]
    return sorted(found, key=lambda one: -one[2])


def _confusions(report: Report) -> Table:
    rows: list[list[Cell]] = [
        [name, other, f"{count:,}", percent(share)]
        for name, other, count, share in confusions(report["test"])[:WORST]
    ]
    texts = of_input(report).texts
    if "missed_and_added" in report["test"]:
        head = ["missed", "added", texts, "of the label"]
        return Table(head, rows, "Labels missed where another was added", wordy=(0, 1))
    head = ["true class", "predicted", texts, "of the class"]
    return Table(head, rows, "Most frequent confusions", wordy=(0, 1))
