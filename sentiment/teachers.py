"""Teachers: models of other seeds, and NB-SVM, whose mean prediction one model learns from.

The mean of several models is better than each of them; a single model that learns from it, and from what
it says of unlabelled texts, keeps most of that at the cost of one (Bucilă et al. 2006, Hinton et al. 2015).

Shapes: B texts, C classes or labels.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray

from sentiment import baselines, bundle, report, storage
from sentiment.bundle import CHECKPOINT
from sentiment.calibration import fit_temperature, temper
from sentiment.config import SEEDS, Config
from sentiment.corpus import Corpus
from sentiment.fitting import Listener, Prepared, fit
from sentiment.metrics import Probabilities, chosen, quick_scores
from sentiment.model import infer
from sentiment.sequences import Sequences
from sentiment.training import Examples

FOLDER = "teachers"  # in an unfinished run
MODEL, TARGETS, ABOUT = "model.safetensors", "targets.safetensors", "about.json"
SHARES = np.linspace(0, 0.9, 10)  # of NB-SVM among the teachers


def teach(
    settings: Config, ready: Prepared, working: Path, out: Path, device: torch.device, listener: Listener
) -> tuple[Examples, dict[str, Any]]:
    """Train the teachers that are not trained yet, and return what they teach.

    Parameters
    ----------
    working, out
        Folder of the unfinished run, and the name that it will have.

    Returns
    -------
    examples
        The training texts with the mean of their labels and the teachers' predictions, and the unlabelled
        texts with the latter.
    about
        The ``teachers`` part of a report: how well each of them and their mean do on validation.
    """
    corpus, asked, folder = ready.corpus, settings.distillation, working / FOLDER
    further = list(corpus.unlabelled) if asked.unlabelled else []
    sequences = [ready.train.sequences]
    if further:
        sequences.append(ready.tokenizer.encode_kept(further).sequences)
    taught = Sequences.joined(sequences)
    if not (folder / ABOUT).exists():
        begun = time.perf_counter()
        for number in range(1, asked.teachers + 1):
            _train(settings, ready, number, folder / str(number), out, device, listener)
        listener.stage(f"asking the teachers about {len(taught):,} texts")
        held_out, said = _ask(settings, ready, folder, device, [ready.validation.sequences, taught])
        mean, targets = held_out.mean(0), said.mean(0)
        about: dict[str, Any] = {
            "each": [quick_scores(corpus.validation.labels, one, corpus.task) for one in held_out],
            "mean": quick_scores(corpus.validation.labels, mean, corpus.task),
        }
        if asked.ngrams:
            listener.stage("a teacher more: NB-SVM")
            linear, _ = baselines.train_nbsvm(corpus)
            its = linear(corpus.validation.texts)
            share = min(SHARES, key=lambda one: _loss(corpus, _mixed(mean, its, one)))
            targets = _mixed(targets, linear([*corpus.train.texts, *further]), share)
            about["ngrams"] = quick_scores(corpus.validation.labels, its, corpus.task) | {
                "share": float(share)
            }
            about["all"] = quick_scores(corpus.validation.labels, _mixed(mean, its, share), corpus.task)
        about["seconds"] = time.perf_counter() - begun
        own = targets[: len(corpus.train)]
        labels = corpus.train.labels
        told = labels if labels.ndim == 2 else np.eye(len(corpus.labels))[labels]
        own += (1 - asked.weight) * (told - own)
        safetensors.numpy.save_file({"targets": targets.astype(np.float32)}, folder / TARGETS)
        bundle.write_json(folder / ABOUT, about)  # last: with it, all is there
    targets = safetensors.numpy.load_file(folder / TARGETS)["targets"]
    said = targets[len(corpus.train) :]
    labels = np.concatenate([corpus.train.labels, chosen(said, None, corpus.task)])
    return Examples(taught, labels, targets), report.read_json(folder / ABOUT, "each", "mean")


def on_test(
    settings: Config, ready: Prepared, working: Path, sequences: Sequences, device: torch.device
) -> dict[str, Any]:
    """Return the test scores of each teacher, and of the mean of the models among them."""
    (said,) = _ask(settings, ready, working / FOLDER, device, [sequences])
    labels, task = ready.corpus.test.labels, ready.corpus.task
    return {
        "each": [quick_scores(labels, one, task) for one in said],
        "mean": quick_scores(labels, said.mean(0), task),
    }


def _train(
    settings: Config,
    ready: Prepared,
    number: int,
    folder: Path,
    out: Path,
    device: torch.device,
    listener: Listener,
) -> None:
    if (folder / MODEL).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    mine = settings.model_copy(update={"seed": (settings.seed + number) % (SEEDS + 1)})
    listener.stage(f"teacher {number} of {settings.distillation.teachers}")
    trainer = ready.trainer(mine, device)
    if (folder / CHECKPOINT).exists():
        trainer.restore(folder / CHECKPOINT)
    fit(trainer, folder, out, mine, listener)
    bundle.save_model(folder / MODEL, trainer.model)
    (folder / CHECKPOINT).unlink()


def _ask(
    settings: Config, ready: Prepared, folder: Path, device: torch.device, parts: list[Sequences]
) -> list[NDArray[np.float64]]:
    """Return for each part what each of the models says, (K, B, C), at its own temperature."""
    said: list[list[Probabilities]] = [[] for _ in parts]
    for number in range(1, settings.distillation.teachers + 1):
        task = ready.corpus.task
        model = bundle.build_model(settings, ready.sizes, len(ready.corpus.labels), task).to(device)
        weights = storage.load(folder / str(number) / MODEL)
        model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        held_out = infer(model, ready.validation.sequences, device)
        temperature = fit_temperature(ready.corpus.validation.labels, held_out)
        for part, answers in zip(parts, said, strict=True):
            answers.append(temper(infer(model, part, device), temperature, task))
    return [np.stack(answers) for answers in said]


def _mixed(models: Probabilities, ngrams: Probabilities, share: float) -> Probabilities:
    return (1 - share) * models + share * ngrams


def _loss(corpus: Corpus, validation: Probabilities) -> float:
    loss = quick_scores(corpus.validation.labels, validation)["log_loss"]
    assert loss is not None
    return loss
