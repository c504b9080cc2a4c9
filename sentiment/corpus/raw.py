"""What a source gives before it is checked and divided, and how columns and labels are understood."""

import csv
import json
import math
import re
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sentiment.errors import CorpusError, did_you_mean
from sentiment.features import Reader, is_matrix, is_series
from sentiment.rows import Row, read_text, text_error

TEXT_COLUMNS = (
    "text", "sentence", "review", "content", "message", "sms", "comment", "body", "tweet", "document",
    "review_text", "sequence", "utterance", "question", "headline", "title",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "labels", "sentiment", "class", "category", "target", "polarity", "rating", "stars", "grade",
    "intent", "topic", "emotion", "spam", "is_spam", "y",
)  # fmt: skip

Task = Literal["multiclass", "multilabel", "ordinal"]
Label = str | tuple[str, ...]  # a class name, or those of all labels of a text
# A list in a cell: empty, of numbers, or of strings, be they quoted as in JSON or not; but not [red].
WRITTEN_LIST = re.compile(r"""\[\s*(["'].*|\d[\d,\s]*)?\]""", re.DOTALL)
COLUMN_VALUES = {"1": True, "true": True, "1.0": True, "0": False, "false": False, "0.0": False}


@dataclass
class RawSplit:
    """The usable rows of one split, and why the others are not.

    Attributes
    ----------
    texts, labels, places
        One each for a usable row; a text may be features instead, an array (T, F); a label is a class
        name (of the task ``multilabel`` a tuple of them, which may be empty), or None where the split has no
        labels; a place is for messages, such as ``reviews.csv:17``.
    ids
        What the rows have in a column ``id``, or None.
    invalid
        A message, beginning with the place, for each row that is not usable.
    """

    texts: list[Any] = field(default_factory=list)
    labels: list[Label | None] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    ids: list[Any] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)

    @property
    def labelled(self) -> bool:
        """Whether any row has a label."""
        return any(label is not None for label in self.labels)


@dataclass
class RawCorpus:
    """All splits of a source by role: train, validation, test, unlabelled.

    Attributes
    ----------
    name
        Short name, used for folders and titles.
    source
        What to ask for to get it again: a Hub id with its configuration, or a path.
    revision
        Commit on the Hub; None for files.
    label_order
        Class names in the order of the source's own numbers or columns, if it has such.
    task
        What a label is, see `sentiment.corpus.Corpus`.
    """

    name: str
    source: str
    revision: str | None
    splits: dict[str, RawSplit]
    label_order: tuple[str, ...] | None = None
    task: Task = "multiclass"


def find_column(
    columns: Collection[str], wanted: str | None, usual: Sequence[str], what: str, where: str
) -> str:
    """Return the column that is asked for, or the first usual one that is there.

    Raises
    ------
    CorpusError
        With the columns that exist and the nearest name.
    """
    if wanted is not None:
        if wanted in columns:
            return wanted
        raise CorpusError(
            f"{where}: no column {wanted!r}{did_you_mean(wanted, columns)}; "
            f"the columns are: {_listed(columns)}"
        )
    folded = {column.casefold(): column for column in columns}
    for name in usual:
        if name in folded:
            return folded[name]
    near = next((hint for name in usual if (hint := did_you_mean(name, columns))), "")
    raise CorpusError(
        f"{where}: no column looks like the {what}{near}; name it with --{what}-column; "
        f"the columns are: {_listed(columns)}"
    )


def find_input(columns: Collection[str], head: Sequence[Row], wanted: str | None, where: str) -> str:
    """Return the column of the texts, or if none is named like it, the first one that holds features.

    Parameters
    ----------
    head
        The first rows, which tell what a column holds.
    """
    usual = {name.casefold() for name in columns} & set(TEXT_COLUMNS)
    if wanted is None and not usual:
        for fits in (is_matrix, is_series):
            for name in columns:
                if any(fits(row.values.get(name)) for row in head):
                    return name
    return find_column(columns, wanted, TEXT_COLUMNS, "text", where)


def reader_of(head: Sequence[Row], column: str) -> Callable[[object], Any]:
    """Return what reads the values of a column: features if the first rows have nothing but lists there."""
    values = [row.values[column] for row in head if row.values.get(column) is not None]
    return Reader() if values and all(isinstance(value, list) for value in values) else read_text


def find_labels(columns: Collection[str], wanted: str | None, where: str) -> tuple[str, ...]:
    """Return the column of the labels; or several of 0 and 1, if they are asked for with commas between."""
    if wanted is None or wanted in columns or "," not in wanted:
        return (find_column(columns, wanted, LABEL_COLUMNS, "label", where),)
    asked = [name.strip() for name in next(csv.reader([wanted], skipinitialspace=True))]
    found = tuple(find_column(columns, name, (), "label", where) for name in asked)
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise CorpusError(f"{where}: the label column {twice!r} is named twice")
    return found


