"""Several models on the same test texts: a table, best first, with paired tests against the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sentiment import bundle, shipped
from sentiment.bundle import PREDICTIONS
from sentiment.calibration import calibration
from sentiment.errors import BundleError, CorpusError, UsageError, listed
from sentiment.metrics import Labels, Probabilities, intervals, quick_scores, top, wilson
from sentiment.paired import comparison, holm
from sentiment.predictions import read
from sentiment.report.wording import p_value
from sentiment.rows import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

RESAMPLES = 10_000
SCORES = ("", "accuracy, %", "MCC", "macro F1", "log loss", "ECE")
GRADES = ("", "MAE, grades", "quadratic kappa", "accuracy, %", "log loss", "ECE")
DIFFERENCES = ("", "to the best, {}", "p", "parameters", "trained in", "on")


@dataclass(frozen=True)
class _Model:
    """What a model says of its test texts, and what else is known of it: nothing, of a mere file."""

    path: Path
    names: tuple[str, ...]
    labels: Labels
    probabilities: Probabilities
    corpus: dict[str, Any]
    report: dict[str, Any]

    @property
    def task(self) -> str:
        """What a label is, see `sentiment.corpus.Corpus`."""
        return str(self.report.get("task", "multiclass"))


def compare(paths: Sequence[Path]) -> dict[str, Any]:
    """Compare models by their saved predictions of the same test texts.

    Parameters
    ----------
    paths
        Bundles, names of shipped models, or files of predictions as `sentiment.predictions.read` takes them.

    Returns
    -------
    dict
        ``corpus``, ``task``, and ``models``, best first by accuracy and then by log loss: the scores that
        are single numbers, the ``interval`` of the accuracy, ``ece``, and of a bundle ``parameters``,
        ``train_seconds`` and ``device``. Of grades the mean absolute error takes the place of the accuracy.
        All but the first have their ``comparison`` with it, model − best (see
        `sentiment.paired.comparison`), with ``p_holm``, which is adjusted for
        the number of comparisons.

    Raises
    ------
    CorpusError
        If they were not scored on the same texts.
    """
    if len(paths) < 2:
        raise UsageError("give two models or more to compare")
    paths = [shipped.find(path) for path in paths]
    places = [path.resolve() for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise UsageError(f"{path}: named twice")
    opened = [_open(path) for path in paths]
    # A bundle knows that its classes are grades and what their order is, a file does not.
    first = next((one for one in opened if one.task == "ordinal"), opened[0])
    models, task = [_fit(one, first) for one in opened], first.task
    rows = [_row(model, task) for model in models]
    order = sorted(range(len(rows)), key=lambda one: (_loss(rows[one]), rows[one]["log_loss"]))
    best, _ = top(models[order[0]].probabilities, task)
    results = [rows[one] | {"comparison": None} for one in order]
    for number, result in zip(order[1:], results[1:], strict=True):
        mine, _ = top(models[number].probabilities, task)
        found = comparison(first.labels, mine, best, RESAMPLES, task=task)
        result["comparison"] = found | found.get("mae", {})
    compared = [result["comparison"] for result in results[1:]]
    for one, p in zip(compared, holm([one["p"] for one in compared]), strict=True):
        one["p_holm"] = p
    known: dict[str, Any] = next((model.corpus for model in models if model.corpus), {})
    corpus = {key: known.get(key) for key in ("name", "source", "revision", "test_fingerprint")}
    return {
        "corpus": corpus | {"texts": len(first.labels), "labels": list(first.names)},
        "task": task,
        "models": results,
    }


def render(result: dict[str, Any]) -> "RenderableType":
    """Return the comparison for a terminal."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    corpus, models = result["corpus"], result["models"]
    paths = [model["model"] for model in models]
    short = [Path(path).name for path in paths]
    tables = []
    ordinal = result["task"] == "ordinal"
    differences = [name.format("grades" if ordinal else "points") for name in DIFFERENCES]
    for head, cells in ((GRADES if ordinal else SCORES, _scores), (differences, _differences)):
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name in head:
            left = name in ("", "on")
            table.add_column(name, justify="left" if left else "right", overflow="fold", no_wrap=not left)
        for name, model in zip(short if len(set(short)) == len(short) else paths, models, strict=True):
            table.add_row(*(Text(printable(cell)) for cell in [name, *cells(model)]))
        tables.append(table)
    of = f" of {corpus['name']}" if corpus["name"] else ""
    adjusted = f", adjusted by Holm for {len(models) - 1} comparisons" if len(models) > 2 else ""
    accuracy, test = "Wilson's of the accuracy, of", "McNemar's exact test"
    if ordinal:
        accuracy, test = "of the MAE of a bootstrap, of", "exact permutation test of the paired errors"
    return Group(
        Text(printable(f"{len(models)} models on {corpus['texts']:,} test texts{of}, best first"), "bold"),
        *tables,
        Text(
            f"In brackets: 95 % intervals, {accuracy} a paired bootstrap over the texts of "
            f"its difference to the best. p: {test}{adjusted}.",
            "dim",
        ),
    )


