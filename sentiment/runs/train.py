"""A training from top to bottom: corpus → preparation → training → decision → test → bundle."""

import shutil
import time
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sentiment.core import files
from sentiment.core.config import Config
from sentiment.core.errors import UsageError
from sentiment.core.schema.report import Report, ScoredParts
from sentiment.core.schema.runs import Manifest
from sentiment.data.corpus import Corpus, RawCorpus, divide, read_corpus
from sentiment.data.corpus.audit import for_report
from sentiment.data.corpus.memory import MEMORY
from sentiment.data.sequences import Encoded
from sentiment.evaluation import baseline_scores, predictions
from sentiment.evaluation import evaluate as evaluation
from sentiment.evaluation.error_analysis import error_analysis
from sentiment.evaluation.evaluate import Scored
from sentiment.inference import bundle, pretrained
from sentiment.inference.bundle import CHECKPOINT, Bundle
from sentiment.inference.explain import explain
from sentiment.inference.predictor import Predictor
from sentiment.inference.pretrained import Encoder
from sentiment.metrics import decision
from sentiment.metrics.decision import Decision
from sentiment.metrics.task import task
from sentiment.models import ngrams
from sentiment.models.ngrams import Counted, NGrams
from sentiment.runs import assemble, distillation, pretrain
from sentiment.runs.folder import Job, Run, identity, newest, now
from sentiment.runs.prepare import VECTORS, Prepared, check_kind, fit, prepare
from sentiment.training import tensorboard
from sentiment.training.events import Listener
from sentiment.training.trainer import Examples

TRAIN = Job("train", "run.json", ("revision", "fingerprint"))
ENCODER = "encoder"  # in an unfinished run, a folder: what it has pretrained
MODEL = "model.safetensors"