def find_task(values: Sequence[Any], columns: Sequence[str], asked: str, where: str) -> Task:
    """Say what a label is: several of a text if there are columns, or if all the first `values` are lists.

    Raises
    ------
    CorpusError
        If they are, and another task is asked for.
    """
    given = [value for value in values if value is not None and value != ""]
    kinds = [isinstance(value, list) or (asked == "auto" and _is_written_list(value)) for value in given]
    lists = len(columns) > 1 or (bool(kinds) and all(kinds))
    if asked == "auto":
        return "multilabel" if lists else "multiclass"
    if lists and asked != "multilabel":
        what = f"columns {_listed(columns)}" if len(columns) > 1 else f"lists in column {columns[0]!r}"
        raise CorpusError(
            f"{where}: the labels are {what}, and corpus.task={asked} wants one label for each text; "
            "leave corpus.task out, or choose another --label-column"
        )
    return asked  # type: ignore[return-value]  # one of the settings' literals


def read_label(values: Mapping[str, Any], columns: Sequence[str], task: Task) -> Label | None:
    """Return the label that a row has in one column, or the labels; None if it has none.

    Raises
    ------
    ValueError
        If what is there is none.
    """
    if len(columns) > 1:
        return _marked(values, columns)
    value = values.get(columns[0])
    return label_names(value) if task == "multilabel" else label_name(value, task == "ordinal")


def names_in(label: Label | None) -> tuple[str, ...]:
    """Return the class names of a label: none, one or several."""
    return (label,) if isinstance(label, str) else label or ()


def check_marked(split: RawSplit, columns: Sequence[str], where: str) -> None:
    """Refuse one of several label columns that has no 1."""
    found = {name for label in split.labels if label is not None for name in label}
    for name in columns:
        if split.labelled and name not in found:
            raise CorpusError(
                f"{where}: the label column {name!r} has no 1 in the training texts; leave it out"
            )


def label_names(value: Any) -> tuple[str, ...] | None:
    """Return the class names that a list of labels means, or None if there is no list.

    A list may be written as JSON; a single label is a list of one.

    Raises
    ------
    ValueError
        If the value cannot name classes, or names one twice.
    """
    if isinstance(value, str) and _is_written_list(value):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(
                f'the labels are no list in JSON, such as ["a", "b"]: {reprlib.repr(value)}'
            ) from None
    if not isinstance(value, list):
        name = label_name(value)
        return None if name is None else (name,)
    names = [label_name(one) for one in value]
    if None in names:
        raise ValueError("a label in the list is missing")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the label {twice!r} is in the list twice")
    return tuple(name for name in names if name is not None)


def label_name(value: Any, fractions: bool = False) -> str | None:
    """Return the class name that a label value means, or None if there is no label.

    A fraction such as 3.5 names a grade, where `fractions` says so, and no class.

    Raises
    ------
    ValueError
        If the value cannot name a class.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value.is_integer():
            value = int(value)
        elif fractions and math.isfinite(value):
            value = str(value)
        else:
            raise ValueError(f"the label {value} is a fraction, and classes are wanted")
    if isinstance(value, int | str):
        name = str(value).strip()
        error = text_error(name, "label") if name else None
        if error:
            raise ValueError(error)
        return name or None
    raise ValueError(
        f"the label is of type {type(value).__name__}; one label for each text is wanted, or a list for each"
    )


def _is_written_list(value: Any) -> bool:
    return isinstance(value, str) and WRITTEN_LIST.fullmatch(value.strip()) is not None


def _marked(values: Mapping[str, Any], columns: Sequence[str]) -> tuple[str, ...] | None:
    """Return the columns that have a 1; None if there is nothing in any."""
    texts = {name: "" if values.get(name) is None else str(values[name]).strip() for name in columns}
    if all(text in ("", "nan") for text in texts.values()):
        return None
    for name, text in texts.items():
        if text.casefold() not in COLUMN_VALUES:
            raise ValueError(
                f"label column {name!r}: {reprlib.repr(text)} is neither 0 nor 1, true nor false"
            )
    return tuple(name for name, text in texts.items() if COLUMN_VALUES[text.casefold()])


def collect(
    rows: Iterable[Row],
    text_column: str,
    label_columns: Sequence[str] = (),
    read: Callable[[object], Any] = read_text,
    task: Task = "multiclass",
) -> RawSplit:
    """Sort rows into usable texts, or features, with labels and messages on the others."""
    split = RawSplit()
    for row in rows:
        try:
            if row.error:
                raise ValueError(row.error)
            text = read(row.values.get(text_column))
            label = read_label(row.values, label_columns, task) if label_columns else None
        except ValueError as error:
            split.invalid.append(f"{row.where}: {error}")
        else:
            split.texts.append(text)
            split.labels.append(label)
            split.places.append(row.where)
            split.ids.append(row.values.get("id"))
    return split


def _listed(columns: Collection[str]) -> str:
    return ", ".join(map(repr, columns)) or "none"
