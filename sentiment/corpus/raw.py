"""What a source gives before it is checked and divided, and how columns and labels are understood."""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

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


@dataclass
class RawSplit:
    """The usable rows of one split, and why the others are not.

    Attributes
    ----------
    texts, labels, places
        One each for a usable row; a text may be features instead, an array (T, F); a label is a class
        name, or None where the split has no labels; a place is for messages, such as ``reviews.csv:17``.
    ids
        What the rows have in a column ``id``, or None.
    invalid
        A message, beginning with the place, for each row that is not usable.
    """

    texts: list[Any] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
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
        Class names in the order of the source's own numbers, if it numbers them.
    """

    name: str
    source: str
    revision: str | None
    splits: dict[str, RawSplit]
    label_order: tuple[str, ...] | None = None


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
    raise ValueError(f"the label is of type {type(value).__name__}; one label for each text is wanted")


def collect(
    rows: Iterable[Row],
    text_column: str,
    label_column: str | None,
    read: Callable[[object], Any] = read_text,
    fractions: bool = False,
) -> RawSplit:
    """Sort rows into usable texts, or features, with labels and messages on the others."""
    split = RawSplit()
    for row in rows:
        try:
            if row.error:
                raise ValueError(row.error)
            text = read(row.values.get(text_column))
            label = None
            if label_column is not None:
                label = label_name(row.values.get(label_column), fractions)
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
