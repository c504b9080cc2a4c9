"""What a model reads, texts or sequences of feature vectors, and all that follows from which of them it is.

The reader of a corpus declares it; corpus, manifest and bundle carry it on. T steps of a sequence, F numbers
in a step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sentiment.data import audio
from sentiment.data.features import Array, Features, content, digest, read_array
from sentiment.data.identity import normalise
from sentiment.data.rows import read_text
from sentiment.data.scripts import has_words
from sentiment.data.tokenizer import Tokenizer

# Of features: epochs of few updates, in large batches, generalise worse, and fewer can be chosen from.
FEWEST_ROWS, EPOCH_UPDATES = 8, 30


@dataclass
class Input(ABC):
    """What the items of a corpus are.

    Attributes
    ----------
    width
        F, the number of features of a step; None of texts, and before the first sequence is read.
    kind
        Its name in a manifest, and in an audit.
    what, other
        What the corpus is of, for people, and what it is not.
    noun, singular, unit
        What its items are called, many and one, and what a model reads of one.
    argument
        How `sentiment predict` is given one.
    written
        Whether people wrote it: whether it has words, a vocabulary and n-grams.
    encoder_file, section, encoder_size
        The file of a bundle that makes items ready for a model, its settings, and its size in words.
    size
        What a model calls the same size.
    foreign
        How the settings begin that mean nothing for it.
    """

    width: int | None = None

    kind: ClassVar[str]
    what: ClassVar[str]
    other: ClassVar[str]
    noun: ClassVar[str]
    singular: ClassVar[str]
    unit: ClassVar[str]
    argument: ClassVar[str]
    written: ClassVar[bool]
    encoder_file: ClassVar[str]
    section: ClassVar[str]
    encoder_size: ClassVar[str]
    size: ClassVar[str]
    foreign: ClassVar[tuple[str, ...]]

    def __str__(self) -> str:
        """Say what its items are made of."""
        return self.what

    def uses(self, setting: str) -> bool:
        """Whether a setting, by its dotted name, means something for it."""
        return not setting.startswith(self.foreign)

    @abstractmethod
    def read(self, value: object) -> Any:
        """Return the item that a value of a column holds; ValueError says why it holds none."""

    @abstractmethod
    def open(self, path: Path, config: Any) -> Any:
        """Return the value that is given as a path, by the settings `corpus`."""

    @abstractmethod
    def key(self, item: Any) -> str:
        """Return what repeats of an item have in common."""

    @abstractmethod
    def content(self, item: Any) -> bytes:
        """Return the bytes of an item; equal ones have equal bytes."""

    @abstractmethod
    def shown(self, item: Any) -> str:
        """Return what stands for an item where people read."""

    @abstractmethod
    def unit_of(self, items: Sequence[Any]) -> str:
        """Name what the length of items is counted in."""

    @abstractmethod
    def length(self, item: Any, unit: str) -> int:
        """Count the units of an item."""

    @abstractmethod
    def fit(self, items: Iterable[Any], further: Iterable[Any], config: Any) -> Tokenizer | Features:
        """Learn from training items how they are made ready; from `further` ones, too, if that is a help."""

    @abstractmethod
    def load(self, path: Path, config: Any) -> Tokenizer | Features:
        """Read what `fit` gave and `save` wrote."""

    @abstractmethod
    def sizes(self, encoder: int, embedding: int | None) -> dict[str, int | None]:
        """Return the sizes of a model, by those of what makes items ready and of its vectors."""

    @abstractmethod
    def batch_size(self, asked: int, items: int) -> int:
        """Return the size of a batch for so many training items."""


@dataclass
class TextInput(Input):
    """Texts, which a tokenizer makes ready."""

    kind = "text"
    what, other = "texts", "features"
    noun, singular, unit, argument = "texts", "text", "tokens", '"…"'
    written = True
    encoder_file, section = "tokenizer.json", "tokenizer"
    encoder_size, size = "the tokenizer has {} tokens", "vocab_size"
    foreign = ("features.",)

    def read(self, value: object) -> str:
        """Return a text as it is."""
        return read_text(value)

    def open(self, path: Path, config: Any) -> Path:
        """Return the path: it is no text."""
        return path

    def key(self, item: str) -> str:
        """Return a text without case, punctuation and spacing."""
        return normalise(item)

    def content(self, item: str) -> bytes:
        """Return a text in UTF-8."""
        return item.encode()

    def shown(self, item: str) -> str:
        """Return a text itself."""
        return item

    def unit_of(self, items: Sequence[str]) -> str:
        """Count words, or characters where there are no spaces between words."""
        return "word" if has_words(items) else "character"

    def length(self, item: str, unit: str) -> int:
        """Count the words of a text, or its characters without spaces."""
        return len(item.split()) if unit == "word" else len("".join(item.split()))

    def fit(self, items: Iterable[str], further: Iterable[str], config: Any) -> Tokenizer:
        """Learn a vocabulary from all texts."""
        return Tokenizer.train([*items, *further], config)

    def load(self, path: Path, config: Any) -> Tokenizer:
        """Read a ``tokenizer.json``."""
        return Tokenizer.load(path, config)

    def sizes(self, encoder: int, embedding: int | None) -> dict[str, int | None]:
        """Return those of a vocabulary and its vectors."""
        return {"vocab_size": encoder, "embedding_size": embedding, "input_size": None}

    def batch_size(self, asked: int, items: int) -> int:
        """Return the size that is asked for."""
        return asked


@dataclass
class FeatureInput(Input):
    """Sequences of feature vectors (T, F), all of the width of the first that is read."""

    kind = "features"
    what, other = "features", "texts"
    noun, singular, unit, argument = "sequences", "sequence", "steps", "--input FILE"
    written = False
    encoder_file, section = "features.json", "features"
    encoder_size, size = "features.json has {} features", "input_size"
    foreign = (
        "tokenizer.", "embedding.", "model.word_", "model.embedding_", "model.spatial_", "model.init_from",
        "ngrams.", "pretraining.", "distillation.ngrams", "training.adversarial",
        "training.virtual_adversarial", "training.entropy", "training.max_windows",
    )  # fmt: skip

    def __str__(self) -> str:
        """Say how wide a step is."""
        return f"{self.width} features a step"

    def read(self, value: object) -> Array:
        """Return the array (T, F) that a value holds."""
        array = read_array(value, self.width)
        self.width = array.shape[1]
        return array

    def open(self, path: Path, config: Any) -> Any:
        """Return what is in a file of features, or of sound."""
        return audio.read_file(path, config)

    def key(self, item: Array) -> str:
        """Return a digest: the slightest difference counts."""
        return digest(item)

    def content(self, item: Array) -> bytes:
        """Return shape and numbers."""
        return content(item)

    def shown(self, item: Array) -> str:
        """Return how many steps there are."""
        return f"{len(item)} steps"

    def unit_of(self, items: Sequence[Any]) -> str:
        """Count steps."""
        return "step"

    def length(self, item: Any, unit: str) -> int:
        """Count steps."""
        return len(item)

    def fit(self, items: Iterable[Any], further: Iterable[Any], config: Any) -> Features:
        """Learn the normalisation from training steps."""
        return Features.fit(items, config)

    def load(self, path: Path, config: Any) -> Features:
        """Read a ``features.json``."""
        return Features.load(path, config)

    def sizes(self, encoder: int, embedding: int | None) -> dict[str, int | None]:
        """Return the width of a step as a model reads it."""
        return {"vocab_size": None, "embedding_size": None, "input_size": encoder}

    def batch_size(self, asked: int, items: int) -> int:
        """Return a size with which an epoch has updates enough."""
        return min(asked, max(FEWEST_ROWS, items // EPOCH_UPDATES))


def of_kind(kind: str | None, width: int | None = None) -> Input:
    """Return the input of a manifest, an audit, or a report, by what it says under ``kind``.

    Of a report that is the kind of its tokenizer: all but "features" are of texts.
    """
    return FeatureInput(width) if kind == FeatureInput.kind else TextInput()
