"""Vocabulary × vectors → the embedding matrix. The only importer of `torchtext`."""

import contextlib
import functools
import gzip
import hashlib
import json
import pickle
import shutil
import ssl
import tempfile
import urllib.error
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from sentiment.core import cache
from sentiment.core.errors import CorpusError, HubError, UsageError, did_you_mean, from_machine
from sentiment.core.sections.model import EmbeddingConfig
from sentiment.core.strings import Say, warn
from sentiment.data.sequences import Sequences

SPECIAL = 2  # <pad> and <unk> come first in every vocabulary
SPREAD = 0.1  # standard deviation of random vectors
# Made by scripts/english_vectors.py. "auto" begins from them if they have this share of the tokens.
ENGLISH = Path(__file__).parents[1] / "assets" / "english.safetensors"
ENGLISH_SIZE, ENOUGH = 100, 0.5
WORTH_KEEPING, MOST_KEPT = 1_000_000, 12  # tokens to train on, and matrices that the cache keeps


@dataclass(frozen=True)
class Vectors:
    """The embedding matrix, and how much has a pretrained or trained vector."""

    matrix: NDArray[np.float32]  # (V, E)
    source: str  # as in the settings, and for "auto" what was chosen
    types: float = 0.0  # share of the vocabulary
    tokens: float = 0.0  # share of the training tokens


def build(
    vocabulary: list[str],
    sequences: Sequences,
    further: list[Sequences],
    config: EmbeddingConfig,
    seed: int,
    say: Say = warn,
) -> Vectors:
    """Make the embedding matrix of a vocabulary.

    Parameters
    ----------
    vocabulary
        Tokens by id.
    sequences
        The training texts, for the coverage.
    further
        Other texts than test, labelled or not, that skip-gram may also learn from.
    say
        Told of what may take long, and of what cannot be kept; a warning of Python's logging by default.
    """
    generator = np.random.default_rng(seed)
    counts = np.bincount(sequences.values, minlength=len(vocabulary))
    source, known = config.source, {}
    match source:
        case "auto" | "english":
            known = _english(vocabulary)
        case "skipgram":
            known = _skipgram(vocabulary, [sequences, *further], config, seed)
        case "pretrained":
            known = _pretrained(vocabulary, str(config.vectors), say)
    has_vector = np.array([token in known for token in vocabulary])
    if source == "auto":
        fits = config.size == ENGLISH_SIZE and counts[has_vector].sum() >= ENOUGH * counts.sum()
        source = "english" if fits else "random"
    if source == "random":
        matrix = generator.normal(0, SPREAD, (len(vocabulary), config.size))
        matrix[0] = 0
        return Vectors(matrix.astype(np.float32), source)
    if not has_vector.any():
        raise CorpusError(
            f"{config.vectors or source}: none of the {len(vocabulary)} tokens of the vocabulary has a "
            "vector in it; are they of this language and kind of token?"
        )
    given = np.stack([known[token] for token, there in zip(vocabulary, has_vector, strict=True) if there])
    # A token without a vector gets a random one of the same spread.
    matrix = generator.normal(given.mean(0), given.std(0) + 1e-6, (len(vocabulary), given.shape[1]))
    matrix[has_vector] = given
    matrix[0] = 0
    return Vectors(
        matrix.astype(np.float32),
        source,
        float(has_vector[SPECIAL:].mean()),
        float(counts[has_vector].sum() / max(1, counts.sum())),
    )


def _english(vocabulary: list[str]) -> dict[str, NDArray[np.float32]]:
    stored = safetensors.numpy.load_file(ENGLISH)
    rows = dict(zip(stored["tokens"].tobytes().decode().split("\n"), stored["vectors"], strict=True))
    pairs = ((token, rows.get(token, rows.get(token.lower()))) for token in vocabulary[SPECIAL:])
    return {token: row.astype(np.float32) for token, row in pairs if row is not None}


