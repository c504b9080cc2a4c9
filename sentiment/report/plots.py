"""The plots of a report: what is drawn, from which part; `figure` has the looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.report import figure as style
from sentiment.report.figure import FIRST, GROUND, HEIGHT, INK, MUTED, RULE, SECOND, SERIES, WIDTH, Plot
from sentiment.report.tables import SCORES, WORST, confusions
from sentiment.report.wording import (
    coverage,
    coverage_sentence,
    percent,
    rounded,
    shorten,
    width,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MATRIX = 20  # most classes in a matrix of cells
CONFUSIONS = 15  # else that many of the most frequent confusions
LINES = 4  # most classes with a line of their own colour
LINE = 18  # height of a line of names beneath a plot
NAME = 22  # columns of text for the name of a class
TINTED = 0.55  # of the colour in the fullest cell: ink stays legible on it


def plots(report: dict[str, Any]) -> list[Plot]:
    """Return the plots for which a report has the numbers."""
    makers = (_matrix, _roc, _precision, _reliability, _histogram, _coverage, _lengths, _slices, _learning)
    return [plot for make in makers for plot in make(report)]


def save_png(report: dict[str, Any], folder: Path) -> list[Path]:
    """Write each plot as ``<name>.png`` into a folder, which is made if need be; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for plot in plots(report):
        files.append(folder / f"{plot.name}.png")
        style.png(plot, files[-1])
    return files


def _matrix(report: dict[str, Any]) -> Iterator[Plot]:
    test = report["test"]
    labels, matrix = test["labels"], test["confusion_matrix"]
    count = len(labels)
    if count > MATRIX:
        yield _pairs(test)
        return
    names = [shorten(label, NAME) for label in labels]
    few = count <= 4
    chosen = ", by the most probable class" if report.get("decision", {}).get("rule") == "threshold" else ""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row, counts in enumerate(matrix):
            total = sum(counts) or 1
            for column, texts in enumerate(counts):
                if not texts and not few:
                    continue
                share, right = texts / total, row == column
                axes.add_patch(_cell(column, row, TINTED * share**0.5, FIRST if right else SECOND))
                axes.text(column, row, f"{texts:,}\n{_share(share, few)}", ha="center", va="center",
                          fontsize=12 if few else 11, fontweight="bold" if right else "normal")  # fmt: skip
        axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), xlabel="predicted", ylabel="true class")
        turned = not few or any(width(name) > 40 / count for name in names)
        axes.set_xticks(range(count), names, rotation=40 if turned else 0, ha="right" if turned else "center",
                        rotation_mode="anchor" if turned else None)  # fmt: skip
        axes.set_yticks(range(count), names)
        _bare(axes)
        _room_for(figure, names)

    side = WIDTH if count <= 5 else 46 * count + 180
    yield Plot(
        "confusion",
        "Confusion matrix",
        f"Texts, and their share of the true class (the row){chosen}.",
        f"Rows are true classes, columns what was predicted: {_spoken(test)}",
        draw,
        (side, 300 if few else 0.62 * side + 120),
    )


def _share(share: float, exact: bool) -> str:
    return percent(share) if exact else "< 1 %" if share < 0.005 else rounded(share)


def _spoken(test: dict[str, Any]) -> str:
    return "; ".join(f"{count:,} {true} as {other}" for true, other, count, _ in confusions(test)[:10]) + "."


def _pairs(test: dict[str, Any]) -> Plot:
    found = confusions(test)[:CONFUSIONS]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, (true, other, texts, share) in enumerate(found):
            axes.barh(place + 0.2, texts, 0.3, color=SECOND)
            pair = f"{shorten(true, NAME)} → {shorten(other, NAME)}"
            axes.text(0, place - 0.17, pair, va="center", fontsize=11)
            axes.annotate(f"{texts:,} · {percent(share)}", (texts, place + 0.2), (5, 0), textcoords="offset points",
                          va="center", fontsize=11, color=MUTED)  # fmt: skip
        axes.set(ylim=(len(found) - 0.5, -0.6), xlim=(0, 1.35 * max(one[2] for one in found)))
        _bare(axes)
        axes.set_xticks([])
        axes.set_yticks([])

    return Plot(
        "confusion",
        "Most frequent confusions",
        "True class → predicted class: texts, and their share of the true class.",
        _spoken(test),
        draw,
        (WIDTH, 34 * len(found) + 20),
    )


