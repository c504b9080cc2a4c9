"""Settings of what is read, and how it becomes numbers."""

import json
from collections.abc import Mapping
from typing import Any, Literal

import pydantic

from sentiment.core.sections import SEEDS, Dropout, Section, Share, setting


class CorpusConfig(Section):
    """What is loaded and how it is divided."""

    name: str = setting("sample", "a preset, a Hub id org/name[:config][@revision], or a file")
    text_column: str | None = setting(
        None, "column of the texts, or several that are joined as a,b, or features; found by content if unset"
    )
    label_column: str | None = setting(
        None, "column of the labels, or several of 0 and 1 as a,b,c; found by content if unset"
    )
    label_file: str | None = setting(None, "file of labels, one a line, beside a file of texts, one a line")
    separator: str | None = setting(
        None, "between the fields of a line, such as ; or :: or tab; judged if unset", min_length=1
    )
    header: bool | None = setting(
        None, "whether the first row names the columns, which else are 1, 2, 3; judged if unset"
    )
    encoding: str | None = setting(None, "of files, such as cp1252 or gb18030; UTF-8 or by its mark if unset")
    task: Literal["auto", "multiclass", "multilabel", "ordinal"] = setting(
        "auto",
        "multiclass: one label a text; multilabel: any number of them, as lists or columns of 0 and 1; "
        "ordinal: one of grades in order; auto: multilabel if the labels are, else multiclass",
    )
    labels: dict[str, str] | list[str] | None = setting(
        None,
        'other names for labels, in their order, such as {"0": "neg", "1": "pos"}, empty for '
        "what is no label; or a list: just the order",
    )
    label_separator: str | None = setting(None, "between several labels in one cell", min_length=1)
    label_spelling: Literal["keep", "fold"] = setting(
        "keep", "fold: labels that differ only by case, spaces, invisible or composed characters are one"
    )
    rare_classes: Literal["error", "drop", "merge"] = setting(
        "error", "classes with too few texts: stop, leave their texts out, or make them one class, other"
    )
    unseen_labels: Literal["error", "drop"] = setting(
        "drop", "labels of validation or test texts that no training text has: leave these texts out, or stop"
    )
    grades: list[str] | None = setting(
        None, "ordinal only: the labels from the lowest to the highest, where their names do not say it"
    )
    train: str | None = setting(None, "Hub split to train on, where it has an unusual name")
    validation: str | None = setting(None, "file or Hub split; cut from the training texts if unset")
    test: str | None = setting(None, "file or Hub split; cut from the training texts if unset")
    unlabelled: str | None = setting(
        None, "file of further texts, for vectors, pretraining and what needs no labels; in .txt one a line"
    )
    validation_share: Share = setting(0.1, "share of the training texts cut for validation")
    test_share: Share = setting(0.2, "share of the texts cut for test")
    seed: int | None = setting(None, "of the cuts; the run's seed if unset", ge=0, le=SEEDS)
    repeats: Literal["drop", "keep"] = setting(
        "drop", "texts equal but for case and punctuation, within what is trained on or cut"
    )
    near_duplicates: Literal["keep", "drop"] = setting(
        "keep", "training texts nearly equal to another text (MinHash)"
    )
    similarity: Share = setting(0.8, "Jaccard similarity of word triples from which texts are near")
    invalid_rows: Literal["error", "drop"] = setting(
        "error", "rows without a usable text or label: stop, or go on without them"
    )
    audio: Literal["log_mel", "mfcc"] = setting(
        "log_mel", "of .wav files: the features of each 10 ms; mfcc are 13 numbers"
    )
    audio_bands: int = setting(40, "of .wav files: mel bands", ge=13, le=512)
    audio_rate: int = setting(
        16_000, "of .wav files: samples a second, to which others are brought", ge=1000, le=192_000
    )

    @pydantic.field_validator("labels", mode="before")
    @classmethod
    def _map(cls, value: Any) -> Any:
        """Take JSON or "neg,pos", and numbers for their names."""
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                value = [name.strip() for name in value.split(",")]
        if isinstance(value, Mapping):
            return {str(name): str(other) for name, other in value.items()}
        return [str(name) for name in value] if isinstance(value, list) else value

    @pydantic.field_validator("grades", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take "bad,fair,good" for a list, and numbers for their names."""
        if isinstance(value, str):
            return [name.strip() for name in value.split(",")]
        return [str(name) for name in value] if isinstance(value, list) else value


class TokenizerConfig(Section):
    """How a text becomes token ids."""

    kind: Literal["word", "bpe", "unigram", "char", "kmer"] = setting(
        "word", "what a token is; kmer: each kmer symbols in a row, such as ATG, TGC and GCA in ATGCA"
    )
    kmer: int = setting(3, "kmer only: symbols of a token", ge=1, le=1000)
    kmer_stride: int = setting(1, "kmer only: symbols from one token to the next", ge=1, le=1000)
    lowercase: bool = setting(True, "fold the case")
    strip_accents: bool = setting(False, "é becomes e")
    strip_html: bool = setting(True, "<br /> becomes a space")
    numbers: Literal["keep", "shape"] = setting(
        "shape", "shape: digits of numbers of three or more digits become 0 (1997 -> 0000)"
    )
    urls: Literal["keep", "mask"] = setting("mask", "mask: every URL becomes one token")
    min_frequency: int = setting(
        2, "drop rarer types (word, char, kmer) or merges (bpe); unigram prunes by likelihood instead", ge=1
    )
    max_size: int = setting(30_000, "most types in the vocabulary", ge=3, le=2**31 - 1)
    max_length: int = setting(600, "tokens kept of a text, or in a window", ge=1, le=2**31 - 1)
    truncation: Literal["head", "tail", "head+tail", "windows"] = setting(
        "head+tail",
        "which tokens of a longer text are kept; head+tail keeps half of each, windows reads all, max_length "
        "at a time",
    )
    window_overlap: int = setting(50, "windows only: tokens that a window shares with the next", ge=0)


class FeaturesConfig(Section):
    """How a sequence of feature vectors becomes what a model reads; of a corpus of texts nothing is used."""

    deltas: Literal[0, 1, 2] = setting(
        1, "slopes over time beside each feature: 1, or also those of the slopes: 2"
    )
    max_length: int = setting(1000, "steps kept of a sequence", ge=1, le=2**31 - 1)
    truncation: Literal["head", "tail", "head+tail"] = setting(
        "head+tail", "which steps of a longer one are kept; head+tail keeps half of each"
    )
    noise: float = setting(
        0.4, "in training: deviation of what is added to each number, in deviations of its feature", ge=0
    )
    time_mask: Dropout = setting(
        0.0, "in training: longest stretch of steps that is hidden, as a share of a sequence; 0: off"
    )

    @property
    def augments(self) -> bool:
        """Whether training changes the sequences that it is given."""
        return self.noise > 0 or self.time_mask > 0
