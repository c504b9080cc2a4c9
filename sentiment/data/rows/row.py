"""A record of a file, and what its cells are: usable texts, numbers, dates."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

LOOK_AHEAD = 1000  # rows looked at for the columns
SHORT = 3  # most words of a cell that is no text
NUMBER = re.compile(r"[-+]?(\d[\d,]*\.?\d*|\.\d+)([eE][-+]?\d+)?%?")
DATE = re.compile(
    r"(?i)\W*(?:(?:\d+(?:st|nd|rd|th)?|mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun|(?:day)|jan(?:uary)?|"
    r"feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?|am|pm|[a-z]{2,4}t|utc|gmt|z|t)\W*)+"
)


class Row(NamedTuple):
    """One record of a file.

    Attributes
    ----------
    where
        Place of the record for messages, such as ``reviews.csv:17``.
    values
        Columns by name; empty if the row cannot be read.
    error
        Why it cannot be read, or None.
    """

    where: str
    values: dict[str, Any]
    error: str | None = None


class NoLabel(NamedTuple):
    """What stands in a column of labels where there is none to train on, and why."""

    why: str


def columns_of(rows: Iterable[Row]) -> tuple[Iterator[Row], list[str], list[Row]]:
    """Look ahead for the columns; return all rows again, the columns, and the rows that were looked at."""
    rows = iter(rows)
    head = list(islice(rows, LOOK_AHEAD))
    columns = list(dict.fromkeys(name for row in head for name in row.values))
    return chain(head, rows), columns, head


def text_error(value: object, what: str = "text") -> str | None:
    """Say why a value is no usable text, or None if it is one."""
    if value is None:
        return f"the {what} is missing"
    if not isinstance(value, str):
        kind = type(value).__name__
        if isinstance(value, list | tuple) and value and all(isinstance(word, str) for word in value):
            return f"the {what} is a list of words, of type {kind}, not a string; join them with spaces"
        if isinstance(value, bytes):
            return f"the {what} is of type bytes, not a string; decode it, for instance as UTF-8"
        return f"the {what} is of type {kind}, not a string"
    if not value.strip():
        return f"the {what} is empty"
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(value[error.start])
        if 0xDC80 <= code <= 0xDCFF:
            return (
                f"the {what} is not valid UTF-8 (byte 0x{code - 0xDC00:02x}); name the encoding of the file "
                "with --encoding, or convert it with iconv"
            )
        return f"the {what} is not valid UTF-8: it holds half of a surrogate pair (U+{code:04X})"
    return None


def read_text(value: object) -> str:
    """Return a value that is a usable text; ValueError if it is none."""
    error = text_error(value)
    if error:
        raise ValueError(error)
    return str(value)


def is_number(cell: str) -> bool:
    """Whether a cell is a number."""
    return NUMBER.fullmatch(cell.strip()) is not None


def is_date(cell: str) -> bool:
    """Whether a cell is a date or a time, in digits or in English."""
    cell = cell.strip()
    if sum(char.isdigit() for char in cell) < 3 or is_number(cell):
        return False
    return DATE.fullmatch(cell.replace("/", " ").replace("-", " ").replace(":", " ")) is not None


class Cells(NamedTuple):
    """What the cells of a column that is no text have in common.

    Attributes
    ----------
    values
        All values, if they are few and the rows are not sorted by them.
    number
        Whether all cells are numbers.
    words, length
        Most words and characters of a cell.
    """

    column: int
    values: frozenset[str] | None
    number: bool
    words: int
    length: int

    def have(self, cell: str) -> bool:
        """Whether a cell may stand in the column."""
        text = cell.strip()
        if self.values is not None:
            return text in self.values
        if self.number:
            return is_number(text)
        return text == cell and text != "" and len(text.split()) <= self.words and len(text) <= self.length