def _roc(report: dict[str, Any]) -> Iterator[Plot]:
    curves = report.get("curves", {}).get("roc")
    if not curves:
        return
    point = _operating(report, "false_positive_rate", "recall")

    def draw(figure: Figure) -> None:
        axes = _lines(figure, curves, ("fpr", "tpr"), ("auc", "AUC"), 0.97)
        axes.plot([0, 1], [0, 1], color=RULE, linewidth=1)
        _point(axes, point, (12, -12))
        axes.set(xlabel="false positive rate", ylabel="true positive rate")
        _unit(axes)

    caption = _curve_caption(report, curves)
    yield Plot("roc", "ROC", caption, _areas(curves, "auc"), draw, _curve_size(curves))


def _precision(report: dict[str, Any]) -> Iterator[Plot]:
    curves = report.get("curves", {}).get("pr")
    if not curves:
        return
    point = _operating(report, "recall", "precision")

    def draw(figure: Figure) -> None:
        axes = _lines(figure, curves, ("recall", "precision"), ("average_precision", "AP"), 0.03)
        _point(axes, point, (-10, -14))
        axes.set(xlabel="recall", ylabel="precision")
        _unit(axes)

    caption = _curve_caption(report, curves)
    areas = _areas(curves, "average_precision")
    yield Plot("precision_recall", "Precision and recall", caption, areas, draw, _curve_size(curves))


def _reliability(report: dict[str, Any]) -> Iterator[Plot]:
    calibration = report.get("calibration")
    if not calibration:
        return
    bins = [one for one in calibration["bins"] if one["count"]]

    def draw(figure: Figure) -> None:
        grid = figure.add_gridspec(2, 1, height_ratios=(4, 1))
        axes = figure.add_subplot(grid[0])
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.vlines([one["confidence"] for one in bins], *zip(*(one["interval"] for one in bins), strict=True),
                    color=FIRST, linewidth=1.5)  # fmt: skip
        axes.plot([one["confidence"] for one in bins], [one["accuracy"] for one in bins], "o-",
                  color=FIRST, markersize=5, linewidth=1)  # fmt: skip
        axes.set(
            xlim=(low, 1.01),
            ylim=(min(low, *(one["interval"][0] for one in bins)) - 0.02, 1.02),
            ylabel="right",
        )
        axes.tick_params(labelbottom=False)
        counts = figure.add_subplot(grid[1], sharex=axes)
        counts.bar([one["low"] for one in bins], [one["count"] for one in bins],
                   [one["high"] - one["low"] for one in bins], align="edge", color=MUTED, edgecolor=GROUND)  # fmt: skip
        counts.set(xlabel="probability of the predicted class", ylabel="texts")
        counts.yaxis.set_major_locator(_few(2))
        counts.yaxis.set_major_formatter(_thousands())
        style.percents(axes.yaxis)
        style.percents(counts.xaxis)

    low = min(one["low"] for one in bins)
    before = calibration.get("before")
    tail = f"; {percent(before['ece'])} before the temperature" if before else ""
    yield Plot(
        "reliability",
        "Reliability",
        f"On the dashed line, probabilities are what they say. Calibration error {percent(calibration['ece'])}{tail}.",
        "; ".join(f"given {percent(one['confidence'])}, right {percent(one['accuracy'])}" for one in bins),
        draw,
        (WIDTH, 300),
    )


