"""`sentiment pretrain`: corpus → tokenizer → language model → encoder, in one run or several short ones."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sentiment.core import files
from sentiment.core.config import Config
from sentiment.core.errors import CorpusError, Interrupted, UsageError
from sentiment.data.corpus import Corpus, load_corpus
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import Tokenizer
from sentiment.inference import bundle, pretrained
from sentiment.inference.bundle import CHECKPOINT
from sentiment.inference.pretrained import STATE, Encoder
from sentiment.models import embeddings, runtime
from sentiment.models.language_model import LanguageModel
from sentiment.runs.folder import Job, Run, identity, newest, now, stored_settings
from sentiment.runs.prepare import tell_of_kernel
from sentiment.training.events import Epoch, Listener
from sentiment.training.pretrainer import Pretrainer

PRETRAIN = Job(
    "pretrain", STATE, ("revision", "fingerprint"), name="unfinished pretraining", suffix="-encoder"
)
HELD_OUT = 20_000  # tokens of validation texts that a pass is judged by
WHOLE = 2**31 - 1  # tokens of a text that are read: all, in pieces


def pretrain(
    settings: Config,
    out: Path | None = None,
    listener: Listener | None = None,
    minutes: float | None = None,
) -> dict[str, Any]:
    """Pretrain an encoder on the training and unlabelled texts of a corpus.

    Parameters
    ----------
    settings
        Of the run; the classifier's sizes are those of the language model, and the dropouts within
        its recurrence.
    out
        Folder of the encoder, which must not be there yet; ``artifacts/<corpus>-encoder-<time>`` by default.
    minutes
        After so many the run is saved and ends, for `resume` to go on; without them it ends when done.

    Returns
    -------
    dict
        ``finished``, ``folder``, what was read (``texts``) and ``left_out``, and the ``history``.

    Raises
    ------
    Interrupted
        On Ctrl-C or SIGTERM, after saving.
    """
    run = Run.new(PRETRAIN, settings, out, listener)
    if settings.model.init_from is not None:
        raise UsageError("model.init_from is for training; a pretraining begins anew")
    return _run(run, minutes)


def within(whole: Run, corpus: Corpus, folder: Path) -> Encoder:
    """Pretrain as the first part of a training, or go on with it, or find it done in `folder`."""
    if not (folder / bundle.ENCODER).is_file():
        run = Run(PRETRAIN, whole.settings.model_copy(deep=True), folder, whole.listener)
        run.device, run.again = whole.device, whole.again
        if (run.working / STATE).is_file():
            run.settings = stored_settings(run.working, whole.settings.runtime.device)
        else:
            run.working.mkdir(parents=True, exist_ok=True)
            run.state = {"revision": corpus.revision}
            run.write_settings()
            run.write_state()
        _work(run, corpus, math.inf)
    return pretrained.load(folder)


def resume(
    out: Path | None = None,
    listener: Listener | None = None,
    minutes: float | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Go on with an unfinished pretraining, as if it had never stopped; of a finished one, return the result.

    Parameters
    ----------
    out
        What `pretrain` was given; by default the newest unfinished one under ``artifacts``.
    device
        Another device than before; on the same one the result is the same to the bit (on a CPU).
    """
    out = out or newest(PRETRAIN)
    if not (files.partial(out) / STATE).is_file() and (out / bundle.ENCODER).is_file():
        return _summary(out, pretrained.load(out).about, finished=True)
    return _run(Run.unfinished(PRETRAIN, out, listener, device), minutes)


def _run(run: Run, minutes: float | None) -> dict[str, Any]:
    ends = math.inf if minutes is None else time.monotonic() + 60 * minutes
    with run.on_device():
        run.announce()
        corpus = load_corpus(run.corpus_settings, run.settings.seed, run.listener.notice)
        with run.work(corpus.name, {"revision": corpus.revision, "fingerprint": corpus.fingerprint()}):
            return _work(run, corpus, ends)


