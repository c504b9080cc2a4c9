"""Divide a corpus into train, validation and test so that no text stands on two sides."""

import hashlib
import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment import grades
from sentiment.config import CorpusConfig
from sentiment.corpus.labels import folded
from sentiment.corpus.raw import RawCorpus, RawSplit, Task, names_in
from sentiment.corpus.reading import Reading
from sentiment.corpus.source import read_corpus
from sentiment.corpus.stratify import stratify
from sentiment.errors import CorpusError, UsageError, listed
from sentiment.features import content, digest
from sentiment.writing import is_mark

SHOWN = 3  # rows named in a message
UNSEEN = "{} texts of labels that no training text has"
OTHER = "other"  # the class of merged rare ones


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

    @property
    def sizes(self) -> dict[str, int]:
        """Number of texts of each split."""
        sizes = {role: len(getattr(self, role)) for role in ("train", "validation", "test")}
        return sizes | {"unlabelled": len(self.unlabelled)}

    @property
    def width(self) -> int | None:
        """Number of features of a step, or None for texts."""
        return width_of(self.train.texts)

    @property
    def noun(self) -> str:
        """What its texts are called where people read."""
        return "texts" if self.width is None else "sequences"

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
                sha256.update(content(text) + b"\0")
            sha256.update(split.labels.astype("<i8").tobytes())
        for text in texts:
            sha256.update(content(text) + b"\0")
        return sha256.hexdigest()


def width_of(texts: Sequence[Any]) -> int | None:
    """Return the number of features of a step, or None if they are texts."""
    return None if isinstance(texts[0], str) else int(texts[0].shape[1])


def load_corpus(config: CorpusConfig | str = "sample", seed: int = 0) -> Corpus:
    """Read and divide a corpus.

    Parameters
    ----------
    config
        All settings, or just the name of the corpus.
    seed
        Of the cuts, where the settings give none.
    """
    if isinstance(config, str):
        config = CorpusConfig(name=config)
    return divide(read_corpus(config), config, seed)


