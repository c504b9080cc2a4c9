"""Several models on the same test texts: a table, best first, with paired tests against the best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sentiment import bundle, multilabel, shipped
from sentiment.bundle import PREDICTIONS
from sentiment.calibration import calibration
from sentiment.errors import BundleError, CorpusError, UsageError, listed
from sentiment.link import MULTILABEL
from sentiment.metrics import (
    Labels,
    Probabilities,
    chosen,
    intervals,
    multilabel_scores,
    quick_scores,
    wilson,
)
from sentiment.paired import comparison, holm
from sentiment.predictions import read
from sentiment.report.wording import p_value
from sentiment.rows import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

RESAMPLES = 10_000
SCORES = {
    "accuracy": ("", "accuracy, %", "MCC", "macro F1", "log loss", "ECE"),
    "micro_f1": ("", "micro F1, %", "macro F1", "all right", "log loss", "ECE"),
    "mae": ("", "MAE, grades", "quadratic kappa", "accuracy", "log loss", "ECE"),
}
FURTHER = {
    "accuracy": ("mcc", "macro_f1", "log_loss", "ece"),
    "micro_f1": ("macro_f1", "accuracy", "log_loss", "ece"),
    "mae": ("quadratic_kappa", "accuracy", "log_loss", "ece"),
}
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
    thresholds: tuple[float, ...] | None = None

    @property
    def several(self) -> bool:
        """Whether a text may have several labels."""
        return self.labels.ndim == 2

    @property
    def task(self) -> str:
        """What a label is, see `sentiment.corpus.Corpus`; of grades only a bundle knows it."""
        return MULTILABEL if self.several else str(self.report.get("task", "multiclass"))

    def decided(self, task: str) -> Labels:
        """Return the top classes (B,), or median grades, or the labels (B, L) that the thresholds give."""
        return chosen(self.probabilities, self.thresholds, task)


def compare(paths: Sequence[Path]) -> dict[str, Any]:
    """Compare models by their saved predictions of the same test texts.

    Parameters
    ----------
    paths
        Bundles, names of shipped models, or files of predictions as `sentiment.predictions.read` takes them.

    Returns
    -------
    dict
        ``corpus``; ``score``, the name of what they are compared by: ``accuracy``, or of texts that may have
        several labels ``micro_f1``, of grades ``mae``; and ``models``, best first by that and then by log
        loss: the scores that are single numbers (at the top class or the median grade, or by the thresholds
        of a bundle), the ``interval`` of the first, ``ece``, and of a bundle ``parameters``,
        ``train_seconds`` and ``device``. All but the first have their ``comparison`` with it, model − best
        (see `sentiment.paired.comparison`), with ``p_holm``, which is adjusted for the number of
        comparisons.

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
    first = next((one for one in opened if one.task == "ordinal"), opened[0])  # its classes are in order
    models, task = [_fit(one, first) for one in opened], first.task
    rows = [_row(model, task) for model in models]
    score = "micro_f1" if first.several else "mae" if task == "ordinal" else "accuracy"
    sign = 1 if score == "mae" else -1
    order = sorted(range(len(rows)), key=lambda one: (sign * rows[one][score], rows[one]["log_loss"]))
    best = models[order[0]].decided(task)
    results = [rows[one] | {"comparison": None} for one in order]
    for number, result in zip(order[1:], results[1:], strict=True):
        found = comparison(first.labels, models[number].decided(task), best, RESAMPLES, task=task)
        result["comparison"] = found | found.get("mae", {})  # whose difference, interval and p count
    compared = [result["comparison"] for result in results[1:]]
    for one, p in zip(compared, holm([one["p"] for one in compared]), strict=True):
        one["p_holm"] = p
    known: dict[str, Any] = next((model.corpus for model in models if model.corpus), {})
    corpus = {key: known.get(key) for key in ("name", "source", "revision", "test_fingerprint")}
    return {
        "corpus": corpus | {"texts": len(first.labels), "labels": list(first.names)},
        "score": score,
        "models": results,
    }


