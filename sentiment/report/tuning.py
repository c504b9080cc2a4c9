"""A search for settings for a terminal."""

from typing import TYPE_CHECKING, Any

from sentiment.core.strings import printable
from sentiment.metrics.catalogue import SCORES, signed
from sentiment.report.phrases import number, percent, seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN = 10  # trials in the table


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


def render(result: dict[str, Any]) -> "RenderableType":
    """Return the result for a terminal."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    def table(head: list[str], cells: list[list[str]]) -> Table:
        made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in head:
            left = name in ("setting", "what differs from the first")
            made.add_column(name, justify="left" if left else "right", no_wrap=not left)
        for row in cells:
            made.add_row(*map(Text, row))
        return made

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
        for trial in ranked(result["trials"], metric)[:SHOWN]
    ]
    title = (
        f"{counts['finished']} trials finished, {counts['pruned']} pruned, in {seconds(result['seconds'])}; "
        f"the best on {result['corpus']['sizes']['validation']:,} validation texts of "
        f"{result['corpus']['name']}"
    )
    head = ["trial", *(SCORES[name].title for name in shown), "epochs", "time", "what differs from the first"]
    parts: list[RenderableType] = [Text(printable(title), "bold"), table(head, cells)]
    if result["importance"]:
        parts += [
            Text(f"Importance for the {SCORES[metric].title} of finished trials (PED-ANOVA)", "bold"),
            table(["setting", "share"], [[k, percent(v)] for k, v in result["importance"].items()]),
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
