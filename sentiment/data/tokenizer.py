"""Texts → token ids, with a vocabulary learned from the training texts."""

from __future__ import annotations

import hashlib
import json
import shutil
from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, pairwise
from operator import not_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import models, normalizers, pre_tokenizers, trainers

from sentiment.core import cache
from sentiment.core.errors import BundleError, CorpusError
from sentiment.data import normalize
from sentiment.data.normalize import is_plain, kmers, normalize_plain, normalized, normalizers_of, starts
from sentiment.data.rows import read_text
from sentiment.data.sequences import Encoded, Sequences

if TYPE_CHECKING:  # predicting reads no settings that are worth the import
    from sentiment.core.sections.data import TokenizerConfig

PAD, UNKNOWN = "<pad>", "<unk>"
UNKNOWN_ID = 1
LONGEST_WORD = 100  # characters; a longer one is cut before it is made into subwords
CHUNK = 1024  # texts handed to the Rust side at once: bounds memory, keeps its threads busy
MANY = 64  # texts at once for which a second tokenizer, without normalizers, pays

# Of `encode_kept`: characters from which texts are worth it, bytes from which an array is memory-mapped,
# and how many corpora are kept.
WORTH_KEEPING, MAPPED, MOST_KEPT = 1_000_000, 2**26, 12
ENCODED = ("values", "offsets", "unknown_rate")  # its files


@dataclass(frozen=True)
class Tokens:
    """The tokens of one text, and where they stand in it.

    Attributes
    ----------
    ids
        (T,) of the tokens that are read: those that `Tokenizer.encode` gives.
    whole
        (N,) of all tokens.
    spans
        Where each token of the whole text begins and ends, in characters of the text as it was given: the
        last character of a replaced one, such as a URL; none of some spaces; the middle of a k-mer, which
        overlaps others.
    read
        (T,) which of the spans each id has; others were cut off by truncation.
    """

    ids: NDArray[np.int32]
    whole: NDArray[np.int32]
    spans: list[tuple[int, int]]
    read: NDArray[np.int32]


