"""Cells of a table: numbers, dates, and what the cells of a column have in common."""

import re
from typing import NamedTuple

SHORT = 3  # most words of a cell that is no text
NUMBER = re.compile(r"[-+]?(\d[\d,]*\.?\d*|\.\d+)([eE][-+]?\d+)?%?")
DATE = re.compile(
    r"(?i)\W*(?:(?:\d+(?:st|nd|rd|th)?|mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun|(?:day)|jan(?:uary)?|"
    r"feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?|am|pm|[a-z]{2,4}t|utc|gmt|z|t)\W*)+"
)


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
