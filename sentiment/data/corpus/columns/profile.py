"""What a column looks like: by its values in the first rows, and by its name where values look alike."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sentiment.data.corpus import label_audit
from sentiment.data.features import is_matrix
from sentiment.data.rows import NoLabel, Row
from sentiment.data.rows.row import is_date, is_number

TEXT_COLUMNS = (
    "text", "sentence", "review", "review_text", "reviewtext", "comment_text", "content", "message", "sms",
    "comment", "body", "tweet", "document", "post", "statement", "utterance", "question", "query", "sequence",
    "headline", "title", "data", "article", "abstract", "phrase", "transcript", "description", "selftext",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "labels", "sentiment", "class", "target", "polarity", "rating", "stars", "star", "score",
    "grade", "category", "intent", "topic", "emotion", "spam", "is_spam", "cats", "overall", "tag", "tags",
    "status", "type", "annotation", "y",
)  # fmt: skip
TEXT_WORDS = {word for name in TEXT_COLUMNS for word in name.split("_")} - {"title", "headline", "data"}
LABEL_WORDS = {*LABEL_COLUMNS, "star", "emotions", "classes", "classification", "rate"} - {
    "y", "type", "status", "overall",
}  # fmt: skip
NO_LABEL = {  # words for what is neither a text nor its label
    "id", "ids", "idx", "index", "uid", "confidence", "gold", "count", "date", "time", "timestamp",
    "created", "updated", "reason", "negativereason", "location", "timezone", "coord", "user", "username",
    "name", "author", "url", "link", "source", "lang", "language", "split", "set", "subset", "fold",
    "partition", "votes", "annotator", "annotators", "worker", "helpful", "helpfulness",
    "helpfulnessnumerator", "helpfulnessdenominator", "useful", "funny", "cool", "length", "len", "age",
    "price", "year", "month", "day", "hour", "number", "num", "likes", "retweets", "replies", "verified",
    "weight", "address", "nationality", "email", "phone", "prob", "probability", "flag",
    "country", "city", "gender", "clothing", "asin", "answer",
    "comments",
}  # fmt: skip
SPLIT_COLUMNS = {"split", "set", "subset", "partition", "fold", "usage", "dataset_split", "data_split"}
SPLIT_NAMES = {
    "train": "train", "training": "train", "dev": "validation", "val": "validation", "valid": "validation",
    "validation": "validation", "development": "validation", "test": "test", "testing": "test", "eval":
    "validation",
}  # fmt: skip
PAIRS = re.compile(r"(?i)(premise|hypothesis)|(?:sentence|text|question|sent|s|q)[ _]?([12ab])")
TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
KNOWN = 1.35  # weight of a column with a usual name of texts
CODE = re.compile(r"\S*\d\S*|https?://\S*|\S+@\S+\.\S+|www\.\S*|\S*[_/\\]\S*")
WORD = re.compile(r"[^\W\d_]+")
SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
ENOUGH = 12  # rows from which repeated values tell something
MOSTLY = 0.9  # share of values that are numbers, from which a column is of numbers
LONGEST_LABEL = 80
SENTENCE = 4  # words; a column that is named as a label and has fewer on average has no texts


def tokens(name: str) -> set[str]:
    """Return the words of a name: those of Review Text, review_text and reviewText are equal."""
    return {word.lower() for word in TOKEN.findall(name)}


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

    @property
    def text_weight(self) -> float:
        """The weight that its name gives to its score as a text."""
        name = self.name.casefold()
        if name in TEXT_COLUMNS[:15]:
            return KNOWN
        words = tokens(self.name)
        if words & (NO_LABEL - {"comments", "answer", "source", "name"}) and not words & TEXT_WORDS:
            return 0.8
        if name in ("title", "headline", "summary", "subject") or name in LABEL_COLUMNS:
            return 0.9
        return 1.2 if words & TEXT_WORDS else 1.0

    @property
    def label_rank(self) -> int:
        """How much its name speaks for labels: 3 a usual name, 2 a usual word, 1 nothing, 0 against."""
        words = tokens(self.name)
        against = words & NO_LABEL
        if self.name.casefold().strip() in LABEL_COLUMNS:
            return 3
        if words & LABEL_WORDS and not against - {"index", "name", "flag", "number"}:
            return 2
        return 0 if against else 1

    @property
    def usual_place(self) -> int:
        """The place of the first usual word of labels in its name, by which equal ranks are ordered."""
        words = {self.name.casefold().strip(), *tokens(self.name)}
        return next(
            (place for place, known in enumerate(LABEL_COLUMNS) if known in words), len(LABEL_COLUMNS)
        )

    @property
    def is_split(self) -> bool:
        """Whether it says which split a row is of."""
        values = {str(value).strip().casefold() for value in self.values}
        if not values or not values <= set(SPLIT_NAMES):
            return False
        named = self.name.casefold() in SPLIT_COLUMNS
        return named or (self.name.isdecimal() and len(self.values) >= ENOUGH)

    @property
    def text_score(self) -> float:
        """How much it looks like texts: long, nearly unique, wordy values."""
        strings = self.strings
        if not strings or len(strings) < 0.5 * len(self.values):
            return 0.0
        if any(share(strings, test) > 0.5 for test in (is_number, is_date, _is_json)):
            return 0.0
        codes = share(strings, lambda value: CODE.fullmatch(value.strip()) and not SPACELESS.search(value))
        unique = self.distinct / max(1, len(self.values))
        long = self.words / (self.words + 4)
        return float(long * (0.2 + 0.8 * unique) * (1 - 0.95 * codes) * min(1.0, 0.3 + self.filled))

    @property
    def is_named_label(self) -> bool:
        """Whether its values have few words, and it is named as labels are."""
        return self.label_rank == 3 and self.words < SENTENCE

    @property
    def is_few(self) -> bool:
        """Whether it could be labels: it has few values, each again and again."""
        if not self.values:
            return False
        cells = [value if isinstance(value, str) else repr(value) for value in self.values]
        if max(map(len, cells[:200])) > LONGEST_LABEL * (1 + 3 * (not isinstance(self.values[0], str))):
            return False
        strings = self.strings
        if share(strings, is_date) > 0.5 or share(strings, _is_json) > 0.5:
            return False
        if len(cells) < ENOUGH:
            return self.words <= 3
        if self.distinct <= max(2, 0.4 * len(cells)):
            return True
        if share(strings, is_number) > MOSTLY:
            return False  # prices, counts
        several = any(isinstance(value, list | dict) and not is_matrix(value) for value in self.values)
        return several or label_audit.joined_by(strings) is not None

    @property
    def is_binary(self) -> bool:
        """Whether it marks rows by 1 and 0, where -1 may stand for unknown."""
        values = {str(value).strip().casefold() for value in self.values}
        marks = {"0", "1", "0.0", "1.0"}
        return values <= marks | {"-1", "-1.0"} and self.filled > 0.5 and bool(values & marks)


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
