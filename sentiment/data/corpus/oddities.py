"""What is odd about single texts, or sequences of features, of a corpus."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from sentiment.data.corpus.raw import RawSplit

SHOWN = 12  # classes of a split in the table; features in a line
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


def short(text: str) -> str:
    """Return the beginning of a text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= 90 else line[:89] + "…"


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


def _of_texts(split: RawSplit, lengths: Sequence[int], unit: str) -> dict[str, Any]:
    """Count scripts, and find texts by each of `ODDITIES`; `lengths` are in the unit."""
    odd = {}
    for name, is_odd in ODDITIES.items():
        texts = [text for text, units in zip(split.texts, lengths, strict=True) if is_odd(text, units)]
        if texts:
            odd[name.format(unit=unit)] = {"count": len(texts), "example": short(texts[0])}
    return {"scripts": dict(Counter(map(script, split.texts)).most_common()), "oddities": odd}


def _of_features(split: RawSplit, lengths: Sequence[int], unit: str) -> dict[str, Any]:
    """Find sequences of a single step, or which never change, or with numbers far from all others."""
    if not split.texts:
        return {"scripts": {}, "oddities": {}}
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
    for name, is_odd in tests.items():
        rows = [row for row, array in enumerate(split.texts) if is_odd(array)]
        if rows:
            odd[name] = {"count": len(rows), "example": split.places[rows[0]]}
    constant = np.flatnonzero(np.ptp(steps, 0) == 0)
    if len(constant):
        numbers = ", ".join(str(number + 1) for number in constant[:SHOWN])
        odd["features that never change"] = {"count": len(split.texts), "example": f"feature {numbers}"}
    return {"scripts": {}, "oddities": odd}


FINDERS = {"text": _of_texts, "features": _of_features}  # by the kind of input
