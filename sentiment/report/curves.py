"""How well probabilities put texts in order: ROC, precision and recall."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sentiment.core.schema.report import Report
from sentiment.report.figure import (
    DASHED,
    HEIGHT,
    INK,
    MUTED,
    RULE,
    SECOND,
    SERIES,
    WIDTH,
    Plot,
    percents,
)
from sentiment.report.phrases import number, shorten
from sentiment.report.scores import measured
from sentiment.report.words import of_input, of_task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curves = Mapping[str, Mapping[str, Any]]  # by class
LINES = 4  # most classes with a curve of their own colour
SHOWN = 20  # most classes in a plot
LINE = 18  # height of a line of names beneath a plot


def roc(report: Report) -> Iterator[Plot]:
    """Plot true against false positives."""
    curves = report.get("curves", {}).get("roc")
    if not curves:
        return
    means = report["curves"].get("mean")
    point = _operating(report, curves, "false_positive_rate", "recall")

    def draw(figure: Figure) -> None:
        axes = _lines(figure, curves, ("fpr", "tpr"), "auc", "AUC", 0.97, means["roc"] if means else None)
        axes.plot([0, 1], [0, 1], color=RULE, linewidth=1)
        _mark(axes, point, (12, -12))
        axes.set(xlabel="false positive rate", ylabel="true positive rate")

    caption = _caption(report, curves, point)
    yield Plot("roc", "ROC", caption, _areas(curves, "auc"), draw, _size(curves))


def precision_recall(report: Report) -> Iterator[Plot]:
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
    yield Plot("precision_recall", "Precision and recall", caption, areas, draw, _size(curves))


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
    grid = figure.add_gridspec(2, 1, height_ratios=(HEIGHT, max(1, LINE * rows)))
    axes, beneath = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    beneath.axis("off")
    for name in order[LINES:SHOWN] if len(order) > LINES else ():
        axes.plot(*(curves[name][side] for side in sides), color=MUTED, linewidth=0.7, alpha=0.6)
    for place, (name, color) in enumerate(zip(named, SERIES, strict=False)):
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
        axes.plot(*(mean[side] for side in sides), color=INK, linewidth=1.5, linestyle=DASHED)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    percents(axes.xaxis)
    percents(axes.yaxis)
    return axes


def _size(curves: Curves) -> tuple[float, float]:
    return WIDTH, HEIGHT + LINE * (min(len(curves), LINES) if len(curves) > 1 else 0)


def _weakest(curves: Curves, area: str) -> list[str]:
    return sorted(curves, key=lambda name: curves[name][area] or 0)


def _areas(curves: Curves, area: str) -> str:
    return "; ".join(f"area {number(curves[one][area])} for {one}" for one in _weakest(curves, area)[:SHOWN])


def _caption(report: Report, curves: Curves, point: tuple[float, float] | None) -> str:
    named = "" if len(curves) <= LINES else f"; the {LINES} weakest are named"
    if len(curves) > SHOWN:
        named = f": the {SHOWN} weakest, {LINES} of them named"
    if of_task(report).several:
        return f"Each label{named}. " + "Dashed: the mean of all." * (len(curves) > 1)
    if len(report["test"]["labels"]) > 2:
        return f"Each class against the rest{named}."
    unsure = f", unsure {of_input(report).texts} aside" if report.get("decision", {}).get("unsure") else ""
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
    axes.plot(*point, "o", color=SECOND, markersize=8, zorder=5)
    axes.annotate(
        "decision",
        point,
        offset,
        textcoords="offset points",
        ha="left" if offset[0] > 0 else "right",
        va="top",
        color=SECOND,
        fontweight="bold",
    )
