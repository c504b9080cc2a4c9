"""A pretrained tokenizer, embedding and recurrence on disk, with hashes: what `sentiment pretrain` makes."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from sentiment.core import config_io, files
from sentiment.core.config import Config
from sentiment.core.errors import BundleError, CorpusError, UsageError
from sentiment.data.corpus import Corpus
from sentiment.data.identity import normalise
from sentiment.inference import bundle
from sentiment.models.language_model import LanguageModel
from sentiment.models.network import Network

TOKENIZER, WEIGHTS, SEEN = "tokenizer.json", "encoder.safetensors", "texts.safetensors"
STATE = "pretraining.json"  # in an unfinished run: what a resumed one must find again
FILES = ("config.toml", TOKENIZER, WEIGHTS, SEEN, "history.jsonl")
# What a classifier has to have in common with the encoder that it begins from.
SHARED = ("model.kind", "model.hidden_size", "model.layers", "model.bidirectional", "embedding.size")
NOT_SHARED = {"tokenizer.max_length", "tokenizer.truncation", "tokenizer.window_overlap"}


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder.

    Attributes
    ----------
    settings
        Of its pretraining.
    about
        Its ``encoder.json``: corpus, texts, what was left out, losses, versions, hashes.
    weights
        ``embedding.weight`` and those of ``recurrence``, by name.
    seen
        Digests of the texts that it has read, sorted.
    """

    folder: Path
    settings: Config
    about: dict[str, Any]
    weights: dict[str, Tensor]
    seen: NDArray[np.uint64]

    def initialise(self, model: Network) -> None:
        """Copy the weights into a classifier of the same sizes."""
        own = model.state_dict()
        try:
            with torch.no_grad():
                for name, value in self.weights.items():
                    own[name].copy_(value)
        except (KeyError, RuntimeError) as error:
            raise UsageError(f"{self.folder}: its weights are not of this model: {error}") from error

    def check(self, settings: Config, corpus: Corpus) -> None:
        """Refuse a classifier of other sizes, or a corpus of which test texts were read.

        Raises
        ------
        UsageError
            If settings differ that have to be shared; the message gives those of the encoder.
        CorpusError
            If a test text, but for case and punctuation, is among the texts of the pretraining.
        """
        encoder, classifier = _flat(self.settings), _flat(settings)
        shared = [name for name in classifier if name.startswith("tokenizer.") and name not in NOT_SHARED]
        wrong = [
            f"--set {name}={_toml(encoder[name])}"
            for name in (*SHARED, *shared)
            if encoder[name] != classifier[name]
        ]
        if wrong:
            raise UsageError(f"{self.folder}: the encoder is of other settings; add {' '.join(wrong)}")
        known = np.isin(digests(corpus.test.texts), self.seen).sum()
        if known:
            raise CorpusError(
                f"{self.folder}: the encoder has read {known:,} of the {len(corpus.test):,} test texts, "
                "as it was pretrained with another seed or corpus; pretrain with the same --seed, --test "
                "and corpus"
            )


def save(working: Path, model: LanguageModel, texts: Iterable[str]) -> None:
    """Write the weights that a classifier begins from, and digests of the texts that were read."""
    weights = {
        name: value.detach().cpu().contiguous()
        for name, value in model.state_dict().items()
        if name.startswith(("embedding.", "recurrence."))
    }
    safetensors.torch.save_file(weights, working / WEIGHTS)
    safetensors.numpy.save_file({"digests": np.unique(digests(texts))}, working / SEEN)


def load(folder: str | Path) -> Encoder:
    """Read and verify an encoder. No code from it is run.

    Raises
    ------
    BundleError
        If it is not there, or a file of it is missing or changed.
    """
    folder = Path(folder)
    if not (folder / bundle.ENCODER).is_file():
        unfinished = folder.name and files.partial(folder).exists()
        hint = f"go on with: sentiment pretrain --resume --out {folder}" if unfinished else (
            "make one with: sentiment pretrain CORPUS --out DIR"
        )  # fmt: skip
        raise BundleError(f"{folder}: no encoder ({bundle.ENCODER} is not there); {hint}")
    with bundle.readable(folder):
        about = json.loads((folder / bundle.ENCODER).read_text("utf-8"))
        if int(about["schema"]) > bundle.SCHEMA:
            raise ValueError("written by a newer version; upgrade with: pip install -U sentiment")
        hashes = dict(about["files"])
    bundle.verify(folder, FILES, hashes, "pretrain again")
    with bundle.readable(folder):
        return Encoder(
            folder,
            config_io.load(folder / "config.toml"),
            about,
            safetensors.torch.load_file(folder / WEIGHTS),
            safetensors.numpy.load_file(folder / SEEN)["digests"],
        )


def given(settings: Config, corpus: Corpus) -> Encoder | None:
    """Return the encoder that ``model.init_from`` names, checked, or None if it names none."""
    if settings.model.init_from is None:
        return None
    encoder = load(settings.model.init_from)
    encoder.check(settings, corpus)
    return encoder


def shared_settings(folder: str | Path) -> dict[str, Any]:
    """Return, nested, the settings that a classifier takes over from an encoder."""
    tree = load(folder).settings.model_dump(exclude_none=True)
    sizes: dict[str, Any] = {"tokenizer": tree["tokenizer"]}
    for name in SHARED:
        section, _, leaf = name.partition(".")
        sizes.setdefault(section, {})[leaf] = tree[section][leaf]
    return sizes


def digests(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Return a number for each text; texts equal but for case and punctuation have the same."""
    parts = [
        hashlib.blake2b(normalise(text).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for text in texts
    ]
    return np.frombuffer(b"".join(parts), "<u8").astype(np.uint64)


def _flat(settings: Config) -> dict[str, Any]:
    tree = settings.model_dump()
    return {f"{section}.{name}": value for section, values in tree.items() if isinstance(values, dict)
            for name, value in values.items()}  # fmt: skip


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
