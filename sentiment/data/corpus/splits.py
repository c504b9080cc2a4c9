"""A corpus ready for a model: divided so that no text stands on two sides, or whole, to be scored."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.core.errors import CorpusError, UsageError, listed
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.strings import Say, warn
from sentiment.data import grades
from sentiment.data.corpus.checks import SHOWN, check_labels, check_rows, leave_rare, leave_unseen
from sentiment.data.corpus.labels import Task, folded, names_in
from sentiment.data.corpus.raw import RawCorpus, RawSplit
from sentiment.data.corpus.reading import Reading
from sentiment.data.corpus.sides import Texts, numbered
from sentiment.data.corpus.source import read_corpus
from sentiment.data.identity import near_duplicates
from sentiment.data.inputs import Input, TextInput


@dataclass(frozen=True)
class Split:
    """Texts with their labels.

    Attributes
    ----------
    texts
        Strings, or arrays (T, F) of a corpus of features.
    labels
        (B,) numbers of classes; (B, L) of 0 and 1 where a text may have several.
    ids
        What the corpus calls each text, if it does.
    """

    texts: list[Any]
    labels: NDArray[np.int64]
    ids: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of(cls, split: RawSplit, names: Sequence[str], several: bool) -> "Split":
        """Return usable rows with their labels as numbers."""
        ids = split.ids if split.ids and None not in split.ids else None
        return cls(split.texts, numbered(split.labels, names, several), ids)


@dataclass(frozen=True)
class Corpus:
    """A corpus ready for training.

    Attributes
    ----------
    labels
        Class names, by number. Of two classes, the second is the positive one in scores.
    unlabelled
        Further texts, none of which is in test.
    cut
        Which splits the corpus lacked, so that they were cut from its training texts.
    left_out
        How many texts were left out, by reason.
    task
        What a label is: one of the classes, any number of them, or one of classes that are in order.
    reading
        How the source was read: its columns are the model's.
    input
        What its texts are: texts, or features.
    """

    name: str
    source: str
    revision: str | None
    labels: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    unlabelled: list[Any] = field(default_factory=list)
    cut: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    task: Task = "multiclass"
    reading: Reading | None = None
    input: Input = field(default_factory=TextInput)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of texts of each split."""
        sizes = {role: len(getattr(self, role)) for role in ("train", "validation", "test")}
        return sizes | {"unlabelled": len(self.unlabelled)}

    def fingerprint(self) -> str:
        """SHA-256 of every text and label, in order: equal corpora have equal ones."""
        return self._sha256((self.train, self.validation, self.test), self.unlabelled)

    def test_fingerprint(self) -> str:
        """SHA-256 of the test texts and labels: whatever was trained on, scores on them compare."""
        return self._sha256((self.test,))

    def _sha256(self, splits: Iterable[Split], texts: Iterable[Any] = ()) -> str:
        sha256 = hashlib.sha256(repr(self.labels).encode())
        for split in splits:
            for text in split.texts:
                sha256.update(self.input.content(text) + b"\0")
            sha256.update(split.labels.astype("<i8").tobytes())
        for text in texts:
            sha256.update(self.input.content(text) + b"\0")
        return sha256.hexdigest()


def load_corpus(config: CorpusConfig | str = "sample", seed: int = 0, say: Say = warn) -> Corpus:
    """Read and divide a corpus.

    Parameters
    ----------
    config
        All settings, or just the name of the corpus.
    seed
        Of the cuts, where the settings give none.
    say
        Told what was guessed or left out; a warning of Python's logging by default.
    """
    if isinstance(config, str):
        config = CorpusConfig(name=config)
    return divide(read_corpus(config, say=say), config, seed, say)


