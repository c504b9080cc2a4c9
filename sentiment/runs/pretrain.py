"""`sentiment pretrain`: corpus → tokenizer → language model → encoder, in one run or several short ones."""

import math
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sentiment.core import config_io, files
from sentiment.core.config import Config
from sentiment.core.errors import CorpusError, Interrupted, UsageError
from sentiment.core.files import ARTIFACTS
from sentiment.data.corpus import Corpus, load_corpus
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import Tokenizer
from sentiment.inference import bundle, pretrained
from sentiment.inference.bundle import CHECKPOINT
from sentiment.inference.pretrained import STATE, Encoder
from sentiment.models import embeddings, runtime
from sentiment.models.language_model import LanguageModel
from sentiment.runs import folder as runs
from sentiment.runs.prepare import tell_of_kernel
from sentiment.training.events import Epoch, Listener
from sentiment.training.pretrainer import Pretrainer

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
    ends = _end(minutes)
    listener = listener or Listener()
    with runtime.prepared(settings.runtime, settings.seed) as device:
        runtime.choose_precision(settings.runtime.precision, device)
        if settings.model.init_from is not None:
            raise UsageError("model.init_from is for training; a pretraining begins anew")
        if out is not None:
            files.check_new(out)
        listener.stage(f"loading {settings.corpus.name}")
        corpus = load_corpus(settings.corpus, settings.seed, listener.notice)
        if out is None:
            out = ARTIFACTS / f"{corpus.name}-encoder-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
            files.check_new(out)
        working = files.partial(out)
        working.mkdir(parents=True)
        with runs.unfinished(out, "pretrain"):
            files.write_text(working / "config.toml", config_io.dumps(settings))
            state = {"revision": corpus.revision, "fingerprint": corpus.fingerprint()}
            files.write_json(working / STATE, state)
            return _run(settings, corpus, out, device, listener, ends, _again(out))


def within(
    settings: Config, corpus: Corpus, folder: Path, out: Path, device: torch.device, listener: Listener
) -> Encoder:
    """Pretrain as the first part of the training `out`, or go on with it, or find it done in `folder`."""
    working = files.partial(folder)
    if not (folder / bundle.ENCODER).is_file():
        if (working / STATE).is_file():
            settings = runs.stored_settings(working, settings.runtime.device)
        else:
            working.mkdir(parents=True, exist_ok=True)
            files.write_text(working / "config.toml", config_io.dumps(settings))
            files.write_json(working / STATE, {"revision": corpus.revision})
        again = f"go on with: sentiment train --resume --out {out}"
        _run(settings.model_copy(deep=True), corpus, folder, device, listener, math.inf, again)
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
    ends = _end(minutes)
    listener = listener or Listener()
    out = out or runs.newest_unfinished(STATE)
    working = files.partial(out)
    if not (working / STATE).is_file():
        if (out / bundle.ENCODER).is_file():
            return _summary(out, pretrained.load(out).about, finished=True)
        raise UsageError(f"{out}: no unfinished pretraining to resume ({working / STATE} is not there)")
    settings = runs.stored_settings(working, device)
    with runtime.prepared(settings.runtime, settings.seed) as torch_device:
        listener.stage(f"going on with {out}")
        state = files.read_json(working / STATE, "revision", "fingerprint")
        asked = runs.pinned(settings, state["revision"]).corpus
        corpus = load_corpus(asked, settings.seed, listener.notice)
        if corpus.fingerprint() != state["fingerprint"]:
            raise CorpusError(
                f"{settings.corpus.name}: the corpus has changed since this run began; "
                f"start again (and remove {working})"
            )
        with runs.unfinished(out, "pretrain"):
            return _run(settings, corpus, out, torch_device, listener, ends, _again(out))


def _again(out: Path) -> str:
    return f"go on with: sentiment pretrain --resume --out {out}"


def _end(minutes: float | None) -> float:
    return math.inf if minutes is None else time.monotonic() + 60 * minutes


