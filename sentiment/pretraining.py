"""`sentiment pretrain`: corpus → tokenizer → language model → encoder, in one run or several short ones."""

import math
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sentiment import bundle, checkpoint, config, encoder, report, runs, runtime, vectors
from sentiment.batches import buckets, pack, padding, resident
from sentiment.bundle import ARTIFACTS, CHECKPOINT
from sentiment.config import Config
from sentiment.corpus import Corpus, divide, read_corpus
from sentiment.encoder import STATE, Encoder
from sentiment.errors import CorpusError, Interrupted, SentimentError, UsageError
from sentiment.fitting import Listener, tell_of_kernel
from sentiment.language_model import LanguageModel, held_out_loss, keeping_rates, sampling_rates
from sentiment.sequences import Sequences
from sentiment.tokenizer import Tokenizer
from sentiment.training import Epoch, Step, schedule

HELD_OUT = 20_000  # tokens of validation texts that a pass is judged by
COUNTERS = ("epoch", "step", "updates", "tokens", "seen", "seconds", "history")  # of a checkpoint
WHOLE = 2**31 - 1  # tokens of a text that are read: all, in pieces


class Pretrainer:
    """Train a language model; `run` yields `Step` and `Epoch` events.

    Parameters
    ----------
    model
        Moved to `device`.
    pieces, held_out
        Of two tokens or more. The latter judge each pass; nothing is chosen by them.
    settings
        Their parts ``pretraining``, and clipping and weight decay of ``training``; the seed is that of
        the order. Dropout, distances and types are drawn from torch's own generator.
    precision
        Of the recurrence and matrix products.
    """

    def __init__(
        self,
        model: LanguageModel,
        pieces: Sequences,
        held_out: Sequences,
        settings: Config,
        *,
        device: torch.device,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.model, self.pieces, self.held_out = model.to(device), pieces, held_out
        self.config, self.clip_norm, self.seed = (
            settings.pretraining,
            settings.training.clip_norm,
            settings.seed,
        )
        self.device, self.precision, self.epochs = device, precision, settings.pretraining.epochs
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=self.config.learning_rate,
            weight_decay=settings.training.weight_decay,
            fused=device.type in ("cpu", "cuda"),
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision != torch.float32)
        counts = np.bincount(pieces.values, minlength=len(model.bias))
        self.kept = keeping_rates(counts, self.config.subsample, device)
        predicted = counts if self.kept is None else counts * self.kept.cpu().numpy()
        self.rates = sampling_rates(predicted, self.config.negatives).to(device)
        self.resident = resident(pieces, device)
        self.epoch = self.step = self.updates = 0
        self.history: list[dict[str, Any]] = []
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.step, self.tokens, self.seen, self.seconds = 0, 0, 0, 0.0
        self.loss_sum = torch.zeros((), device=self.device)

    @property
    def running_loss(self) -> float:
        """Mean loss a prediction, over the sampled types, of the epoch so far; waits for the device."""
        return float(self.loss_sum) / max(1, self.seen)

    def run(self) -> Iterator[Step | Epoch]:
        """Train from the present state to the end."""
        lengths = self.pieces.lengths
        while self.epoch < self.epochs:
            generator = np.random.default_rng([self.seed, self.epoch])
            batches = buckets(lengths, self.config.batch_size, self.config.batch_tokens, generator)
            self.model.train()
            while self.step < len(batches):
                begun = time.perf_counter()
                batch = pack(self.pieces, batches[self.step], self.device, self.resident)
                progress = (self.epoch + self.step / len(batches)) / self.epochs
                self._update(batch.inputs, self.config.learning_rate * schedule("one_cycle", progress))
                self.step += 1
                self.tokens += batch.tokens
                self.seconds += time.perf_counter() - begun
                yield Step(self.epoch + 1, self.step, len(batches), batch.tokens)
            yield Epoch(self._end_epoch(padding(batches, lengths)))

    def _update(self, inputs: torch.nn.utils.rnn.PackedSequence, learning_rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            losses = self.model.losses(inputs, self.rates, self.kept)
        self.optimizer.zero_grad(set_to_none=True)
        mean = losses.sum() / max(1, len(losses))  # there may be none, if all tokens are frequent
        torch.autograd.backward(self.scaler.scale(mean))
        if self.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.updates += 1
        self.loss_sum += losses.detach().sum()
        self.seen += len(losses)

    def _end_epoch(self, padded: float) -> dict[str, Any]:
        begun = time.perf_counter()
        held_out = None
        if len(self.held_out):
            held_out = held_out_loss(self.model, self.held_out, self.device, self.kept)
        if not math.isfinite(self.running_loss + (held_out or 0)):
            raise SentimentError(
                f"pretraining diverged in pass {self.epoch + 1}; lower pretraining.learning_rate or "
                "training.clip_norm"
            )
        record = {
            "epoch": self.epoch + 1,
            "loss": self.running_loss,
            "held_out_loss": held_out,
            "tokens": self.tokens,
            "tokens_per_second": self.tokens / max(self.seconds, 1e-9),
            "padding": padded,
            "seconds": self.seconds + time.perf_counter() - begun,
        }
        self.history.append(record)
        self.epoch += 1
        self._begin_epoch()
        return record

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        parameters: dict[str, Tensor] = dict(self.model.named_parameters())
        groups: checkpoint.Groups = {"model": parameters, "sums": {"loss": self.loss_sum}}
        counters = {name: getattr(self, name) for name in COUNTERS}
        checkpoint.save(path, groups, counters, self.optimizer, self.scaler, self.device)

    def restore(self, path: Path) -> None:
        """Go back to the state of a checkpoint."""
        groups, counters = checkpoint.restore(path, self.model, self.optimizer, self.scaler, self.device)
        for name, value in counters.items():
            setattr(self, name, value)
        self.loss_sum = groups["sums"]["loss"].to(self.device)


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
            bundle.check_new(out)
        listener.stage(f"loading {settings.corpus.name}")
        corpus = divide(read_corpus(settings.corpus), settings.corpus, settings.seed)
        if out is None:
            out = ARTIFACTS / f"{corpus.name}-encoder-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
            bundle.check_new(out)
        working = bundle.partial(out)
        working.mkdir(parents=True)
        with runs.unfinished(out, "pretrain"):
            bundle.write_text(working / "config.toml", config.dumps(settings))
            state = {"revision": corpus.revision, "fingerprint": corpus.fingerprint()}
            bundle.write_json(working / STATE, state)
            return _run(settings, corpus, out, device, listener, ends, _again(out))


def within(
    settings: Config, corpus: Corpus, folder: Path, out: Path, device: torch.device, listener: Listener
) -> Encoder:
    """Pretrain as the first part of the training `out`, or go on with it, or find it done in `folder`."""
    working = bundle.partial(folder)
    if not (folder / bundle.ENCODER).is_file():
        if (working / STATE).is_file():
            settings = runs.stored_settings(working, settings.runtime.device)
        else:
            working.mkdir(parents=True, exist_ok=True)
            bundle.write_text(working / "config.toml", config.dumps(settings))
            bundle.write_json(working / STATE, {"revision": corpus.revision})
        again = f"go on with: sentiment train --resume --out {out}"
        _run(settings.model_copy(deep=True), corpus, folder, device, listener, math.inf, again)
    return encoder.load(folder)


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
    working = bundle.partial(out)
    if not (working / STATE).is_file():
        if (out / bundle.ENCODER).is_file():
            return _summary(out, encoder.load(out).about, finished=True)
        raise UsageError(f"{out}: no unfinished pretraining to resume ({working / STATE} is not there)")
    settings = runs.stored_settings(working, device)
    with runtime.prepared(settings.runtime, settings.seed) as torch_device:
        listener.stage(f"going on with {out}")
        state = report.read_json(working / STATE, "revision", "fingerprint")
        corpus = divide(
            read_corpus(runs.pinned(settings, state["revision"]).corpus), settings.corpus, settings.seed
        )
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
    if corpus.width is not None:
        raise UsageError(f"{corpus.source} is a corpus of features, and pretraining is for texts")
    working = bundle.partial(out)
    texts = [*corpus.train.texts, *corpus.unlabelled]
    left_out = {why: count for why, count in corpus.left_out.items() if why.endswith("in test")}
    listener.stage(
        f"{corpus.name}: {len(corpus.train):,} training and {len(corpus.unlabelled):,} unlabelled texts; "
        f"{sum(left_out.values()):,} that are in test were left out"
    )
    path = working / encoder.TOKENIZER
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
        made = vectors.build(tokenizer.vocabulary, pieces, [], settings.embedding, settings.seed)
        initial = torch.from_numpy(made.matrix)
        settings.embedding.size = initial.shape[1]  # pretrained vectors bring their own
        bundle.write_text(working / "config.toml", config.dumps(settings))
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
    encoder.save(working, model, texts)
    bundle.write_text(working / "history.jsonl", report.json_lines(pretrainer.history))
    bundle.complete(out, about, encoder.FILES, bundle.ENCODER)
    for name in (CHECKPOINT, STATE):
        (out / name).unlink(missing_ok=True)
    return _summary(out, encoder.load(out).about, finished=True)


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