def divide(raw: RawCorpus, config: CorpusConfig, seed: int = 0, say: Say = warn) -> Corpus:
    """Check a corpus and divide it.

    The corpus's own test split stays whole. Training texts that repeat a test text, or each other, are
    left out; repeats may differ in case and punctuation. A split that the corpus lacks is cut from the rest
    by seed, stratified, with equal texts on one side.

    Raises
    ------
    CorpusError
        If rows are unusable, or too few for every class to be on every side.
    """
    seed = seed if config.seed is None else config.seed
    raw, invalid = check_rows(raw, config, say)
    left_out = {"invalid rows": invalid}
    splits = {role: split for role, split in raw.splits.items() if role != "unlabelled" and split.texts}
    left_out |= leave_unseen(raw, splits, config, say)
    left_out |= leave_rare(raw, splits, config, say)
    labels = check_labels(raw, splits, config)
    if raw.task == "ordinal":
        labels = grades.in_order(labels, config.grades, raw.label_order, raw.source)
    pool = Texts.of(splits["train"], raw)
    own: dict[str, Texts] = {
        role: Texts.of(splits[role], raw) for role in ("validation", "test") if role in splits
    }
    test, validation = own.get("test"), own.get("validation")

    if test is not None:
        left_out["training texts in test"] = pool.remove_equal(test)
        if validation is not None:
            left_out["validation texts in test"] = validation.remove_equal(test)
    if validation is not None:
        left_out["training texts in validation"] = pool.remove_equal(validation)
    if not pool.keys:
        raise CorpusError(
            f"{raw.source}: all training texts are in {' or '.join(own)} too, and none is left to train on; "
            "give others"
        )
    if config.repeats == "drop":
        left_out["repeated training texts"] = pool.remove({*range(len(pool.keys))} - {*pool.first.values()})
    _check_sizes(pool, labels, own, raw)
    if validation is not None and not validation.keys:
        raise CorpusError(f"{raw.source}: all validation texts are in test too; give others, or none")
    cut = tuple(role for role in ("validation", "test") if role not in own)
    if test is None:
        pool, test = pool.cut(config.test_share, labels, seed, left=1 + (validation is None))
    if validation is None:
        pool, validation = pool.cut(config.validation_share, labels, seed, left=1)
    if config.near_duplicates == "drop":
        if not raw.input.written:
            raise UsageError(f"corpus.near_duplicates=drop is for texts, and these are {raw.input.what}")
        kept = [*test.split.texts, *validation.split.texts]
        near = near_duplicates([*kept, *pool.split.texts], config.similarity)
        left_out["near-duplicate training texts"] = pool.remove(
            {later - len(kept) for _, later in near if later >= len(kept)}
        )
    unlabelled = Texts.of(raw.splits.get("unlabelled", RawSplit()), raw)
    left_out["unlabelled texts in test"] = unlabelled.remove_equal(test)
    return Corpus(
        raw.name,
        raw.source,
        raw.revision,
        labels,
        Split.of(pool.split, labels, raw.several),
        Split.of(validation.split, labels, raw.several),
        Split.of(test.split, labels, raw.several),
        unlabelled.split.texts,
        cut,
        {reason: count for reason, count in left_out.items() if count},
        raw.task,
        raw.reading,
        raw.input,
    )


def _check_sizes(pool: Texts, labels: tuple[str, ...], own: dict[str, Texts], raw: RawCorpus) -> None:
    """Refuse a class with too few different training texts to be on every side."""
    sides = 3 - len(own)
    groups = dict(zip(pool.keys, pool.split.labels, strict=True))
    counts = Counter(name for label in groups.values() for name in names_in(label))
    rare = {name: counts[name] for name in labels if counts[name] < sides}
    if rare:
        wanted = ["training", *(role for role in ("validation", "test") if role not in own)]
        if len(rare) == 1:
            name, count = next(iter(rare.items()))
            who = f"the {raw.nouns[0]} {name!r} has {count} different texts"
        else:
            names = listed(f"{name!r} ({count})" for name, count in rare.items())
            who = f"{len(rare)} {raw.nouns[1]} have too few different texts: {names}"
        raise CorpusError(
            f"{raw.source}: {who}, and {sides} are needed for {', '.join(wanted)}; add texts, give "
            "--validation and --test, or leave them out with --set corpus.rare_classes=drop (merge: one "
            "class of them all)"
        )


def load_for_scoring(
    config: CorpusConfig,
    labels: tuple[str, ...],
    takes: Input,
    like: Reading | None = None,
    say: Say = warn,
) -> tuple[dict[str, Any], Split]:
    """Read what a corpus offers to score a model of known `labels` on: its test split, or all of it.

    Parameters
    ----------
    takes
        What the model takes.
    like
        How the corpus of the model was read; its columns come first.

    Returns
    -------
    dict, Split
        What the report says of the corpus, and the texts.

    Raises
    ------
    CorpusError
        If it has labels that the model does not know, or other features.
    """
    raw, left_out = check_rows(read_corpus(config, like, say), config, say)
    role = "test" if raw.splits.get("test", RawSplit()).texts else "train"
    split = raw.splits[role]
    if split.texts and raw.input != takes:
        raise CorpusError(f"{raw.source}: it has {raw.input}, but the model is of {takes}")
    if not split.labelled:
        raise CorpusError(f"{raw.source} ({role}): none of its {len(split.texts)} texts has a label")
    unknown = sorted({*split.counts} - {*labels})
    if unknown:
        alike = {folded(label): label for label in labels}
        names = {name: alike.get(folded(name), "…") for name in unknown[:SHOWN]}
        raise CorpusError(
            f"{raw.source}: the model knows the labels {listed(labels)}, but not "
            f"{listed(unknown)}; train on this corpus, or say for each which of the model's it is: --set "
            f"'corpus.labels={json.dumps(names, ensure_ascii=False)}'"
        )
    about = {
        "name": raw.name,
        "source": raw.source,
        "revision": raw.revision,
        "sizes": {"test": len(split.texts)},
        "scored_split": role,
        "labels": list(labels),
        "left_out": {"invalid rows": left_out} if left_out else {},
        "reading": raw.reading.as_dict() if raw.reading is not None else None,
    }
    return about, Split.of(split, labels, raw.several)
