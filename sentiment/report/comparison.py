"""The comparison of models for a terminal."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment.core.schema.runs import ComparedModel, ComparedModels
from sentiment.core.strings import printable
from sentiment.metrics.catalogue import column
from sentiment.report.phrases import p_value
from sentiment.report.words import TaskWords, by_main_score, score_of

if TYPE_CHECKING:
    from rich.console import RenderableType

FURTHER = {  # scores, beside the one that models are put in order by
    "accuracy": ("mcc", "macro_f1", "log_loss", "ece"),
    "micro_f1": ("macro_f1", "accuracy", "log_loss", "ece"),
    "mae": ("quadratic_kappa", "accuracy", "log_loss", "ece"),
}
DIFFERENCES = ("", "to the best, {}", "p", "parameters", "trained in", "on")


def render(result: ComparedModels) -> "RenderableType":
    """Return the comparison for a terminal."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    corpus, models, words = result["corpus"], result["models"], by_main_score(result["score"])
    paths = [model["model"] for model in models]
    short = [Path(path).name for path in paths]
    tables = []
    differences = [name.format(words.unit) for name in DIFFERENCES]
    for head, cells in (
        (_titles(words), partial(_scores, words)),
        (differences, partial(_differences, words)),
    ):
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in head:
            left = name in ("", "on")
            table.add_column(name, justify="left" if left else "right", overflow="fold", no_wrap=not left)
        for name, model in zip(short if len(set(short)) == len(short) else paths, models, strict=True):
            table.add_row(*(Text(printable(cell)) for cell in [name, *cells(model)]))
        tables.append(table)
    of = f" of {corpus['name']}" if corpus["name"] else ""
    adjusted = f", adjusted by Holm for {len(models) - 1} comparisons" if len(models) > 2 else ""
    return Group(
        Text(printable(f"{len(models)} models on {corpus['texts']:,} test texts{of}, best first"), "bold"),
        *tables,
        Text(
            f"In brackets: 95 % intervals, {words.interval}, of a paired bootstrap over the texts of its "
            f"difference to the best. p: {words.test}{adjusted}.",
            "dim",
        ),
    )


def _titles(words: TaskWords) -> list[str]:
    further = [
        (words.accuracy.column or words.accuracy.title) if key == "accuracy" else column(key)
        for key in FURTHER[words.main_score]
    ]
    return ["", column(words.main_score) + ("" if words.least else ", %"), *further]


def _scores(words: TaskWords, model: ComparedModel) -> list[str]:
    further = (f"{score_of(model, key):.4f}" for key in FURTHER[words.main_score])
    style, scale = (".3f", 1) if words.least else (".2f", 100)
    return [_around(style, scale, score_of(model, words.main_score) or 0, model["interval"]), *further]


def _differences(words: TaskWords, model: ComparedModel) -> list[str]:
    versus, seconds = model["comparison"], model["train_seconds"]
    p = versus and versus.get("p_holm")
    style, scale = ("+.3f", 1) if words.least else ("+.2f", 100)
    return [
        _around(style, scale, versus["difference"], versus["interval"]) if versus else "best",
        "" if p is None else p_value(p),
        f"{model['parameters']:,}" if model["parameters"] else "–",
        "–" if seconds is None else f"{seconds:,.0f} s",
        model["device"] or "–",
    ]


def _around(style: str, scale: int, value: float, interval: Sequence[float]) -> str:
    low, high = (format(scale * edge, style) for edge in interval)
    return f"{scale * value:{style}} [{low}, {high}]"