def _open(path: Path) -> _Model:
    """Read the predictions of a bundle, after verifying it, or of a file."""
    corpus, report, file = {}, {}, path
    if not path.is_file():
        loaded = bundle.load(path)
        corpus, report, file = loaded.manifest["corpus"], loaded.report, path / PREDICTIONS
        if PREDICTIONS not in loaded.manifest["files"]:
            raise BundleError(f"{path}: made by an older version, which saved no predictions; train again")
    found = read(file)
    return _Model(path, found.names, found.labels, found.probabilities, corpus, report)


def _fit(model: _Model, first: _Model) -> _Model:
    """Return a model with its classes in the order of the first's; refuse other test texts."""
    prints = [one.corpus.get("test_fingerprint") for one in (first, model)]
    wrong = None
    if set(model.names) != set(first.names):
        wrong = f"the classes are {listed(model.names)} and not {listed(first.names)}"
    elif len(model.labels) != len(first.labels):
        wrong = f"they are {len(model.labels):,} and not {len(first.labels):,}"
    else:
        order = [model.names.index(name) for name in first.names]
        labels = np.argsort(order)[model.labels]
        if (labels != first.labels).any():
            row = int(np.argmax(labels != first.labels))
            wrong = f"their labels differ, first in row {row}"
        elif all(prints) and prints[0] != prints[1]:
            wrong = "the texts differ"
    if wrong:
        raise CorpusError(
            f"{model.path}: its test texts are not those of {first.path}: {wrong}; compare models of one "
            "test set (one that is cut from a corpus depends on the seed: train with --set corpus.seed=0)"
        )
    return _Model(model.path, first.names, labels, model.probabilities[:, order], model.corpus, model.report)


def _loss(row: dict[str, Any]) -> float:
    return float(row["mae"] if "mae" in row else -row["accuracy"])


def _row(model: _Model, task: str) -> dict[str, Any]:
    right = top(model.probabilities, task)[0] == model.labels
    edges = wilson(int(right.sum()), len(right))
    if task == "ordinal":
        edges = intervals(model.labels, model.probabilities, task=task)["mae"]
    about, training = model.report.get("model", {}), model.report.get("training", {})
    return {
        "model": str(model.path),
        **quick_scores(model.labels, model.probabilities, task),
        "interval": edges,
        "ece": calibration(model.labels, model.probabilities, task)["ece"],
        "parameters": about.get("parameters"),
        "train_seconds": training.get("seconds"),
        "device": training.get("device"),
    }


def _scores(model: dict[str, Any]) -> list[str]:
    if "mae" in model:
        return [
            _around(".3f", model["mae"], model["interval"]),
            f"{model['quadratic_kappa']:.4f}",
            f"{100 * model['accuracy']:.2f}",
            *(f"{model[key]:.4f}" for key in ("log_loss", "ece")),
        ]
    return [
        _around(".2f", model["accuracy"], model["interval"], 100),
        *(f"{model[key]:.4f}" for key in ("mcc", "macro_f1", "log_loss", "ece")),
    ]


def _differences(model: dict[str, Any]) -> list[str]:
    versus, seconds = model["comparison"], model["train_seconds"]
    p = versus and versus["p_holm"]
    style, scale = ("+.3f", 1) if "mae" in model else ("+.2f", 100)
    return [
        _around(style, versus["difference"], versus["interval"], scale) if versus else "best",
        "" if p is None else p_value(p),
        f"{model['parameters']:,}" if model["parameters"] else "–",
        "–" if seconds is None else f"{seconds:,.0f} s",
        model["device"] or "–",
    ]


def _around(style: str, value: float, interval: Sequence[float], scale: int = 1) -> str:
    low, high = (format(scale * edge, style) for edge in interval)
    return f"{scale * value:{style}} [{low}, {high}]"
