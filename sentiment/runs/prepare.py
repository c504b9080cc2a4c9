"""What comes before the test: settings, corpus → tokenizer, token ids, initial weights → trainer."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sentiment.core import files
from sentiment.core.config import Config
from sentiment.core.config_io import changed
from sentiment.core.errors import Interrupted, UsageError, listed
from sentiment.data.corpus import Corpus
from sentiment.data.features import Features
from sentiment.data.kmers import reverse_complements
from sentiment.data.scripts import long_words
from sentiment.data.sequences import Encoded
from sentiment.data.tokenizer import Tokenizer
from sentiment.evaluation import evaluate
from sentiment.inference import bundle, pretrained
from sentiment.inference.bundle import CHECKPOINT
from sentiment.inference.pretrained import Encoder
from sentiment.metrics.catalogue import metric_of
from sentiment.metrics.targets import read_target
from sentiment.metrics.task import task
from sentiment.models import embeddings, recurrent, runtime
from sentiment.training import adversarial, tensorboard
from sentiment.training.augmentation import augment
from sentiment.training.events import Epoch, Listener
from sentiment.training.trainer import Data, Examples, Trainer

VECTORS = "vectors.json"  # in an unfinished run: what is reported of the initial vectors


@dataclass(frozen=True)
class Prepared:
    """A corpus as a model reads it, and what the model begins from.

    Attributes
    ----------
    train, validation
        Their texts as ids, or their features, normalised.
    unlabelled
        Those of the unlabelled texts, where the settings ask for them.
    embeddings
        What is reported of the initial vectors.
    matrix
        (V, E) these vectors, unless they come from `begun_from` or a checkpoint, or features have none.
    begun_from
        The pretrained encoder, if there is one and the training has not begun yet.
    twins
        The training texts as their other strands, where the settings ask for them.
    """

    corpus: Corpus
    tokenizer: Tokenizer | Features
    train: Encoded
    validation: Encoded
    unlabelled: Encoded | None
    embeddings: dict[str, Any]
    matrix: NDArray[np.float32] | None
    begun_from: Encoder | None
    twins: Encoded | None = None

    @property
    def sizes(self) -> dict[str, int | None]:
        """What `bundle.build_model` wants to know beside the settings."""
        return self.corpus.input.sizes(len(self.tokenizer), self.embeddings["size"])

    def trainer(self, settings: Config, device: torch.device, examples: Examples | None = None) -> Trainer:
        """Build the model with its initial weights, and what trains it, on other examples if given."""
        runtime.seed_torch(settings.seed, device)
        model = bundle.build_model(settings, self.sizes, len(self.corpus.labels), self.corpus.task)
        model.begin(self.corpus.train.labels)
        if self.matrix is not None and model.embedding is not None:
            with torch.no_grad():
                model.embedding.weight.copy_(torch.from_numpy(self.matrix))
        if self.begun_from is not None:
            self.begun_from.initialise(model)
        size = self.corpus.input.batch_size(settings.training.batch_size, len(self.corpus.train))
        training = settings.training.model_copy(update={"batch_size": size})
        augments = self.corpus.input.uses("features.noise") and settings.features.augments
        change = partial(augment, config=settings.features) if augments else None
        data = Data(
            examples or Examples(self.train.sequences, self.corpus.train.labels),
            Examples(self.validation.sequences, self.corpus.validation.labels),
            None if self.unlabelled is None else self.unlabelled.sequences,
            None if self.twins is None else self.twins.sequences,
            change,
        )
        return Trainer(
            model,
            data,
            training,
            device,
            seed=settings.seed,
            frozen_epochs=settings.embedding.frozen_epochs,
            precision=runtime.choose_precision(settings.runtime.precision, device),
        )


def check_kind(settings: Config, corpus: Corpus) -> None:
    """Refuse settings that were changed and mean nothing for texts, or for features, or for the task."""
    read_target(settings.decision, corpus.labels, task(corpus.task))
    metric_of(settings.training.metric, corpus.task)
    if settings.training.sampling == "balanced" and not task(corpus.task).exclusive:
        raise UsageError(
            "training.sampling = 'balanced' is for one label a text, and these may have several; "
            "training.class_weights = 'balanced' is for them too"
        )
    wrong = [name for name, _ in changed(settings) if not corpus.input.uses(name)]
    if wrong:
        raise UsageError(
            f"{corpus.source} is a corpus of {corpus.input.what}; leave out what is for "
            f"{corpus.input.other}: {listed(wrong)}"
        )


def prepare(
    settings: Config,
    corpus: Corpus,
    working: Path,
    begun_from: Encoder | None,
    listener: Listener,
    timing: dict[str, float],
) -> Prepared:
    """Do what is not done yet before training, in the folder `working`; the seconds go into `timing`."""
    strands: list[Any] = []
    if settings.training.reverse_complement:
        strands = reverse_complements(corpus.train.texts)
    with timed(timing, "tokenizer"):
        tokenizer = _tokenizer(settings, corpus, strands, working, begun_from)
        train = tokenizer.encode_kept(corpus.train.texts)
        validation = tokenizer.encode_kept(corpus.validation.texts)
        unlabelled = None
        if adversarial.on_unlabelled(settings.training):
            unlabelled = tokenizer.encode_kept(corpus.unlabelled)
        twins = tokenizer.encode_kept(strands) if strands else None
    characters = evaluate.token_statistics(train, corpus.train.texts)["characters"]
    if message := long_words(settings.tokenizer.kind, characters):
        listener.stage(message)
    matrix = None
    with timed(timing, "vectors"):
        if (working / CHECKPOINT).exists():
            about = files.read_json(working / VECTORS, "source", "vectors", "size")
        elif begun_from is not None:
            about = _of_encoder(begun_from)
        elif not corpus.input.written:
            about = {"source": "features", "vectors": None, "size": len(tokenizer)}
        else:
            about, matrix = _vectors(settings, corpus, tokenizer, train, validation, listener)
        files.write_json(working / VECTORS, about)
    return Prepared(corpus, tokenizer, train, validation, unlabelled, about, matrix, begun_from, twins)


def fit(trainer: Trainer, working: Path, out: Path, settings: Config, listener: Listener) -> None:
    """Run the loop, with checkpoints in `working`, until it is finished or the user stops it.

    Raises
    ------
    Interrupted
        On Ctrl-C or SIGTERM, after saving; the message says how to go on with `out`.
    """
    tell_of_kernel(listener, trainer.device)
    saved = time.monotonic()
    logged = tensorboard.scalars(working, trainer) if settings.training.tensorboard else nullcontext()
    with runtime.stop_requests() as stop, logged as scalars:
        for event in trainer.run():
            late = time.monotonic() - saved > 60 * settings.training.checkpoint_minutes
            if isinstance(event, Epoch) or late or stop.is_set():
                trainer.save(working / CHECKPOINT)
                saved = time.monotonic()
            if isinstance(event, Epoch):
                _write_history(trainer, working)
                listener.epoch(event, trainer)
                if scalars is not None:
                    scalars.epoch(event, trainer)
            else:
                listener.step(event, trainer)
                if scalars is not None:
                    scalars.step(event, trainer)
            if stop.is_set():
                trainer.save(working / CHECKPOINT)  # the request may have come since
                raise Interrupted(
                    f"stopped in epoch {min(trainer.epoch + 1, trainer.epochs)} of {trainer.epochs}, "
                    f"and saved; go on with: sentiment train --resume --out {out}"
                )


def tell_of_kernel(listener: Listener, device: torch.device) -> None:
    """Say, once, if the recurrence on this device could be faster, and how."""
    if device.type == "cpu" and (reason := recurrent.kernel_reason()):
        listener.once(reason)


@contextmanager
def timed(timing: dict[str, float], name: str) -> Iterator[None]:
    """Note the seconds of what is done meanwhile."""
    begun = time.perf_counter()
    yield
    timing[name] = time.perf_counter() - begun


def _tokenizer(
    settings: Config, corpus: Corpus, strands: list[str], working: Path, begun_from: Encoder | None
) -> Tokenizer | Features:
    path, section = working / corpus.input.encoder_file, getattr(settings, corpus.input.section)
    if begun_from is not None:
        shutil.copyfile(begun_from.folder / pretrained.TOKENIZER, path)
    elif not path.exists():
        corpus.input.fit(corpus.train.texts, [*corpus.unlabelled, *strands], section).save(path)
    return corpus.input.load(path, section)  # what later runs will load


def _vectors(
    settings: Config,
    corpus: Corpus,
    tokenizer: Tokenizer | Features,
    train: Encoded,
    validation: Encoded,
    listener: Listener,
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Return what is reported of the initial embedding, and it (V, E)."""
    assert isinstance(tokenizer, Tokenizer)
    further = [validation.sequences]
    if settings.embedding.source in ("pretrained", "skipgram"):
        listener.stage(f"embeddings: {settings.embedding.vectors or settings.embedding.source}")
    if settings.embedding.source == "skipgram":
        further.append(tokenizer.encode_kept(corpus.unlabelled).sequences)
    made = embeddings.build(
        tokenizer.vocabulary, train.sequences, further, settings.embedding, settings.seed, listener.notice
    )
    about = {
        "source": made.source,
        "vectors": settings.embedding.vectors,
        "size": made.matrix.shape[1],
        "types_covered": made.types,
        "tokens_covered": made.tokens,
    }
    return about, made.matrix


def _of_encoder(begun_from: Encoder) -> dict[str, Any]:
    """Return what is reported of the weights that an encoder brings."""
    return {
        "source": "encoder",
        "vectors": begun_from.folder.name,
        "size": begun_from.settings.embedding.size,
        "encoder": {
            "sha256": begun_from.about["files"][pretrained.WEIGHTS],
            "passes": len(begun_from.about["history"]),
            **{name: begun_from.about[name] for name in ("corpus", "texts", "left_out")},
        },
    }


def _write_history(trainer: Trainer, working: Path) -> None:
    files.write_text(working / "history.jsonl", files.json_lines(trainer.history))