def _histogram(report: dict[str, Any]) -> Iterator[Plot]:
    histogram = report.get("curves", {}).get("histogram")
    if not histogram:
        return
    edges, counts = histogram["edges"], histogram["counts"]
    two = len(counts) == 2
    threshold = report.get("decision", {}).get("threshold") if two else None
    labels = list(counts)
    if not two:
        each = report["test"]["classification_report"]
        labels = sorted(labels, key=lambda name: each[name]["recall"])[:MATRIX]

    def panels(figure: Figure) -> None:
        shared: Axes | None = None
        for place, (name, color) in enumerate(zip(labels, SERIES, strict=False)):
            shared = figure.add_subplot(2, 1, place + 1, sharex=shared)
            total = sum(counts[name]) or 1
            shared.bar(edges[:-1], [count / total for count in counts[name]], edges[1] - edges[0], align="edge",
                       color=color, edgecolor=GROUND, linewidth=0.6)  # fmt: skip
            shared.set(xlim=(0, 1))
            shared.set_title(f"labelled {shorten(name, 30)}", color=color, fontsize=12, fontweight="bold")
            if threshold is not None:
                shared.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            shared.yaxis.set_major_locator(_few(3))
            style.percents(shared.yaxis)
            style.percents(shared.xaxis)
            shared.tick_params(labelbottom=place == 1)
        if shared is not None:
            shared.set_xlabel(f"probability of {shorten(labels[1], 26)}")

    def strips(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row, name in enumerate(labels):
            most = max(counts[name]) or 1
            for column, count in enumerate(counts[name]):
                if count:
                    axes.add_patch(_cell(column + 0.5, row, count / most, FIRST))
        axes.set(xlim=(0, 20), ylim=(len(labels) - 0.5, -0.5), xlabel="probability of the predicted class")
        axes.set_yticks(range(len(labels)), [shorten(name, NAME) for name in labels])
        axes.set_xticks([0, 10, 20], ["0 %", "50 %", "100 %"])
        axes.grid(visible=False)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        _room_for(figure, [shorten(name, NAME) for name in labels])

    if two:
        caption = "Share of the texts of a class" + (
            "; dashed: the threshold." if threshold is not None else "."
        )
    elif len(labels) < len(counts):
        caption = f"The {len(labels)} classes of lowest recall. The darker, the more texts of the class."
    else:
        caption = "By true class, lowest recall first. The darker, the more texts of the class."
    yield Plot(
        "probabilities",
        "Probabilities by true class",
        caption,
        "Histogram of the probability for the texts of each class.",
        panels if two else strips,
        (WIDTH, 270 if two else max(200, 20 * len(labels) + 70)),
    )


def _coverage(report: dict[str, Any]) -> Iterator[Plot]:
    curve, kept, sentence = (
        report.get("curves", {}).get("coverage"),
        coverage(report),
        coverage_sentence(report),
    )
    if not curve or kept is None or sentence is None:
        return
    least = max(1, len(curve["coverage"]) // 50)  # of the surest few, accuracy is noise

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot(curve["coverage"][least:], curve["accuracy"][least:], color=FIRST)
        axes.plot(*kept, "o", color=SECOND, markersize=8)
        axes.annotate(f"{percent(kept[1])} of\n{rounded(kept[0])} kept", kept, (-10, -14), textcoords="offset points",
                      ha="right", va="top", color=SECOND, fontweight="bold")  # fmt: skip
        axes.set(xlim=(0, 1.02), xlabel="share decided by the model, surest first", ylabel="right among them")
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, high - 1.6 * (high - low)) if high - low < 0.02 else low, high)
        style.percents(axes.xaxis)
        style.percents(axes.yaxis)

    yield Plot("coverage", "Leaving doubt to a person", sentence, sentence, draw)


