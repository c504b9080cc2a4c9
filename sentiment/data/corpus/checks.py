"""What a corpus must fulfil before it is divided: usable rows, known and frequent labels."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from sentiment.core.errors import CorpusError, listed
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.strings import Say, warn
from sentiment.data.corpus.labels import names_in
from sentiment.data.corpus.raw import RawCorpus, RawSplit

SHOWN = 3  # rows named in a message
UNSEEN = "{} texts of labels that no training text has"
OTHER = "other"  # the class of merged rare ones


def check_rows(raw: RawCorpus, config: CorpusConfig, say: Say = warn) -> tuple[RawCorpus, int]:
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
        say(f"{raw.source}: left out {len(every)} unusable rows, such as {every[0]}")
    return replace(raw, splits=splits), len(every)


def without_missing(role: str, split: RawSplit) -> RawSplit:
    """Return a split in which rows without a label are unusable, if others have one."""
    if role == "unlabelled" or not split.labelled or None not in split.labels:
        return split
    missing = [row for row, label in enumerate(split.labels) if label is None]
    kept = split.take(row for row, label in enumerate(split.labels) if label is not None)
    kept.invalid += [f"{split.places[row] if split.places else row}: the label is missing" for row in missing]
    return kept


def leave_unseen(
    raw: RawCorpus, splits: dict[str, RawSplit], config: CorpusConfig, say: Say
) -> dict[str, int]:
    """Leave out texts of validation and test with a label that no training text has; say so and count them.

    Raises
    ------
    CorpusError
        If the settings want that, or if these are all the texts of a split.
    """
    if "train" not in splits:
        return {}
    known = {*splits["train"].counts}
    counts = {}
    for role in ("validation", "test"):
        split = splits.get(role, RawSplit())
        unseen = Counter(name for label in split.labels for name in names_in(label) if name not in known)
        if not unseen:
            continue
        kept = [row for row, label in enumerate(split.labels) if known.issuperset(names_in(label))]
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
        say(f"{raw.source}: {what}{scored}")
        splits[role] = split.take(kept)
        counts[UNSEEN.format(role)] = lost
    return counts


def leave_rare(raw: RawCorpus, splits: dict[str, RawSplit], config: CorpusConfig, say: Say) -> dict[str, int]:
    """Leave out, or merge, classes with too few different training texts, if the settings say so."""
    if config.rare_classes == "error" or "train" not in splits:
        return {}
    own = [splits[role] for role in ("validation", "test") if role in splits]
    key = raw.input.key
    beside = {key(text) for split in own for text in split.texts}
    groups = {
        key(text): label for text, label in zip(splits["train"].texts, splits["train"].labels, strict=True)
    }
    counts = Counter({name: 0 for label in groups.values() for name in names_in(label)})
    counts.update(name for text, label in groups.items() if text not in beside for name in names_in(label))
    rare = {name for name, count in counts.items() if count < 3 - len(own)}
    if not rare:
        return {}
    leaves, lost = config.rare_classes == "drop" and not raw.several, 0
    for role, split in splits.items():
        hit = [row for row, label in enumerate(split.labels) if rare & set(names_in(label))]
        lost += len(hit)
        if leaves:
            gone = set(hit)
            splits[role] = split.take(row for row in range(len(split.texts)) if row not in gone)
            continue
        labels = list(split.labels)
        for row in hit:
            label = labels[row]
            names = [OTHER if name in rare else name for name in names_in(label)]
            if config.rare_classes == "drop":
                names = [name for name in names if name != OTHER]
            labels[row] = names[0] if isinstance(label, str) else tuple(dict.fromkeys(names))
        splits[role] = replace(split, labels=labels)
    done = "left out" if config.rare_classes == "drop" else f"joined as {OTHER!r}"
    say(f"{raw.source}: {len(rare)} rare classes were {done}: {listed(sorted(rare))}")
    return {"texts of rare classes": lost} if leaves else {}


def check_labels(raw: RawCorpus, splits: dict[str, RawSplit], config: CorpusConfig) -> tuple[str, ...]:
    """Return the classes of the training texts, in the order that the settings or the source give."""
    if "train" not in splits:
        raise CorpusError(f"{raw.source}: there are no usable texts to train on")
    for role, split in splits.items():
        if not split.labelled:
            raise CorpusError(f"{raw.source} ({role}): none of its {len(split.texts)} texts has a label")
    known, texts = splits["train"].counts, len(splits["train"].texts)
    if len(known) < 2:
        lists = (
            f"the lists of the {texts} training texts have {len(known)} labels, and two or more are needed"
        )
        same = f"all {texts} training texts have the label {''.join(known)!r}; two classes or more are needed"
        raise CorpusError(f"{raw.source}: {lists if raw.several else same}")
    if len(known) > max(2, texts // 2):
        raise CorpusError(
            f"{raw.source}: {len(known)} different labels for {texts} texts; "
            "is that the label column? (--label-column)"
        )
    given = list(
        dict.fromkeys(config.labels.values() if isinstance(config.labels, dict) else config.labels or ())
    )
    if unknown := [label for label in given if label and label not in known]:
        raise CorpusError(
            f"{raw.source}: corpus.labels names {listed(map(repr, unknown))}, and the labels of the "
            f"training texts are: {listed(sorted(known))}"
        )
    order = [*given, *(raw.label_order if raw.label_order is not None else sorted_labels(known))]
    return tuple(dict.fromkeys(label for label in order if label in known))


def sorted_labels(labels: Collection[str]) -> list[str]:
    """Sort class names; numbers by their size."""
    number = all(re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", label) for label in labels)
    return sorted(labels, key=float) if number else sorted(labels)
