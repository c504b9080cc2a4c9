"""The whole way of a run, top to bottom: corpus → tokenizer → vectors → model → training → bundle."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sentiment import (
    baselines,
    bundle,
    config,
    decision,
    encoder,
    predictions,
    report,
    runtime,
    tensorboard,
)
from sentiment.bundle import ARTIFACTS, CHECKPOINT, Bundle
from sentiment.config import Config, ReportConfig
from sentiment.corpus import Corpus, RawCorpus, Split, divide, load_corpus, load_for_scoring, read_corpus
from sentiment.corpus.audit import for_report
from sentiment.decision import Decision
from sentiment.errors import BundleError, CorpusError, Interrupted, UsageError
from sentiment.explain import explain
from sentiment.failures import failures
from sentiment.fitting import VECTORS, Listener, prepare, timed
from sentiment.predictor import Predictor
from sentiment.report import html
from sentiment.sequences import Encoded
from sentiment.training import Epoch, Trainer

KEPT = ("invalid_rows", "audio", "audio_bands", "audio_rate")  # settings of a corpus, for another one too
RUN = "run.json"  # in an unfinished run: what a resumed one must find again


def train(
    settings: Config,
    out: Path | None = None,
    listener: Listener | None = None,
    corpus: Corpus | None = None,
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
        Divided already; loaded as the settings say by default.

    Raises
    ------
    Interrupted
        On Ctrl-C or SIGTERM, after saving; the message says how to go on.
    """
    begun = time.perf_counter()
    listener = listener or Listener()
    device = runtime.prepare(settings.runtime, settings.seed)
    runtime.choose_precision(settings.runtime.precision, device)
    if settings.training.tensorboard:
        tensorboard.check()
    if out is not None:
        bundle.check_new(out)
    raw = None
    if corpus is None:
        listener.stage(f"loading {settings.corpus.name}")
        raw = read_corpus(settings.corpus)
        corpus = divide(raw, settings.corpus, settings.seed)
    if out is None:
        out = ARTIFACTS / f"{corpus.name}-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
        bundle.check_new(out)
    working = bundle.partial(out)
    working.mkdir(parents=True)
    state = {"revision": corpus.revision, "fingerprint": corpus.fingerprint()}
    with unfinished(out):
        bundle.write_text(working / "config.toml", config.dumps(settings))
        bundle.write_json(working / RUN, state)
        return _run(settings, corpus, raw, out, device, listener, begun)


