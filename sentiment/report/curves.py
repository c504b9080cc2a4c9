"""The quality of probabilities as plots: ROC, precision and recall, reliability, histogram, coverage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sentiment.core.schema.report import Report
from sentiment.report import figure as look
from sentiment.report.classes import by_class
from sentiment.report.phrases import (
    coverage,
    coverage_sentence,
    number,
    percent,
    rounded,
    shorten,
    shortened,
)
from sentiment.report.scores import measured
from sentiment.report.words import of_input, of_task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = Mapping[str, Mapping[str, Any]]  # by class
LINES = 4  # most classes with a curve of their own colour
SHOWN = 20  # most classes in a plot
LINE = 18  # height of a line of names beneath a plot


def roc(report: Report) -> Iterator[look.Plot]:
    """Plot true against false positives."""
    curves = report.get("curves", {}).get("roc")
    if not curves:
        return
    means = report["curves"].get("mean")
    point = _operating(report, curves, "false_positive_rate", "recall")

    def draw(figure: Figure) -> None:
        axes = _lines(figure, curves, ("fpr", "tpr"), "auc", "AUC", 0.97, means["roc"] if means else None)
        axes.plot([0, 1], [0, 1], color=look.RULE, linewidth=1)
        _mark(axes, point, (12, -12))
        axes.set(xlabel="false positive rate", ylabel="true positive rate")

    caption = _caption(report, curves, point)
    yield look.Plot("roc", "ROC", caption, _areas(curves, "auc"), draw, _size(curves))


def precision_recall(report: Report) -> Iterator[look.Plot]:
    """Plot precision against recall."""
    curves = report.get("curves", {}).get("pr")
    if not curves:
        return
    means = report["curves"].get("mean")
    point = _operating(report, curves, "recall", "precision")

    def draw(figure: Figure) -> None:
        sides = "recall", "precision"
        axes = _lines(figure, curves, sides, "average_precision", "AP", 0.03, means["pr"] if means else None)
        _mark(axes, point, (-10, -14))
        axes.set(xlabel="recall", ylabel="precision")

    caption, areas = _caption(report, curves, point), _areas(curves, "average_precision")
    yield look.Plot("precision_recall", "Precision and recall", caption, areas, draw, _size(curves))


def _lines(
    figure: Figure,
    curves: Curves,
    sides: tuple[str, str],
    area: str,
    short: str,
    corner: float,
    mean: Mapping[str, Any] | None,
) -> Axes:
    """Draw a curve for each class: few in colours, of many only the weakest stand out from grey.

    The name of a single one stands within, near the `corner`; those of several beneath.
    """
    order = _weakest(curves, area)
    named = order[:LINES] if len(order) > LINES else list(curves)
    rows = len(named) if len(named) > 1 else 0
    grid = figure.add_gridspec(2, 1, height_ratios=(look.HEIGHT, max(1, LINE * rows)))
    axes, beneath = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    beneath.axis("off")
    for name in order[LINES:SHOWN] if len(order) > LINES else ():
        axes.plot(*(curves[name][side] for side in sides), color=look.MUTED, linewidth=0.7, alpha=0.6)
    for place, (name, color) in enumerate(zip(named, look.SERIES, strict=False)):
        axes.plot(*(curves[name][side] for side in sides), color=color)
        text = f"{shorten(name, 30)} {short} {number(curves[name][area])}"
        if rows:
            beneath.text(0, 1 - (place + 0.5) / rows, text, color=color, fontweight="bold", va="center")
        else:
            axes.text(
                corner,
                0.06,
                text,
                color=color,
                ha="right" if corner > 0.5 else "left",
                fontweight="bold",
                transform=axes.transAxes,
            )
    if mean is not None:
        axes.plot(*(mean[side] for side in sides), color=look.INK, linewidth=1.5, linestyle=look.DASHED)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    look.percents(axes.xaxis)
    look.percents(axes.yaxis)
    return axes


def _size(curves: Curves) -> tuple[float, float]:
    return look.WIDTH, look.HEIGHT + LINE * (min(len(curves), LINES) if len(curves) > 1 else 0)


def _weakest(curves: Curves, area: str) -> list[str]:
    return sorted(curves, key=lambda name: curves[name][area] or 0)


def _areas(curves: Curves, area: str) -> str:
    return "; ".join(
        f"area {number(curves[name][area])} for {name}" for name in _weakest(curves, area)[:SHOWN]
    )


def _caption(report: Report, curves: Curves, point: tuple[float, float] | None) -> str:
    named = "" if len(curves) <= LINES else f"; the {LINES} weakest are named"
    if len(curves) > SHOWN:
        named = f": the {SHOWN} weakest, {LINES} of them named"
    if not of_task(report).task.exclusive:
        return f"Each label{named}. " + "Dashed: the mean of all." * (len(curves) > 1)
    if len(report["test"]["labels"]) > 2:
        return f"Each class against the rest{named}."
    unsure = f", unsure {of_input(report).noun} aside" if report.get("decision", {}).get("unsure") else ""
    decides = f"; the point is where the model decides{unsure}" if point else ""
    return f"For {next(iter(curves))}{decides}."


def _operating(report: Report, curves: Curves, across: str, up: str) -> tuple[float, float] | None:
    """Return where the decision stands on the curve, if both are about the same class."""
    decision = report.get("decision")
    if not decision or decision["positive"] not in curves or len(report["test"]["labels"]) != 2:
        return None
    x, y = (measured(decision["test"].get(side))[0] for side in (across, up))
    return None if x is None or y is None else (x, y)


def _mark(axes: Axes, point: tuple[float, float] | None, offset: tuple[float, float]) -> None:
    if point is None:
        return
    axes.plot(*point, "o", color=look.SECOND, markersize=8, zorder=5)
    _say(axes, "decision", point, offset)


def _say(axes: Axes, text: str, point: tuple[float, float], offset: tuple[float, float]) -> None:
    style: dict[str, Any] = {"ha": "left" if offset[0] > 0 else "right", "va": "top", "fontweight": "bold"}
    axes.annotate(text, point, offset, textcoords="offset points", color=look.SECOND, **style)


def reliability(report: Report) -> Iterator[look.Plot]:
    """Plot how often the model is right against how sure it is."""
    calibration = report.get("calibration")
    bins = [part for part in calibration["bins"] if part["count"]] if calibration else []
    if not calibration or not bins:
        return
    sure, right = [part["confidence"] for part in bins], [part["accuracy"] for part in bins]
    lows, highs = zip(*(part["interval"] for part in bins), strict=True)
    edges, widths = [part["low"] for part in bins], [part["high"] - part["low"] for part in bins]

    words = of_task(report)
    outcome, counted = words.outcome, words.forecasts.format(texts=of_input(report).noun)

    def draw(figure: Figure) -> None:
        grid = figure.add_gridspec(2, 1, height_ratios=(4, 1))
        axes = figure.add_subplot(grid[0])
        axes.plot([0, 1], [0, 1], color=look.MUTED, linewidth=1, linestyle=look.DASHED)
        axes.vlines(sure, lows, highs, color=look.FIRST, linewidth=1.5)
        axes.plot(sure, right, "o-", color=look.FIRST, markersize=5, linewidth=1)
        axes.set(xlim=(edges[0], 1.01), ylim=(min(edges[0], *lows, *right) - 0.02, 1.02), ylabel=outcome)
        axes.tick_params(labelbottom=False)
        counts = figure.add_subplot(grid[1], sharex=axes)
        counts.bar(
            edges,
            [part["count"] for part in bins],
            widths,
            align="edge",
            color=look.MUTED,
            edgecolor=look.GROUND,
        )
        counts.set(xlabel=f"probability of the {words.forecast}", ylabel=counted)
        counts.yaxis.set_major_locator(look.few(2))
        look.thousands(counts.yaxis)
        look.percents(axes.yaxis)
        look.percents(counts.xaxis)

    before = calibration.get("before")
    tail = f"; {percent(before['ece'])} before the temperature" if before else ""
    error = f"Calibration error {percent(calibration['ece'])}{tail}."
    yield look.Plot(
        "reliability",
        "Reliability",
        f"On the dashed line, probabilities are what they say. {error}",
        "; ".join(
            f"given {percent(part['confidence'])}, {outcome} {percent(part['accuracy'])}" for part in bins
        ),
        draw,
        (look.WIDTH, 300),
    )


def histogram(report: Report) -> Iterator[look.Plot]:
    """Plot which probabilities the texts of each class are given."""
    found = report.get("curves", {}).get("histogram")
    if not found:
        return
    edges, counts = found["edges"], found["counts"]
    words, texts = of_task(report), of_input(report).noun
    if len(counts) == 2 and words.task.exclusive:
        threshold = _threshold(report, list(counts)[1])
        dashed = "" if threshold is None else "; dashed: the threshold"
        caption = f"Share of the {texts} of a class{dashed}."

        def draw(figure: Figure) -> None:
            _panels(figure, edges, counts, threshold)

        height: float = look.HEIGHT
    else:
        each = by_class(report["test"])
        names = sorted(counts, key=lambda name: each[name]["recall"])[:SHOWN]
        which = (
            f"The {SHOWN} {words.task.noun[1]} of lowest recall"
            if len(counts) > SHOWN
            else "Lowest recall first"
        )
        caption = f"{which}. The darker, the more {texts} of the {words.task.noun[0]}."
        marks: dict[str, float] = {}
        if not words.task.exclusive:
            thresholds = report.get("decision", {}).get("thresholds") or [0.5] * len(counts)
            marks = dict(zip(report["test"]["labels"], thresholds, strict=True))
            caption += " Line: its threshold."

        def draw(figure: Figure) -> None:
            _strips(figure, edges, {name: counts[name] for name in names}, words.forecast, marks)

        height = max(200, 20 * len(names) + 70)
    sentence = f"Histogram of the probability for the {texts} of each class."
    title = f"Probabilities by true {words.task.noun[0]}"
    yield look.Plot("probabilities", title, caption, sentence, draw, (look.WIDTH, height))


def kept(report: Report) -> Iterator[look.Plot]:
    """Plot the accuracy on the surest share of the texts."""
    point, sentence = coverage(report), coverage_sentence(report)
    if point is None or sentence is None:
        return
    curve = report["curves"]["coverage"]
    first = next(place for place, share in enumerate(curve["coverage"]) if share >= min(0.02, point[0]))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot(
            curve["coverage"][first:], curve["accuracy"][first:], color=look.FIRST
        )  # before it is noise
        axes.plot(*point, "o", color=look.SECOND, markersize=8)
        _say(axes, f"{percent(point[1])} of\n{rounded(point[0])} kept", point, (-10, -14))
        axes.set(
            xlim=(0, 1.02),
            xlabel="share decided by the model, surest first",
            ylabel=f"{of_task(report).right} among them",
        )
        low, high = axes.get_ylim()
        low -= 0.3 * (high - low) * (point[1] < low + 0.3 * (high - low))  # room for the words
        axes.set_ylim(low - max(0.0, 0.02 - (high - low)), high)  # a flat curve stays flat
        look.percents(axes.xaxis)
        look.percents(axes.yaxis)

    yield look.Plot("coverage", "Leaving doubt to a person", sentence, sentence, draw)


def _panels(
    figure: Figure, edges: Sequence[float], counts: Mapping[str, Sequence[int]], threshold: float | None
) -> None:
    """Draw the histograms of two classes, one above the other."""
    shared: Axes | None = None
    for place, (name, color) in enumerate(zip(counts, look.SERIES, strict=False)):
        shared = figure.add_subplot(2, 1, place + 1, sharex=shared)
        total = sum(counts[name]) or 1
        shares = [count / total for count in counts[name]]
        shared.bar(edges[:-1], shares, edges[1] - edges[0], align="edge", color=color, edgecolor=look.GROUND)
        shared.set_title(f"labelled {shorten(name, 30)}", color=color, fontsize=12, fontweight="bold")
        shared.set_xlim(0, 1)
        if threshold is not None:
            shared.axvline(threshold, color=look.INK, linewidth=1, linestyle=look.DASHED)
        shared.yaxis.set_major_locator(look.few(3))
        look.percents(shared.yaxis)
        look.percents(shared.xaxis)
        shared.tick_params(labelbottom=place == 1)
    if shared is not None:
        shared.set_xlabel(f"probability of {shorten(list(counts)[1], 26)}")


def _strips(
    figure: Figure,
    edges: Sequence[float],
    counts: Mapping[str, Sequence[int]],
    of: str,
    marks: Mapping[str, float],
) -> None:
    """Draw the histograms of several classes as rows of cells, with lines at some marks."""
    axes = figure.add_subplot()
    names = shortened(list(counts), look.NAME)
    columns = len(edges) - 1
    for row, (name, values) in enumerate(counts.items()):
        if name in marks:
            axes.vlines(marks[name] * columns, row - 0.48, row + 0.48, color=look.SECOND, linewidth=2)
        most = max(values) or 1
        for column, count in enumerate(values):
            if count:
                axes.add_patch(look.cell(column + 0.5, row, count / most, look.FIRST))
    axes.set(xlim=(0, columns), ylim=(len(names) - 0.5, -0.5), xlabel=f"probability of the {of}")
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks([0, columns / 2, columns], [rounded(edges[0]), "50 %", rounded(edges[-1])])
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    look.room_for(figure, names)


def _threshold(report: Report, label: str) -> float | None:
    """Return from which probability of this label on it is predicted."""
    decision = report.get("decision")
    threshold = decision.get("threshold") if decision else None
    if not decision or threshold is None:
        return None
    return threshold if decision["positive"] == label else 1 - threshold
