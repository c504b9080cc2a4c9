"""What a report consists of: sections of sentences, tables, and pairs of name and text."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sentiment.core.schema.report import Word
from sentiment.core.strings import printable

MARKED = 0.15  # of the weightiest word: lighter ones stay unmarked


@dataclass(frozen=True)
class Passage:
    """A piece of a text, with its weightiest words marked.

    Attributes
    ----------
    marks
        Start, end (in `text`) and weight of each word; 1 is the weightiest of the whole text, and
        below 0 speaks against what was predicted.
    """

    text: str
    marks: Sequence[tuple[int, int, float]] = ()

    def __str__(self) -> str:
        return self.text


Cell = str | Passage


@dataclass(frozen=True)
class Table:
    """Cells with a head; all but the columns in `wordy` are numbers.

    Attributes
    ----------
    more
        Rows that are shown only where there is room.
    """

    head: list[str]
    rows: list[list[Cell]]
    title: str = ""
    note: str = ""
    more: list[list[Cell]] = field(default_factory=list)
    wordy: tuple[int, ...] = (0,)
    strong: int | None = None

    @property
    def textual(self) -> bool:
        """Whether it has texts in it."""
        return any(isinstance(cell, Passage) for row in self.rows for cell in row)

    @property
    def marked(self) -> bool:
        """Whether a text in it has marked words."""
        return any(isinstance(cell, Passage) and cell.marks for row in self.rows for cell in row)


@dataclass(frozen=True)
class Section:
    """A part of the report: sentences, then tables, then pairs of name and text."""

    name: str
    title: str
    sentences: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.sentences or self.tables or self.pairs)


def passage(text: str, most: int, words: Sequence[Word] = ()) -> Passage:
    """Cut a text to `most` characters: the piece whose words weigh most, on one line."""
    heaviest = max((abs(word["weight"]) for word in words), default=0) or 1
    starts = {0} | {max(0, min(word["start"] - most // 10, len(text) - most)) for word in words}

    def inside(word: Word, begin: int) -> bool:
        return begin <= int(word["start"]) and int(word["end"]) <= begin + most

    def weight(begin: int) -> float:
        return sum((abs(word["weight"]) for word in words if inside(word, begin)), 0.0)

    start = max(sorted(starts), key=weight)
    end = min(len(text), start + most)
    before, after = "…" * (start > 0), "…" * (end < len(text))
    piece = printable(text[start:end])
    marks = [
        (word["start"] - start + len(before), word["end"] - start + len(before), word["weight"] / heaviest)
        for word in words
        if inside(word, start) and abs(word["weight"]) >= MARKED * heaviest
    ]
    return Passage(before + piece + after, marks)
