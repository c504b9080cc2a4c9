"""Cross-validation: a full training for each fold and seed, and the mean and spread of their scores."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from sentiment.core import config_io, files
from sentiment.core.config import Config
from sentiment.core.schema.runs import Crossval, Spread
from sentiment.core.sections import SEEDS
from sentiment.data.corpus import Corpus, RawCorpus, divide
from sentiment.data.corpus.folds import cut, read_pool
from sentiment.data.features import digest
from sentiment.inference import bundle
from sentiment.inference.bundle import MANIFEST, PREDICTIONS
from sentiment.metrics.significance import corrected_t
from sentiment.runs import train
from sentiment.runs.folder import Job, Run, identity, newest, now
from sentiment.training.events import Listener

SCHEMA = 1
TEST = "corrected resampled t-test (Nadeau & Bengio 2003)"
RESULT, FOLDS = "crossval.json", "folds"
CROSSVAL = Job(
    "crossval", "unfinished.json", ("folds", "seeds", "revision", "fingerprint"), f"{FOLDS}/*",
    "unfinished cross-validation", "-crossval", "what is done is kept; ",
)  # fmt: skip


def crossval(
    settings: Config,
    folds: int = 5,
    seeds: int = 3,
    out: Path | None = None,
    listener: Listener | None = None,
) -> Crossval:
    """Train and score once for each fold and seed.

    The texts are those of `sentiment.data.corpus.folds.read_pool`. For each seed they are cut into folds anew
    (unless ``corpus.seed`` is set); each fold is scored by a model that is trained on the others, from
    the tokenizer on, with validation texts cut from those.

    Parameters
    ----------
    settings
        Of each training; its seed is the first.
    out
        Folder for the results, which must not be there yet; ``artifacts/<corpus>-crossval-<time>`` by
        default.
    listener
        Told of progress.

    Returns
    -------
    dict
        What is also in ``crossval.json``: the ``scores`` of ``model``, each with ``mean``, standard
        deviation ``std``, and ``values`` in the order of ``runs``; of ``baselines`` likewise, and the
        ``differences``, model − baseline, by `sentiment.metrics.significance.corrected_t`. Beside it are
        ``predictions.parquet``, of each text by the models that had not seen it, and the models.

    Raises
    ------
    Interrupted
        On Ctrl-C or SIGTERM, after saving; the message says how to go on.
    """
    return _run(Run.new(CROSSVAL, settings, out, listener), folds, seeds)


def resume(out: Path | None = None, listener: Listener | None = None, device: str | None = None) -> Crossval:
    """Go on with an interrupted cross-validation; folds that are finished stay as they are.

    Parameters
    ----------
    out
        What `crossval` was given; by default the newest unfinished one under ``artifacts``.
    device
        Another device than before.
    """
    listener, out = listener or Listener(), out or newest(CROSSVAL)
    if (out / RESULT).is_file():
        listener.stage(f"{out} is finished already")
        return cast(Crossval, files.read_json(out / RESULT, "corpus", "model", "baselines"))
    run = Run.unfinished(CROSSVAL, out, listener, device)
    return _run(run, run.state["folds"], run.state["seeds"])


def _run(run: Run, folds: int, seeds: int) -> Crossval:
    run.announce()
    pool = read_pool(run.corpus_settings, run.listener.notice)
    if not run.state:
        cut(pool, folds, 0)  # fails now if it cannot be done
    state = {"folds": folds, "seeds": seeds, "revision": pool.revision, "fingerprint": fingerprint(pool)}
    with run.work(pool.name, state):
        return _work(run, pool)


def _work(run: Run, pool: RawCorpus) -> Crossval:
    """Train what is not trained yet, then sum up."""
    settings, state, out, listener = run.settings, run.state, run.out, run.listener
    folds: list[dict[str, Any]] = []
    for number in range(state["seeds"]):
        changed = settings.model_copy(update={"seed": (settings.seed + number) % (SEEDS + 1)}, deep=True)
        seed = changed.seed if changed.corpus.seed is None else changed.corpus.seed
        for fold, part in enumerate(cut(pool, state["folds"], seed)):
            folder = out / FOLDS / f"{number + 1}-{fold + 1}"
            folds.append({"seed": changed.seed, "fold": fold + 1, "folder": f"{FOLDS}/{folder.name}"})
            if (folder / MANIFEST).is_file():
                continue
            listener.stage(f"seed {number + 1} of {state['seeds']}, fold {fold + 1} of {state['folds']}")
            corpus = divide(part, changed.corpus, changed.seed, listener.notice)
            _train(Run(train.TRAIN, changed, folder, listener), corpus)
    result = {
        "schema": SCHEMA,
        "created": now(),
        "corpus": identity(pool, state["fingerprint"]) | {"texts": len(pool.splits["train"].texts)},
        "folds": state["folds"],
        "seeds": state["seeds"],
        **_summary(out, folds),
        "settings": dict(config_io.changed(settings)),
        "versions": bundle.versions(),
    }
    _write_predictions(out, folds)
    files.write_json(out / RESULT, result)
    (out / CROSSVAL.state).unlink()
    listener.stage(f"results: {out}")
    return cast(Crossval, result)


def _train(fold: Run, corpus: Corpus) -> None:
    """Train the model of a fold, or go on with it."""
    if fold.can_go_on:
        done = train.resume(fold.out, fold.listener, fold.settings.runtime.device, corpus)
    else:
        shutil.rmtree(fold.working, ignore_errors=True)  # of a run that was killed
        done = train.train(fold.settings, fold.out, fold.listener, corpus)
    fold.listener.stage(str(done.report["verdict"]))


def _summary(out: Path, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the scores of model and baselines over all runs, and what is known of each run."""
    reports = [bundle.load(out / run["folder"]).report for run in runs]
    sizes = [report["corpus"]["sizes"] for report in reports]
    ratio = float(np.mean([size["test"] / (size["train"] + size["validation"]) for size in sizes]))
    model = _values([report["test"] for report in reports])
    baselines = {}
    for name in reports[0].get("baselines", {}):
        baseline = _values([report["baselines"][name] for report in reports])
        differences = {
            key: [
                a - b for a, b in zip(values, baseline[key], strict=True) if a is not None and b is not None
            ]
            for key, values in model.items()
        }
        baselines[name] = {
            "scores": _spread(baseline),
            "differences": {key: corrected_t(d, ratio) for key, d in differences.items() if len(d) > 1},
        }
    described = [
        run | {"sizes": size, **{key: report["training"][key] for key in ("seconds", "epochs", "device")}}
        for run, size, report in zip(runs, sizes, reports, strict=True)
    ]
    return {"model": {"scores": _spread(model)}, "baselines": baselines, "test": TEST, "runs": described}