class Tokenizer:
    """A `tokenizers.Tokenizer` with the truncation of this package.

    A text that spells a special token, such as a literal ``<pad>``, is read as plain text.
    """

    def __init__(self, inner: tokenizers.Tokenizer, config: TokenizerConfig) -> None:
        self.inner = inner
        self.inner.encode_special_tokens = True  # tokenizer.json does not keep it, nor does a pickle
        self.config = config

    def __reduce__(self) -> tuple[type[Tokenizer], tuple[tokenizers.Tokenizer, TokenizerConfig]]:
        """Say how it is pickled and copied: made anew, so that it reads texts in the same way."""
        return Tokenizer, (self.inner, self.config)

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
        """Learn the vocabulary from texts.

        Raises
        ------
        CorpusError
            If nothing is left of the texts.
        """
        inner, trainer = _build(config)
        if config.kind == "kmer":
            normalizer, inner.normalizer = inner.normalizer, None
            texts = (_spaced(normalized(text, normalizer), config) for text in texts)
        try:
            inner.train_from_iterator(texts, trainer)
        except Exception as error:  # the Rust side raises plain Exception
            raise CorpusError(
                f"the {config.kind} tokenizer cannot be trained on this: {error}; "
                "raise tokenizer.max_size or change tokenizer.kind"
            ) from error
        if inner.get_vocab_size() <= UNKNOWN_ID + 1:
            raise CorpusError(
                f"no token occurs {config.min_frequency} times in the training texts; "
                "lower tokenizer.min_frequency"
            )
        if config.kind == "kmer":
            inner.normalizer = normalizer
        # As it will be read: of equally probable subwords a trained one may take others than a loaded one.
        return cls(tokenizers.Tokenizer.from_str(inner.to_str()), config)

    @classmethod
    def load(cls, path: Path, config: TokenizerConfig) -> Tokenizer:
        """Read a ``tokenizer.json``."""
        try:
            return cls(tokenizers.Tokenizer.from_file(str(path)), config)
        except Exception as error:  # the Rust side raises plain Exception
            raise BundleError(f"{path}: not a readable tokenizer: {error}") from error

    def save(self, path: Path) -> None:
        """Write a ``tokenizer.json``."""
        self.inner.save(str(path))

    def __len__(self) -> int:
        return self.inner.get_vocab_size()

    read = staticmethod(read_text)

    @property
    def kind(self) -> str:
        """What a token is, by the settings."""
        return self.config.kind

    @property
    def vocabulary(self) -> list[str]:
        """Tokens by id."""
        ids = self.inner.get_vocab()
        return sorted(ids, key=ids.__getitem__)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Turn texts into ids, truncated; a text without any token becomes one unknown token."""
        values, counts = array("i"), array("q")
        for encodings in self._encodings(texts):
            for encoding in encodings:
                ids = encoding.ids or [UNKNOWN_ID]
                values.fromlist(ids)
                counts.append(len(ids))
        offsets = np.concatenate([[0], np.cumsum(np.frombuffer(counts, np.int64))]).astype(np.int64)
        flat = np.frombuffer(values, np.int32)
        whole = Sequences(flat.astype(np.uint16) if len(self) <= 2**16 else flat, offsets)
        if not len(whole):
            return self._encoded(whole, np.empty(0))
        unknown = np.add.reduceat(whole.values == UNKNOWN_ID, whole.offsets[:-1], dtype=np.int64)
        return self._encoded(whole, unknown / whole.lengths)

    def _encoded(self, whole: Sequences, unknown_rate: NDArray[np.float64]) -> Encoded:
        kept, lengths = self.limited(whole), whole.lengths
        return Encoded(kept, whole, unknown_rate, lengths > kept.lengths, lengths)

    def limited(self, whole: Sequences) -> Sequences:
        """Truncate sequences as the settings say, or have them read in windows."""
        if self.config.truncation == "windows":
            return whole.windowed(self.config.max_length, self.config.window_overlap)
        return whole.truncated(self.config.max_length, self.config.truncation)

    def encode_kept(self, texts: Sequence[str]) -> Encoded:
        """Do what `encode` does, or find in the cache what it did; many ids are memory-mapped."""
        if sum(map(len, texts)) < WORTH_KEEPING:
            return self.encode(texts)
        try:
            place = cache.place(f"ids-{self._key(texts)}")
        except OSError:  # neither is one that is not there, or not the user's alone
            return self.encode(texts)
        stored = _read(place, len(texts))
        if stored is not None:
            return self._encoded(*stored)
        encoded = self.encode(texts)
        with suppress(OSError):  # a cache that cannot be written to is no reason to fail
            _keep(place, encoded)
        return encoded

    def _key(self, texts: Sequence[str]) -> str:
        names = ("kind", "kmer", "kmer_stride")
        settings = *(getattr(self.config, name, None) for name in names), tokenizers.__version__
        code = Path(__file__).read_bytes() + Path(normalize.__file__).read_bytes()
        digest = hashlib.sha256(code)
        for part in (self.inner.to_str(), repr(settings), *texts):
            content = part.encode("utf-8", "surrogatepass")
            digest.update(len(content).to_bytes(8, "little") + content)
        return digest.hexdigest()[:32]

    def _encodings(self, texts: Sequence[str]) -> Iterator[list[tokenizers.Encoding]]:
        """Yield what becomes of each chunk of texts, while the next one is under way."""
        if len(texts) <= CHUNK:
            yield self._encode_chunk(texts)
            return
        with ThreadPoolExecutor(1) as worker:
            ahead = worker.submit(self._encode_chunk, texts[:CHUNK])
            for start in range(CHUNK, len(texts), CHUNK):
                done = ahead.result()
                ahead = worker.submit(self._encode_chunk, texts[start : start + CHUNK])
                yield done
            yield ahead.result()

    def _encode_chunk(self, texts: Sequence[str]) -> list[tokenizers.Encoding]:
        """Encode texts.

        The normalizers of `tokenizers` take as long as all the rest, as they keep track of where each
        character came from; plain texts, if many, are normalized here.
        """
        are_plain = [len(texts) >= MANY and is_plain(text, self.config) for text in texts]
        plain = normalize_plain([*compress(texts, are_plain)], self.config)
        other = [*compress(texts, map(not_, are_plain))]
        encoder = self.inner
        if self.config.kind == "kmer":
            encoder = self._bare
            plain = [_spaced(text, self.config) for text in plain]
            other = [_spaced(normalized(text, self.inner.normalizer), self.config) for text in other]
        of_plain = iter(self._bare.encode_batch_fast(plain, add_special_tokens=False) if plain else ())
        of_other = iter(encoder.encode_batch_fast(other, add_special_tokens=False) if other else ())
        return [next(of_plain if plainly else of_other) for plainly in are_plain]

    @cached_property
    def _bare(self) -> tokenizers.Tokenizer:
        """The same tokenizer for texts that are normalized already."""
        state = json.loads(self.inner.to_str())
        state |= {"normalizer": None, "added_tokens": []}  # the special tokens, which no text may spell
        return tokenizers.Tokenizer.from_str(json.dumps(state))

    def tokens(self, text: str) -> Tokens:
        """Return the tokens of one text with their places."""
        if self.config.kind == "kmer":
            ids, spans = self._kmers(text)
        else:
            encoding = self.inner.encode(text, add_special_tokens=False)
            ids, spans = encoding.ids, encoding.offsets
        ids, spans = ids or [UNKNOWN_ID], spans or [(0, len(text))]
        all_tokens = Sequences.of([np.arange(len(ids), dtype=np.int32)])
        read = self.limited(all_tokens)[0].astype(np.int32)
        whole = np.array(ids, np.int32)
        return Tokens(whole[read], whole, spans, read)

    def _kmers(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the k-mers of a text, and the part of it that each has for itself.

        A symbol that several k-mers share goes to the one whose middle is nearest.
        """
        whole = tokenizers.PreTokenizedString(text)
        if self.inner.normalizer is not None:
            whole.normalize(self.inner.normalizer.normalize)
        pre_tokenizers.FixedLength(length=1).pre_tokenize(whole)
        symbols = whole.get_splits(offset_referential="original", offset_type="char")
        read = [(symbol, span) for symbol, span, _ in symbols if not symbol.isspace()]
        if not read:
            return [], []
        joined = "".join(symbol for symbol, _ in read)
        begins = starts(len(read), self.config.kmer, self.config.kmer_stride)
        ends = [min(begin + self.config.kmer, len(read)) for begin in begins]
        cuts = [0, *((later + end) // 2 for later, end in zip(begins[1:], ends, strict=False)), len(read)]
        spans = [(read[first][1][0], read[last - 1][1][1]) for first, last in pairwise(cuts)]
        return self._bare.encode(_spaced(joined, self.config), add_special_tokens=False).ids, spans


def _spaced(text: str, config: TokenizerConfig) -> str:
    """Write the k-mers of a text with spaces between them; one that spells a special token is unknown."""
    return " ".join(UNKNOWN if mer == PAD else mer for mer in kmers(text, config.kmer, config.kmer_stride))


def _read(place: Path, count: int) -> tuple[Sequences, NDArray[np.float64]] | None:
    """Return ids of so many texts and rates of unknown ones, or None if the cache has nothing usable."""
    try:
        sizes = {name: (place / f"{name}.npy").stat().st_size for name in ENCODED}
        arrays = {
            name: np.load(place / f"{name}.npy", "r" if size > MAPPED else None)
            for name, size in sizes.items()
        }
    except (OSError, ValueError, EOFError):
        return None
    values, offsets, unknown_rate = (arrays[name] for name in ENCODED)
    if (len(offsets), len(unknown_rate)) != (count + 1, count) or offsets[-1] != len(values):
        return None
    return Sequences(values, offsets), unknown_rate


def _keep(place: Path, encoded: Encoded) -> None:
    arrays = encoded.whole.values, encoded.whole.offsets, encoded.unknown_rate
    shutil.rmtree(place, ignore_errors=True)  # a damaged one
    with cache.made(place) as written:
        written.mkdir()
        for name, array in zip(ENCODED, arrays, strict=True):
            np.save(written / f"{name}.npy", array)
    cache.prune("ids-*", MOST_KEPT)


def _build(config: TokenizerConfig) -> tuple[tokenizers.Tokenizer, trainers.Trainer]:
    options: dict[str, Any] = {
        "vocab_size": config.max_size,
        "special_tokens": [PAD, UNKNOWN],
        "show_progress": False,
    }
    # Subword training takes time that grows with the square of a word's length.
    subwords = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.FixedLength(length=LONGEST_WORD),
        ]
    )
    frequency: dict[str, Any] = {"min_frequency": config.min_frequency}
    model: models.Model
    trainer: trainers.Trainer
    pre: dict[str, pre_tokenizers.PreTokenizer] = {
        "word": pre_tokenizers.Whitespace(),  # \w+|[^\w\s]+, several times faster than a Split on a Regex
        "char": pre_tokenizers.FixedLength(length=1),
        "kmer": pre_tokenizers.WhitespaceSplit(),  # of texts in which spaces stand between them
    }
    match config.kind:
        case "bpe":
            model, trainer = models.BPE(unk_token=UNKNOWN), trainers.BpeTrainer(**options, **frequency)
        case "unigram":
            model, trainer = models.Unigram(), trainers.UnigramTrainer(**options, unk_token=UNKNOWN)
        case _:
            model = models.WordLevel(unk_token=UNKNOWN)
            trainer = trainers.WordLevelTrainer(**options, **frequency)
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = pre.get(config.kind, subwords)
    steps = normalizers_of(config)
    if steps:
        inner.normalizer = normalizers.Sequence(steps)
    return inner, trainer
