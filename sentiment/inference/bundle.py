"""One trained classifier on disk: TOML, JSON and safetensors, with hashes; never pickle.

Reading one imports neither torch nor pydantic: either takes longer than to classify a few texts.
"""

from __future__ import annotations

import json
import os
import platform
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from sentiment.core.errors import BundleError, UsageError
from sentiment.core.files import partial, sha256, write_json
from sentiment.core.schema.report import Report
from sentiment.core.schema.runs import Manifest
from sentiment.data.features import Features
from sentiment.data.inputs import Input, TextInput, of_kind
from sentiment.data.tokenizer import Tokenizer
from sentiment.metrics.decision import Decision
from sentiment.metrics.task import task as task_of
from sentiment.models import storage
from sentiment.models.ngrams import NGrams
from sentiment.models.numpy_engine import NumpyClassifier, shapes

if TYPE_CHECKING:
    from sentiment.core.config import Config
    from sentiment.data.corpus.reading import Reading
    from sentiment.models.network import Network

SCHEMA = 2
MANIFEST, CARD, CHECKPOINT = "manifest.json", "README.md", "checkpoint.safetensors"
ENCODER = "encoder.json"  # instead of the manifest, in a folder of `sentiment pretrain`
# The card is not among them: a person may add to it.
TOKENIZER = TextInput.encoder_file  # of features it is another
NGRAMS = "ngrams.safetensors"  # of a model that has them
DECISION, PREDICTIONS = "decision.json", "predictions.parquet"
VALIDATION_PREDICTIONS = "predictions-validation.parquet"
FILES = ("config.toml", TOKENIZER, "model.safetensors", "history.jsonl", "report.json", DECISION, PREDICTIONS,
         VALIDATION_PREDICTIONS)  # fmt: skip
VERSIONS = ("sentiment", "torch", "tokenizers", "scikit-learn", "datasets", "numpy")


@dataclass(frozen=True)
class Bundle:
    """A loaded classifier.

    Attributes
    ----------
    settings
        As nested dictionaries; `config` has them checked.
    manifest
        Schema, labels, sizes, corpus and its commit, versions, hashes of the files.
    weights
        Of the model, by name.
    report
        The evaluation of the day it was trained.
    decision
        What is made of the probabilities.
    ngrams
        What is added to the logits of the recurrence, if anything is.
    """

    folder: Path
    settings: dict[str, Any]
    manifest: Manifest
    tokenizer: Tokenizer | Features
    weights: dict[str, NDArray[np.float32]]
    report: Report
    decision: Decision
    ngrams: NGrams | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, by number."""
        return tuple(self.manifest["labels"])

    @property
    def task(self) -> str:
        """What a label is, see `sentiment.data.corpus.Corpus`."""
        return self.manifest["task"]

    @cached_property
    def input(self) -> Input:
        """What the model reads: texts, or features."""
        return of_kind(self.manifest.get("kind"), getattr(self.tokenizer, "width", None))

    @property
    def reading(self) -> Reading | None:
        """How the corpus was read, or None of a model that does not say."""
        from sentiment.data.corpus.reading import Reading

        content = self.manifest.get("reading")
        return Reading.from_dict(content) if content else None

    @cached_property
    def config(self) -> Config:
        """All settings of the run."""
        from sentiment.core import config_io

        with readable(self.folder):
            return config_io.parse(self.settings)

    def section(self, name: str) -> Any:
        """Return a part of the settings by attribute, without the checks of `config`."""
        return _section(self.settings, name)

    @cached_property
    def numpy_model(self) -> NumpyClassifier:
        """The model for short jobs."""
        return NumpyClassifier(self.section("model"), self.weights, self.task)

    @cached_property
    def model(self) -> Network:
        """The model in torch, which is imported for it."""
        import torch

        with readable(self.folder):
            # Not on the "meta" device, whose initialisers import all of torch's compiler, for a second.
            with torch.random.fork_rng(devices=[]):
                model = build_model(self.config, self.manifest["model"], len(self.labels), self.task)
            # Arrays that joblib hands to another process cannot be written to, and torch warns of those.
            weights = {
                name: torch.from_numpy(np.require(value, requirements="W"))
                for name, value in self.weights.items()
            }
            model.load_state_dict(weights, assign=True)
        return model.eval()

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled and copied: no models, which are made of the rest when asked for."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def build_model(config: Config, sizes: Mapping[str, Any], labels: int, task: str = "multiclass") -> Network:
    """Make an untrained model of the sizes that a manifest gives."""
    from sentiment.models.network import Network

    return Network(labels, config.model, task=task, **sizes)


def complete(
    folder: Path, manifest: Mapping[str, Any], files: Iterable[str] = FILES, name: str = MANIFEST
) -> None:
    """Write the manifest of a folder that has all other files, and give it its final name."""
    working = partial(folder)
    hashes = {file: sha256(working / file) for file in files}
    write_json(working / name, {"schema": SCHEMA, **manifest, "versions": versions(), "files": hashes})
    os.rename(working, folder)


def files_of(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the files of a bundle, of texts or of features, with n-grams or without."""
    encoder = of_kind(manifest.get("kind")).encoder_file
    files = tuple(encoder if name == TOKENIZER else name for name in FILES)
    return (*files, NGRAMS) if manifest.get("ngrams") else files


