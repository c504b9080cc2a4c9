"""Several models on the same test texts: a table, best first, with paired tests against the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from sentiment.core.errors import CorpusError, UsageError, listed
from sentiment.core.schema.runs import ComparedModels
from sentiment.evaluation.predictions import read
from sentiment.inference import builtin, bundle
from sentiment.inference.bundle import PREDICTIONS
from sentiment.metrics.arrays import Labels, Probabilities, Thresholds
from sentiment.metrics.calibration import calibration
from sentiment.metrics.catalogue import signed
from sentiment.metrics.significance import holm
from sentiment.metrics.task import Task

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
    task: Task  # of grades only a bundle knows it
    thresholds: Thresholds = None

    def decided(self, task: Task) -> Labels:
        """Return the top classes (B,), or median grades, or the labels (B, L) that the thresholds give."""
        return task.decide(self.probabilities, self.thresholds)


def compare(paths: Sequence[Path]) -> ComparedModels:
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
        (see `sentiment.metrics.significance`), with ``p_holm``, which is adjusted for the number
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
    first = next((model for model in opened if model.task.ordered), opened[0])
    models, asked = [_fit(model, first) for model in opened], first.task
    rows, score = [_row(model, asked) for model in models], asked.main_score
    order = sorted(range(len(rows)), key=lambda at: (-signed(score, rows[at][score]), rows[at]["log_loss"]))
    best = models[order[0]].decided(asked)
    results = [rows[at] | {"comparison": None} for at in order]
    for number, result in zip(order[1:], results[1:], strict=True):
        parts: dict[str, Any] = {
            **asked.compare(first.labels, models[number].decided(asked), best, RESAMPLES)
        }
        result["comparison"] = parts | parts.get(score, {})  # whose difference, interval and p count
    compared = [result["comparison"] for result in results[1:]]
    for versus, p in zip(compared, holm([versus["p"] for versus in compared]), strict=True):
        versus["p_holm"] = p
    known: Mapping[str, Any] = next((model.corpus for model in models if model.corpus), {})
    corpus = {key: known.get(key) for key in ("name", "source", "revision", "test_fingerprint")}
    corpus |= {"texts": len(first.labels), "labels": list(first.names)}
    return cast(ComparedModels, {"corpus": corpus, "score": score, "models": results})


def _open(path: Path) -> _Model:
    """Read the predictions of a bundle, after verifying it, or of a file."""
    if path.is_file():
        said = read(path)
        return _Model(path, said.names, said.labels, said.probabilities, {}, {}, said.task)
    model, said = bundle.load(path), read(path / PREDICTIONS)
    corpus, decision = model.manifest["corpus"], model.decision
    opened = _Model(path, said.names, said.labels, said.probabilities, corpus, model.report, decision.task)
    return replace(opened, thresholds=decision.thresholds)


def _fit(model: _Model, first: _Model) -> _Model:
    """Return a model with its classes in the order of the first's; refuse other test texts."""
    prints = [side.corpus.get("test_fingerprint") for side in (first, model)]
    wrong = None
    if set(model.names) != set(first.names):
        wrong = f"the classes are {listed(model.names)} and not {listed(first.names)}"
    elif len(model.labels) != len(first.labels):
        wrong = f"they are {len(model.labels):,} and not {len(first.labels):,}"
    elif model.task.exclusive != first.task.exclusive:
        wrong = "only one of the two has several labels to a text"
    else:
        order = [model.names.index(name) for name in first.names]
        labels = model.task.reordered(model.labels, order)
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


def _row(model: _Model, task: Task) -> dict[str, Any]:
    labels, probabilities = model.labels, model.probabilities
    about, training = model.report.get("model", {}), model.report.get("training", {})
    return {
        "model": str(model.path),
        **task.quick_scores(labels, probabilities, model.thresholds),
        "interval": task.main_interval(labels, probabilities, model.thresholds),
        "ece": calibration(labels, probabilities, task)["ece"],
        "parameters": about.get("parameters"),
        "train_seconds": training.get("seconds"),
        "device": training.get("device"),
    }
