"""What a search came to: its trials, the best of them as a recipe, and how far that is to be trusted."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from sentiment import bundle, config
from sentiment.config import Config
from sentiment.errors import SentimentError
from sentiment.report.tables import SCORES
from sentiment.report.wording import number, percent, seconds
from sentiment.rows import printable
from sentiment.runs import now
from sentiment.training import LOWER_IS_BETTER
from sentiment.tuning import space

if TYPE_CHECKING:
    from optuna import Study
    from rich.console import RenderableType

SCHEMA = 1
RECIPE = "recipe.toml"
STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "stopped"}
KNOWN = ("settings", "validation", "interval", "epochs", "seconds", "why")  # of a trial, if it came so far
ENOUGH = 10  # finished trials for the importance of each setting
SHOWN = 10  # trials in the table
IN_RECIPE = ("tokenizer", "features", "embedding", "model", "training", "decision")


def rows(study: "Study") -> list[dict[str, Any]]:
    """Return what is known of each trial that has ended."""
    return [
        {"trial": trial.number + 1, "state": STATES[trial.state.name], **dict.fromkeys(KNOWN)}
        | trial.user_attrs
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name in STATES
    ]


def ranked(trials: list[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    """Return the finished trials, the best first: by the metric, then the log loss, then the number."""
    finished = [trial for trial in trials if trial["state"] == "finished"]
    return sorted(finished, key=lambda one: (-_signed(one, metric), one["validation"]["log_loss"]))


def summary(study: "Study", settings: Config, state: dict[str, Any], out: Path) -> dict[str, Any]:
    """Return what `sentiment.tuning.tune` does.

    Of N equally good trials the best looks better by about Φ⁻¹((N − 3/8) / (N + 1/4)) standard errors than
    they are (Blom 1958), if their errors are independent. Here they share texts, so that it is less.

    Raises
    ------
    SentimentError
        If no trial is finished.
    """
    from scipy import stats

    trials, metric = rows(study), settings.training.metric
    order = ranked(trials, metric)
    if not order:
        raise SentimentError(
            f"the budget ended before the first trial did; go on with: "
            f"sentiment tune --resume --out {out} --budget 30m (or longer)"
        )
    best, first = order[0], min(order, key=lambda trial: int(trial["trial"]))
    error, luck = None, None
    if best["interval"] and best["interval"][0] < best["interval"][1]:
        low, high = best["interval"]
        error = float((high - low) / (2 * stats.norm.ppf(0.975)))
        luck = float(error * stats.norm.ppf((len(order) - 3 / 8) / (len(order) + 1 / 4)))
    result = {
        "schema": SCHEMA,
        "created": now(),
        **{name: state[name] for name in ("corpus", "device", "seconds", "fixed", "space")},
        "seed": settings.seed,
        "metric": metric,
        "counts": {name: sum(one["state"] == name for one in trials) for name in STATES.values()},
        "best": best,
        "first": first,
        "gain": _signed(best, metric) - _signed(first, metric),
        "standard_error": error,
        "luck": luck,
        "importance": _importance(study, order, metric),
        "recipe": str(out / RECIPE),
        "command": _command(settings, out),
        "trials": trials,
        "versions": bundle.versions(),
    }
    return result | {"caution": _caution(result)}


def recipe(settings: Config, result: dict[str, Any]) -> str:
    """Return the best trial's settings as TOML for `--recipe`."""
    best, corpus, metric = result["best"], result["corpus"], result["metric"]
    value, start = (result[which]["validation"][metric] for which in ("best", "first"))
    texts = corpus["sizes"]["validation"]
    tree: dict[str, dict[str, Any]] = {
        "recipe": {
            "about": f"trial {best['trial']} of sentiment tune, the best of {result['counts']['finished']} "
            f"finished ones on the {texts:,} validation texts of {corpus['name']}",
            "command": result["command"],
            "costs": f"{seconds(best['seconds'])} for that trial; {result['device']}",
            "reaches": f"{SCORES[metric]} {value:.4f} on the validation texts that chose it; the settings "
            f"that the search started from: {start:.4f}",
        }
    }
    for name, chosen in config.changed(space.changed(settings, best["settings"])):
        section, _, leaf = name.partition(".")
        if section in IN_RECIPE:
            tree.setdefault(section, {})[leaf] = chosen
    return tomlkit.dumps(tree)


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
    head = ["trial", *(SCORES[name] for name in shown), "epochs", "time", "what differs from the first"]
    parts: list[RenderableType] = [Text(printable(title), "bold"), table(head, cells)]
    if result["importance"]:
        parts += [
            Text(f"Importance for the {SCORES[metric]} of finished trials (PED-ANOVA)", "bold"),
            table(["setting", "share"], [[k, percent(v)] for k, v in result["importance"].items()]),
        ]
    return Group(*parts, Text(result["caution"]), Text(f"\n    {printable(result['command'])}"))


def _signed(trial: dict[str, Any], metric: str) -> float:
    """Return a score of which more is better."""
    return float(trial["validation"][metric]) * (-1 if metric in LOWER_IS_BETTER else 1)


def _importance(study: "Study", finished: list[dict[str, Any]], metric: str) -> dict[str, float] | None:
    """Return the share of each setting in the differences between trials, if they are enough and differ."""
    import optuna

    if len(finished) < ENOUGH or len({one["validation"][metric] for one in finished}) == 1:
        return None
    return optuna.importance.get_param_importances(study)


def _caution(result: dict[str, Any]) -> str:
    """Say how far the best score is to be trusted."""
    name, count = SCORES[result["metric"]], result["counts"]["finished"]
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


def _command(settings: Config, out: Path) -> str:
    """Return the command that trains as the best trial did, on the same texts."""
    words = ["sentiment", "train", settings.corpus.name, "--recipe", str(out / RECIPE)]
    for name, value in config.changed(settings):
        if name == "seed" or (name.startswith("corpus.") and name != "corpus.name"):
            words.append(f"--set={name}={json.dumps(value, ensure_ascii=False)}")
    return shlex.join(words)