def resume(
    out: Path | None = None,
    listener: Listener | None = None,
    device: str | None = None,
    corpus: Corpus | None = None,
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
    working = bundle.partial(out)
    if not working.is_dir():
        if (out / bundle.MANIFEST).is_file():
            listener.stage(f"{out} is finished already")
            return Predictor(bundle.load(out))
        raise UsageError(f"{out}: no unfinished run to resume ({working} is not there)")
    if (working / encoder.STATE).is_file():
        raise UsageError(f"{out}: a pretraining; go on with: sentiment pretrain --resume --out {out}")
    settings = stored_settings(working, device)
    if settings.training.tensorboard:
        tensorboard.check()
    torch_device = runtime.prepare(settings.runtime, settings.seed)
    listener.stage(f"going on with {out}")
    state = report.read_json(working / RUN, "revision", "fingerprint")
    raw = None
    if corpus is None:
        raw = read_corpus(pinned(settings, state["revision"]).corpus)
        corpus = divide(raw, settings.corpus, settings.seed)
    if corpus.fingerprint() != state["fingerprint"]:
        raise CorpusError(
            f"{settings.corpus.name}: the corpus has changed since this run began; "
            f"start again (and remove {working})"
        )
    with unfinished(out):
        return _run(settings, corpus, raw, out, torch_device, listener, begun)


def evaluate(folder: Path, corpus_name: str | None = None, device: str = "auto") -> dict[str, Any]:
    """Score a bundle again, on its own test texts or on another corpus.

    Returns
    -------
    dict
        A report; on the bundle's own corpus with the baselines and the training of the stored one.
    """
    loaded = bundle.load(folder)
    settings = loaded.config.model_copy(deep=True)
    settings.runtime.device = device  # type: ignore[assignment]  # that of training may not be here
    predictor = Predictor(loaded, runtime.prepare(settings.runtime, settings.seed))
    result = dict(loaded.report)
    if corpus_name is None:
        revision = loaded.manifest["corpus"]["revision"]
        corpus = load_corpus(pinned(settings, revision).corpus, settings.seed)
        if corpus.fingerprint() != loaded.manifest["corpus"]["fingerprint"]:
            raise CorpusError(
                f"{settings.corpus.name}: the corpus is not the one that this model was trained on; "
                "to score on another, give --corpus"
            )
        test = corpus.test
        validation = corpus.validation, predictor.probabilities(corpus.validation.texts)[0]
    else:
        about, test = load_for_scoring(
            config.CorpusConfig(name=corpus_name, **{name: getattr(settings.corpus, name) for name in KEPT}),
            loaded.labels,
            getattr(loaded.tokenizer, "width", None),
        )
        for part in ("baselines", "audit", "timing"):  # they are about the model's own corpus
            result.pop(part, None)
        result["corpus"] = about | {
            "trained_on": loaded.manifest["corpus"].get("source", settings.corpus.name)
        }
        validation = None
    probabilities, encoded = predictor.probabilities(test.texts)
    result |= report.evaluation(
        test.labels, probabilities, loaded.labels, settings.report, loaded.decision, encoded.lengths
    )
    result["failures"] = _failures(predictor, test, probabilities, encoded, validation)
    result["schema"] = report.SCHEMA  # of an older bundle, the rest of the report is older
    result["tokenizer"] = dict(result["tokenizer"]) | {"test": report.token_statistics(encoded)}
    result["verdict"] = report.verdict(result)
    return result


def evaluate_predictions(
    path: Path, positive: str | None = None, settings: ReportConfig | None = None
) -> dict[str, Any]:
    """Report on somebody's predictions in a file, as `sentiment.predictions.read` takes them.

    No model is needed; the parts that are about one are not there.
    """
    found = predictions.read(path, positive)
    result: dict[str, Any] = {
        "schema": report.SCHEMA,
        "created": now(),
        "corpus": {
            "name": path.name,
            "source": str(path),
            "revision": None,
            "sizes": {"test": len(found.labels)},
            "labels": list(found.names),
        },
        **report.evaluation(found.labels, found.probabilities, found.names, settings or ReportConfig()),
    }
    return {"verdict": report.verdict(result), **result}


def stored_settings(folder: Path, device: str | None = None) -> Config:
    """Return the settings in the folder of an unfinished run, on another device if one is given."""
    try:
        settings = config.load(folder / "config.toml")
    except UsageError as error:
        raise BundleError(f"{error}; remove {folder} and start again") from error
    if device is not None:
        settings.runtime.device = device  # type: ignore[assignment]
    return settings


def pinned(settings: Config, revision: str | None) -> Config:
    """Return the settings with the corpus at a commit of the Hub."""
    settings = settings.model_copy(deep=True)
    if revision is not None:
        settings.corpus.name = f"{settings.corpus.name.partition('@')[0]}@{revision}"
    return settings


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
    working = bundle.partial(out)
    decision.read_target(settings.decision, corpus.labels)  # a wrong one is refused before the work
    timing = {"corpus": time.perf_counter() - begun}
    listener.stage(
        f"{corpus.name}: {len(corpus.train):,} training, {len(corpus.validation):,} validation and "
        f"{len(corpus.test):,} test {corpus.noun}, {len(corpus.labels)} classes"
    )
    resumed = (working / CHECKPOINT).exists()
    ready = prepare(settings, corpus, working, listener, timing)
    trainer = ready.trainer(settings, device)
    if resumed:
        trainer.restore(working / CHECKPOINT)
    _train(trainer, working, out, settings, listener)
    bundle.save_model(working / "model.safetensors", trainer.model)
    _write_history(trainer, working)

    manifest = {
        "created": now(),
        "kind": "text" if corpus.width is None else "features",
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
    tree = settings.model_dump()
    weights = bundle.read_weights(working / "model.safetensors", tree, ready.sizes, len(corpus.labels))
    unfitted = Bundle(out, tree, manifest, ready.tokenizer, weights, {}, Decision.plain(corpus.labels))
    scored, test_set = _score(unfitted, settings, corpus, device, working, timing, listener)
    if raw is not None:
        with timed(timing, "audit"):
            scored["audit"] = for_report(raw, settings.corpus.similarity)
    result = report.assemble(
        settings, corpus, manifest, trainer, runtime.describe(device), ready.tokenizer, ready.embeddings,
        scored, timing,
        {"train": report.token_statistics(ready.train), "test": report.token_statistics(test_set)},
    )  # fmt: skip
    bundle.write_json(working / "report.json", result)
    bundle.write_text(working / bundle.CARD, report.card(result))
    html.write(result, working / html.NAME)
    bundle.complete(out, manifest, bundle.files_of(manifest))
    for name in (CHECKPOINT, RUN, VECTORS):  # last: until the bundle has its name, a run can go on
        (out / name).unlink(missing_ok=True)
    return Predictor(bundle.load(out), device)


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
    listener.stage(f"scoring {len(corpus.test):,} test {corpus.noun}")
    with timed(timing, "test"):
        probabilities, encoded = predictor.probabilities(corpus.test.texts)
    predictions.write(working / bundle.PREDICTIONS, fitted, corpus.test, probabilities)
    with timed(timing, "scores"):
        scored = report.evaluation(
            corpus.test.labels, probabilities, corpus.labels, settings.report, fitted, encoded.lengths
        )
    if settings.report.baselines:
        with timed(timing, "baselines"):
            resamples = settings.report.bootstrap
            scored["baselines"] = baselines.run(corpus, probabilities, resamples, listener.stage)
    listener.stage("looking at where it fails")
    with timed(timing, "failures"):
        held_out = corpus.validation, validation
        scored["failures"] = _failures(predictor, corpus.test, probabilities, encoded, held_out)
    return scored, encoded


def now() -> str:
    """Return the time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _decision(
    settings: Config, corpus: Corpus, predictor: Predictor, working: Path, listener: Listener
) -> tuple[Decision, NDArray[np.float64]]:
    """Fit the decision on the validation texts, as the predictor will see texts; store it and them."""
    labels = corpus.validation.labels
    probabilities, _ = predictor.probabilities(corpus.validation.texts)
    fitted = decision.fit(settings.decision, labels, probabilities, corpus.labels)
    probabilities = fitted.temper(probabilities)
    bundle.write_json(working / bundle.DECISION, fitted.as_dict())
    predictions.write(working / bundle.VALIDATION_PREDICTIONS, fitted, corpus.validation, probabilities)
    if message := decision.shortfall(fitted):
        listener.stage(message)
    return fitted, probabilities


def _failures(
    predictor: Predictor,
    test: Split,
    probabilities: NDArray[np.float64],
    encoded: Encoded,
    validation: tuple[Split, NDArray[np.float64]] | None,
) -> dict[str, Any]:
    held_out = None
    if validation is not None:
        split, its = validation
        held_out = split.texts, split.labels, its
    return failures(
        test.texts, test.labels, probabilities, encoded, predictor.labels,
        explain=partial(explain, predictor), validation=held_out,
    )  # fmt: skip


def _train(trainer: Trainer, working: Path, out: Path, settings: Config, listener: Listener) -> None:
    """Run the loop, with checkpoints, until it is finished or the user stops it."""
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


def _write_history(trainer: Trainer, working: Path) -> None:
    bundle.write_text(working / "history.jsonl", report.json_lines(trainer.history))


@contextmanager
def unfinished(out: Path, verb: str = "train") -> Iterator[None]:
    """Keep a run that is cut short if there is a checkpoint to go on from, else leave nothing behind."""
    try:
        yield
    except BaseException as error:
        if not (bundle.partial(out) / CHECKPOINT).exists():
            shutil.rmtree(bundle.partial(out), ignore_errors=True)
        elif isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"stopped; go on with: sentiment {verb} --resume --out {out}") from error
        raise


def newest_unfinished(state: str) -> Path:
    """Return the newest unfinished run that has the file `state`."""
    found = [path.parent for path in ARTIFACTS.glob(f"*.partial/{state}")]
    if not found:
        raise UsageError(f"no unfinished run under {ARTIFACTS}; name it with --out DIR")
    newest = max(found, key=lambda folder: folder.stat().st_mtime_ns)
    return newest.with_name(newest.name.removesuffix(".partial"))