def _work(run: Run, corpus: Corpus, ends: float) -> dict[str, Any]:
    """Do what comes after the corpus, from wherever an earlier run has come to, until time is up."""
    if not corpus.input.written:
        raise UsageError(f"{corpus.source} is a corpus of {corpus.input.what}, and pretraining is for texts")
    settings, working = run.settings, run.working
    texts = [*corpus.train.texts, *corpus.unlabelled]
    left_out = {why: count for why, count in corpus.left_out.items() if why.endswith("in test")}
    run.listener.stage(
        f"{corpus.name}: {len(corpus.train):,} training and {len(corpus.unlabelled):,} unlabelled texts; "
        f"{sum(left_out.values()):,} that are in test were left out"
    )
    path = working / pretrained.TOKENIZER
    if not path.exists():
        Tokenizer.train(texts, settings.tokenizer).save(path)
    tokenizer = Tokenizer.load(path, settings.tokenizer.model_copy(update={"max_length": WHOLE}))
    longest = settings.pretraining.piece
    pieces = _pieces(tokenizer.encode_kept(texts).sequences, longest)
    if not len(pieces):
        raise CorpusError(f"{corpus.name}: no text has two tokens, so that there is nothing to predict")
    held_out = _pieces(tokenizer.encode_kept(corpus.validation.texts).sequences, longest)
    model = _model(run, tokenizer, pieces)
    precision = runtime.choose_precision(settings.runtime.precision, run.device)
    pretrainer = Pretrainer(
        model, pieces, _first(held_out, HELD_OUT), settings, device=run.device, precision=precision
    )
    if (working / CHECKPOINT).exists():
        pretrainer.restore(working / CHECKPOINT)
    about = {
        "created": now(),
        "corpus": identity(corpus, corpus.fingerprint()),
        "texts": {
            "training": len(corpus.train),
            "unlabelled": len(corpus.unlabelled),
            "pieces": len(pieces),
            "tokens": int(pieces.lengths.sum()),
            "types": len(tokenizer),
        },
        "left_out": {"training texts in test": 0, "unlabelled texts in test": 0} | left_out,
        "device": runtime.describe(run.device),
        "seed": settings.seed,
        "history": pretrainer.history,
    }
    if not _fit(pretrainer, run, ends):
        return _summary(run.out, about, finished=False)
    pretrained.save(working, model, texts)
    files.write_text(working / "history.jsonl", files.json_lines(pretrainer.history))
    bundle.complete(run.out, about, pretrained.FILES, bundle.ENCODER)
    for name in (CHECKPOINT, STATE):
        (run.out / name).unlink(missing_ok=True)
    return _summary(run.out, pretrained.load(run.out).about, finished=True)


def _model(run: Run, tokenizer: Tokenizer, pieces: Sequences) -> LanguageModel:
    """Build the language model, with initial vectors unless a checkpoint has its weights."""
    settings, initial = run.settings, None
    if not (run.working / CHECKPOINT).exists():
        if settings.embedding.source in ("pretrained", "skipgram"):
            run.listener.stage(f"embeddings: {settings.embedding.vectors or settings.embedding.source}")
        made = embeddings.build(
            tokenizer.vocabulary, pieces, [], settings.embedding, settings.seed, run.listener.notice
        )
        initial = torch.from_numpy(made.matrix)
        settings.embedding.size = initial.shape[1]  # pretrained vectors bring their own
        run.write_settings()
    drop = settings.pretraining.dropout
    quiet = {"word_dropout": 0.0, "spatial_dropout": 0.0, "embedding_dropout": drop, "output_dropout": drop}
    return LanguageModel(
        settings.model.model_copy(update=quiet),
        vocab_size=len(tokenizer),
        embedding_size=settings.embedding.size,
        tied=settings.pretraining.tied,
        vectors=initial,
        horizon=settings.pretraining.horizon,
    )


def _fit(pretrainer: Pretrainer, run: Run, ends: float) -> bool:
    """Run the loop, with checkpoints; return False if the time was up before its end."""
    listener, path = run.listener, run.working / CHECKPOINT
    tell_of_kernel(listener, pretrainer.device)
    saved = time.monotonic()
    with runtime.stop_requests() as stop:
        for event in pretrainer.run():
            now = time.monotonic()
            over = now > ends and pretrainer.epoch < pretrainer.epochs
            late = now - saved > 60 * run.settings.training.checkpoint_minutes
            if isinstance(event, Epoch) or over or stop.is_set() or late:
                pretrainer.save(path)
                saved = now
            if isinstance(event, Epoch):
                listener.stage(_line(event.record, pretrainer.epochs))
            else:
                listener.step(event, pretrainer)
            if stop.is_set():
                raise Interrupted(f"stopped in pass {_pass(pretrainer)}, and saved; {run.again}")
            if over:
                listener.stage(f"time is up in pass {_pass(pretrainer)}, and it is saved; {run.again}")
                return False
    return True


def _pass(pretrainer: Pretrainer) -> str:
    """Return the number of the pass under way, and of all."""
    return f"{min(pretrainer.epoch + 1, pretrainer.epochs)} of {pretrainer.epochs}"


def _line(record: dict[str, Any], epochs: int) -> str:
    judged = ""
    if record["held_out_loss"] is not None:
        judged = f", perplexity {math.exp(min(record['held_out_loss'], 700)):,.1f} on validation texts"
    return (
        f"pass {record['epoch']}/{epochs}: loss {record['loss']:.4f}{judged}, "
        f"{record['tokens_per_second']:,.0f} tokens/s, {record['seconds']:.1f} s"
    )


def _summary(out: Path, about: dict[str, Any], finished: bool) -> dict[str, Any]:
    names = ("corpus", "texts", "left_out", "device", "seed", "history")
    return {"finished": finished, "folder": str(out), **{name: about[name] for name in names}}


def _pieces(sequences: Sequences, longest: int) -> Sequences:
    """Cut into pieces of two tokens or more: of one there is nothing to predict."""
    pieces = sequences.pieces(longest)
    return Sequences.of(pieces[int(row)] for row in np.flatnonzero(pieces.lengths >= 2))


def _first(pieces: Sequences, tokens: int) -> Sequences:
    """Keep pieces from the beginning up to about so many tokens."""
    count = int(np.searchsorted(pieces.offsets, tokens))
    return Sequences(pieces.values, pieces.offsets[: max(1, count) + 1])
