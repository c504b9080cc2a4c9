"""Texts → token ids, with a vocabulary learned from the training texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers

from sentiment.errors import BundleError, CorpusError
from sentiment.sequences import Sequences

if TYPE_CHECKING:  # predicting reads no settings that are worth the import
    from sentiment.config import TokenizerConfig

PAD, UNKNOWN = "<pad>", "<unk>"
UNKNOWN_ID = 1
LONGEST_WORD = 100  # characters; a longer one is cut before it is made into subwords
CHUNK = 4096  # texts handed to the Rust side at once: bounds memory, keeps its threads busy

# The inner and outer digits of numbers of three digits or more.
LONG_NUMBER = r"\d(?=\d\d)|(?<=\d)\d(?=\d)|(?<=\d\d)\d"
URL = r"(?i)\b(?:https?://|www\.)\S+"


@dataclass(frozen=True)
class Encoded:
    """What became of some texts.

    Attributes
    ----------
    sequences
        Token ids, at least one for each text.
    unknown_rate
        (B,) share of unknown tokens among those of the whole text.
    truncated
        (B,) whether the text had more tokens than are kept.
    lengths
        (B,) tokens of the whole text.
    """

    sequences: Sequences
    unknown_rate: NDArray[np.float64]
    truncated: NDArray[np.bool_]
    lengths: NDArray[np.int64]


class Tokenizer:
    """A `tokenizers.Tokenizer` with the truncation of this package.

    A text that spells a special token, such as a literal ``<pad>``, is read as plain text.
    """

    def __init__(self, inner: tokenizers.Tokenizer, config: TokenizerConfig) -> None:
        self.inner = inner
        self.inner.encode_special_tokens = True  # tokenizer.json does not keep it
        self.config = config

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
        """Learn the vocabulary from texts.

        Raises
        ------
        CorpusError
            If nothing is left of the texts.
        """
        inner, trainer = _build(config)
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
        return cls(inner, config)

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

    @property
    def vocabulary(self) -> list[str]:
        """Tokens by id."""
        ids = self.inner.get_vocab()
        return sorted(ids, key=ids.__getitem__)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Turn texts into ids, truncated; a text without any token becomes one unknown token."""
        parts: list[NDArray[np.int32]] = []
        for start in range(0, len(texts), CHUNK):
            batch = self.inner.encode_batch_fast(texts[start : start + CHUNK], add_special_tokens=False)
            parts += [np.array(item.ids or [UNKNOWN_ID], np.int32) for item in batch]
        whole = Sequences.of(parts)
        if not len(whole):
            return Encoded(whole, np.empty(0), np.empty(0, bool), np.empty(0, np.int64))
        unknown = np.add.reduceat(whole.values == UNKNOWN_ID, whole.offsets[:-1], dtype=np.int64)
        kept = whole.truncated(self.config.max_length, self.config.truncation)
        lengths = whole.lengths
        return Encoded(kept, unknown / lengths, lengths > self.config.max_length, lengths)


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
    pre: pre_tokenizers.PreTokenizer
    match config.kind:
        case "word":
            # The built-in \w+|[^\w\s]+ is several times faster than a Split on a Regex.
            model, pre = models.WordLevel(unk_token=UNKNOWN), pre_tokenizers.Whitespace()
            trainer = trainers.WordLevelTrainer(**options, **frequency)
        case "char":
            model, pre = models.WordLevel(unk_token=UNKNOWN), pre_tokenizers.FixedLength(length=1)
            trainer = trainers.WordLevelTrainer(**options, **frequency)
        case "bpe":
            model, pre = models.BPE(unk_token=UNKNOWN), subwords
            trainer = trainers.BpeTrainer(**options, **frequency)
        case "unigram":
            model, pre = models.Unigram(), subwords
            trainer = trainers.UnigramTrainer(**options, unk_token=UNKNOWN)
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = pre
    steps = _normalizers(config)
    if steps:
        inner.normalizer = normalizers.Sequence(steps)
    return inner, trainer


def _normalizers(config: TokenizerConfig) -> list[normalizers.Normalizer]:
    steps: list[normalizers.Normalizer] = []
    if config.strip_html:
        steps += [normalizers.Replace(tag, " ") for tag in ("<br />", "<br/>", "<br>")]
    if config.lowercase:
        steps.append(normalizers.Lowercase())
    if config.strip_accents:
        steps += [normalizers.NFD(), normalizers.StripAccents()]
    if config.urls == "mask":
        steps.append(normalizers.Replace(Regex(URL), " URL "))  # no lower-cased text spells it so
    if config.numbers == "shape":
        steps.append(normalizers.Replace(Regex(LONG_NUMBER), "0"))
    return steps
