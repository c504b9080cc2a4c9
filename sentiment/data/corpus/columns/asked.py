"""Columns by name, and what comes of a choice: the columns, or the question which ones."""

import csv
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sentiment.core.errors import CorpusError, did_you_mean
from sentiment.data.corpus.columns.profile import Column


class NoColumn(CorpusError):
    """A column that is asked for and is not there."""


def named_columns(columns: Collection[str], wanted: str, what: str, where: str) -> tuple[str, ...]:
    """Return the columns that are asked for, one or several with commas between.

    Raises
    ------
    CorpusError
        With the columns that exist and the nearest name.
    """
    if wanted in columns or "," not in wanted:
        return (find_column(columns, wanted, where),)
    asked = [name.strip() for name in next(csv.reader([wanted], skipinitialspace=True))]
    chosen = tuple(find_column(columns, name, where) for name in asked)
    twice = next((name for name in chosen if chosen.count(name) > 1), None)
    if twice is not None:
        raise CorpusError(f"{where}: the {what} column {twice!r} is named twice")
    return chosen


def find_column(columns: Collection[str], wanted: str, where: str) -> str:
    """Return the column that is asked for.

    Raises
    ------
    NoColumn
        With the columns that exist and the nearest name.
    """
    if wanted in columns:
        return wanted
    numbered = columns and all(name.isdecimal() for name in columns)
    hint = "; it has no header, so they are numbers" if numbered else did_you_mean(wanted, columns)
    raise NoColumn(f"{where}: no column {wanted!r}{hint}; the columns are: {listed_columns(columns)}")


def listed_columns(columns: Collection[str]) -> str:
    """Return the names of columns for a message."""
    names = list(columns)
    return (
        ", ".join(map(repr, names[:30])) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
        or "none"
    )


class Unclear(CorpusError):
    """No column that is surely the text, or the label."""


class Chosen(NamedTuple):
    """The columns that were chosen, sentences that say why, and likely columns that were left."""

    columns: tuple[str, ...]
    why: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def unclear(columns: Sequence[Column], order: Sequence[Column], what: str, begin: str) -> Unclear:
    """Return the error of a choice that stays open: it names the likeliest columns, each with an example.

    Parameters
    ----------
    order
        The columns, likeliest first.
    what
        "text" or "label".
    begin
        Begins the message.
    """
    if not columns:
        return Unclear(
            f"{begin}no column is left for the {what}: a corpus needs one of texts and one of labels"
        )
    names = listed_columns([column.name for column in columns])
    if what == "text":
        likely = [column for column in order if column.text_score > 0 and not column.is_named_label][:3]
    else:
        likely = [column for column in order if column.is_few and column.label_rank][:3]
    if not likely:
        return Unclear(
            f"{begin}no column looks like the {what}; name it with --{what}-column; the columns are: {names}"
        )
    shown = "; ".join(f"{column.name!r} (such as: {column.example})" for column in likely)
    return Unclear(
        f"{begin}no column is surely the {what}; the likeliest: {shown}; say which, for instance with "
        f"--{what}-column {_quoted(likely[0].name)}; the columns are: {names}"
    )


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f'"{name}"'