def render(result: dict[str, Any]) -> "RenderableType":
    """Return the comparison for a terminal."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    corpus, models, score = result["corpus"], result["models"], result["score"]
    paths = [model["model"] for model in models]
    short = [Path(path).name for path in paths]
    tables = []
    differences = [name.format("grades" if score == "mae" else "points") for name in DIFFERENCES]
    for head, cells in (
        (SCORES[score], partial(_scores, score)),
        (differences, partial(_differences, score)),
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
    interval, test = "Wilson's of the accuracy", "McNemar's exact test"
    if score == "micro_f1":
        interval, test = "of a bootstrap of the micro F1", "approximate randomisation"
    elif score == "mae":
        interval, test = "of a bootstrap of the MAE", "exact permutation test of the paired errors"
    return Group(
        Text(printable(f"{len(models)} models on {corpus['texts']:,} test texts{of}, best first"), "bold"),
        *tables,
        Text(
            f"In brackets: 95 % intervals, {interval}, of a paired bootstrap over the texts of its "
            f"difference to the best. p: {test}{adjusted}.",
            "dim",
        ),
    )


def _open(path: Path) -> _Model:
    """Read the predictions of a bundle, after verifying it, or of a file."""
    corpus, report, thresholds, file = {}, {}, None, path
    if not path.is_file():
        loaded = bundle.load(path)
        corpus, report, file = loaded.manifest["corpus"], loaded.report, path / PREDICTIONS
        thresholds = loaded.decision.thresholds
        if PREDICTIONS not in loaded.manifest["files"]:
            raise BundleError(f"{path}: made by an older version, which saved no predictions; train again")
    found = read(file)
    return _Model(path, found.names, found.labels, found.probabilities, corpus, report, thresholds)


def _fit(model: _Model, first: _Model) -> _Model:
    """Return a model with its classes in the order of the first's; refuse other test texts."""
    prints = [one.corpus.get("test_fingerprint") for one in (first, model)]
    wrong = None
    if set(model.names) != set(first.names):
        wrong = f"the classes are {listed(model.names)} and not {listed(first.names)}"
    elif len(model.labels) != len(first.labels):
        wrong = f"they are {len(model.labels):,} and not {len(first.labels):,}"
    elif model.several != first.several:
        wrong = "only one of the two has several labels to a text"
    else:
        order = [model.names.index(name) for name in first.names]
        labels = model.labels[:, order] if model.several else np.argsort(order)[model.labels]
        differ = (labels != first.labels).reshape(len(labels), -1).any(1)
        if differ.any():
            row = int(np.argmax(differ))
            wrong = f"their labels differ, first in row {row}"
        elif all(prints) and prints[0] != prints[1]:
            wrong = "the texts differ"
    if wrong:
        raise CorpusError(
            f"{model.path}: its test texts are not those of {first.path}: {wrong}; compare models of one "
            "test set (one that is cut from a corpus depends on the seed: train with --set corpus.seed=0)"
        )
    thresholds = model.thresholds and tuple(model.thresholds[number] for number in order)
    return replace(
        model,
        names=first.names,
        labels=labels,
        probabilities=model.probabilities[:, order],
        thresholds=thresholds,
    )


def _row(model: _Model, task: str) -> dict[str, Any]:
    labels, probabilities = model.labels, model.probabilities
    if model.several:
        scores = multilabel_scores(labels, probabilities, model.thresholds)
        edges = multilabel.intervals(labels, probabilities, model.thresholds)["micro_f1"]
    else:
        scores, right = quick_scores(labels, probabilities, task), model.decided(task) == labels
        edges = wilson(int(right.sum()), len(right))
    if task == "ordinal":
        edges = intervals(labels, probabilities, task=task)["mae"]
    about, training = model.report.get("model", {}), model.report.get("training", {})
    return {
        "model": str(model.path),
        **scores,
        "interval": edges,
        "ece": calibration(labels, probabilities, task)["ece"],
        "parameters": about.get("parameters"),
        "train_seconds": training.get("seconds"),
        "device": training.get("device"),
    }


def _scores(score: str, model: dict[str, Any]) -> list[str]:
    further = (f"{model[key]:.4f}" for key in FURTHER[score])
    style, scale = (".3f", 1) if score == "mae" else (".2f", 100)
    return [_around(style, scale, model[score], model["interval"]), *further]


def _differences(score: str, model: dict[str, Any]) -> list[str]:
    versus, seconds = model["comparison"], model["train_seconds"]
    p = versus and versus["p_holm"]
    style, scale = ("+.3f", 1) if score == "mae" else ("+.2f", 100)
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
