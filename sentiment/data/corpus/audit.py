"""What is in a corpus, and what is wrong with it."""

from collections import Counter
from typing import Any, cast

import numpy as np

from sentiment.core.errors import SentimentError
from sentiment.core.schema.corpus import Audit, AuditSplit, Conflict, Conflicts, NearDuplicates, Repeat
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.strings import Say, warn
from sentiment.data.corpus.checks import without_missing
from sentiment.data.corpus.label_audit import odd_labels
from sentiment.data.corpus.labels import Task, names_in
from sentiment.data.corpus.leakage import leakage
from sentiment.data.corpus.oddities import FINDERS, SHOWN, short
from sentiment.data.corpus.raw import RawCorpus, RawSplit
from sentiment.data.corpus.source import read_corpus
from sentiment.data.corpus.splits import divide
from sentiment.data.identity import near_duplicates
from sentiment.data.inputs import Input

EXAMPLES = 3  # of each finding
CHEAP = 1_000_000  # characters: near-duplicates among so many take a few seconds


def audit(config: CorpusConfig, near: bool = True, say: Say = warn) -> Audit:
    """Look a corpus over.

    Parameters
    ----------
    config
        Of the corpus.
    near
        Also search near-duplicates, which takes about a second for a thousand long texts.
    say
        Told what was guessed or left out; a warning of Python's logging by default.

    Returns
    -------
    dict
        ``splits``: sizes, classes, lengths in their ``unit``, unusable rows and oddities of each. Where a
        text may have several labels also ``cardinality``, their mean number, and ``label_sets``, how many
        different sets there are. ``repeats`` within and across splits; of features only exact ones.
        ``conflicts``: equal texts with different labels. ``near_duplicates`` of texts, None if they were
        not searched. ``leakage``: patterns of training texts that tell their one label. ``reading``: how a
        file was read. ``labels``: what is odd about them. ``refused``: the message with which training
        stops, if it does.
    """
    raw = read_corpus(config, say=say)
    result = inspect(raw, config.similarity if near else None)
    try:
        divide(raw, config, say=say)
    except SentimentError as error:
        result["refused"] = str(error)
    return result


def inspect(raw: RawCorpus, similarity: float | None) -> Audit:
    """Look over a corpus as `audit` does; with `similarity` None near-duplicates are not searched."""
    splits = {role: without_missing(role, split) for role, split in raw.splits.items()}
    splits = {role: split for role, split in splits.items() if split.texts or split.invalid}
    keys = {role: [raw.input.key(text) for text in split.texts] for role, split in splits.items()}
    train = splits.get("train", RawSplit())
    exact, searched = keys, False
    if raw.input.written:
        exact, searched = {role: split.texts for role, split in splits.items()}, not raw.several
    else:
        similarity = None
    return {
        "kind": raw.input.kind,
        "task": raw.task,
        "corpus": {"name": raw.name, "source": raw.source, "revision": raw.revision},
        "reading": raw.reading.as_dict() if raw.reading is not None else None,
        "labels": _labels(splits, raw.task),
        "splits": {role: _describe(split, raw) for role, split in splits.items()},
        "repeats": _repeats(exact, keys),
        "conflicts": _conflicts(splits, keys, raw.input),
        "near_duplicates": None if similarity is None else _near(splits, keys, similarity),
        "leakage": leakage(train.texts, train.labels) if searched else [],
    }


def for_report(raw: RawCorpus, similarity: float) -> Audit:
    """Return the part ``audit`` of a report; near-duplicates are searched only in a small corpus."""
    size = sum(len(text) for split in raw.splits.values() for text in split.texts)
    return inspect(raw, similarity if size <= CHEAP else None)