def train(
    settings: Config,
    out: Path | None = None,
    listener: Listener | None = None,
    corpus: Corpus | RawCorpus | None = None,
) -> Predictor:
    """Train, evaluate and store a classifier.

    Parameters
    ----------
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
    return _run(Run.new(TRAIN, settings, out, listener), corpus)


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
    listener, out = listener or Listener(), out or newest(TRAIN)
    working = files.partial(out)
    if not working.is_dir() and (out / bundle.MANIFEST).is_file():
        listener.stage(f"{out} is finished already")
        return Predictor(bundle.load(out))
    if (working / pretrained.STATE).is_file():
        raise UsageError(f"{out}: a pretraining; go on with: sentiment pretrain --resume --out {out}")
    run = Run.unfinished(TRAIN, out, listener, device)
    if corpus is None and run.settings.corpus.name == MEMORY:
        raise UsageError(
            f"{out}: it trains on texts from memory; go on in Python, with "
            "sentiment.runs.train.resume(corpus=…)"
        )
    return _run(run, corpus)


def _run(run: Run, corpus: Corpus | RawCorpus | None) -> Predictor:
    """Read and divide the corpus, unless that is done, and train."""
    if run.settings.training.tensorboard:
        tensorboard.check()
    with run.on_device():
        if corpus is None or run.state:
            run.announce()
        raw = None
        if not isinstance(corpus, Corpus):
            raw = corpus or read_corpus(run.corpus_settings, say=run.listener.notice)
            corpus = divide(raw, run.settings.corpus, run.settings.seed, run.listener.notice)
        with run.work(corpus.name, {"revision": corpus.revision, "fingerprint": corpus.fingerprint()}):
            return _work(run, corpus, raw)


def _work(run: Run, corpus: Corpus, raw: RawCorpus | None) -> Predictor:
    """Prepare, train, decide, test and store, from wherever an earlier run has come to."""
    settings, working = run.settings, run.working
    check_kind(settings, corpus)  # what does not fit is refused before the work
    run.timing["corpus"] = time.perf_counter() - run.begun
    run.listener.stage(
        f"{corpus.name}: {len(corpus.train):,} training, {len(corpus.validation):,} validation and "
        f"{len(corpus.test):,} test {corpus.input.noun}, {len(corpus.labels)} {task(corpus.task).noun[1]}"
    )
    resumed = (working / CHECKPOINT).exists()
    ready = prepare(run, corpus, None if resumed else _encoder(run, corpus))
    parts = distillation.texts(settings, ready)
    counted = cache(partial(ngrams.count, settings.ngrams, parts, ready.validation))
    examples = taught = None
    if settings.distillation.teachers:
        with run.timed("teachers"):
            examples, taught = distillation.teach(run, ready, parts, counted)

    trainer = ready.trainer(settings, run.device, examples)
    if resumed:
        trainer.restore(working / CHECKPOINT)
    fit(trainer, run)
    bundle.save_model(working / MODEL, trainer.model)

    further: dict[str, Any] = {}
    model = _undecided(run, ready)
    read = cache(partial(Predictor(model, run.device).logits, corpus.validation.texts))
    if settings.ngrams.longest and corpus.input.written:
        with run.timed("ngrams"):
            model, further["ngrams"] = _with_ngrams(run, model, ready, counted(), examples, read()[0])
    with run.timed("decision"):
        predictor, validation = fit_decision(run, model, corpus, *read())
    scored, test = _score(run, predictor, corpus, validation)
    if taught is not None:
        further["teachers"] = distillation.on_test(run, ready, test.sequences, taught)
    if raw is not None:
        with run.timed("audit"):
            further["audit"] = for_report(raw, settings.corpus.similarity)

    report = assemble.assemble(run, ready, trainer, model.manifest, scored | further, test)
    assemble.write(run, report)
    bundle.complete(run.out, model.manifest, bundle.files_of(model.manifest))
    for name in (CHECKPOINT, TRAIN.state, VECTORS):  # last: until the bundle has its name, a run can go on
        (run.out / name).unlink(missing_ok=True)
    for name in (ENCODER, distillation.FOLDER):
        shutil.rmtree(run.out / name, ignore_errors=True)
    return Predictor(bundle.load(run.out), run.device)


def _encoder(run: Run, corpus: Corpus) -> Encoder | None:
    """Return the encoder that the model begins from, if the settings ask for one; or pretrain it now."""
    settings = run.settings
    if not settings.pretraining.first and settings.model.init_from is None:
        return None
    with run.timed("pretraining"):
        if settings.pretraining.first:
            return pretrain.within(run, corpus, run.working / ENCODER)
        return pretrained.given(settings, corpus)


def _undecided(run: Run, ready: Prepared) -> Bundle:
    """Return the trained model as it is stored, with the plainest decision."""
    corpus, tree = ready.corpus, run.settings.model_dump()
    weights = bundle.read_weights(run.working / MODEL, tree, ready.sizes, len(corpus.labels), corpus.task)
    decided = Decision.plain(corpus.labels, task(corpus.task))
    none = cast(Report, {})
    return Bundle(run.out, tree, _manifest(corpus, ready), ready.tokenizer, weights, none, decided)


def _manifest(corpus: Corpus, ready: Prepared) -> Manifest:
    """Return what has to be known of a model before its weights are read."""
    manifest: dict[str, Any] = {
        "created": now(),
        "kind": corpus.input.kind,
        "task": corpus.task,
        "labels": list(corpus.labels),
        "model": ready.sizes,
        "corpus": {
            **identity(corpus, corpus.fingerprint()),
            "test_fingerprint": corpus.test_fingerprint(),
        },
    }
    if corpus.reading is not None:
        manifest["reading"] = corpus.reading.as_dict()
    return cast(Manifest, manifest)


def _with_ngrams(
    run: Run,
    recurrent: Bundle,
    ready: Prepared,
    counted: Counted,
    examples: Examples | None,
    logits: NDArray[np.float64],
) -> tuple[Bundle, dict[str, Any]]:
    """Put n-grams beside the recurrence, as far as they serve validation; say what that gave.

    Where teachers spoke of unlabelled texts, the n-grams learn from these too.
    """
    run.listener.stage(f"training on n-grams of up to {counted.patterns.longest} tokens")
    corpus, path = ready.corpus, run.working / bundle.NGRAMS
    labels = corpus.train.labels if examples is None else examples.labels
    fitted, about = ngrams.fit(corpus, counted, labels, logits)
    recurrent.manifest["ngrams"] = fitted is not None
    if fitted is None:
        return recurrent, about
    fitted.save(path)
    return replace(recurrent, ngrams=NGrams.load(path, len(corpus.labels), corpus.task)), about


def fit_decision(
    run: Run, model: Bundle, corpus: Corpus, logits: NDArray[np.float64], encoded: Encoded
) -> tuple[Predictor, NDArray[np.float64]]:
    """Fit the decision on the validation texts, of which the recurrence gave logits; store both."""
    settings, labels = run.settings.decision, corpus.validation.labels
    if model.ngrams is not None:
        logits = logits + model.ngrams.logits(encoded.whole)
    fitted = decision.fit(settings, labels, logits, corpus.labels, task(corpus.task))
    probabilities = fitted.probabilities(logits)
    files.write_json(run.working / bundle.DECISION, fitted.as_dict())
    predictions.write(run.working / bundle.VALIDATION_PREDICTIONS, fitted, corpus.validation, probabilities)
    if message := decision.shortfall(fitted):
        run.listener.stage(message)
    return Predictor(replace(model, decision=fitted), run.device), probabilities


def _score(
    run: Run, predictor: Predictor, corpus: Corpus, validation: NDArray[np.float64]
) -> tuple[ScoredParts, Encoded]:
    """Score the test texts, for the only time, and store what was said of them."""
    settings, fitted, test = run.settings.report, predictor.bundle.decision, corpus.test
    run.listener.stage(f"scoring {len(test):,} test {corpus.input.noun}")
    with run.timed("test"):
        logits, encoded = predictor.logits(test.texts)
        probabilities = fitted.probabilities(logits)
    answered = Scored(test.texts, test.labels, probabilities, fitted, corpus.input)
    predictions.write(run.working / bundle.PREDICTIONS, fitted, test, probabilities)
    with run.timed("scores"):
        scored = evaluation.evaluate(answered, settings, encoded.lengths, logits)
    if settings.baselines:
        with run.timed("baselines"):
            scored["baselines"] = baseline_scores.run(
                corpus, probabilities, settings.bootstrap, run.listener.stage, fitted.thresholds
            )
    run.listener.stage("looking at where it fails")
    with run.timed("failures"):
        held_out = replace(
            answered, texts=corpus.validation.texts, labels=corpus.validation.labels, probabilities=validation
        )
        scored["failures"] = error_analysis(
            answered, encoded, explain=partial(explain, predictor), validation=held_out
        )
    return scored, encoded
