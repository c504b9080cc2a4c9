"""What a column looks like, by its values in the first rows."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sentiment.data.corpus import label_audit
from sentiment.data.corpus.columns.names import SPLIT_COLUMNS, SPLIT_NAMES, label_rank
from sentiment.data.features import is_matrix
from sentiment.data.rows import NoLabel, Row
from sentiment.data.rows.cells import is_date, is_number

CODE = re.compile(r"\S*\d\S*|https?://\S*|\S+@\S+\.\S+|www\.\S*|\S*[_/\\]\S*")
WORD = re.compile(r"[^\W\d_]+")
SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
ENOUGH = 12  # rows from which repeated values tell something
MOSTLY = 0.9  # share of values that are numbers, from which a column is of numbers
LONGEST_LABEL = 80
SENTENCE = 4  # words; a column that is named as a label and has fewer on average has no texts


@dataclass(frozen=True)
class Column:
    """The values of a column in the first rows.

    Attributes
    ----------
    values
        Those that are not missing.
    filled
        Their share of the rows.
    words
        Mean number of words in a string; in scripts without spaces, two letters are a word.
    distinct
        Number of different values.
    """

    name: str
    values: list[Any]
    filled: float
    words: float = 0.0
    distinct: int = 0

    @property
    def strings(self) -> list[str]:
        """The values that are strings."""
        return [value for value in self.values if isinstance(value, str)]

    @property
    def example(self) -> str:
        """The beginning of the first value, in one line."""
        line = " ".join(str(self.values[0] if self.values else "").split())
        return line if len(line) <= 40 else line[:39] + "…"


def look(name: str, head: Sequence[Row]) -> Column:
    """Return what the first rows have in a column."""
    rows = [row for row in head if not row.error]
    values = [row.values.get(name) for row in rows]
    values = [value for value in values if not _is_missing(value)]
    strings = [value for value in values if isinstance(value, str)]
    words = [_count_words(text) for text in strings[:300]]
    distinct = len({value if isinstance(value, str) else repr(value) for value in values})
    return Column(name, values, len(values) / max(1, len(rows)), sum(words) / max(1, len(words)), distinct)


def _is_missing(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or isinstance(value, NoLabel) or (isinstance(value, str | list) and not value)


def _count_words(text: str) -> float:
    """Count the words of a text, without codes, dates and numbers."""
    text = text[:4000]
    spaceless = len(SPACELESS.findall(text))
    return sum(bool(WORD.search(word)) for word in text.split()) + spaceless / 2


def share(values: Sequence[str], test: Callable[[str], object]) -> float:
    """Return the share of the first hundred values that pass a test."""
    values = values[:100]
    return sum(map(bool, map(test, values))) / max(1, len(values))


def _is_json(value: str) -> bool:
    return value.lstrip().startswith(('{"', "[{"))


def is_split(column: Column) -> bool:
    """Whether a column says which split a row is of."""
    values = {str(value).strip().casefold() for value in column.values}
    if not values or not values <= set(SPLIT_NAMES):
        return False
    named = column.name.casefold() in SPLIT_COLUMNS
    return named or (column.name.isdecimal() and len(column.values) >= ENOUGH)


def text_score(column: Column) -> float:
    """Return how much a column looks like texts: long, nearly unique, wordy values."""
    strings = column.strings
    if not strings or len(strings) < 0.5 * len(column.values):
        return 0.0
    if any(share(strings, test) > 0.5 for test in (is_number, is_date, _is_json)):
        return 0.0
    codes = share(strings, lambda value: CODE.fullmatch(value.strip()) and not SPACELESS.search(value))
    unique = column.distinct / max(1, len(column.values))
    long = column.words / (column.words + 4)
    return float(long * (0.2 + 0.8 * unique) * (1 - 0.95 * codes) * min(1.0, 0.3 + column.filled))


def is_named_label(column: Column) -> bool:
    """Whether a column of a few words is named as labels are."""
    return label_rank(column.name) == 3 and column.words < SENTENCE


def is_few(column: Column) -> bool:
    """Whether a column could be labels: it has few values, each again and again."""
    if not column.values:
        return False
    cells = [value if isinstance(value, str) else repr(value) for value in column.values]
    if max(map(len, cells[:200])) > LONGEST_LABEL * (1 + 3 * (not isinstance(column.values[0], str))):
        return False
    strings = column.strings
    if share(strings, is_date) > 0.5 or share(strings, _is_json) > 0.5:
        return False
    if len(cells) < ENOUGH:
        return column.words <= 3
    if column.distinct <= max(2, 0.4 * len(cells)):
        return True
    if share(strings, is_number) > MOSTLY:
        return False  # prices, counts
    several = any(isinstance(value, list | dict) and not is_matrix(value) for value in column.values)
    return several or label_audit.joined_by(strings) is not None


def is_binary(column: Column) -> bool:
    """Whether a column marks rows by 1 and 0, where -1 may stand for unknown."""
    values = {str(value).strip().casefold() for value in column.values}
    marks = {"0", "1", "0.0", "1.0"}
    return values <= marks | {"-1", "-1.0"} and column.filled > 0.5 and bool(values & marks)