def load_for_scoring(
    config: CorpusConfig, labels: tuple[str, ...], width: int | None = None, like: Reading | None = None
) -> tuple[dict[str, Any], Split]:
    """Read what a corpus offers to score a model of known `labels` on: its test split, or all of it.

    Parameters
    ----------
    width
        Number of features that the model takes, or None for texts.
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
    raw, left_out = check_rows(read_corpus(config, like), config)
    role = "test" if raw.splits.get("test", RawSplit()).texts else "train"
    split = raw.splits[role]
    if split.texts and width_of(split.texts) != width:
        theirs, ours = (
            "texts" if one is None else f"{one} features a step" for one in (width_of(split.texts), width)
        )
        raise CorpusError(f"{raw.source}: it has {theirs}, but the model is of {ours}")
    if not split.labelled:
        raise CorpusError(f"{raw.source} ({role}): none of its {len(split.texts)} texts has a label")
    unknown = sorted({name for label in split.labels for name in names_in(label)} - set(labels))
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
    return about, _Texts.of(split, labels, raw.task).split()


ASCII_SIGNS = {code: " " for code in range(128) if not chr(code).isalnum()}


def normalise(text: Any) -> str:
    """Return a text without case, punctuation and spacing: what makes two texts repeats.

    Symbols beyond ASCII, such as emoji, stay: they can be all that tells two texts apart. So do accents
    and vowel signs that are characters of their own. Of features it is a digest: the slightest difference
    counts.
    """
    if not isinstance(text, str):
        return digest(text)
    folded = text.casefold().translate(ASCII_SIGNS)
    kept = re.sub(r"[^\w\s]", _keep_symbol, folded) if not folded.isascii() else folded
    return " ".join(kept.split()) or " ".join(text.casefold().split())


def _keep_symbol(match: re.Match[str]) -> str:
    return match[0] if unicodedata.category(match[0]) == "So" or is_mark(match[0]) else " "


def divide(raw: RawCorpus, config: CorpusConfig, seed: int = 0) -> Corpus:
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
    raw, invalid = check_rows(raw, config)
    left_out = {"invalid rows": invalid}
    splits = {role: split for role, split in raw.splits.items() if role != "unlabelled" and split.texts}
    left_out |= leave_unseen(raw, splits, config)
    left_out |= leave_rare(raw, splits, config)
    labels = check_labels(raw, splits, config)
    if raw.task == "ordinal":
        labels = grades.in_order(labels, config.grades, raw.label_order, raw.source)
    pool = _Texts.of(splits["train"], labels, raw.task)
    own: dict[str, _Texts] = {
        role: _Texts.of(splits[role], labels, raw.task) for role in ("validation", "test") if role in splits
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
        if not isinstance(test.texts[0], str):
            raise UsageError("corpus.near_duplicates=drop is for texts, and these are features")
        from sentiment.corpus.near import near_duplicates

        kept = [*test.texts, *validation.texts]
        near = near_duplicates([*kept, *pool.texts], config.similarity)
        left_out["near-duplicate training texts"] = pool.remove_rows(
            {later - len(kept) for _, later in near if later >= len(kept)}
        )
    unlabelled = raw.splits.get("unlabelled", RawSplit()).texts
    in_test = set(test.keys)
    kept_texts = [text for text in unlabelled if normalise(text) not in in_test]
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
    )


class _Texts:
    """Texts, labels and normalised keys that are filtered together."""

    def __init__(self, texts: list[Any], labels: NDArray[np.int64], keys: list[str], ids: list[Any]) -> None:
        self.texts, self.labels, self.keys, self.ids = texts, labels, keys, ids

    @classmethod
    def of(cls, split: RawSplit, names: tuple[str, ...], task: Task) -> "_Texts":
        numbers = {name: number for number, name in enumerate(names)}
        if task == "multilabel":
            labels = np.zeros((len(split.labels), len(names)), np.int64)
            for row, label in enumerate(split.labels):
                labels[row, [numbers[name] for name in names_in(label)]] = 1
        else:
            labels = np.array([numbers[str(label)] for label in split.labels], np.int64)
        ids = split.ids or [None] * len(labels)
        return cls(split.texts, labels, [normalise(text) for text in split.texts], ids)

    def split(self) -> Split:
        return Split(self.texts, self.labels, None if None in self.ids else self.ids)

    def take(self, rows: Iterable[int]) -> "_Texts":
        rows = list(rows)
        texts, keys, ids = ([column[i] for i in rows] for column in (self.texts, self.keys, self.ids))
        return _Texts(texts, self.labels[rows], keys, ids)

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

    def cut(self, share: float, classes: int, seed: int, left: int) -> tuple["_Texts", "_Texts"]:
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


def check_rows(raw: RawCorpus, config: CorpusConfig) -> tuple[RawCorpus, int]:
    """Refuse unusable rows, or leave them out and count them; the corpus itself stays as it is.

    Rows without a label are unusable where others have one.
    """
    splits = {role: without_missing(role, split) for role, split in raw.splits.items()}
    # Texts without a label that come with a corpus only help; a file of them was asked for.
    aside = "unlabelled" if config.unlabelled is None else ""
    invalid = [message for role, split in splits.items() if role != aside for message in split.invalid]
    further = splits[aside].invalid if aside in splits else []
    if invalid and config.invalid_rows == "error":
        more = f"; and {len(invalid) - SHOWN} more rows" if len(invalid) > SHOWN else ""
        encoding = next((split.encoding for split in splits.values() if split.encoding), None)
        hint = f"They look like {encoding}: --encoding {encoding}. Or mend" if encoding else "Mend"
        raise CorpusError(
            "; ".join(invalid[:SHOWN]) + more + f". {hint} them, or leave such rows out with "
            "--set corpus.invalid_rows=drop"
        )
    every = [*invalid, *further]
    if every:
        print(
            f"{raw.source}: left out {len(every)} unusable rows, such as {every[0]}",
            file=sys.stderr,
        )
    return replace(raw, splits=splits), len(every)


def without_missing(role: str, split: RawSplit) -> RawSplit:
    """Return a split in which rows without a label are unusable, if others have one."""
    if role == "unlabelled" or not split.labelled or None not in split.labels:
        return split
    missing = [row for row, label in enumerate(split.labels) if label is None]
    kept = split.take(row for row, label in enumerate(split.labels) if label is not None)
    kept.invalid += [f"{split.places[row] if split.places else row}: the label is missing" for row in missing]
    return kept


def leave_unseen(raw: RawCorpus, splits: dict[str, RawSplit], config: CorpusConfig) -> dict[str, int]:
    """Leave out texts of validation and test with a label that no training text has; say so and count them.

    Raises
    ------
    CorpusError
        If the settings want that, or if these are all the texts of a split.
    """
    if "train" not in splits:
        return {}
    known = {name for label in splits["train"].labels for name in names_in(label)}
    counts = {}
    for role in ("validation", "test"):
        split = splits.get(role, RawSplit())
        unseen = Counter(name for label in split.labels for name in names_in(label) if name not in known)
        if not unseen:
            continue
        kept = [
            row for row, label in enumerate(split.labels) if all(name in known for name in names_in(label))
        ]
        lost = len(split.texts) - len(kept)
        what = f"{lost:,} of {len(split.texts):,} texts of {role} have labels that no training text has: "
        what += listed(f"{name!r} ({count:,})" for name, count in unseen.most_common())
        if config.unseen_labels == "error" or not kept:
            raise CorpusError(
                f"{raw.source}: {what}; never in the training texts, whose labels are: "
                f"{listed(sorted(known))}; rename labels with corpus.labels, or leave such texts out with "
                "--set corpus.unseen_labels=drop"
            )
        scored = "; they were left out"
        scored += ", and the report has the accuracy with them as wrong" if role == "test" else ""
        print(f"{raw.source}: {what}{scored}", file=sys.stderr)
        splits[role] = split.take(kept)
        counts[UNSEEN.format(role)] = lost
    return counts


def leave_rare(raw: RawCorpus, splits: dict[str, RawSplit], config: CorpusConfig) -> dict[str, int]:
    """Leave out, or merge, classes with too few different training texts, if the settings say so."""
    if config.rare_classes == "error" or "train" not in splits:
        return {}
    own = [splits[role] for role in ("validation", "test") if role in splits]
    beside = {normalise(text) for split in own for text in split.texts}
    groups = {
        normalise(text): label
        for text, label in zip(splits["train"].texts, splits["train"].labels, strict=True)
    }
    counts = Counter({name: 0 for label in groups.values() for name in names_in(label)})
    counts.update(name for key, label in groups.items() if key not in beside for name in names_in(label))
    rare = {name for name, count in counts.items() if count < 3 - len(own)}
    if not rare:
        return {}
    lost = 0
    for role, split in splits.items():
        hit = [row for row, label in enumerate(split.labels) if rare & set(names_in(label))]
        lost += len(hit)
        if config.rare_classes == "drop" and raw.task != "multilabel":
            gone = set(hit)
            splits[role] = split.take(row for row in range(len(split.texts)) if row not in gone)
            continue
        labels = list(split.labels)
        for row in hit:
            names = [OTHER if name in rare else name for name in names_in(labels[row])]
            if config.rare_classes == "drop":
                names = [name for name in names if name != OTHER]
            labels[row] = tuple(dict.fromkeys(names)) if raw.task == "multilabel" else names[0]
        splits[role] = replace(split, labels=labels)
    done = "left out" if config.rare_classes == "drop" else f"joined as {OTHER!r}"
    print(f"{raw.source}: {len(rare)} rare classes were {done}: {listed(sorted(rare))}", file=sys.stderr)
    merged = config.rare_classes == "merge" or raw.task == "multilabel"
    return {} if merged else {"texts of rare classes": lost}


def check_labels(raw: RawCorpus, splits: dict[str, RawSplit], config: CorpusConfig) -> tuple[str, ...]:
    """Return the classes of the training texts, in the order that the settings or the source give."""
    if "train" not in splits:
        raise CorpusError(f"{raw.source}: there are no usable texts to train on")
    several = raw.task == "multilabel"
    counts = {
        role: Counter(name for label in split.labels for name in names_in(label))
        for role, split in splits.items()
    }
    for role, split in splits.items():
        if not split.labelled:
            raise CorpusError(f"{raw.source} ({role}): none of its {len(split.texts)} texts has a label")
    found, texts = counts["train"], len(splits["train"].texts)
    if several and len(found) < 2:
        raise CorpusError(
            f"{raw.source}: the lists of the {texts} training texts have {len(found)} labels, and two or "
            "more are needed"
        )
    if len(found) < 2:
        raise CorpusError(
            f"{raw.source}: all {texts} training texts have the label {next(iter(found))!r}; "
            "two classes or more are needed"
        )
    if len(found) > max(2, texts // 2):
        raise CorpusError(
            f"{raw.source}: {len(found)} different labels for {texts} texts; "
            "is that the label column? (--label-column)"
        )
    given = list(
        dict.fromkeys(config.labels.values() if isinstance(config.labels, dict) else config.labels or ())
    )
    if unknown := [label for label in given if label and label not in found]:
        raise CorpusError(
            f"{raw.source}: corpus.labels names {listed(map(repr, unknown))}, and the labels of the "
            f"training texts are: {listed(sorted(found))}"
        )
    order = [*given, *(raw.label_order if raw.label_order is not None else sorted_labels(found))]
    return tuple(dict.fromkeys(label for label in order if label in found))


def sorted_labels(labels: Collection[str]) -> list[str]:
    """Sort class names; numbers by their size."""
    number = all(re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", label) for label in labels)
    return sorted(labels, key=float) if number else sorted(labels)


def _check_sizes(pool: "_Texts", labels: tuple[str, ...], own: dict[str, "_Texts"], source: str) -> None:
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
