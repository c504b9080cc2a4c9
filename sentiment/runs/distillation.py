"""Teachers: models of other seeds, and n-grams, whose mean prediction one model learns from.

The mean of several models is better than each of them; a single model that learns from it, and from what
it says of unlabelled texts, keeps most of that at the cost of one (Bucilă et al. 2006, Hinton et al. 2015).
As it has seen more texts, it may be the better teacher: there can be generations of them (born-again
networks, Furlanello et al. 2018; with unlabelled texts, Xie et al. 2020).

Shapes: B texts, C classes or labels.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray

from sentiment.core import files
from sentiment.core.config import Config
from sentiment.core.sections import SEEDS
from sentiment.data.sequences import Encoded, Sequences
from sentiment.inference import bundle
from sentiment.inference.bundle import CHECKPOINT
from sentiment.metrics.arrays import Labels, Probabilities
from sentiment.metrics.calibration import fit_temperature
from sentiment.metrics.task import task as task_of
from sentiment.models import storage
from sentiment.models.network import infer
from sentiment.models.ngrams import Counted, second_opinion
from sentiment.runs.folder import Run
from sentiment.runs.prepare import Prepared, fit
from sentiment.training.trainer import Examples

FOLDER = "teachers"  # in an unfinished run
MODEL, TARGETS, ABOUT = "model.safetensors", "targets.safetensors", "about.json"
Answers = NDArray[np.float64]  # (K, B, C), of K models
SHARES = np.linspace(0, 0.9, 10)  # of n-grams among the teachers


def texts(settings: Config, ready: Prepared) -> list[Encoded]:
    """Return the texts that a model learns from: those of training, and with teachers the unlabelled ones."""
    asked, further = settings.distillation, ready.corpus.unlabelled
    if not (asked.teachers and asked.unlabelled and len(further)):
        return [ready.train]
    return [ready.train, ready.unlabelled()]


def teach(
    run: Run, ready: Prepared, parts: list[Encoded], counted: Callable[[], Counted]
) -> tuple[Examples, dict[str, Any]]:
    """Train the teachers that are not trained yet, and return what they teach.

    Parameters
    ----------
    parts, counted
        The `texts`, and the n-grams of them, counted when asked for.

    Returns
    -------
    examples
        The training texts with the mean of their labels and the teachers' predictions, and the unlabelled
        texts with the latter.
    about
        The ``teachers`` part of a report: of each of the ``generations``, how well its models and their mean
        do on validation.
    """
    corpus, asked = ready.corpus, run.settings.distillation
    taught = Sequences.joined([part.sequences for part in parts])
    told = task_of(corpus.task).one_hot(corpus.train.labels, len(corpus.labels)).astype(np.float64)

    examples, generations = None, []
    for generation in range(1, asked.generations + 1):
        folder = run.working / FOLDER / str(generation)
        if not (folder / ABOUT).exists():
            begun = time.perf_counter()
            for number in range(1, asked.teachers + 1):
                _train(run, ready, examples, generation, number)
            run.listener.stage(f"asking the teachers about {len(taught):,} texts")
            held_out, said = _ask(run, ready, folder, taught)
            mean, targets = held_out.mean(0), said.mean(0)
            each = [_scores(ready, answers) for answers in held_out]
            about: dict[str, Any] = {"each": each, "mean": _scores(ready, mean)}
            if asked.ngrams:
                run.listener.stage("a teacher more: n-grams")
                judged, of_all = second_opinion(corpus, counted(), _labels(ready, targets))
                share = float(min(SHARES, key=lambda s: _scores(ready, _mixed(mean, judged, s))["log_loss"]))
                targets = _mixed(targets, of_all, share)
                about["ngrams"] = _scores(ready, judged) | {"share": share}
                about["all"] = _scores(ready, _mixed(mean, judged, share))
            targets[: len(corpus.train)] = _mixed(told, targets[: len(corpus.train)], asked.weight)
            safetensors.numpy.save_file({"targets": targets.astype(np.float32)}, folder / TARGETS)
            about["seconds"] = time.perf_counter() - begun
            files.write_json(folder / ABOUT, about)  # last: with it, all is there
        targets = safetensors.numpy.load_file(folder / TARGETS)["targets"]
        examples = Examples(taught, _labels(ready, targets), targets)
        generations.append(files.read_json(folder / ABOUT, "each", "mean"))
    assert examples is not None
    return examples, {"generations": generations}


def on_test(run: Run, ready: Prepared, sequences: Sequences, about: dict[str, Any]) -> dict[str, Any]:
    """Add the test scores of each teacher, and of the mean of each generation, to `about`."""
    labels, task = ready.corpus.test.labels, task_of(ready.corpus.task)
    generations = []
    for generation, validated in enumerate(about["generations"], 1):
        _, said = _ask(run, ready, run.working / FOLDER / str(generation), sequences)
        each = [task.quick_scores(labels, answers) for answers in said]
        test = {"each": each, "mean": task.quick_scores(labels, said.mean(0))}
        generations.append(validated | {"test": test})
    return about | {"generations": generations}


def _train(run: Run, ready: Prepared, examples: Examples | None, generation: int, number: int) -> None:
    settings, asked = run.settings, run.settings.distillation
    folder = run.working / FOLDER / str(generation) / str(number)
    if (folder / MODEL).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    seed = settings.seed + (generation - 1) * asked.teachers + number
    part = run.part(folder, settings.model_copy(update={"seed": seed % (SEEDS + 1)}))
    which = f" of generation {generation}" if asked.generations > 1 else ""
    run.listener.stage(f"teacher {number} of {asked.teachers}{which}")
    trainer = ready.trainer(part.settings, run.device, examples)
    if (folder / CHECKPOINT).exists():
        trainer.restore(folder / CHECKPOINT)
    fit(trainer, part)
    bundle.save_model(folder / MODEL, trainer.model)
    (folder / CHECKPOINT).unlink()


def _ask(run: Run, ready: Prepared, folder: Path, sequences: Sequences) -> tuple[Answers, Answers]:
    """Return the probabilities of each model, at its temperature, for validation and other sequences."""
    task, classes = task_of(ready.corpus.task), len(ready.corpus.labels)
    held_out, said = [], []
    for number in range(1, run.settings.distillation.teachers + 1):
        model = bundle.build_model(run.settings, ready.sizes, classes, task.name).to(run.device)
        weights = storage.load(folder / str(number) / MODEL)
        model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        validation = infer(model, ready.validation.sequences, run.device)
        temperature = fit_temperature(ready.corpus.validation.labels, validation, task)
        held_out.append(task.probabilities(validation / temperature))
        said.append(task.probabilities(infer(model, sequences, run.device) / temperature))
    return np.stack(held_out), np.stack(said)


def _labels(ready: Prepared, said: Probabilities) -> Labels:
    """Return the labels of the training texts, followed by the most probable labels of the others."""
    known = ready.corpus.train.labels
    labels: Labels = np.concatenate([known, task_of(ready.corpus.task).decide(said[len(known) :])])
    return labels


def _mixed(first: Probabilities, second: Probabilities, share: float) -> Probabilities:
    """Return the mean of both, in which the second has that share."""
    return (1 - share) * first + share * second


def _scores(ready: Prepared, validation: Probabilities) -> dict[str, Any]:
    return task_of(ready.corpus.task).quick_scores(ready.corpus.validation.labels, validation)
