"""The whole way of a run, top to bottom: corpus → preparation → training → decision → test → bundle."""

import shutil
import time
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sentiment.core import config_io, files
from sentiment.core.config import Config
from sentiment.core.errors import CorpusError, UsageError
from sentiment.core.files import ARTIFACTS
from sentiment.data.corpus import Corpus, RawCorpus, divide, read_corpus
from sentiment.data.corpus.audit import for_report
from sentiment.data.corpus.checks import UNSEEN
from sentiment.data.corpus.memory import MEMORY
from sentiment.data.sequences import Encoded
from sentiment.evaluation import baselines, predictions, redaction
from sentiment.evaluation import evaluate as evaluation
from sentiment.evaluation.error_analysis import error_analysis
from sentiment.evaluation.scored import Scored
from sentiment.inference import bundle, pretrained
from sentiment.inference.bundle import CHECKPOINT, Bundle
from sentiment.inference.explain import explain
from sentiment.inference.predictor import Predictor
from sentiment.inference.pretrained import Encoder
from sentiment.metrics import decision
from sentiment.metrics.decision import Decision
from sentiment.metrics.task import task
from sentiment.models import ngrams, runtime
from sentiment.models.ngrams import Counted, NGrams
from sentiment.report import html, renderers
from sentiment.runs import assemble, distillation, pretrain
from sentiment.runs.folder import newest_unfinished, now, pinned, stored_settings, unfinished
from sentiment.runs.prepare import VECTORS, Prepared, check_kind, fit, prepare, timed
from sentiment.training import tensorboard
from sentiment.training.events import Listener
from sentiment.training.trainer import Examples

RUN = "run.json"  # in an unfinished run: what a resumed one must find again
ENCODER = "encoder"  # likewise, a folder: what it has pretrained


def train(
    settings: Config,
    out: Path | None = None,
    listener: Listener | None = None,
    corpus: Corpus | RawCorpus | None = None,
) -> Predictor:
    """Train, evaluate and store a classifier.

    Parameters
    ----------
    settings
        Of the run.
    out
        Folder of the bundle, which must not be there yet; ``artifacts/<corpus>-<time>`` by default.
    listener
        Told of progress.
    corpus
        As it was read, or divided already; loaded as the settings say by default.

    Raises
    ------
    Interrupted
        On Ctrl-C or SIGTERM, after saving; the message says how to go on.
    """
    begun = time.perf_counter()
    listener = listener or Listener()
    with runtime.prepared(settings.runtime, settings.seed) as device:
        runtime.choose_precision(settings.runtime.precision, device)
        if settings.training.tensorboard:
            tensorboard.check()
        if out is not None:
            files.check_new(out)
        raw = corpus if isinstance(corpus, RawCorpus) else None
        if corpus is None:
            listener.stage(f"loading {settings.corpus.name}")
            raw = read_corpus(settings.corpus, say=listener.notice)
        if raw is not None:
            corpus = divide(raw, settings.corpus, settings.seed, listener.notice)
        assert isinstance(corpus, Corpus)
        if out is None:
            out = ARTIFACTS / f"{corpus.name}-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
            files.check_new(out)
        working = files.partial(out)
        working.mkdir(parents=True)
        state = {"revision": corpus.revision, "fingerprint": corpus.fingerprint()}
        with unfinished(out):
            files.write_text(working / "config.toml", config_io.dumps(settings))
            files.write_json(working / RUN, state)
            return _run(settings, corpus, raw, out, device, listener, begun)


def resume(
    out: Path | None = None,
    listener: Listener | None = None,
    device: str | None = None,
    corpus: Corpus | RawCorpus | None = None,
) -> Predictor:
    """Go on with an interrupted run, as if it had never stopped.

    Parameters
    ----------
    out
        What the run was given; by default the newest unfinished run under ``artifacts``.
    device
        Another device than before; on the same one the result is the same to the bit (on a CPU).
    corpus
        What `train` was given.
    """
    begun = time.perf_counter()
    listener = listener or Listener()
    out = out or newest_unfinished(RUN)
    working = files.partial(out)
    if not working.is_dir():
        if (out / bundle.MANIFEST).is_file():
            listener.stage(f"{out} is finished already")
            return Predictor(bundle.load(out))
        raise UsageError(f"{out}: no unfinished run to resume ({working} is not there)")
    if (working / pretrained.STATE).is_file():
        raise UsageError(f"{out}: a pretraining; go on with: sentiment pretrain --resume --out {out}")
    settings = stored_settings(working, device)
    if settings.training.tensorboard:
        tensorboard.check()
    with runtime.prepared(settings.runtime, settings.seed) as torch_device:
        listener.stage(f"going on with {out}")
        state = files.read_json(working / RUN, "revision", "fingerprint")
        raw = corpus if isinstance(corpus, RawCorpus) else None
        if corpus is None:
            if settings.corpus.name == MEMORY:
                raise UsageError(
                    f"{out}: it trains on texts from memory; go on in Python, with pipeline.resume(corpus=…)"
                )
            raw = read_corpus(pinned(settings, state["revision"]).corpus, say=listener.notice)
        if raw is not None:
            corpus = divide(raw, settings.corpus, settings.seed, listener.notice)
        assert isinstance(corpus, Corpus)
        if corpus.fingerprint() != state["fingerprint"]:
            raise CorpusError(
                f"{settings.corpus.name}: the corpus has changed since this run began; "
                f"start again (and remove {working})"
            )
        with unfinished(out):
            return _run(settings, corpus, raw, out, torch_device, listener, begun)


