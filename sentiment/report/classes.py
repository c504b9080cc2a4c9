"""What each class, or label, gets, as tables and plots: its scores, and what is taken for what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sentiment.core.schema.report import Report
from sentiment.core.schema.scores import ClassScores, TestScores
from sentiment.report import phrases
from sentiment.report.document import Cell, Section, Table
from sentiment.report.figure import FIRST, MUTED, NAME, SECOND, WIDTH, Plot, bare, cell, percents, room_for
from sentiment.report.phrases import number, percent, rounded, shortened, width
from sentiment.report.words import of_input, of_task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY_CLASSES = 12  # from here on a confusion matrix no longer fits a page of text
WORST = 10  # rows shown of a long table
CONFUSION_HEAD = 48  # columns of text for the names of all classes, in a table 80 wide
NOTHING = "(none)"  # where a label was missed and none added, or the other way round


def classes(report: Report) -> Section:
    """Return the scores of each class, and the confusion matrix; of many the most frequent confusions."""
    if "missed_and_added" in report["test"]:
        confused = _confusions(report)
        return Section("classes", "Labels", tables=[_each(report), *([confused] if confused.rows else [])])
    many = len(report["test"]["labels"]) > MANY_CLASSES
    confused = _confusions(report) if many else _confusion(report["test"])
    return Section("classes", "Classes", tables=[_each(report), confused])


def by_class(test: TestScores) -> dict[str, ClassScores]:
    """Return the scores of each class."""
    each = test["classification_report"]
    return {name: row for name in test["labels"] if not isinstance(row := each[name], float)}


def _each(report: Report) -> Table:
    """Return the table of scores; of texts that may have several labels with area and threshold."""
    each, labels, words = by_class(report["test"]), report["test"]["labels"], of_task(report)
    many = len(labels) > MANY_CLASSES
    areas = report.get("curves", {}).get("pr", {})
    decided = report.get("decision", {}).get("thresholds")
    thresholds = dict(zip(labels, decided or (), strict=False))
    rows: list[list[Cell]] = []
    for name in sorted(labels, key=lambda name: each[name]["f1-score"]) if many else labels:
        row = each[name]
        scores: list[float | None] = [row["precision"], row["recall"], row["f1-score"]]
        if not words.task.exclusive:
            area = areas[name]["average_precision"] if name in areas else None
            scores += [area, thresholds.get(name, 0.5)]
        rows.append([name, *map(number, scores), f"{row['support']:,.0f}"])
    shown = WORST if many else len(rows)
    note = (
        f"The {shown} {words.task.noun[1]} of lowest F1; there are {len(rows) - shown} more." if many else ""
    )
    further_heads = ("AP", "threshold") if not words.task.exclusive else ()
    head = [words.task.noun[0], "precision", "recall", "F1", *further_heads, of_input(report).noun]
    return Table(head, rows[:shown], f"Each {words.task.noun[0]}", note, rows[shown:])


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
    labels, pairs = test["labels"], []
    if "missed_and_added" in test:
        matrix = [row[:-1] for row in test["missed_and_added"][:-1]]
        totals = [sum(positives) for _, positives in test["confusion_matrices"]]
    else:
        matrix, totals = test["confusion_matrix"], [sum(row) for row in test["confusion_matrix"]]
    for name, row, total in zip(labels, matrix, totals, strict=True):
        pairs += [
            (name, other, count, count / total)
            for other, count in zip(labels, row, strict=True)
            if count and other != name
        ]
    return sorted(pairs, key=lambda pair: -pair[2])


def _confusions(report: Report) -> Table:
    rows: list[list[Cell]] = [
        [name, other, f"{count:,}", percent(share)]
        for name, other, count, share in confusions(report["test"])[:WORST]
    ]
    texts = of_input(report).noun
    if "missed_and_added" in report["test"]:
        head = ["missed", "added", texts, "of the label"]
        return Table(head, rows, "Labels missed where another was added", wordy=(0, 1))
    head = ["true class", "predicted", texts, "of the class"]
    return Table(head, rows, "Most frequent confusions", wordy=(0, 1))


MATRIX = 20  # most classes in a matrix
PAIRS = 15  # else that many of the most frequent confusions
ROOMY = 4  # most classes whose shares have a decimal
TINTED = 0.55  # of the colour in the fullest cell: ink stays legible on it


def confusion(report: Report) -> Iterator[Plot]:
    """Plot the confusion matrix."""
    test, texts, several = report["test"], of_input(report).noun, not of_task(report).task.exclusive
    if len(test["labels"]) > MATRIX:
        yield _balance(report) if several else _pairs(report)
        return
    if several:
        labels, matrix, shares = _missed(test)
        title, sides = "Labels given, missed and added", ("added", "missed")
        caption = (
            f"Diagonal: {texts} whose label (the row) was given. Elsewhere: it was missed, and the "
            f"other added. Shares are of the label's {texts}; in the last row, of those given it."
        )
        reading = "Rows are labels that were missed, columns those that were added."
    else:
        labels, matrix = test["labels"], test["confusion_matrix"]
        shares = [[count / (sum(counts) or 1) for count in counts] for counts in matrix]
        title, sides = "Confusion matrix", ("predicted", "true class")
        threshold = report.get("decision", {}).get("rule") == "threshold"
        chosen = ", by the most probable class" if threshold else ""
        caption = f"{texts.title()}, and their share of the true class (the row){chosen}."
        reading = "Rows are true classes, columns what was predicted."
    count = len(labels)
    names = shortened(labels, NAME)
    roomy = count <= ROOMY

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row, counts in enumerate(matrix):
            for column, cases in enumerate(counts):
                if not cases and not roomy:
                    continue
                share, right = shares[row][column], row == column
                # By the root, or rare confusions could not be seen.
                axes.add_patch(cell(column, row, TINTED * share**0.5, FIRST if right else SECOND))
                axes.text(
                    column,
                    row,
                    f"{cases:,}\n{_share(share, roomy)}",
                    ha="center",
                    va="center",
                    fontsize=12 if roomy else 11,
                    fontweight="bold" if right else "normal",
                )
        axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), xlabel=sides[0], ylabel=sides[1])
        turned = any(width(name) > 40 / count for name in names)
        axes.set_xticks(
            range(count),
            names,
            rotation=40 if turned else 0,
            ha="right" if turned else "center",
            rotation_mode="anchor",
        )
        axes.set_yticks(range(count), names)
        bare(axes)
        room_for(figure, names)

    side = WIDTH if roomy else 46 * count + 180
    yield Plot(
        "confusion",
        title,
        caption,
        f"{reading} Confused: {_spoken(test)}",
        draw,
        (side, 300 if roomy else 0.62 * side + 120),
    )


def _missed(test: TestScores) -> tuple[list[str], list[list[int]], list[list[float]]]:
    """Return the names, the texts and the shares of the matrix of several labels; nothing stands last."""
    count, binary = len(test["labels"]), test["confusion_matrices"]
    matrix = [list(row) for row in test["missed_and_added"]]
    true, given = [sum(table[1]) for table in binary], [table[0][1] + table[1][1] for table in binary]
    for label, table in enumerate(binary):
        matrix[label][label] = table[1][1]
    shares = [[cases / (total or 1) for cases in row] for total, row in zip(true, matrix, strict=False)]
    shares.append([cases / (total or 1) for cases, total in zip(matrix[count], [*given, 1], strict=True)])
    return [*test["labels"], NOTHING], matrix, shares


def _pairs(report: Report) -> Plot:
    test = report["test"]
    pairs = confusions(test)[:PAIRS]
    names = dict(zip(test["labels"], shortened(test["labels"], NAME), strict=True))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, (true, other, cases, share) in enumerate(pairs):
            axes.barh(place + 0.2, cases, 0.3, color=SECOND)
            pair = f"{names[true]} → {names[other]}"
            axes.text(0, place - 0.17, pair, va="center", fontsize=11)
            note = f"{cases:,} · {percent(share)}"
            axes.annotate(
                note, (cases, place + 0.2), (5, 0), textcoords="offset points", va="center", color=MUTED
            )
        axes.set(ylim=(len(pairs) - 0.5, -0.6), xlim=(0, 1.4 * max((pair[2] for pair in pairs), default=1)))
        bare(axes)
        axes.set_xticks([])
        axes.set_yticks([])

    return Plot(
        "confusion",
        "Most frequent confusions",
        f"True class → predicted class: {of_input(report).noun}, and their share of the true class.",
        _spoken(test),
        draw,
        (WIDTH, 34 * max(1, len(pairs)) + 20),
    )


def _balance(report: Report) -> Plot:
    """Plot for the worst of many labels what share of them is right, missed or added."""
    test = report["test"]
    each = by_class(test)
    counts = dict(zip(test["labels"], test["confusion_matrices"], strict=True))
    worst = sorted(counts, key=lambda name: each[name]["f1-score"])[:MATRIX]
    names = shortened(worst, NAME)
    kinds = {"right": (1, 1, FIRST), "missed": (1, 0, SECOND), "added": (0, 1, MUTED)}

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, name in enumerate(worst):
            total, left = sum(counts[name][row][column] for row, column, _ in kinds.values()) or 1, 0.0
            for row, column, color in kinds.values():
                share = counts[name][row][column] / total
                axes.barh(place, share, 0.7, left, color=color, alpha=0.8)
                left += share
        for at, (kind, (_, _, color)) in zip((0, 0.5, 1), kinds.items(), strict=True):
            side = {0: "left", 0.5: "center", 1: "right"}[at]
            axes.text(at, -0.8, kind, color=color, ha=side, fontweight="bold")
        axes.set(xlim=(0, 1), ylim=(len(worst) - 0.5, -1.4))
        axes.set_yticks(range(len(worst)), names)
        bare(axes)
        percents(axes.xaxis)
        room_for(figure, names)

    return Plot(
        "confusion",
        "Labels given, missed and added",
        f"The {MATRIX} labels of lowest F1: of the {of_input(report).noun} that have a label or were given "
        "it, the share that has it rightly, was not given it, and was given it wrongly.",
        "; ".join(
            f"{name}: {table[1][1]:,} right, {table[1][0]:,} missed, {table[0][1]:,} added"
            for name, table in ((name, counts[name]) for name in worst)
        ),
        draw,
        (WIDTH, 20 * len(worst) + 70),
    )


def _share(share: float, exact: bool) -> str:
    return percent(share) if exact else "< 1 %" if share < 0.005 else rounded(share)


def _spoken(test: TestScores) -> str:
    pairs = confusions(test)[:PAIRS]
    return "; ".join(f"{count:,} {true} as {other}" for true, other, count, _ in pairs) or "none"