def _skipgram(
    vocabulary: list[str], parts: list[Sequences], config: EmbeddingConfig, seed: int
) -> dict[str, NDArray[np.float32]]:
    """Train skip-gram vectors with negative sampling (Mikolov et al. 2013), or take them from the cache."""
    if sum(len(part.values) for part in parts) < WORTH_KEEPING:
        matrix = _train_skipgram(vocabulary, parts, config, seed)
    else:
        name = f"skipgram-{_key(vocabulary, parts, config, seed)}.npy"
        try:
            matrix = np.load(cache.place(name), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            matrix = _train_skipgram(vocabulary, parts, config, seed)
            with suppress(OSError):  # a cache that cannot be used is no reason to fail
                with cache.made(cache.place(name)) as written, written.open("wb") as file:
                    np.save(file, matrix)
                cache.prune("skipgram-*", MOST_KEPT)
    return {token: row for token, row in zip(vocabulary, matrix, strict=True) if np.isfinite(row).all()}


def _key(vocabulary: list[str], parts: list[Sequences], config: EmbeddingConfig, seed: int) -> str:
    """Return what tells apart all that the vectors depend on."""
    settings = config.size, config.skipgram_epochs, seed, metadata.version("gensim")
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(json.dumps([vocabulary, settings]).encode())
    for part in parts:
        digest.update(part.values.tobytes())
        digest.update(part.offsets.tobytes())
    return digest.hexdigest()[:32]


def _train_skipgram(
    vocabulary: list[str], parts: list[Sequences], config: EmbeddingConfig, seed: int
) -> NDArray[np.float32]:
    """Return (V, E); a token that the texts do not have is not a number."""
    from gensim.models import Word2Vec

    tokens = np.array(vocabulary, dtype=object)

    class Sentences:
        def __iter__(self) -> Iterator[list[str]]:
            for sequences in parts:
                for row in range(len(sequences)):
                    yield tokens[sequences[row]].tolist()

    # A single thread, so that runs are repeatable.
    model = Word2Vec(
        Sentences(), vector_size=config.size, sg=1, negative=5, window=5, min_count=1,
        epochs=config.skipgram_epochs, seed=seed + 1, workers=1,
    )  # fmt: skip
    matrix = np.full((len(vocabulary), config.size), np.nan, np.float32)
    for row, token in enumerate(vocabulary):
        if token in model.wv:
            matrix[row] = model.wv[token]
    return matrix


def _pretrained(vocabulary: list[str], name: str, say: Say) -> dict[str, NDArray[np.float32]]:
    path = Path(name).expanduser()
    is_file = path.exists() or "/" in name or name.endswith((".txt", ".vec", ".gz", ".zst"))
    loaded = _load_file(path, say) if is_file else _load_named(name, say)
    known = {}
    for token in vocabulary[SPECIAL:]:
        for spelling in (token, token.lower(), token.removeprefix("▁")):  # ▁ begins a word in subwords
            if spelling in loaded.stoi:
                known[token] = loaded.vectors[loaded.stoi[spelling]].numpy()
                break
    return known


@contextlib.contextmanager
def _cache(say: Say) -> Iterator[Path]:
    """Give a folder for what torchtext downloads and reads: the cache, or else one for the moment."""
    with contextlib.ExitStack() as stack:
        try:
            folder = cache.place("vectors")
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            say(f"vectors are not kept: {error}")
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield folder


def _load_named(name: str, say: Say) -> Any:
    from torchtext.vocab import pretrained_aliases

    if name not in pretrained_aliases:
        raise UsageError(
            f"embedding.vectors = {name!r}: neither a file nor a known name"
            f"{did_you_mean(name, pretrained_aliases)}; known: {', '.join(sorted(pretrained_aliases))}"
        )
    say(f"{name}: reading it, or downloading it first")
    try:
        with _cache(say) as folder, _tamed():
            return pretrained_aliases[name](cache=str(folder))
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        raise HubError(
            f"{name}: the download failed ({error}); download the vectors by hand and give the file: "
            "--set embedding.vectors=FILE"
        ) from error


def _load_file(path: Path, say: Say) -> Any:
    """Read vectors in GloVe or word2vec text format; .gz and .zst are unpacked on the way."""
    from torchtext.vocab import Vectors as TextVectors

    if not path.is_file():
        raise UsageError(f"embedding.vectors: no file {path}")
    # torchtext keeps what it read under the file's name, so the name has to tell the content.
    with path.open("rb") as file:
        plain = f"{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}.vec"
    with _cache(say) as store:
        cached = store / f"{plain}.pt"
        try:
            with tempfile.TemporaryDirectory() as folder, _tamed():
                unpacked = Path(folder) / plain
                unpacked.touch() if cached.exists() else _unpack(path, unpacked)
                return TextVectors(str(unpacked), cache=str(store))
        except TypeError as error:  # torchtext found no dimension
            raise CorpusError(
                f"{path}: no usable vectors: no line with a word and three numbers or more"
            ) from error
        except (RuntimeError, ValueError, IndexError, EOFError, pickle.UnpicklingError) as error:
            hint = f"; if {cached} is damaged, remove it" if cached.exists() else ""
            raise CorpusError(f"{path}: no usable vectors: {error}{hint}") from error
        except OSError as error:
            if error.errno is not None and from_machine(error):
                raise
            raise CorpusError(f"{path}: no usable vectors: {error}") from error


def _unpack(path: Path, target: Path) -> None:
    if path.suffix == ".zst":
        import pyarrow

        with pyarrow.input_stream(str(path), compression="zstd") as source, target.open("wb") as out:
            shutil.copyfileobj(source, out)
    elif path.suffix == ".gz":
        with gzip.open(path) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out)
    else:
        target.symlink_to(path.resolve())


@contextlib.contextmanager
def _tamed() -> Iterator[None]:
    """Undo that torchtext 0.6 stops checking certificates, process-wide, and draws bars into logs."""
    from torchtext import vocab

    before, bar = ssl._create_default_https_context, vocab.tqdm
    vocab.tqdm = functools.partial(bar, disable=None)  # None: unless stderr is a terminal
    try:
        yield
    finally:
        ssl._create_default_https_context, vocab.tqdm = before, bar