def _run(
    settings: Config,
    corpus: Corpus,
    raw: RawCorpus | None,
    out: Path,
    device: torch.device,
    listener: Listener,
    begun: float,
) -> Predictor:
    """Do what comes after the corpus, from wherever an earlier run has come to."""
    working = files.partial(out)
    check_kind(settings, corpus)  # what does not fit is refused before the work
    timing = {"corpus": time.perf_counter() - begun}
    listener.stage(
        f"{corpus.name}: {len(corpus.train):,} training, {len(corpus.validation):,} validation and "
        f"{len(corpus.test):,} test {corpus.input.noun}, {len(corpus.labels)} {task(corpus.task).noun[1]}"
    )
    resumed = (working / CHECKPOINT).exists()
    begun_from = None
    if not resumed and (settings.pretraining.first or settings.model.init_from is not None):
        with timed(timing, "pretraining"):
            begun_from = _encoder(settings, corpus, working, out, device, listener)
    ready = prepare(settings, corpus, working, begun_from, listener, timing)
    parts = distillation.texts(settings, ready)
    counted = cache(partial(ngrams.count, settings.ngrams, parts, ready.validation))
    examples = taught = None
    if settings.distillation.teachers:
        with timed(timing, "teachers"):
            examples, taught = distillation.teach(
                settings, ready, parts, counted, working, out, device, listener
            )
    trainer = ready.trainer(settings, device, examples)
    if resumed:
        trainer.restore(working / CHECKPOINT)
    fit(trainer, working, out, settings, listener)
    bundle.save_model(working / "model.safetensors", trainer.model)

    manifest = _manifest(corpus, ready)
    tree = settings.model_dump()
    weights = bundle.read_weights(
        working / "model.safetensors", tree, ready.sizes, len(corpus.labels), corpus.task
    )
    unfitted = Bundle(
        out, tree, manifest, ready.tokenizer, weights, {}, Decision.plain(corpus.labels, task(corpus.task))
    )
    wide = None
    if settings.ngrams.longest and corpus.input.written:
        with timed(timing, "ngrams"):
            unfitted, wide = _with_ngrams(unfitted, ready, counted(), examples, device, working, listener)
    scored, test_set = _score(unfitted, settings, corpus, device, working, timing, listener)
    if wide is not None:
        scored["ngrams"] = wide
    if taught is not None:
        scored["teachers"] = distillation.on_test(
            settings, ready, working, test_set.sequences, device, taught
        )
    if raw is not None:
        with timed(timing, "audit"):
            scored["audit"] = for_report(raw, settings.corpus.similarity)
    result = assemble.assemble(
        settings, corpus, manifest, trainer, runtime.describe(device), ready.tokenizer, ready.embeddings,
        scored, timing,
        {
            "train": evaluation.token_statistics(ready.train, corpus.train.texts),
            "test": evaluation.token_statistics(test_set, corpus.test.texts),
        },
    )  # fmt: skip
    _say_of_corpus(result, corpus)
    if not settings.report.texts:
        result = redaction.without_texts(result)
    files.write_json(working / "report.json", result)
    files.write_text(working / bundle.CARD, renderers.card(result))
    _write_page(result, working, listener)
    bundle.complete(out, manifest, bundle.files_of(manifest))
    for name in (CHECKPOINT, RUN, VECTORS):  # last: until the bundle has its name, a run can go on
        (out / name).unlink(missing_ok=True)
    for name in (ENCODER, distillation.FOLDER):
        shutil.rmtree(out / name, ignore_errors=True)
    return Predictor(bundle.load(out), device)


def _manifest(corpus: Corpus, ready: Prepared) -> dict[str, Any]:
    """Say what a model is of: what has to be known before its weights are read."""
    manifest: dict[str, Any] = {
        "created": now(),
        "kind": corpus.input.kind,
        "task": corpus.task,
        "labels": list(corpus.labels),
        "model": ready.sizes,
        "corpus": {
            "name": corpus.name,
            "source": corpus.source,
            "revision": corpus.revision,
            "fingerprint": corpus.fingerprint(),
            "test_fingerprint": corpus.test_fingerprint(),
        },
    }
    if corpus.reading is not None:
        manifest["reading"] = corpus.reading.as_dict()
    return manifest