def _lengths(report: dict[str, Any]) -> Iterator[Plot]:
    bins = report.get("curves", {}).get("lengths")
    if not bins:
        return

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes = figure.add_subplot()
        for one in bins:
            low, high = max(one["low"], 0.8), one["high"] + 1  # a bin has its last length too
            axes.fill_between(
                [low, high], *([edge, edge] for edge in one["interval"]), color=FIRST, alpha=0.25, linewidth=0
            )
            axes.plot([low, high], [one["accuracy"]] * 2, color=FIRST)
        axes.axhline(report["test"]["accuracy"], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xscale("log")
        axes.set(xlabel="tokens of the text", ylabel="right")
        axes.xaxis.set_major_locator(LogLocator(10, (1, 2, 5), numticks=8))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
        style.percents(axes.yaxis)

    yield Plot(
        "lengths",
        "Length and accuracy",
        "Band: 95 % interval. Dashed: all texts.",
        "; ".join(f"{one['low']:,} to {one['high']:,} tokens: {percent(one['accuracy'])}" for one in bins),
        draw,
    )


def _slices(report: dict[str, Any]) -> Iterator[Plot]:
    found = report.get("failures", {}).get("slices", [])[:WORST]
    if not found:
        return
    names = [shorten(f"{one['slice']}: {one['value']}", NAME + 4) for one in found]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, one in enumerate(found):
            axes.plot(one["interval"], [place, place], color=FIRST, linewidth=1.5)
            axes.plot(one["accuracy"], place, "o", color=FIRST, markersize=6)
        axes.axvline(report["test"]["accuracy"], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xlabel="right", ylim=(len(found) - 0.5, -0.5))
        axes.set_yticks(range(len(found)), names)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(_few(4))
        style.percents(axes.xaxis)
        _room_for(figure, names)

    yield Plot(
        "slices",
        "Where it fails",
        "Kinds of texts, the worst first, with 95 % intervals. Dashed: all texts.",
        "; ".join(f"{one['slice']} {one['value']}: {percent(one['accuracy'])}" for one in found),
        draw,
        (WIDTH, 24 * len(found) + 54),
    )


def _learning(report: dict[str, Any]) -> Iterator[Plot]:
    history, training = report.get("history"), report.get("training", {})
    if not history:
        return
    epochs = [record["epoch"] for record in history]
    metric = training.get("metric", "mcc")
    metric = "accuracy" if metric == "log_loss" else metric
    kept = training.get("best_epoch")
    rows: list[tuple[str, list[tuple[str, str, list[float | None]]]]] = [
        ("loss", [("training", SECOND, [one["loss"] for one in history]),
                  ("validation", FIRST, [one["validation"]["log_loss"] for one in history])]),
        (SCORES[metric], [("", FIRST, [one["validation"][metric] for one in history])]),
        ("learning rate", [("", MUTED, [one["learning_rate"] for one in history])]),
    ]  # fmt: skip

    def draw(figure: Figure) -> None:
        grid = figure.add_gridspec(3, 1, height_ratios=(3, 2, 1.3))
        shared: Axes | None = None
        for place, (title, lines) in enumerate(rows):
            shared = figure.add_subplot(grid[place], sharex=shared)
            for name, color, values in lines:
                shared.plot(epochs, values, "o-", color=color, markersize=4)
            shared.set_title(title, loc="left", fontsize=11, color=MUTED)
            if place == 0:
                for offset, (name, color, _) in enumerate(lines):
                    shared.text(1 - 0.26 * (1 - offset), 1.04, name, color=color, ha="right", fontweight="bold", fontsize=11,
                                transform=shared.transAxes)  # fmt: skip
            if kept is not None:
                shared.axvline(kept, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            shared.yaxis.set_major_locator(_few(3))
            shared.xaxis.set_major_locator(_few(8, integer=True))
            shared.tick_params(labelbottom=place == 2)
            shared.set_xlim(min(epochs) - 0.3, max(epochs) + 0.3)
        if shared is not None:
            shared.set_xlabel("epoch")

    caption = "" if kept is None else f"Dashed: epoch {kept}, which was kept; chosen on validation."
    last = history[-1]
    yield Plot(
        "learning",
        "Learning curves",
        caption,
        f"{len(history)} epochs; training loss {history[0]['loss']:.4f} to {last['loss']:.4f}, validation loss "
        f"{history[0]['validation']['log_loss']:.4f} to {last['validation']['log_loss']:.4f}.",
        draw,
        (WIDTH, 330),
    )


def _operating(report: dict[str, Any], across: str, up: str) -> tuple[float, float] | None:
    """Return where the decision stands on a curve of two classes."""
    measured = report.get("decision", {}).get("test", {})
    if len(report["test"]["labels"]) != 2 or not (measured.get(across) and measured.get(up)):
        return None
    return measured[across]["value"], measured[up]["value"]


def _lines(
    figure: Figure, curves: dict[str, Any], sides: tuple[str, str], area: tuple[str, str], corner: float
) -> Axes:
    """Draw a curve for each class: few in colours, of many only the weakest stand out from grey.

    The name of a single one stands within, near the `corner`; those of several beneath.
    """
    key, short = area
    order = sorted(curves, key=lambda name: curves[name][key] or 0)
    named = order[:LINES] if len(order) > LINES else list(curves)
    rows = len(named) if len(named) > 1 else 0
    grid = figure.add_gridspec(2, 1, height_ratios=(HEIGHT, max(1, LINE * rows)))
    axes, beneath = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    beneath.axis("off")
    for name in order[LINES:MATRIX]:
        if name not in named:
            axes.plot(*(curves[name][side] for side in sides), color=MUTED, linewidth=0.7, alpha=0.6)
    for place, (name, color) in enumerate(zip(named, SERIES, strict=False)):
        axes.plot(*(curves[name][side] for side in sides), color=color)
        value = "–" if curves[name][key] is None else f"{curves[name][key]:.4f}"
        text = f"{shorten(name, 30)}  {short} {value}"
        if rows:
            beneath.text(0, 1 - (place + 0.5) / rows, text, color=color, fontweight="bold", va="center")
        else:
            axes.text(corner, 0.06, text, color=color, ha="right" if corner > 0.5 else "left",
                      fontweight="bold", transform=axes.transAxes)  # fmt: skip
    return axes


def _curve_size(curves: dict[str, Any]) -> tuple[float, float]:
    return WIDTH, HEIGHT + LINE * (min(len(curves), LINES) if len(curves) > 1 else 0)


def _curve_caption(report: dict[str, Any], curves: dict[str, Any]) -> str:
    if len(curves) > LINES:
        if len(curves) > MATRIX:
            return f"Each class against the rest: the {MATRIX} weakest, {LINES} of them named."
        return f"Each class against the rest; the {LINES} weakest are named."
    if len(curves) > 1:
        return "Each class against the rest."
    decision = report.get("decision", {})
    if not decision.get("test"):
        return f"For {next(iter(curves))}."
    return f"For {next(iter(curves))}; the point is where the model decides."


def _areas(curves: dict[str, Any], area: str) -> str:
    order = sorted(curves, key=lambda one: curves[one][area] or 0)[:10]
    return (
        "; ".join(f"area {curves[one][area]:.4f} for {one}" for one in order if curves[one][area] is not None)
        + "."
    )


def _point(axes: Axes, point: tuple[float, float] | None, offset: tuple[float, float]) -> None:
    if point is None:
        return
    axes.plot(*point, "o", color=SECOND, markersize=8, zorder=5)
    axes.annotate("decision", point, offset, textcoords="offset points", color=SECOND, fontweight="bold",
                  ha="left" if offset[0] > 0 else "right", va="top")  # fmt: skip


def _unit(axes: Axes) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    style.percents(axes.xaxis)
    style.percents(axes.yaxis)


def _cell(x: float, y: float, alpha: float, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=color, alpha=alpha, linewidth=0)


def _bare(axes: Axes) -> None:
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _room_for(figure: Figure, names: Sequence[str]) -> None:
    """Widen the margin for characters that are wider than what matplotlib draws for them."""
    wide = max(width(name) - len(name) for name in names)
    engine = figure.get_layout_engine()
    if wide and engine is not None:
        left = 6 * wide / (72 * figure.get_figwidth())
        engine.set(rect=(left, 0, 1 - left, 1))  # type: ignore[call-arg]


def _few(count: int, *, integer: bool = False) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(count, integer=integer, min_n_ticks=1 if integer else 2)


def _thousands() -> Any:
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: f"{value:,.0f}")
