"""What is in a corpus, and what is wrong with it."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from sentiment.core.config import CorpusConfig
from sentiment.core.errors import SentimentError
from sentiment.data.corpus.checks import without_missing
from sentiment.data.corpus.identity import normalise
from sentiment.data.corpus.label_audit import odd_labels
from sentiment.data.corpus.labels import Task
from sentiment.data.corpus.leakage import leakage
from sentiment.data.corpus.near import near_duplicates
from sentiment.data.corpus.raw import RawCorpus, RawSplit, names_in
from sentiment.data.corpus.source import read_corpus
from sentiment.data.corpus.splits import divide
from sentiment.data.features import shown
from sentiment.data.scripts import has_words

EXAMPLES, SHOWN = 3, 12  # examples of each finding; classes of a split in the table
CHEAP = 1_000_000  # characters: near-duplicates among so many take a few seconds
LONG = 400  # words, or characters of texts without words: more than the default settings read
FAR = 20  # deviations from the mean of a feature
# UTF-8 that was read as Latin-1 or Windows-1252 and saved again: Ã©, â€™, Â£.
MOJIBAKE = re.compile(r"Ã[\x80-\xbf]|â€[\x80-\xbf™œ“”¦]|Â[\xa0-\xbf]")
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
MIXED = re.compile(r"[A-Za-z][\u0400-\u04ff]|[\u0400-\u04ff][A-Za-z]")  # pаypal, with a Cyrillic а
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
ENTITY = re.compile(r"&(?:#\d{1,6}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});")
# Of a text and the number of its words, or characters; the cheap tests come first, as a corpus may be large.
ODDITIES: dict[str, Callable[[str, int], bool]] = {
    "HTML entities (&amp;)": lambda text, _: "&" in text and ENTITY.search(text) is not None,
    "HTML tags": lambda text, _: "<" in text and TAG.search(text) is not None,
    "wrongly decoded characters (Ã©)": lambda text, _: (
        not text.isascii() and MOJIBAKE.search(text) is not None
    ),
    "replacement characters (U+FFFD)": lambda text, _: "\ufffd" in text,
    "invisible or direction-changing characters": lambda text, _: (
        not text.isascii() and INVISIBLE.search(text) is not None
    ),
    "words of mixed Latin and Cyrillic letters": lambda text, _: (
        not text.isascii() and MIXED.search(text) is not None
    ),
    "control characters": lambda text, _: not text.isprintable() and CONTROL.search(text) is not None,
    f"more than {LONG} {{unit}}s": lambda _, units: units > LONG,
    "a single {unit}": lambda _, units: units < 2,
}


def audit(config: CorpusConfig, near: bool = True) -> dict[str, Any]:
    """Look a corpus over.

    Parameters
    ----------
    config
        Of the corpus.
    near
        Also search near-duplicates, which takes about a second for a thousand long texts.

    Returns
    -------
    dict
        ``splits`` (sizes, classes, lengths in words, or in characters of texts without words, or in steps
        of features, unusable rows, oddities), ``repeats`` within and across splits, ``conflicts`` (equal
        texts with different labels), ``near_duplicates`` (None if they were not searched) and ``leakage``
        (patterns of training texts that tell the label); with examples. Of features (``kind``) repeats are
        exact ones, and no near-duplicates or patterns are searched. Of several labels (``task``) each split
        has ``cardinality``, the mean number of labels of a text, and ``label_sets``, the different ones; and
        no patterns are searched. ``reading`` says how a file was read, and ``labels`` what is odd about
        labels; ``refused`` is the message with which training stops, if it does.
    """
    raw = read_corpus(config)
    result = inspect(raw, config.similarity if near else None)
    try:
        divide(raw, config)
    except SentimentError as error:
        result["refused"] = str(error)
    return result


def inspect(raw: RawCorpus, similarity: float | None) -> dict[str, Any]:
    """Look over a corpus as `audit` does; with `similarity` None near-duplicates are not searched."""
    splits = {role: without_missing(role, split) for role, split in raw.splits.items()}
    splits = {role: split for role, split in splits.items() if split.texts or split.invalid}
    keys = {role: [normalise(text) for text in split.texts] for role, split in splits.items()}
    train = splits.get("train", RawSplit())
    features = any(not isinstance(split.texts[0], str) for split in splits.values() if split.texts)
    if features:
        similarity = None
    return {
        "kind": "features" if features else "text",
        "task": raw.task,
        "corpus": {"name": raw.name, "source": raw.source, "revision": raw.revision},
        "reading": raw.reading.as_dict() if raw.reading is not None else None,
        "labels": _labels(splits, raw.task),
        "splits": {role: _describe(split, features, raw.task) for role, split in splits.items()},
        "repeats": _repeats(splits, keys),
        "conflicts": _conflicts(splits, keys),
        "near_duplicates": None if similarity is None else _near(splits, keys, similarity),
        "leakage": [] if features or raw.task == "multilabel" else leakage(train.texts, train.labels),
    }


def for_report(raw: RawCorpus, similarity: float) -> dict[str, Any]:
    """Return the part ``audit`` of a report; near-duplicates are searched only in a small corpus."""
    size = sum(len(text) for split in raw.splits.values() for text in split.texts)
    return inspect(raw, similarity if size <= CHEAP else None)


def _labels(splits: dict[str, RawSplit], task: Task) -> list[str]:
    """Say what is odd about labels, and which of them no training text has."""
    train = splits.get("train", RawSplit())
    lines = odd_labels(train.labels, [label for split in splits.values() for label in split.labels], task)
    known = {name for label in train.labels for name in names_in(label)}
    for role in ("validation", "test"):
        split = splits.get(role, RawSplit())
        unseen = sorted({name for label in split.labels for name in names_in(label)} - known)
        if unseen and known:
            lines.append(f"{role}: labels that no training text has: {', '.join(map(repr, unseen[:SHOWN]))}")
    return lines


def _describe(split: RawSplit, features: bool, task: str) -> dict[str, Any]:
    unit = "step" if features else "word" if has_words(split.texts) else "character"
    lengths = [_length(text, unit) for text in split.texts]
    labels = Counter(name for label in split.labels for name in (names_in(label) or ["(none)"]))
    sets = [label for label in split.labels if label is not None]
    several = {
        "cardinality": float(np.mean([len(label) for label in sets])) if sets else 0.0,
        "label_sets": len(set(map(frozenset, sets))),
    }
    odd = _odd_features(split) if features else {}
    for name, found in () if features else ODDITIES.items():
        texts = [text for text, units in zip(split.texts, lengths, strict=True) if found(text, units)]
        if texts:
            odd[name.format(unit=unit)] = {"count": len(texts), "example": _short(texts[0])}
    return {
        "texts": len(split.texts),
        "labels": dict(labels.most_common()),
        **(several if task == "multilabel" else {}),
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
        "scripts": {} if features else dict(Counter(map(script, split.texts)).most_common()),
        "oddities": odd,
    }


def _length(text: Any, unit: str) -> int:
    if unit == "step":
        return len(text)
    return len(text.split()) if unit == "word" else len("".join(text.split()))


def _odd_features(split: RawSplit) -> dict[str, Any]:
    """Find sequences of a single step, or which never change, or with numbers far from all others."""
    if not split.texts:
        return {}
    steps = np.concatenate(split.texts)
    mean, spread = steps.mean(0, dtype=np.float64), steps.std(0, dtype=np.float64)
    tests: dict[str, Callable[[Any], Any]] = {
        "a single step": lambda array: len(array) == 1,
        "steps that are all the same": lambda array: len(array) > 1 and (array == array[0]).all(),
        f"numbers more than {FAR} deviations from the mean": lambda array: (
            np.abs(array - mean) > FAR * spread
        ).any(),
    }
    odd = {}
    for name, found in tests.items():
        rows = [row for row, array in enumerate(split.texts) if found(array)]
        if rows:
            odd[name] = {"count": len(rows), "example": split.places[rows[0]]}
    constant = np.flatnonzero(np.ptp(steps, 0) == 0)
    if len(constant):
        numbers = ", ".join(str(number + 1) for number in constant[:SHOWN])
        odd["features that never change"] = {"count": len(split.texts), "example": f"feature {numbers}"}
    return odd


def script(text: str) -> str:
    """Name the script of most letters of a text, such as Latin, or (none)."""
    if text.isascii():
        return "Latin" if re.search("[A-Za-z]", text) else "(none)"
    names: Counter[str] = Counter()
    for char, count in Counter(text).items():
        names[_script_of(char)] += count
    del names["(none)"]
    return names.most_common(1)[0][0] if names else "(none)"


@cache
def _script_of(char: str) -> str:
    # A letter's name begins with its script: LATIN SMALL LETTER E WITH ACUTE, CJK UNIFIED IDEOGRAPH-6F22.
    return unicodedata.name(char, "?").split()[0].title() if char.isalpha() else "(none)"


def _repeats(splits: dict[str, RawSplit], keys: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Count texts that repeat another one, exactly and but for case and punctuation."""
    forms = {
        "exact": {
            role: [
                text if isinstance(text, str) else key
                for text, key in zip(split.texts, keys[role], strict=True)
            ]
            for role, split in splits.items()
        },
        "normalised": keys,
    }
    roles = list(splits)
    found = []
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
                found.append({"of": first, "in": second, **counts})
    return found


def _conflicts(splits: dict[str, RawSplit], keys: dict[str, list[str]]) -> dict[str, Any]:
    """Find equal texts that have different labels."""
    labels: dict[str, set[str]] = {}
    shown: dict[str, str] = {}
    for role, split in splits.items():
        for key, text, label in zip(keys[role], split.texts, split.labels, strict=True):
            if label is not None:
                labels.setdefault(key, set()).add(" + ".join(sorted(names_in(label))) or "(none)")
                shown.setdefault(key, text)
    found = [key for key, names in labels.items() if len(names) > 1]
    examples = [{"text": _short(shown[key]), "labels": sorted(labels[key])} for key in found[:EXAMPLES]]
    return {"count": len(found), "examples": examples}


def _near(splits: dict[str, RawSplit], keys: dict[str, list[str]], similarity: float) -> dict[str, Any]:
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
        "examples": [[_short(texts[earlier]), _short(texts[later])] for earlier, later in pairs[:EXAMPLES]],
    }


def _short(text: Any) -> str:
    line = " ".join(shown(text).split())
    return line if len(line) <= 90 else line[:89] + "…"
