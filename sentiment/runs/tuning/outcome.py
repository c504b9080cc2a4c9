"""The result of a search: its trials, the best of them as a recipe, and how far to trust it."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from sentiment.core import config_io
from sentiment.core.config import Config
from sentiment.core.errors import SentimentError
from sentiment.inference import bundle
from sentiment.metrics.catalogue import SCORES, signed
from sentiment.report.comparison import caution, ranked
from sentiment.report.phrases import seconds
from sentiment.runs.folder import Run, now
from sentiment.runs.tuning import space

if TYPE_CHECKING:
    from optuna import Study

SCHEMA = 1
RECIPE = "recipe.toml"
STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "stopped"}
KNOWN = ("settings", "validation", "interval", "epochs", "seconds", "why")  # of a trial, if it came so far
ENOUGH = 10  # finished trials for the importance of each setting
IN_RECIPE = ("tokenizer", "features", "embedding", "model", "training", "decision")


def rows(study: "Study") -> list[dict[str, Any]]:
    """Return a row for each trial that has ended."""
    return [
        {"trial": trial.number + 1, "state": STATES[trial.state.name], **dict.fromkeys(KNOWN)}
        | trial.user_attrs
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name in STATES
    ]


def summary(study: "Study", run: Run) -> dict[str, Any]:
    """Return what `sentiment.runs.tuning.tune` does.

    Of N equally good trials the best looks better by about Φ⁻¹((N − 3/8) / (N + 1/4)) standard errors than
    they are (Blom 1958), if their errors are independent. Here they share texts, so that it is less.

    Raises
    ------
    SentimentError
        If no trial is finished.
    """
    from scipy import stats

    settings, state, out = run.settings, run.state, run.out
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
        "counts": {name: sum(trial["state"] == name for trial in trials) for name in STATES.values()},
        "best": best,
        "first": first,
        "gain": signed(metric, best["validation"][metric]) - signed(metric, first["validation"][metric]),
        "standard_error": error,
        "luck": luck,
        "importance": importance(study, order, metric),
        "recipe": str(out / RECIPE),
        "command": _command(settings, out),
        "trials": trials,
        "versions": bundle.versions(),
    }
    return result | {"caution": caution(result)}


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
            "reaches": f"{SCORES[metric].title} {value:.4f} on the validation texts that chose it; the "
            f"settings that the search started from: {start:.4f}",
        }
    }
    for name, chosen in config_io.changed(space.changed(settings, best["settings"])):
        section, _, leaf = name.partition(".")
        if section in IN_RECIPE:
            tree.setdefault(section, {})[leaf] = chosen
    return tomlkit.dumps(tree)


def importance(study: "Study", finished: list[dict[str, Any]], metric: str) -> dict[str, float] | None:
    """Return the share of each setting in the differences between trials; None of few or equal trials."""
    import optuna

    if len(finished) < ENOUGH or len({trial["validation"][metric] for trial in finished}) == 1:
        return None
    return optuna.importance.get_param_importances(study)


def _command(settings: Config, out: Path) -> str:
    """Return the command that trains as the best trial did, on the same texts."""
    words = ["sentiment", "train", settings.corpus.name, "--recipe", str(out / RECIPE)]
    for name, value in config_io.changed(settings):
        if name == "seed" or (name.startswith("corpus.") and name != "corpus.name"):
            words.append(f"--set={name}={json.dumps(value, ensure_ascii=False)}")
    return shlex.join(words)
