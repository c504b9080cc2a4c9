"""Cross-validation: a full training for each fold and seed, and what can be said of all of them."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sentiment.core import config, config_io, files
from sentiment.core.config import Config
from sentiment.core.errors import CorpusError, Interrupted, UsageError
from sentiment.core.files import ARTIFACTS
from sentiment.data.corpus import RawCorpus, divide
from sentiment.data.corpus.folds import cut, read_pool
from sentiment.data.features import digest
from sentiment.inference import bundle
from sentiment.inference.bundle import MANIFEST, PREDICTIONS
from sentiment.metrics.significance import corrected_t
from sentiment.runs import train
from sentiment.runs.folder import can_go_on, pinned, stored_settings
from sentiment.training.events import Listener

if TYPE_CHECKING:
    pass

SCHEMA = 1
TEST = "corrected resampled t-test (Nadeau & Bengio 2003)"
UNFINISHED, RESULT, FOLDS = "unfinished.json", "crossval.json", "folds"


def crossval(
    settings: Config,
    folds: int = 5,
    seeds: int = 3,
    out: Path | None = None,
    listener: Listener | None = None,
) -> dict[str, Any]:
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
    if out is not None and out.exists():
        raise UsageError(f"{out}: is there already; choose another --out, or go on with --resume --out {out}")
    listener = listener or Listener()
    listener.stage(f"loading {settings.corpus.name}")
    pool = read_pool(settings.corpus, listener.notice)
    cut(pool, folds, 0)  # fails now if it cannot be done
    if out is None:
        out = ARTIFACTS / f"{pool.name}-crossval-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
    state = {"folds": folds, "seeds": seeds, "revision": pool.revision, "fingerprint": _fingerprint(pool)}
    out.mkdir(parents=True)
    files.write_text(out / "config.toml", config_io.dumps(settings))
    files.write_json(out / UNFINISHED, state)
    return _run(settings, pool, state, out, listener)


def resume(
    out: Path | None = None, listener: Listener | None = None, device: str | None = None
) -> dict[str, Any]:
    """Go on with an interrupted cross-validation; folds that are finished stay as they are.

    Parameters
    ----------
    out
        What `crossval` was given; by default the newest unfinished one under ``artifacts``.
    device
        Another device than before.
    """
    listener = listener or Listener()
    out = out or _newest_unfinished()
    if (out / RESULT).is_file():
        listener.stage(f"{out} is finished already")
        return files.read_json(out / RESULT, "corpus", "model", "baselines")
    if not (out / UNFINISHED).is_file():
        raise UsageError(f"{out}: no unfinished cross-validation to resume ({out / UNFINISHED} is not there)")
    state = files.read_json(out / UNFINISHED, "folds", "seeds", "revision", "fingerprint")
    settings = stored_settings(out, device)
    listener.stage(f"going on with {out}")
    pool = read_pool(pinned(settings, state["revision"]).corpus, listener.notice)
    if _fingerprint(pool) != state["fingerprint"]:
        raise CorpusError(
            f"{settings.corpus.name}: the corpus has changed since this run began; "
            f"start again (and remove {out})"
        )
    return _run(settings, pool, state, out, listener)


def _run(
    settings: Config, pool: RawCorpus, state: dict[str, Any], out: Path, listener: Listener
) -> dict[str, Any]:
    """Train what is not trained yet, then sum up."""
    runs: list[dict[str, Any]] = []
    with _kept(out, listener):
        for number in range(state["seeds"]):
            mine = settings.model_copy(deep=True)
            mine.seed = (settings.seed + number) % (config.SEEDS + 1)
            seed = mine.seed if mine.corpus.seed is None else mine.corpus.seed
            for fold, part in enumerate(cut(pool, state["folds"], seed)):
                folder = out / FOLDS / f"{number + 1}-{fold + 1}"
                runs.append({"seed": mine.seed, "fold": fold + 1, "folder": f"{FOLDS}/{folder.name}"})
                if (folder / MANIFEST).is_file():
                    continue
                listener.stage(f"seed {number + 1} of {state['seeds']}, fold {fold + 1} of {state['folds']}")
                corpus = divide(part, mine.corpus, mine.seed, listener.notice)
                if can_go_on(folder):
                    done = train.resume(folder, listener, mine.runtime.device, corpus)
                else:
                    shutil.rmtree(files.partial(folder), ignore_errors=True)  # of a run that was killed
                    done = train.train(mine, folder, listener, corpus)
                listener.stage(str(done.report["verdict"]))
        result = {
            "schema": SCHEMA,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "corpus": {
                "name": pool.name,
                "source": pool.source,
                "revision": pool.revision,
                "fingerprint": state["fingerprint"],
                "texts": len(pool.splits["train"].texts),
            },
            "folds": state["folds"],
            "seeds": state["seeds"],
            **_summary(out, runs),
            "settings": dict(config_io.changed(settings)),
            "versions": bundle.versions(),
        }
        _write_predictions(out, runs)
        files.write_json(out / RESULT, result)
        (out / UNFINISHED).unlink()
    listener.stage(f"results: {out}")
    return result


def _summary(out: Path, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return ``model``, ``baselines`` and the runs with their own numbers."""
    reports = [bundle.load(out / run["folder"]).report for run in runs]
    sizes = [one["corpus"]["sizes"] for one in reports]
    ratio = float(np.mean([size["test"] / (size["train"] + size["validation"]) for size in sizes]))
    ours = _values([one["test"] for one in reports])
    baselines = {}
    for name in reports[0].get("baselines", {}):
        theirs = _values([one["baselines"][name] for one in reports])
        pairs = {
            key: [
                a - b for a, b in zip(ours[key], theirs[key], strict=True) if a is not None and b is not None
            ]
            for key in ours
        }
        baselines[name] = {
            "scores": _spread(theirs),
            "differences": {key: corrected_t(some, ratio) for key, some in pairs.items() if len(some) > 1},
        }
    described = [
        run | {"sizes": size, **{key: one["training"][key] for key in ("seconds", "epochs", "device")}}
        for run, size, one in zip(runs, sizes, reports, strict=True)
    ]
    return {"model": {"scores": _spread(ours)}, "baselines": baselines, "test": TEST, "runs": described}