def _values(scored: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Return the values of each score that is a single number, one for each run."""
    names = [name for name, value in scored[0].items() if value is None or isinstance(value, float)]
    return {name: [scores[name] for scores in scored] for name in names}


def _spread(values: dict[str, list[float | None]]) -> dict[str, Spread]:
    """Return mean and standard deviation of each score, over the runs that have it."""
    result: dict[str, Spread] = {}
    for name, each in values.items():
        known = [value for value in each if value is not None]
        result[name] = {
            "mean": float(np.mean(known)) if known else None,
            "std": float(np.std(known, ddof=1)) if len(known) > 1 else None,
            "values": each,
        }
    return result


def _write_predictions(out: Path, runs: list[dict[str, Any]]) -> None:
    """Write the predictions of the models that had not seen a text: a row for each text and seed."""
    import pyarrow
    import pyarrow.parquet

    parts = []
    for run in runs:
        part = pyarrow.parquet.read_table(out / run["folder"] / PREDICTIONS)
        for column in ("fold", "seed"):
            part = part.add_column(0, column, pyarrow.array([run[column]] * len(part)))
        parts.append(part)
    with files.replacing(out / PREDICTIONS) as temporary:
        pyarrow.parquet.write_table(pyarrow.concat_tables(parts), temporary)


def fingerprint(pool: RawCorpus) -> str:
    """Return the SHA-256 of every text and label, in order."""
    split = pool.splits["train"]
    parts = [split.texts, split.labels, pool.splits["unlabelled"].texts]
    content = json.dumps(parts, default=digest)  # of features
    return hashlib.sha256(content.encode()).hexdigest()
