"""Columns that are asked for by name."""

import csv
from collections.abc import Collection, Sequence

from sentiment.core.errors import CorpusError, did_you_mean


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
        return (find_column(columns, wanted, (), what, where),)
    asked = [name.strip() for name in next(csv.reader([wanted], skipinitialspace=True))]
    chosen = tuple(find_column(columns, name, (), what, where) for name in asked)
    twice = next((name for name in chosen if chosen.count(name) > 1), None)
    if twice is not None:
        raise CorpusError(f"{where}: the {what} column {twice!r} is named twice")
    return chosen


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
        numbered = columns and all(name.isdecimal() for name in columns)
        hint = "; it has no header, so they are numbers" if numbered else did_you_mean(wanted, columns)
        raise NoColumn(f"{where}: no column {wanted!r}{hint}; the columns are: {listed_columns(columns)}")
    folded = {column.casefold(): column for column in columns}
    for name in usual:
        if name in folded:
            return folded[name]
    raise CorpusError(
        f"{where}: no column looks like the {what}; name it with --{what}-column; "
        f"the columns are: {listed_columns(columns)}"
    )


def listed_columns(columns: Collection[str]) -> str:
    """Return the names of columns for a message."""
    names = list(columns)
    return (
        ", ".join(map(repr, names[:30])) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
        or "none"
    )
