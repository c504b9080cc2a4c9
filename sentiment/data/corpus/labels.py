"""What a value in a column of labels means: a class name, several of them, or that there is none.

The same label has the same name whatever the format: 1.0 is 1, True is true, Decimal("1") is 1.
"""

import ast
import json
import math
import re
import reprlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, Literal

from sentiment.data.rows import NoLabel, text_error

Task = Literal["multiclass", "multilabel", "ordinal"]
Label = str | tuple[str, ...]  # a class name, or those of all labels of a text
MISSING = {"", "nan", "NaN", "NAN", "None", "NA", "N/A", "<NA>", "NaT", "null", "NULL", "#N/A"}
# Lists in a cell: [], numbers, quoted strings, sets and tuples of strings as Python writes them, and objects
# with a name. A bare word in brackets, [red], is none.
WRITTEN_LIST = re.compile(
    r"""\[\s*(["'].*|\d[\d,\s]*)?\]|\{\s*["'][^:]*["']\s*\}|\(\s*["'][^()]*["']\s*,.*\)"""
    r"""|\[\s*\{.*["']name["']\s*:.*\}\s*\]""",
    re.DOTALL,
)
BETWEEN_QUOTES = re.compile(r"""(?<=['"])\s+(?=['"])""")  # as numpy writes lists
FRACTION = re.compile(r"([-+]?\d+)\.(\d+)")
WHITE = re.compile(r"\s+")
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
COLUMN_VALUES = {"1": True, "true": True, "1.0": True, "0": False, "false": False, "0.0": False}
HALF = 0.5  # from which a number beside a label means that the text has it


@dataclass(frozen=True)
class Meaning:
    """How the labels of a corpus are read.

    Attributes
    ----------
    task
        One label for each text, or several.
    separator
        Between several labels in one cell, if they are written so.
    names
        Other names for labels; an empty name means no label.
    fold
        Whether to ignore case, spaces, invisible characters and the way of composing characters.
    lists
        Whether a list of one label may stand for that label.
    """

    task: Task = "multiclass"
    separator: str | None = None
    names: Mapping[str, str] | None = None
    fold: bool = False
    lists: bool = False

    def read(self, values: Mapping[str, Any], columns: Sequence[str]) -> Label | None:
        """Return the label or labels of a row; None if it has none.

        Raises
        ------
        ValueError
            If the value is no label.
        """
        multilabel = self.task == "multilabel"
        if len(columns) > 1:
            there = marked(values, columns)
            names = None if there is None else tuple(self.named(name) for name in there)
        else:
            value = values.get(columns[0])
            if isinstance(value, str) and self.names:
                value = self._put_right(value)
            if self.separator is not None and isinstance(value, str):
                value = _divided(value, self.separator)
            if not (multilabel or self.lists) and is_list(value, False):
                raise ValueError(
                    f"the label is of type {type(value).__name__}, and one label for each text is wanted; "
                    "or a list for each, with corpus.task=multilabel"
                )
            single = (
                isinstance(value, str) and not _is_written_list(value) and not value.startswith('{"choices"')
            )
            several = multilabel or (self.lists and not single)
            names = label_names(value) if several else label_single(value)
            names = names and tuple(dict.fromkeys(self.named(name) for name in names))
        if multilabel or names is None:
            return names
        if len(names) > 1:
            raise ValueError(
                f"{len(names)} labels ({', '.join(names)}), and one for each text is wanted; "
                "corpus.task=multilabel takes several"
            )
        if not names:
            return None
        return names[0]

    def _put_right(self, value: str) -> str:
        """Return the new name of a value if it is renamed to no label, or looks like no label."""
        assert self.names is not None
        name = self.names.get(value.strip())
        return name if name is not None and (not name or value.strip() in MISSING) else value

    def named(self, name: str) -> str:
        """Return the name that a label goes by."""
        if self.fold:
            name = folded(name)
        if self.names:
            return self.names.get(name) or self.names.get(folded(name) if self.fold else name, name)
        return name


def names_in(label: Label | None) -> tuple[str, ...]:
    """Return the class names of a label: none, one or several."""
    return (label,) if isinstance(label, str) else label or ()


def folded(name: str) -> str:
    """Return a label in lower case, with plain spaces and without invisible characters."""
    plain = INVISIBLE.sub("", unicodedata.normalize("NFKC", name))
    return WHITE.sub(" ", plain).strip().casefold()