def verify(folder: Path, files: Iterable[str], hashes: dict[str, str], again: str = "train again") -> None:
    """Refuse a folder with files that are missing, or have other SHA-256 than the manifest says."""
    for name in files:
        if not (folder / name).is_file():
            raise BundleError(f"{folder / name}: missing; {again}, or copy the whole folder")
        if sha256(folder / name) != hashes.get(name):
            raise BundleError(
                f"{folder / name}: changed since it was written (its SHA-256 is not that of the manifest); "
                f"copy the folder again, or {again}"
            )


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    from importlib import metadata

    return {"python": platform.python_version()} | {name: metadata.version(name) for name in VERSIONS}


def save_model(path: Path, model: Network) -> None:
    """Write the weights, rounded as the model's settings say: what is scored must be read from the file."""
    weights = {name: value.cpu().contiguous().numpy() for name, value in model.state_dict().items()}
    storage.save(path, weights, model.config.storage)


def load(folder: str | Path) -> Bundle:
    """Read and verify a bundle. No code from it is run.

    Raises
    ------
    BundleError
        If a file is missing or changed, or the bundle is of a newer schema.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    verify(folder, files_of(manifest), manifest["files"])
    with readable(folder):
        settings = tomllib.loads((folder / "config.toml").read_text("utf-8"))
        sizes: Mapping[str, Any] = manifest["model"]
        reads = of_kind(manifest.get("kind"))
        tokenizer = reads.load(folder / reads.encoder_file, _section(settings, reads.section))
        wanted = sizes[reads.size]
        if len(tokenizer) != wanted:
            what = reads.encoder_size.format(len(tokenizer))
            raise BundleError(f"{folder}: {what}, but the model {wanted}")
        task = manifest["task"]
        weights = read_weights(folder / "model.safetensors", settings, sizes, len(manifest["labels"]), task)
        report = json.loads((folder / "report.json").read_text("utf-8"))
        if not isinstance(report, dict) or not {"test", "intervals", "tokenizer"} <= set(report):
            raise BundleError(f"{folder / 'report.json'}: not a report")
        decision = Decision.from_dict(json.loads((folder / DECISION).read_text("utf-8")), task_of(task))
        if list(decision.labels) != manifest["labels"]:
            raise BundleError(f"{folder / DECISION}: its labels are not those of {MANIFEST}")
        if decision.rule not in decision.task.rules:
            raise BundleError(f"{folder / DECISION}: its task is not that of {MANIFEST}")
        ngrams = None
        if manifest.get("ngrams"):
            ngrams = NGrams.load(folder / NGRAMS, len(manifest["labels"]), task)
    return Bundle(folder, settings, manifest, tokenizer, weights, cast(Report, report), decision, ngrams)


def read_weights(
    path: Path, settings: dict[str, Any], sizes: Mapping[str, Any], labels: int, task: str = "multiclass"
) -> dict[str, NDArray[np.float32]]:
    """Return the weights of a model by name, after checking that they are those of this model."""
    weights = storage.load(path)
    expected = shapes(_section(settings, "model"), labels, **sizes, task=task)
    found = {name: array.shape for name, array in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ValueError(f"{path.name}: {name} is {found.get(name)}, not {expected.get(name)}")
    return weights


def _section(settings: dict[str, Any], name: str) -> Any:
    """Return a part of the settings by attribute, as they were checked before the bundle was written."""
    return SimpleNamespace(**settings[name])


def newest(root: Path, leave_out: Container[bytes] = ()) -> Path:
    """Return the bundle under `root` that was completed last, without those of these manifests.

    Raises
    ------
    BundleError
        If there is none.
    """
    found = [
        path
        for path in root.glob(f"*/{MANIFEST}")
        if not path.parent.name.endswith(".partial") and path.read_bytes() not in leave_out
    ]
    if not found:
        raise BundleError(f"no model under {root}; train one with: sentiment train, or give --model DIR")
    return max(found, key=lambda path: path.stat().st_mtime_ns).parent


def _read_manifest(folder: Path) -> Manifest:
    if not folder.is_dir():
        if folder.exists():
            raise BundleError(f"{folder}: a file, and a bundle is a folder")
        unfinished = folder.name and partial(folder).exists()
        hint = f"; its run is unfinished: sentiment train --resume --out {folder}" if unfinished else ""
        raise BundleError(f"{folder}: no such folder{hint}")
    if (folder / ENCODER).is_file():
        raise BundleError(
            f"{folder}: of sentiment pretrain, so it cannot classify; "
            f"train a model from it: sentiment train CORPUS --init-from {folder}"
        )
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder}: no {MANIFEST} in it, so it is no bundle, or not a whole one")
    with readable(folder):
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        schema = int(manifest["schema"])
    if schema > SCHEMA:
        raise BundleError(
            f"{folder}: written by a newer version (schema {schema}, this one reads {SCHEMA}); "
            "upgrade with: pip install -U sentiment"
        )
    labels, corpus = manifest.get("labels"), manifest.get("corpus")
    fits = {
        "labels": isinstance(labels, list)
        and len(labels) == len({label for label in labels if isinstance(label, str)}) >= 2,
        "files": isinstance(manifest.get("files"), dict),
        "model": isinstance(manifest.get("model"), dict) and "vocab_size" in manifest["model"],
        "corpus": isinstance(corpus, dict) and {"revision", "fingerprint"} <= set(corpus),
    }
    wrong = next((key for key, fine in fits.items() if not fine), None)
    if wrong is not None:
        raise BundleError(
            f"{folder}: not a readable bundle: {wrong!r} in {MANIFEST} is missing or wrong; "
            "copy the bundle again, or train again"
        )
    return cast(Manifest, {"task": "multiclass", **manifest})


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turn what damaged files cause into a `BundleError`."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError,
            UsageError) as error:  # fmt: skip
        raise BundleError(f"{folder}: not a readable bundle: {error}") from error