def _run(
    settings: Config,
    corpus: Corpus,
    out: Path,
    device: torch.device,
    listener: Listener,
    ends: float,
    again: str,
) -> dict[str, Any]:
    """Do what comes after the corpus, from wherever an earlier run has come to, until time is up."""
    if not corpus.input.written:
        raise UsageError(f"{corpus.source} is a corpus of {corpus.input.what}, and pretraining is for texts")
    working = files.partial(out)
    texts = [*corpus.train.texts, *corpus.unlabelled]
    left_out = {why: count for why, count in corpus.left_out.items() if why.endswith("in test")}
    listener.stage(
        f"{corpus.name}: {len(corpus.train):,} training and {len(corpus.unlabelled):,} unlabelled texts; "
        f"{sum(left_out.values()):,} that are in test were left out"
    )
    path = working / pretrained.TOKENIZER
    if not path.exists():
        Tokenizer.train(texts, settings.tokenizer).save(path)
    tokenizer = Tokenizer.load(path, settings.tokenizer.model_copy(update={"max_length": WHOLE}))
    pieces = _pieces(tokenizer.encode_kept(texts).sequences, settings.pretraining.piece)
    held_out = _first(
        _pieces(tokenizer.encode_kept(corpus.validation.texts).sequences, settings.pretraining.piece),
        HELD_OUT,
    )
    if not len(pieces):
        raise CorpusError(f"{corpus.name}: no text has two tokens, so that there is nothing to predict")
    resumed = (working / CHECKPOINT).exists()
    initial = None
    if not resumed:
        if settings.embedding.source in ("pretrained", "skipgram"):
            listener.stage(f"embeddings: {settings.embedding.vectors or settings.embedding.source}")
        made = embeddings.build(
            tokenizer.vocabulary, pieces, [], settings.embedding, settings.seed, listener.notice
        )
        initial = torch.from_numpy(made.matrix)
        settings.embedding.size = initial.shape[1]  # pretrained vectors bring their own
        files.write_text(working / "config.toml", config_io.dumps(settings))
    drop = settings.pretraining.dropout
    quiet = {"word_dropout": 0.0, "spatial_dropout": 0.0, "embedding_dropout": drop, "output_dropout": drop}
    model = LanguageModel(
        settings.model.model_copy(update=quiet),
        vocab_size=len(tokenizer),
        embedding_size=settings.embedding.size,
        tied=settings.pretraining.tied,
        vectors=initial,
        horizon=settings.pretraining.horizon,
    )
    precision = runtime.choose_precision(settings.runtime.precision, device)
    pretrainer = Pretrainer(model, pieces, held_out, settings, device=device, precision=precision)
    if resumed:
        pretrainer.restore(working / CHECKPOINT)
    about = {
        "created": runs.now(),
        "corpus": {
            "name": corpus.name,
            "source": corpus.source,
            "revision": corpus.revision,
            "fingerprint": corpus.fingerprint(),
        },
        "texts": {
            "training": len(corpus.train),
            "unlabelled": len(corpus.unlabelled),
            "pieces": len(pieces),
            "tokens": int(pieces.lengths.sum()),
            "types": len(tokenizer),
        },
        "left_out": {"training texts in test": 0, "unlabelled texts in test": 0} | left_out,
        "device": runtime.describe(device),
        "seed": settings.seed,
        "history": pretrainer.history,
    }
    if not _train(pretrainer, working, out, settings.training.checkpoint_minutes, listener, ends, again):
        return _summary(out, about, finished=False)
    pretrained.save(working, model, texts)
    files.write_text(working / "history.jsonl", files.json_lines(pretrainer.history))
    bundle.complete(out, about, pretrained.FILES, bundle.ENCODER)
    for name in (CHECKPOINT, STATE):
        (out / name).unlink(missing_ok=True)
    return _summary(out, pretrained.load(out).about, finished=True)


def _train(
    pretrainer: Pretrainer,
    working: Path,
    out: Path,
    checkpoint_minutes: float,
    listener: Listener,
    ends: float,
    again: str,
) -> bool:
    """Run the loop, with checkpoints; say whether it came to its end before the time did."""
    tell_of_kernel(listener, pretrainer.device)
    saved = time.monotonic()
    with runtime.stop_requests() as stop:
        for event in pretrainer.run():
            now = time.monotonic()
            over = now > ends and pretrainer.epoch < pretrainer.epochs
            if isinstance(event, Epoch) or over or stop.is_set() or now - saved > 60 * checkpoint_minutes:
                pretrainer.save(working / CHECKPOINT)
                saved = now
            if isinstance(event, Epoch):
                listener.stage(_line(event.record, pretrainer.epochs))
            else:
                listener.step(event, pretrainer)
            if stop.is_set():
                raise Interrupted(f"stopped in pass {_pass(pretrainer)}, and saved; {again}")
            if over:
                listener.stage(f"time is up in pass {_pass(pretrainer)}, and it is saved; {again}")
                return False
    return True


def _pass(pretrainer: Pretrainer) -> str:
    """Return which pass is under way, of how many."""
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
    kept = {name: about[name] for name in ("corpus", "texts", "left_out", "device", "seed", "history")}
    return {"finished": finished, "folder": str(out), **kept}


def _pieces(sequences: Sequences, longest: int) -> Sequences:
    """Cut into pieces of two tokens or more: of one there is nothing to predict."""
    pieces = sequences.pieces(longest)
    return Sequences.of(pieces[int(row)] for row in np.flatnonzero(pieces.lengths >= 2))


def _first(pieces: Sequences, tokens: int) -> Sequences:
    """Keep pieces from the beginning up to about so many tokens."""
    count = int(np.searchsorted(pieces.offsets, tokens))
    return Sequences(pieces.values, pieces.offsets[: max(1, count) + 1])