def _labels(splits: dict[str, RawSplit], task: Task) -> list[str]:
    """Say what is odd about labels, and which of them no training text has."""
    train = splits.get("train", RawSplit())
    lines = odd_labels(train.labels, [label for split in splits.values() for label in split.labels], task)
    known = {*train.counts}
    for role in ("validation", "test"):
        unseen = sorted({*splits.get(role, RawSplit()).counts} - known)
        if unseen and known:
            lines.append(f"{role}: labels that no training text has: {', '.join(map(repr, unseen[:SHOWN]))}")
    return lines


def _describe(split: RawSplit, raw: RawCorpus) -> AuditSplit:
    unit = raw.input.unit_of(split.texts)
    lengths = [raw.input.length(text, unit) for text in split.texts]
    labels = Counter(name for label in split.labels for name in (names_in(label) or ["(none)"]))
    sets = [label for label in split.labels if label is not None]
    several = {
        "cardinality": float(np.mean([len(label) for label in sets])) if sets else 0.0,
        "label_sets": len(set(map(frozenset, sets))),
    }
    facts = {
        "texts": len(split.texts),
        "labels": dict(labels.most_common()),
        **(several if raw.several else {}),
        "unit": unit,
        "words": {
            name: int(value)
            for name, value in zip(
                ("least", "median", "95th percentile", "most"),
                np.percentile(lengths or [0], [0, 50, 95, 100]),
                strict=True,
            )
        },
        "unusable_rows": {"count": len(split.invalid), "examples": split.invalid[:EXAMPLES]},
        **FINDERS[raw.input.kind](split, lengths, unit),
    }
    return cast(AuditSplit, facts)


def _repeats(exact: dict[str, list[str]], keys: dict[str, list[str]]) -> list[Repeat]:
    """Count texts that repeat another one, exactly and but for case and punctuation."""
    forms = {"exact": exact, "normalised": keys}
    roles = list(keys)
    repeats: list[Repeat] = []
    for index, first in enumerate(roles):
        for second in roles[index:]:
            counts = {}
            for form, texts in forms.items():
                if first == second:
                    counts[form] = len(texts[first]) - len(set(texts[first]))
                else:
                    known = set(texts[second])
                    counts[form] = sum(text in known for text in texts[first])
            if any(counts.values()):
                repeats.append(
                    {"of": first, "in": second, "exact": counts["exact"], "normalised": counts["normalised"]}
                )
    return repeats


def _conflicts(splits: dict[str, RawSplit], keys: dict[str, list[str]], of: Input) -> Conflicts:
    """Find equal texts that have different labels."""
    labels: dict[str, set[str]] = {}
    first: dict[str, Any] = {}
    for role, split in splits.items():
        for key, text, label in zip(keys[role], split.texts, split.labels, strict=True):
            if label is not None:
                labels.setdefault(key, set()).add(" + ".join(sorted(names_in(label))) or "(none)")
                first.setdefault(key, text)
    unequal = [key for key, names in labels.items() if len(names) > 1]
    examples: list[Conflict] = [
        {"text": short(of.shown(first[key])), "labels": sorted(labels[key])} for key in unequal[:EXAMPLES]
    ]
    return {"count": len(unequal), "examples": examples}


def _near(splits: dict[str, RawSplit], keys: dict[str, list[str]], similarity: float) -> NearDuplicates:
    """Find texts that nearly repeat an earlier one, exact repeats left aside."""
    owners, texts, seen = [], [], set()
    for role, split in splits.items():
        for key, text in zip(keys[role], split.texts, strict=True):
            if key not in seen:
                seen.add(key)
                owners.append(role)
                texts.append(text)
    pairs = near_duplicates(texts, similarity)
    sides = Counter((owners[earlier], owners[later]) for earlier, later in pairs)
    return {
        "similarity": similarity,
        "count": len(pairs),
        "by_splits": [
            {"of": later, "in": earlier, "count": count} for (earlier, later), count in sides.items()
        ],
        "examples": [[short(texts[earlier]), short(texts[later])] for earlier, later in pairs[:EXAMPLES]],
    }
