"""A cross-validation for a terminal."""

from typing import TYPE_CHECKING

from sentiment.core.schema.runs import Crossval, Spread
from sentiment.core.strings import printable
from sentiment.evaluation import baselines
from sentiment.metrics.catalogue import column
from sentiment.report.phrases import p_value

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN = ("accuracy", "mcc", "micro_f1", "macro_f1", "mae", "quadratic_kappa", "roc_auc", "log_loss")
COMPARED = ("accuracy", "mcc", "micro_f1", "mae", "quadratic_kappa", "log_loss")


def render(result: Crossval) -> "RenderableType":
    """Return the result for a terminal."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    def table(head: list[str], rows: list[list[str]], names: int) -> Table:
        made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for place, name in enumerate(head):
            made.add_column(name, justify="left" if place < names else "right")
        for row in rows:
            made.add_row(*row)
        return made

    corpus, rivals = result["corpus"], result["baselines"]
    means = [
        [column(key), *(_plus_minus(one["scores"][key]) for one in (result["model"], *rivals.values()))]
        for key in SHOWN
        if key in result["model"]["scores"]
    ]
    differences = [
        [baselines.title(rival), column(key), f"{one['mean']:+.4f}",
         "[{:+.4f}, {:+.4f}]".format(*one["interval"]) if one["interval"] else "–", p_value(one["p"])]
        for rival in baselines.BASELINES
        for key in COMPARED
        if rival in rivals and key in rivals[rival]["differences"]
        for one in [rivals[rival]["differences"][key]]
    ]  # fmt: skip
    parts: list[RenderableType] = [
        Text(
            printable(
                f"{result['folds']} folds × {result['seeds']} seeds on {corpus['texts']:,} texts of "
                f"{corpus['name']}: mean ± standard deviation"
            ),
            "bold",
        ),
        table(["", "model", *(baselines.title(name) for name in rivals)], means, 1),
    ]
    if differences:
        note = f"Of the mean difference, model − baseline: 95 % interval and p of the {result['test']}."
        parts += [
            table(["against", "in", "difference", "95 % interval", "p"], differences, 2),
            Text(note, "dim"),
        ]
    return Group(*parts)


def _plus_minus(score: Spread) -> str:
    if score["mean"] is None:
        return "–"
    return f"{score['mean']:.4f}" + ("" if score["std"] is None else f" ± {score['std']:.4f}")
