"""What comes before the test: settings, corpus → tokenizer, token ids, initial weights → trainer."""

import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from sentiment.core import files
from sentiment.core.config import Config
from sentiment.core.config_io import changed
from sentiment.core.errors import Interrupted, UsageError, listed
from sentiment.core.schema.report import EmbeddingFacts
from sentiment.data.corpus import Corpus
from sentiment.data.features import Features
from sentiment.data.normalize import reverse_complements
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
from sentiment.runs.folder import Run
from sentiment.training import losses, tensorboard
from sentiment.training.events import Epoch, Listener
from sentiment.training.trainer import Data, Examples, Trainer, augment

VECTORS = "vectors.json"  # in an unfinished run: what is reported of the initial vectors


@dataclass(frozen=True)
class Prepared:
    """A corpus as a model reads it, and what the model begins from.

    Attributes
    ----------
    train, validation
        Their texts as ids, or their features, normalised.
    unlabelled
        Gives those of the unlabelled texts, encoded when first asked for.
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
    unlabelled: Callable[[], Encoded]
    embeddings: EmbeddingFacts
    matrix: NDArray[np.float32] | None
    begun_from: Encoder | None
    twins: Encoded | None = None

    @property
    def sizes(self) -> dict[str, int | None]:
        """The sizes that `bundle.build_model` needs beside the settings."""
        return self.corpus.input.sizes(len(self.tokenizer), self.embeddings["size"])

    def trainer(self, settings: Config, device: torch.device, examples: Examples | None = None) -> Trainer:
        """Build the model with its initial weights and its trainer, on other examples if given."""
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
            self.unlabelled().sequences if losses.on_unlabelled(training) else None,
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
    """Refuse settings that were changed but have no meaning for this input or task."""
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


def prepare(run: Run, corpus: Corpus, begun_from: Encoder | None = None) -> Prepared:
    """Prepare the corpus in the working folder; what is there already is used again."""
    settings, working = run.settings, run.working
    strands: list[Any] = []
    if settings.training.reverse_complement:
        strands = reverse_complements(corpus.train.texts)
    with run.timed("tokenizer"):
        tokenizer = _tokenizer(run, corpus, strands, begun_from)
        train = tokenizer.encode_kept(corpus.train.texts)
        validation = tokenizer.encode_kept(corpus.validation.texts)
        twins = tokenizer.encode_kept(strands) if strands else None
    unlabelled = cache(partial(tokenizer.encode_kept, corpus.unlabelled))
    characters = evaluate.token_statistics(train, corpus.train.texts)["characters"]
    if message := long_words(settings.tokenizer.kind, characters):
        run.listener.stage(message)
    matrix = None
    with run.timed("vectors"):
        if (working / CHECKPOINT).exists():
            about = cast(EmbeddingFacts, files.read_json(working / VECTORS, "source", "vectors", "size"))
        elif begun_from is not None:
            about = _of_encoder(begun_from)
        elif not corpus.input.written:
            about = {"source": "features", "vectors": None, "size": len(tokenizer)}
        else:
            about, matrix = _vectors(run, tokenizer, train, validation, unlabelled)
        files.write_json(working / VECTORS, about)
    return Prepared(corpus, tokenizer, train, validation, unlabelled, about, matrix, begun_from, twins)


def fit(trainer: Trainer, run: Run) -> None:
    """Run the loop, with checkpoints, until it is finished or the user stops it.

    Raises
    ------
    Interrupted
        On Ctrl-C or SIGTERM, after saving; the message says how to go on.
    """
    settings, working, listener = run.settings.training, run.working, run.listener
    tell_of_kernel(listener, trainer.device)
    saved = time.monotonic()
    logged = tensorboard.scalars(working, trainer) if settings.tensorboard else nullcontext()
    with runtime.stop_requests() as stop, logged as scalars:
        for event in trainer.run():
            late = time.monotonic() - saved > 60 * settings.checkpoint_minutes
            if isinstance(event, Epoch) or late or stop.is_set():
                trainer.save(working / CHECKPOINT)
                saved = time.monotonic()
            if isinstance(event, Epoch):
                files.write_text(working / "history.jsonl", files.json_lines(trainer.history))
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
                    f"and saved; {run.again}"
                )


def tell_of_kernel(listener: Listener, device: torch.device) -> None:
    """Say, once, if the recurrence on this device could be faster, and how."""
    if device.type == "cpu" and (reason := recurrent.kernel_reason()):
        listener.once(reason)


def _tokenizer(
    run: Run, corpus: Corpus, strands: list[str], begun_from: Encoder | None
) -> Tokenizer | Features:
    path, section = run.working / corpus.input.encoder_file, getattr(run.settings, corpus.input.section)
    if begun_from is not None:
        shutil.copyfile(begun_from.folder / pretrained.TOKENIZER, path)
    elif not path.exists():
        corpus.input.fit(corpus.train.texts, [*corpus.unlabelled, *strands], section).save(path)
    return corpus.input.load(path, section)  # what later runs will load


def _vectors(
    run: Run,
    tokenizer: Tokenizer | Features,
    train: Encoded,
    validation: Encoded,
    unlabelled: Callable[[], Encoded],
) -> tuple[EmbeddingFacts, NDArray[np.float32]]:
    """Return what is reported of the initial embedding, and the embedding itself (V, E)."""
    assert isinstance(tokenizer, Tokenizer)
    asked, further = run.settings.embedding, [validation.sequences]
    if asked.source in ("pretrained", "skipgram"):
        run.listener.stage(f"embeddings: {asked.vectors or asked.source}")
    if asked.source == "skipgram":
        further.append(unlabelled().sequences)
    made = embeddings.build(
        tokenizer.vocabulary, train.sequences, further, asked, run.settings.seed, run.listener.notice
    )
    about: EmbeddingFacts = {
        "source": made.source,
        "vectors": asked.vectors,
        "size": made.matrix.shape[1],
        "types_covered": made.types,
        "tokens_covered": made.tokens,
    }
    return about, made.matrix


def _of_encoder(begun_from: Encoder) -> EmbeddingFacts:
    """Return what is reported of the weights that an encoder brings."""
    return {
        "source": "encoder",
        "vectors": begun_from.folder.name,
        "size": begun_from.settings.embedding.size,
        "encoder": {
            "sha256": begun_from.about["files"][pretrained.WEIGHTS],
            "passes": len(begun_from.about["history"]),
            "corpus": begun_from.about["corpus"],
            "texts": begun_from.about["texts"],
            "left_out": begun_from.about["left_out"],
        },
    }
