"""Several models for a terminal: compared, cross-validated, or tried in a search for settings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.core.schema.runs import ComparedModel, ComparedModels, Crossval, Spread
from sentiment.core.strings import printable
from sentiment.evaluation import baselines
from sentiment.metrics.catalogue import SCORES, column, signed
from sentiment.report.phrases import number, p_value, percent, seconds
from sentiment.report.words import TaskWords, by_main_score, score_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

FURTHER = {  # scores, beside the one that models are put in order by
    "accuracy": ("mcc", "macro_f1", "log_loss", "ece"),
    "micro_f1": ("macro_f1", "accuracy", "log_loss", "ece"),
    "mae": ("quadratic_kappa", "accuracy", "log_loss", "ece"),
}
DIFFERENCES = ("", "to the best, {}", "p", "parameters", "trained in", "on")
# Of a cross-validation: scores of the model and the baselines, and those whose differences are shown.
MEANS = ("accuracy", "mcc", "micro_f1", "macro_f1", "mae", "quadratic_kappa", "roc_auc", "log_loss")
TESTED = ("accuracy", "mcc", "micro_f1", "mae", "quadratic_kappa", "log_loss")
TRIALS = 10  # shown of a search
WORDY = ("", "on", "against", "in", "setting", "what differs from the first")  # columns that are no numbers


def render_comparison(result: ComparedModels) -> RenderableType:
    """Return a comparison for a terminal."""
    from rich.console import Group
    from rich.text import Text

    corpus, models, words = result["corpus"], result["models"], by_main_score(result["score"])
    paths = [model["model"] for model in models]
    short = [Path(path).name for path in paths]
    names = short if len(set(short)) == len(short) else paths
    differences = [name.format(words.unit) for name in DIFFERENCES]
    tables = [
        _table(head, [[name, *cells(model)] for name, model in zip(names, models, strict=True)], "fold")
        for head, cells in (
            (_titles(words), partial(_scores, words)),
            (differences, partial(_differences, words)),
        )
    ]
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
        for key in FURTHER[words.task.main_score]
    ]
    return ["", column(words.task.main_score) + ("" if words.least else ", %"), *further]


def _scores(words: TaskWords, model: ComparedModel) -> list[str]:
    further = (f"{score_of(model, key):.4f}" for key in FURTHER[words.task.main_score])
    style, scale = (".3f", 1) if words.least else (".2f", 100)
    return [_around(style, scale, score_of(model, words.task.main_score) or 0, model["interval"]), *further]


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


def render_crossval(result: Crossval) -> RenderableType:
    """Return a cross-validation for a terminal."""
    from rich.console import Group
    from rich.text import Text

    corpus, rivals = result["corpus"], result["baselines"]
    means = [
        [column(key), *(_plus_minus(one["scores"][key]) for one in (result["model"], *rivals.values()))]
        for key in MEANS
        if key in result["model"]["scores"]
    ]
    differences = [
        [baselines.title(rival), column(key), f"{one['mean']:+.4f}",
         "[{:+.4f}, {:+.4f}]".format(*one["interval"]) if one["interval"] else "–", p_value(one["p"])]
        for rival in baselines.BASELINES
        for key in TESTED
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
        _table(["", "model", *(baselines.title(name) for name in rivals)], means, wrap=True),
    ]
    if differences:
        note = f"Of the mean difference, model − baseline: 95 % interval and p of the {result['test']}."
        parts += [
            _table(["against", "in", "difference", "95 % interval", "p"], differences, wrap=True),
            Text(note, "dim"),
        ]
    return Group(*parts)


def _plus_minus(score: Spread) -> str:
    if score["mean"] is None:
        return "–"
    return f"{score['mean']:.4f}" + ("" if score["std"] is None else f" ± {score['std']:.4f}")


def ranked(trials: list[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    """Return the finished trials, the best first: by the metric, then the log loss, then the number."""
    finished = [trial for trial in trials if trial["state"] == "finished"]
    return sorted(
        finished, key=lambda one: (-signed(metric, one["validation"][metric]), one["validation"]["log_loss"])
    )


def listed(settings: dict[str, Any]) -> str:
    """Write settings in a line."""
    return ", ".join(
        f"{name.partition('.')[2]} {'+'.join(value) if isinstance(value, list) else value}"
        for name, value in settings.items()
    )


def render_tuning(result: dict[str, Any]) -> RenderableType:
    """Return a search for settings for a terminal."""
    from rich.console import Group
    from rich.text import Text

    first, metric, counts = result["first"]["settings"], result["metric"], result["counts"]
    shown = list(dict.fromkeys([metric, "log_loss"]))
    cells = [
        [
            str(trial["trial"]),
            *(number(trial["validation"][name]) for name in shown),
            str(trial["epochs"]),
            seconds(trial["seconds"]),
            listed({k: v for k, v in trial["settings"].items() if v != first.get(k)})
            or "the starting settings",
        ]
        for trial in ranked(result["trials"], metric)[:TRIALS]
    ]
    title = (
        f"{counts['finished']} trials finished, {counts['pruned']} pruned, in {seconds(result['seconds'])}; "
        f"the best on {result['corpus']['sizes']['validation']:,} validation texts of "
        f"{result['corpus']['name']}"
    )
    head = ["trial", *(SCORES[name].title for name in shown), "epochs", "time", "what differs from the first"]
    parts: list[RenderableType] = [Text(printable(title), "bold"), _table(head, cells)]
    if result["importance"]:
        parts += [
            Text(f"Importance for the {SCORES[metric].title} of finished trials (PED-ANOVA)", "bold"),
            _table(["setting", "share"], [[k, percent(v)] for k, v in result["importance"].items()]),
        ]
    return Group(*parts, Text(result["caution"]), Text(f"\n    {printable(result['command'])}"))


def caution(result: dict[str, Any]) -> str:
    """Say how far the best score is to be trusted."""
    name, count = SCORES[result["metric"]].title, result["counts"]["finished"]
    on = f"{result['corpus']['sizes']['validation']:,} validation texts"
    if result["best"] == result["first"]:
        said = f"No trial did better on the {on} than the starting settings, which the recipe holds."
    elif result["standard_error"] is None:
        said = (
            f"The best {name} stays the same when the {on} are resampled, so that its standard error is not "
            "known: these texts are too few, or too easy, to choose by."
        )
    else:
        said = (
            f"The best {name} is optimistic, as it was chosen by itself: on {on} its standard error is "
            f"{number(result['standard_error'])}, and the best of {count} equally good trials would look "
            f"better by up to {number(result['luck'])} by luck. It is {number(result['gain'])} better than "
            f"the starting settings, {'more than' if result['gain'] > result['luck'] else 'within'} that."
        )
    return f"{said} Test texts were not looked at; this trains with the recipe and scores them:"


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], overflow: Any = "ellipsis", wrap: bool = False
) -> Table:
    """Return a table of numbers, which stand right and on one line unless they may `wrap`."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in head:
        wordy = name in WORDY
        justify: Any = "left" if wordy else "right"
        table.add_column(name, justify=justify, overflow=overflow, no_wrap=not (wordy or wrap))
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
