"""Several models on the same test texts: a table, best first, with paired tests against the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sentiment.core.errors import BundleError, CorpusError, UsageError, listed
from sentiment.evaluation.predictions import read
from sentiment.inference import builtin, bundle
from sentiment.inference.bundle import PREDICTIONS
from sentiment.metrics import multilabel
from sentiment.metrics.bootstrap import wilson
from sentiment.metrics.calibration import calibration
from sentiment.metrics.catalogue import signed
from sentiment.metrics.link import MULTILABEL
from sentiment.metrics.multiclass import (
    Labels,
    Probabilities,
    chosen,
    intervals,
    multilabel_scores,
    quick_scores,
)
from sentiment.metrics.significance import comparison, holm

if TYPE_CHECKING:
    pass

RESAMPLES = 10_000


@dataclass(frozen=True)
class _Model:
    """What a model says of its test texts, and what else is known of it: nothing, of a mere file."""

    path: Path
    names: tuple[str, ...]
    labels: Labels
    probabilities: Probabilities
    corpus: Mapping[str, Any]
    report: Mapping[str, Any]
    thresholds: tuple[float, ...] | None = None

    @property
    def several(self) -> bool:
        """Whether a text may have several labels."""
        return self.labels.ndim == 2

    @property
    def task(self) -> str:
        """What a label is, see `sentiment.data.corpus.Corpus`; of grades only a bundle knows it."""
        return MULTILABEL if self.several else str(self.report.get("task", "multiclass"))

    def decided(self, task: str) -> Labels:
        """Return the top classes (B,), or median grades, or the labels (B, L) that the thresholds give."""
        return chosen(self.probabilities, self.thresholds, task)


def compare(paths: Sequence[Path]) -> dict[str, Any]:
    """Compare models by their saved predictions of the same test texts.

    Parameters
    ----------
    paths
        Bundles, names of shipped models, or files of predictions as `sentiment.evaluation.predictions.read`
        takes them.

    Returns
    -------
    dict
        ``corpus``; ``score``, the name of what they are compared by: ``accuracy``, or of texts that may have
        several labels ``micro_f1``, of grades ``mae``; and ``models``, best first by that and then by log
        loss: the scores that are single numbers (at the top class or the median grade, or by the thresholds
        of a bundle), the ``interval`` of the first, ``ece``, and of a bundle ``parameters``,
        ``train_seconds`` and ``device``. All but the first have their ``comparison`` with it, model − best
        (see `sentiment.metrics.significance.comparison`), with ``p_holm``, which is adjusted for the number
        of comparisons.

    Raises
    ------
    CorpusError
        If they were not scored on the same texts.
    """
    if len(paths) < 2:
        raise UsageError("give two models or more to compare")
    paths = [builtin.find(path) for path in paths]
    places = [path.resolve() for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise UsageError(f"{path}: named twice")
    opened = [_open(path) for path in paths]
    first = next((one for one in opened if one.task == "ordinal"), opened[0])  # its classes are in order
    models, task = [_fit(one, first) for one in opened], first.task
    rows = [_row(model, task) for model in models]
    score = "micro_f1" if first.several else "mae" if task == "ordinal" else "accuracy"
    order = sorted(range(len(rows)), key=lambda at: (-signed(score, rows[at][score]), rows[at]["log_loss"]))
    best = models[order[0]].decided(task)
    results = [rows[one] | {"comparison": None} for one in order]
    for number, result in zip(order[1:], results[1:], strict=True):
        found = comparison(first.labels, models[number].decided(task), best, RESAMPLES, task=task)
        result["comparison"] = found | found.get("mae", {})  # whose difference, interval and p count
    compared = [result["comparison"] for result in results[1:]]
    for one, p in zip(compared, holm([one["p"] for one in compared]), strict=True):
        one["p_holm"] = p
    known: Mapping[str, Any] = next((model.corpus for model in models if model.corpus), {})
    corpus = {key: known.get(key) for key in ("name", "source", "revision", "test_fingerprint")}
    return {
        "corpus": corpus | {"texts": len(first.labels), "labels": list(first.names)},
        "score": score,
        "models": results,
    }


def _open(path: Path) -> _Model:
    """Read the predictions of a bundle, after verifying it, or of a file."""
    corpus: Mapping[str, Any] = {}
    report: Mapping[str, Any] = {}
    thresholds, file = None, path
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
