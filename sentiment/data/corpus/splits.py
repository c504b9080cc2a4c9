"""Divide a corpus into train, validation and test so that no text stands on two sides."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.core.errors import CorpusError, UsageError, listed
from sentiment.core.notices import Say, warn
from sentiment.core.sections.data import CorpusConfig
from sentiment.data import grades
from sentiment.data.corpus.checks import check_labels, check_rows, leave_rare, leave_unseen
from sentiment.data.corpus.folds import stratify
from sentiment.data.corpus.labels import Task, names_in
from sentiment.data.corpus.raw import RawCorpus, RawSplit
from sentiment.data.corpus.reading import Reading
from sentiment.data.corpus.source import read_corpus
from sentiment.data.inputs import Input, TextInput


@dataclass(frozen=True)
class Split:
    """Texts and the numbers of their classes, (B,), and what the corpus calls each text, if it does.

    Of the task ``multilabel`` the labels are (B, L) of 0 and 1.
    Of a corpus of features the texts are arrays (T, F), here and wherever texts of a corpus are spoken of.
    """

    texts: list[Any]
    labels: NDArray[np.int64]
    ids: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.texts)


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

    The corpus's own test split is kept whole. Training texts that are in test (but for case and
    punctuation) leave, repeats among them too, and what the corpus lacks is cut from the rest by seed,
    stratified, with equal texts on one side.

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
    pool = Texts.of(splits["train"], labels, raw)
    own: dict[str, Texts] = {
        role: Texts.of(splits[role], labels, raw) for role in ("validation", "test") if role in splits
    }
    test, validation = own.get("test"), own.get("validation")

    if test is not None:
        left_out["training texts in test"] = pool.remove(set(test.keys))
        if validation is not None:
            left_out["validation texts in test"] = validation.remove(set(test.keys))
    if validation is not None:
        left_out["training texts in validation"] = pool.remove(set(validation.keys))
    if not pool.texts:
        raise CorpusError(
            f"{raw.source}: all training texts are in {' or '.join(own)} too, and none is left to train on; "
            "give others"
        )
    if config.repeats == "drop":
        left_out["repeated training texts"] = pool.remove_repeats()
    _check_sizes(pool, labels, own, raw.source)
    if validation is not None and not validation.texts:
        raise CorpusError(f"{raw.source}: all validation texts are in test too; give others, or none")
    cut = tuple(role for role in ("validation", "test") if role not in own)
    if test is None:
        pool, test = pool.cut(config.test_share, len(labels), seed, left=1 + (validation is None))
    if validation is None:
        pool, validation = pool.cut(config.validation_share, len(labels), seed, left=1)
    if config.near_duplicates == "drop":
        if not raw.input.written:
            raise UsageError(f"corpus.near_duplicates=drop is for texts, and these are {raw.input.what}")
        from sentiment.data.identity import near_duplicates

        kept = [*test.texts, *validation.texts]
        near = near_duplicates([*kept, *pool.texts], config.similarity)
        left_out["near-duplicate training texts"] = pool.remove_rows(
            {later - len(kept) for _, later in near if later >= len(kept)}
        )
    unlabelled = raw.splits.get("unlabelled", RawSplit()).texts
    in_test = set(test.keys)
    kept_texts = [text for text in unlabelled if raw.input.key(text) not in in_test]
    left_out["unlabelled texts in test"] = len(unlabelled) - len(kept_texts)
    return Corpus(
        raw.name,
        raw.source,
        raw.revision,
        labels,
        pool.split(),
        validation.split(),
        test.split(),
        kept_texts,
        cut,
        {reason: count for reason, count in left_out.items() if count},
        raw.task,
        raw.reading,
        raw.input,
    )


class Texts:
    """Texts, labels and normalised keys that are filtered together."""

    def __init__(self, texts: list[Any], labels: NDArray[np.int64], keys: list[str], ids: list[Any]) -> None:
        self.texts, self.labels, self.keys, self.ids = texts, labels, keys, ids

    @classmethod
    def of(cls, split: RawSplit, names: tuple[str, ...], raw: RawCorpus) -> "Texts":
        numbers = {name: number for number, name in enumerate(names)}
        if raw.task == "multilabel":
            labels = np.zeros((len(split.labels), len(names)), np.int64)
            for row, label in enumerate(split.labels):
                labels[row, [numbers[name] for name in names_in(label)]] = 1
        else:
            labels = np.array([numbers[str(label)] for label in split.labels], np.int64)
        ids = split.ids or [None] * len(labels)
        return cls(split.texts, labels, [raw.input.key(text) for text in split.texts], ids)

    def split(self) -> Split:
        return Split(self.texts, self.labels, None if None in self.ids else self.ids)

    def take(self, rows: Iterable[int]) -> "Texts":
        rows = list(rows)
        texts, keys, ids = ([column[i] for i in rows] for column in (self.texts, self.keys, self.ids))
        return Texts(texts, self.labels[rows], keys, ids)

    def remove_rows(self, rows: set[int]) -> int:
        kept = self.take(i for i in range(len(self.texts)) if i not in rows)
        self.texts, self.labels, self.keys, self.ids = kept.texts, kept.labels, kept.keys, kept.ids
        return len(rows)

    def remove(self, keys: set[str]) -> int:
        return self.remove_rows({i for i, key in enumerate(self.keys) if key in keys})

    def remove_repeats(self) -> int:
        first: dict[str, int] = {}
        for row, key in enumerate(self.keys):
            first.setdefault(key, row)
        return self.remove_rows(set(range(len(self.keys))) - set(first.values()))

    def cut(self, share: float, classes: int, seed: int, left: int) -> tuple["Texts", "Texts"]:
        """Divide the groups of equal texts, stratified by the label of each group's first text.

        At least one group of each class is cut, and `left` of them stay; of several labels, if they can.
        """
        first: dict[str, int] = {}
        for row, key in enumerate(self.keys):
            first.setdefault(key, row)
        groups, labels = np.array(list(first), object), self.labels[list(first.values())]
        generator = np.random.default_rng(seed)
        chosen: set[str] = set()
        if labels.ndim == 2:
            counts, size = labels.sum(0), len(groups)
            taken = np.maximum(0, np.minimum(np.maximum(1, share * counts), counts - left))
            wanted, sizes = np.stack([counts - taken, taken]), np.array([1 - share, share]) * size
            chosen = set(groups[stratify(labels, wanted, sizes, generator) == 1])
        else:
            for label in range(classes):
                mine = generator.permutation(groups[labels == label])
                chosen |= set(mine[: max(0, min(max(1, round(share * len(mine))), len(mine) - left))])
        sides = ([], [])  # type: tuple[list[int], list[int]]
        for row, key in enumerate(self.keys):
            sides[key in chosen].append(row)
        return self.take(sides[0]), self.take(sides[1])


def _check_sizes(pool: "Texts", labels: tuple[str, ...], own: dict[str, "Texts"], source: str) -> None:
    """Refuse a class with too few different training texts to be on every side."""
    sides = 3 - len(own)
    groups = dict(zip(pool.keys, pool.labels, strict=True))
    several = pool.labels.ndim == 2
    counts = sum(groups.values(), np.zeros(len(labels), np.int64)) if several else Counter(groups.values())
    rare = {name: int(counts[number]) for number, name in enumerate(labels) if counts[number] < sides}
    if rare:
        what = "label" if several else "class"
        wanted = ["training", *(role for role in ("validation", "test") if role not in own)]
        if len(rare) == 1:
            name, count = next(iter(rare.items()))
            who = f"the {what} {name!r} has {count} different texts"
        else:
            names = listed(f"{name!r} ({count})" for name, count in rare.items())
            who = f"{len(rare)} {what}{'s' if several else 'es'} have too few different texts: {names}"
        raise CorpusError(
            f"{source}: {who}, and {sides} are needed for {', '.join(wanted)}; add texts, give --validation "
            "and --test, or leave them out with --set corpus.rare_classes=drop (merge: one class of them all)"
        )