def _say_of_corpus(result: dict[str, Any], corpus: Corpus) -> None:
    """Add to a report how the corpus was read, and the accuracy with what could not be scored as wrong."""
    if corpus.reading is not None:
        result["corpus"]["reading"] = corpus.reading.as_dict()
    unseen = corpus.left_out.get(UNSEEN.format("test"), 0)
    if unseen and "accuracy" in result["test"]:  # they are wrong, whatever the model says of them
        share = len(corpus.test) / (len(corpus.test) + unseen)
        result["corpus"]["accuracy_with_unseen_labels"] = result["test"]["accuracy"] * share


def _write_page(result: dict[str, Any], working: Path, listener: Listener) -> None:
    """Write the report as a page; if that fails, the trained model is not lost with it."""
    try:
        html.write(result, working / html.NAME)
    except Exception as error:
        (working / html.NAME).unlink(missing_ok=True)
        listener.stage(
            f"the page of the report could not be made ({type(error).__name__}: {error}); the model is whole"
        )


def _encoder(
    settings: Config, corpus: Corpus, working: Path, out: Path, device: torch.device, listener: Listener
) -> Encoder | None:
    """Return the encoder that the model begins from, pretrained now if the settings ask for it."""
    if settings.pretraining.first:
        return pretrain.within(settings, corpus, working / ENCODER, out, device, listener)
    return pretrained.given(settings, corpus)


def _with_ngrams(
    recurrent: Bundle,
    ready: Prepared,
    counted: Counted,
    taught: Examples | None,
    device: torch.device,
    working: Path,
    listener: Listener,
) -> tuple[Bundle, dict[str, Any]]:
    """Put n-grams beside the recurrence, as far as they serve validation; say what that gave.

    Where teachers spoke of unlabelled texts, the n-grams learn from these too.
    """
    listener.stage(f"training on n-grams of up to {counted.patterns.longest} tokens")
    corpus = ready.corpus
    labels = corpus.train.labels if taught is None else taught.labels
    logits, _ = Predictor(recurrent, device).logits(corpus.validation.texts)
    found, about = ngrams.fit(corpus, counted, labels, logits)
    recurrent.manifest["ngrams"] = found is not None
    if found is None:
        return recurrent, about
    found.save(working / bundle.NGRAMS)
    return replace(
        recurrent, ngrams=NGrams.load(working / bundle.NGRAMS, len(corpus.labels), corpus.task)
    ), about


def _score(
    unfitted: Bundle,
    settings: Config,
    corpus: Corpus,
    device: torch.device,
    working: Path,
    timing: dict[str, float],
    listener: Listener,
) -> tuple[dict[str, Any], Encoded]:
    """Fit the decision on validation, then score the test texts, for the only time; store both."""
    with timed(timing, "decision"):
        fitted, validation = _decision(settings, corpus, Predictor(unfitted, device), working, listener)
    predictor = Predictor(replace(unfitted, decision=fitted), device)
    listener.stage(f"scoring {len(corpus.test):,} test {corpus.input.noun}")
    with timed(timing, "test"):
        logits, encoded = predictor.logits(corpus.test.texts)
        answered = Scored(corpus.test.texts, corpus.test.labels, fitted.probabilities(logits), fitted)
    predictions.write(working / bundle.PREDICTIONS, fitted, corpus.test, answered.probabilities)
    with timed(timing, "scores"):
        scored = evaluation.evaluate(answered, settings.report, encoded.lengths, logits)
    if settings.report.baselines:
        with timed(timing, "baselines"):
            resamples = settings.report.bootstrap
            scored["baselines"] = baselines.run(
                corpus, answered.probabilities, resamples, listener.stage, fitted.thresholds
            )
    listener.stage("looking at where it fails")
    with timed(timing, "failures"):
        held_out = Scored(corpus.validation.texts, corpus.validation.labels, validation, fitted)
        scored["failures"] = error_analysis(
            answered, encoded, explain=partial(explain, predictor), validation=held_out
        )
    return scored, encoded


def _decision(
    settings: Config, corpus: Corpus, predictor: Predictor, working: Path, listener: Listener
) -> tuple[Decision, NDArray[np.float64]]:
    """Fit the decision on the validation texts, as the predictor will see texts; store it and them."""
    labels = corpus.validation.labels
    logits, _ = predictor.logits(corpus.validation.texts)
    fitted = decision.fit(settings.decision, labels, logits, corpus.labels, task(corpus.task))
    probabilities = fitted.probabilities(logits)
    files.write_json(working / bundle.DECISION, fitted.as_dict())
    predictions.write(working / bundle.VALIDATION_PREDICTIONS, fitted, corpus.validation, probabilities)
    if message := decision.shortfall(fitted):
        listener.stage(message)
    return fitted, probabilities
