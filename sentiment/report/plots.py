"""The plots of a report, in their order; what they look like is in `figure`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.core.schema.report import Report
from sentiment.metrics.catalogue import SCORES
from sentiment.report import figure as look
from sentiment.report.classes import WORST, confusion
from sentiment.report.curves import histogram, kept, precision_recall, reliability, roc
from sentiment.report.phrases import percent, shorten
from sentiment.report.words import of_input, of_task, part_score, score_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plots(report: Report) -> list[look.Plot]:
    """Return the plots for which a report has the numbers."""
    makers = (confusion, roc, precision_recall, reliability, histogram, kept, _lengths, _slices, _learning)
    return [plot for make in makers for plot in make(report)]


def save_png(report: Report, folder: Path) -> list[Path]:
    """Write each plot as ``<name>.png`` into a folder, which is made if need be; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for plot in plots(report):
        files.append(folder / f"{plot.name}.png")
        look.png(plot, files[-1])
    return files


def _lengths(report: Report) -> Iterator[look.Plot]:
    bins, words, items = report.get("curves", {}).get("lengths"), of_task(report), of_input(report)
    if not bins:
        return

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import LogLocator, NullFormatter

        axes = figure.add_subplot()
        for one in bins:
            sides = max(one["low"], 0.8), one["high"] + 1  # a bin has its last length too
            if one["interval"]:  # one text has none
                low, high = one["interval"]
                axes.fill_between(sides, low, high, color=look.FIRST, alpha=0.25, linewidth=0)
            axes.plot(sides, [part_score(report, one)] * 2, color=look.FIRST)
        axes.axhline(part_score(report, report["test"]), color=look.MUTED, linewidth=1, linestyle=look.DASHED)
        axes.set(
            xscale="log",
            xlabel=f"{items.unit} of the {items.singular}",
            ylabel=words.length_axis.format(text=items.singular),
        )
        axes.xaxis.set_major_locator(LogLocator(10, (1, 2, 5), numticks=8))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
        look.thousands(axes.xaxis)
        look.percents(axes.yaxis)

    yield look.Plot(
        "lengths",
        words.length_title,
        f"Band: 95 % interval. Dashed: all {items.noun}.",
        "; ".join(
            f"{one['low']:,} to {one['high']:,} {items.unit}: {percent(part_score(report, one))}"
            for one in bins
        ),
        draw,
    )


def _slices(report: Report) -> Iterator[look.Plot]:
    found = report.get("failures", {}).get("slices", [])[:WORST]
    if not found:
        return
    parts = [
        (shorten(one["slice"], look.NAME + 4), shorten(str(one["value"]), look.NAME + 4)) for one in found
    ]
    label = of_task(report).part_axis.format(text=of_input(report).singular)
    fits = all(len(name) + len(value) <= look.NAME + 2 for name, value in parts)
    names = [f"{name}: {value}" if fits else f"{name}\n{value}" for name, value in parts]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, one in enumerate(found):
            if one["interval"] is not None:
                axes.plot(one["interval"], [place, place], color=look.FIRST, linewidth=1.5)
            axes.plot(part_score(report, one), place, "o", color=look.FIRST, markersize=6)
        axes.axvline(part_score(report, report["test"]), color=look.MUTED, linewidth=1, linestyle=look.DASHED)
        axes.set(xlabel=label, ylim=(len(found) - 0.5, -0.5))
        axes.set_yticks(range(len(found)), names)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(look.few(4))
        look.percents(axes.xaxis)
        look.room_for(figure, [line for name in names for line in name.splitlines()])

    texts = of_input(report).noun
    yield look.Plot(
        "slices",
        "Where it fails",
        f"Kinds of {texts}, the worst first, with 95 % intervals. Dashed: all {texts}.",
        "; ".join(f"{one['slice']} {one['value']}: {percent(part_score(report, one))}" for one in found),
        draw,
        (look.WIDTH, (24 if fits else 32) * len(found) + 54),
    )


def _learning(report: Report) -> Iterator[look.Plot]:
    history, training = report.get("history"), report.get("training", {})
    if not history:
        return
    epochs = [record["epoch"] for record in history]
    best = training.get("best_epoch")
    metric = training.get("metric", "mcc")
    metric = "accuracy" if metric == "log_loss" else metric  # the loss is drawn anyway
    losses = {
        "training": (look.SECOND, [one["loss"] for one in history]),
        "validation": (look.FIRST, [one["validation"]["log_loss"] for one in history]),
    }
    panels: dict[str, list[tuple[str, Sequence[Any]]]] = {
        "loss": list(losses.values()),
        SCORES[metric].title: [(look.FIRST, [score_of(one["validation"], metric) for one in history])],
        "learning rate": [(look.MUTED, [one["learning_rate"] for one in history])],
    }

    def draw(figure: Figure) -> None:
        grid = figure.add_gridspec(3, 1, height_ratios=(3, 2, 1.3))
        shared: Axes | None = None
        for place, (title, lines) in enumerate(panels.items()):
            shared = figure.add_subplot(grid[place], sharex=shared)
            for color, values in lines:
                shared.plot(epochs, values, "o-", color=color, markersize=4)
            shared.set_title(title, loc="left", fontsize=11, color=look.MUTED)
            if best is not None:
                shared.axvline(best, color=look.INK, linewidth=1, linestyle=look.DASHED)
            shared.yaxis.set_major_locator(look.few(3))
            shared.xaxis.set_major_locator(look.few(8, integer=True))
            shared.tick_params(labelbottom=place == len(panels) - 1)
            shared.set_xlim(min(epochs) - 0.3, max(epochs) + 0.3)
        if shared is not None:
            shared.set_xlabel("epoch")
        for right, (name, (color, _)) in zip((0.74, 1), losses.items(), strict=True):
            top = figure.axes[0]
            top.text(right, 1.04, name, color=color, ha="right", fontweight="bold", transform=top.transAxes)

    first, last = history[0], history[-1]
    yield look.Plot(
        "learning",
        "Learning curves",
        "" if best is None else f"Dashed: epoch {best}, which was kept; chosen on validation.",
        f"{len(history)} epochs; training loss {first['loss']:.4f} to {last['loss']:.4f}, validation "
        f"loss {first['validation']['log_loss']:.4f} to {last['validation']['log_loss']:.4f}.",
        draw,
        (look.WIDTH, 330),
    )