def _values(scored: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Return the scores that are single numbers, by name, one for each run."""
    names = [name for name, value in scored[0].items() if value is None or isinstance(value, float)]
    return {name: [one[name] for one in scored] for name in names}


def _spread(values: dict[str, list[float | None]]) -> dict[str, dict[str, Any]]:
    """Return mean and standard deviation of each score, over the runs that have it."""
    result = {}
    for name, all_of_it in values.items():
        known = [value for value in all_of_it if value is not None]
        result[name] = {
            "mean": float(np.mean(known)) if known else None,
            "std": float(np.std(known, ddof=1)) if len(known) > 1 else None,
            "values": all_of_it,
        }
    return result


def _write_predictions(out: Path, runs: list[dict[str, Any]]) -> None:
    """Write what each text was taken for by the models that had not seen it: a row a text and seed."""
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


def _fingerprint(pool: RawCorpus) -> str:
    """Return the SHA-256 of every text and label, in order."""
    split = pool.splits["train"]
    parts = [split.texts, split.labels, pool.splits["unlabelled"].texts]
    content = json.dumps(parts, default=digest)  # of features
    return hashlib.sha256(content.encode()).hexdigest()


@contextmanager
def _kept(out: Path, listener: Listener) -> Iterator[None]:
    """Say how to go on with a run that is cut short, or leave nothing behind if it had hardly begun."""
    try:
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        raise Interrupted(
            f"stopped; what is done is kept, go on with: sentiment crossval --resume --out {out}"
        ) from error
    except BaseException:
        if any((out / FOLDS).glob("*")):
            listener.stage(f"what is done is kept; go on with: sentiment crossval --resume --out {out}")
        else:
            shutil.rmtree(out, ignore_errors=True)
        raise


def _newest_unfinished() -> Path:
    found = list(ARTIFACTS.glob(f"*/{UNFINISHED}"))
    if not found:
        raise UsageError(f"no unfinished cross-validation under {ARTIFACTS}; name it with --out DIR")
    return max(found, key=lambda file: file.stat().st_mtime_ns).parent