def label_names(value: Any) -> tuple[str, ...] | None:
    """Return the class names in a value, or None if there is no label.

    The value is a list, a list written as JSON, a single label, an object of numbers that say of each label
    whether it is there, or an object with ``choices``.

    Raises
    ------
    ValueError
        If the value cannot name classes, or names one twice.
    """
    if isinstance(value, str) and _is_written_list(value):
        value = _written_list(value)
    if isinstance(value, str) and value.lstrip().startswith('{"'):
        value = _written_object(value)
    if isinstance(value, dict):
        value = _of_object(value)
    if hasattr(value, "tolist") and not isinstance(value, str | Real):
        value = value.tolist()
    if not isinstance(value, list | tuple | set) or isinstance(value, NoLabel):
        return label_single(value)
    value = sorted(value, key=str) if isinstance(value, set) else value
    names = [
        label_name(item["name"] if isinstance(item, dict) and "name" in item else item) for item in value
    ]
    if None in names:
        raise ValueError("a label in the list is missing")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the label {twice!r} is in the list twice")
    return tuple(name for name in names if name is not None)


def label_single(value: Any) -> tuple[str, ...] | None:
    """Return the one class name that a value means, or None if there is no label."""
    name = label_name(value)
    return None if name is None else (name,)


def label_name(value: Any) -> str | None:
    """Return the class name that a label value means, or None if there is no label.

    Raises
    ------
    ValueError
        If the value cannot name a class.
    """
    if isinstance(value, NoLabel):
        raise ValueError(value.why)
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, str):
        name = value.strip()
        if name in MISSING:
            return None
        error = text_error(name, "label")
        if error:
            raise ValueError(error)
        return _canonical(name)
    if type(value).__name__ in ("bool", "bool_"):
        return "true" if value else "false"
    if isinstance(value, Decimal | Real) or (hasattr(value, "dtype") and not getattr(value, "shape", (1,))):
        if math.isnan(value):
            return None
        if value in (float("inf"), -float("inf")):
            raise ValueError(f"the label is {value}")
        return _canonical(format(value, "f") if isinstance(value, Decimal) else str(value))
    raise ValueError(
        f"the label is of type {type(value).__name__}; one label for each text is wanted, or a list for each"
    )


def _canonical(name: str) -> str:
    """Return the one spelling of a number or a truth value."""
    match = FRACTION.fullmatch(name)
    if match is not None:
        fraction = match[2].rstrip("0")
        name = f"{match[1]}.{fraction}" if fraction else match[1]
        return "0" if name == "-0" else name
    return name.lower() if name in ("True", "False", "TRUE", "FALSE") else name


def _is_written_list(value: Any) -> bool:
    return isinstance(value, str) and WRITTEN_LIST.fullmatch(value.strip()) is not None


def _written_list(value: str) -> Any:
    """Return the list that a cell holds, as JSON, Python or numpy write it."""
    for read, written in ((json.loads, value), (ast.literal_eval, BETWEEN_QUOTES.sub(", ", value.strip()))):
        try:
            return read(written)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    raise ValueError(f'the labels are no list in JSON, such as ["a", "b"]: {reprlib.repr(value)}')


def _divided(value: str, separator: str) -> list[str] | None:
    """Return the labels in a cell, without the brackets and quotes around them."""
    if _is_written_list(value):
        try:
            return list(_written_list(value))
        except ValueError:
            pass  # [a, 'b']
    listed = re.fullmatch(r"\s*\[(.*)\]\s*", value, re.DOTALL)
    parts = [part.strip() for part in (listed[1] if listed else value).split(separator)]
    if listed:
        parts = [part.strip("'\"") for part in parts]
    return [part for part in parts if part] or None


def _written_object(value: str) -> Any:
    try:
        content = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return content if isinstance(content, dict) and "choices" in content else value


def _of_object(value: dict[str, Any]) -> Any:
    if "choices" in value:
        return value["choices"]
    if value and all(isinstance(mark, bool | int | float) for mark in value.values()):
        return [name for name, there in value.items() if there >= HALF]
    return value


def marked(values: Mapping[str, Any], columns: Sequence[str]) -> tuple[str, ...] | None:
    """Return the columns that have a 1; None if all are empty.

    Raises
    ------
    ValueError
        If a column has something else than 0 and 1, or all have -1, as in unlabelled test data.
    """
    texts = {name: "" if values.get(name) is None else str(values[name]).strip() for name in columns}
    if all(text in MISSING for text in texts.values()):
        return None
    if all(text in ("-1", "-1.0") for text in texts.values()):
        raise ValueError("all label columns are -1, which means that the labels are not told")
    for name, text in texts.items():
        if text.casefold() not in COLUMN_VALUES:
            raise ValueError(
                f"label column {name!r}: {reprlib.repr(text)} is neither 0 nor 1, true nor false"
            )
    return tuple(name for name, text in texts.items() if COLUMN_VALUES[text.casefold()])


def is_list(value: Any, written: bool = True) -> bool:
    """Whether a value is several labels: a list, one that is written, or an object of labels."""
    if isinstance(value, str):
        return written and _is_written_list(value)
    return isinstance(value, list | set | dict) or (
        isinstance(value, tuple) and not isinstance(value, NoLabel)
    )
