"""Which column is the text, which the label: told by what is in them; names only break ties."""

import csv
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sentiment.core.errors import CorpusError, did_you_mean
from sentiment.data.corpus import labels as meaning
from sentiment.data.corpus.reading import Choice, joined_names
from sentiment.data.features import is_matrix, is_series
from sentiment.data.rows import NoLabel, Row
from sentiment.data.rows.cells import is_date, is_number

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
NO_LABEL = {  # what is told of a text beside its label
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
CODE = re.compile(r"\S*\d\S*|https?://\S*|\S+@\S+\.\S+|www\.\S*|\S*[_/\\]\S*")
WORD = re.compile(r"[^\W\d_]+")
SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
ENOUGH = 12  # rows from which repeated values tell something
MOSTLY = 0.9  # share of values that are numbers, from which a column is of numbers
LEFT = 0.5  # of the score of the best text, from which another column is named as left
TEXTS = 0.4  # of a column that is of texts, though features are beside it
SHORT = 0.2  # likewise, of one that is named as texts are, such as a title
POOR = 0.1  # of a column of texts: values of a word, again and again
KNOWN = 1.35  # what a known name is worth
TIE = 0.93  # of it, from which the choice stays open, if names do not help
LONGEST_LABEL = 80
SENTENCE = 4  # words, fewer of which in a column that is named as a label are no texts


class NoColumn(CorpusError):
    """A column that is asked for and is not there."""


class Unclear(CorpusError):
    """No column that is surely the text, or the label."""


@dataclass(frozen=True)
class _Column:
    """What the first rows have in a column."""

    name: str
    values: list[Any]  # those that are there
    filled: float
    words: float = 0.0  # of a text on average; of scripts without spaces, half the letters
    distinct: int = 0

    @property
    def strings(self) -> list[str]:
        return [value for value in self.values if isinstance(value, str)]

    @property
    def example(self) -> str:
        line = " ".join(str(self.values[0] if self.values else "").split())
        return line if len(line) <= 40 else line[:39] + "…"


def tokens(name: str) -> set[str]:
    """Return the words in the name of a column: Review Text, review_text and reviewText have the same."""
    return {word.lower() for word in TOKEN.findall(name)}


def find(
    columns: Sequence[str],
    head: Sequence[Row],
    where: str,
    text: str | None = None,
    label: str | None = None,
    like: Choice | None = None,
    labelled: bool = True,
) -> Choice:
    """Choose the columns of texts and labels.

    Parameters
    ----------
    columns, head
        Of the file, and its first rows.
    where
        Begins messages.
    text, label
        What its owner asks for: a column, or several as a,b.
    like
        Columns of a corpus that this one goes with: those of training.
    labelled
        Whether labels are wanted.

    Raises
    ------
    CorpusError
        If a column is not there, or the choice stays open; then with the likeliest ones and the command.
    """
    told = [_look(name, head) for name in columns]
    width = len(columns)
    why: list[str] = []
    if like is not None and text is None and not _numbers_fit(told, like):
        why.append("its columns have no names, and are not those of training, so they are found anew")
        like = None
    split = next((one.name for one in told if _is_split(one)), None) if labelled else None
    asked_labels = named_columns(columns, label, "label", where) if label is not None and labelled else ()
    left: dict[str, tuple[str, ...]] = {}
    if text is not None:
        texts = named_columns(columns, text, "text", where)
    else:
        texts, said, others = _choose_text(
            [one for one in told if one.name not in asked_labels and one.name != split], where, like, head
        )
        why += said
        left |= {"text": others} if others else {}
    if not labelled:
        return Choice(texts, (), None, False, tuple(why), left, width)
    rest = [one for one in told if one.name not in texts and one.name != split]
    if asked_labels:
        labels = asked_labels
    else:
        labels, said, others = _choose_labels(rest, where, like, list(texts))
        why += said
        left |= {"label": others} if others else {}
    if split is not None:
        why.append(f"the column {split!r} says which split a row is of")
    one_hot = len(labels) > 1 and _is_one_hot(labels, head)
    return Choice(texts, labels, split, one_hot, tuple(why), left, width)


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
    found = tuple(find_column(columns, name, (), what, where) for name in asked)
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise CorpusError(f"{where}: the {what} column {twice!r} is named twice")
    return found


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


def _look(name: str, head: Sequence[Row]) -> _Column:
    rows = [row for row in head if not row.error]
    values = [row.values.get(name) for row in rows]
    there = [value for value in values if not _is_missing(value)]
    strings = [value for value in there if isinstance(value, str)]
    words = [_words(value) for value in strings[:300]]
    distinct = len({value if isinstance(value, str) else repr(value) for value in there})
    return _Column(
        name,
        there,
        len(there) / max(1, len(rows)),
        sum(words) / max(1, len(words)),
        distinct,
    )


def _is_missing(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or isinstance(value, NoLabel) or (isinstance(value, str | list) and not value)


def _words(text: str) -> float:
    """Return how many words a text has that are no codes, dates or numbers."""
    text = text[:4000]
    spaceless = len(SPACELESS.findall(text))
    return sum(bool(WORD.search(word)) for word in text.split()) + spaceless / 2


def _share(values: Sequence[str], test: Any) -> float:
    values = values[:100]
    return sum(map(bool, map(test, values))) / max(1, len(values))


def _is_split(column: _Column) -> bool:
    values = {str(value).strip().casefold() for value in column.values}
    if not values or not values <= set(SPLIT_NAMES):
        return False
    named = column.name.casefold() in SPLIT_COLUMNS
    return named or (column.name.isdecimal() and len(column.values) >= ENOUGH)


def _text_score(column: _Column) -> float:
    """Return how much a column looks like texts: long, nearly unique, wordy values."""
    strings = column.strings
    if not strings or len(strings) < 0.5 * len(column.values):
        return 0.0
    if _share(strings, is_number) > 0.5 or _share(strings, is_date) > 0.5:
        return 0.0
    if _share(strings, lambda value: value.lstrip().startswith(('{"', "[{"))) > 0.5:
        return 0.0
    codes = _share(strings, lambda value: CODE.fullmatch(value.strip()) and not SPACELESS.search(value))
    unique = column.distinct / max(1, len(column.values))
    long = column.words / (column.words + 4)
    return float(long * (0.2 + 0.8 * unique) * (1 - 0.95 * codes) * min(1.0, 0.3 + column.filled))


def _text_rank(name: str) -> float:
    """Return what the name of a column says for texts: it breaks ties, no more."""
    if name.casefold() in TEXT_COLUMNS[:15]:
        return KNOWN
    words = tokens(name)
    if words & (NO_LABEL - {"comments", "answer", "source", "name"}) and not words & TEXT_WORDS:
        return 0.8
    if name.casefold() in ("title", "headline", "summary", "subject") or name.casefold() in LABEL_COLUMNS:
        return 0.9
    return 1.2 if words & TEXT_WORDS else 1.0


def _numbers_fit(told: Sequence[_Column], like: Choice) -> bool:
    """Whether columns of training that have but numbers are those of another file without a header.

    So they are if it is as wide, and the text looks like one, among the other columns.
    """
    columns = {one.name: one for one in told}
    if not all(name.isdecimal() for name in (*like.text, *columns)):
        return True  # by their names
    if like.width not in (None, len(told)) or not set(like.text) <= set(columns):
        return False
    best = max(map(_text_score, told))
    return all(_text_score(columns[name]) >= LEFT * best for name in like.text)


def _choose_text(
    told: Sequence[_Column], where: str, like: Choice | None, head: Sequence[Row]
) -> tuple[tuple[str, ...], list[str], tuple[str, ...]]:
    names = [one.name for one in told]
    if like is not None and all(name in names for name in like.text):
        return like.text, [], ()
    features = [
        one.name
        for fits in (is_matrix, is_series)
        for one in told
        if any(fits(row.values.get(one.name)) for row in head)
    ]
    scores = {one.name: _text_score(one) * _text_rank(one.name) for one in told}
    scores |= {one.name: 0.0 for one in told if _is_named_label(one)}
    usual = {name.casefold() for name in names} & set(TEXT_COLUMNS)
    if features and not usual and max(scores.values()) < TEXTS:
        return (features[0],), [f"the features are {features[0]!r}"], ()
    order = sorted(told, key=lambda one: -scores[one.name])
    lacking = ""
    if like is not None:
        lacking = f"the text column of training, {joined_names(like.text)}, is not there; "
    if not order or scores[order[0].name] == 0:
        folded = {name.casefold(): name for name in names}
        known = next((folded[name] for name in TEXT_COLUMNS if name in folded), None)
        if known is None:
            known = names[0] if len(names) == 1 and (like is not None or _all_text(told[0])) else None
        if known is None:
            raise _open(told, order, "text", where, lacking)
        return (known,), [f"{lacking}the text is {known!r}"], ()
    best = order[0]
    others = [
        one
        for one in order[1:]
        if scores[one.name] >= (SHORT if one.name.casefold() in TEXT_COLUMNS else LEFT) * scores[best.name]
    ]
    pair = [
        one for one in order if PAIRS.fullmatch(one.name) and scores[one.name] >= LEFT * scores[best.name]
    ]
    if len(pair) == 2 and best in pair:
        both = tuple(one.name for one in told if one in pair)
        said = f"{lacking}the text is {both[0]!r} and {both[1]!r}, joined: they look like pairs"
        return both, [said], tuple(one.name for one in others if one not in pair)
    ranks = [_text_rank(one.name) for one in order]
    tied = len(order) > 1 and scores[order[1].name] >= TIE * scores[best.name] and ranks[0] <= ranks[1]
    short = (
        best.words <= 3
        and ranks[0] <= 1
        and len(order) > 1
        and scores[order[1].name] >= LEFT * scores[best.name]
    )
    few = len(best.values) >= ENOUGH and scores[best.name] < POOR and ranks[0] < KNOWN
    if tied or short or few:
        raise _open(told, order, "text", where, lacking)
    rare = best.distinct / max(1, len(best.values))
    about = f"{best.words:.0f} words on average" if best.words >= 1 else "the only one of words"
    if len(best.values) >= ENOUGH:
        about += f", {rare:.0%} different"
    return (best.name,), [f"{lacking}the text is {best.name!r} ({about})"], tuple(one.name for one in others)


def _is_named_label(column: _Column) -> bool:
    """Whether a column of a few words is named as labels are."""
    return _label_rank(column.name) == 3 and column.words < SENTENCE


def _all_text(column: _Column) -> bool:
    return bool(column.values) and len(column.strings) == len(column.values)


def _label_rank(name: str) -> int:
    """Return what a column's name says for labels: 3 known, 2 a word of them, 1 nothing, 0 against."""
    folded = name.casefold().strip()
    words = tokens(name)
    against = words & NO_LABEL
    if folded in LABEL_COLUMNS:
        return 3
    if words & LABEL_WORDS and not against - {"index", "name", "flag", "number"}:
        return 2
    return 0 if against else 1


def _likeliest(name: str) -> int:
    """Return a number for the order of columns whose names say as much."""
    words = {name.casefold().strip(), *tokens(name)}
    return next((place for place, known in enumerate(LABEL_COLUMNS) if known in words), len(LABEL_COLUMNS))


def _is_few(column: _Column) -> bool:
    """Whether a column has few values, each again and again, that could be labels."""
    if not column.values:
        return False
    cells = [value if isinstance(value, str) else repr(value) for value in column.values]
    if max(map(len, cells[:200])) > LONGEST_LABEL * (1 + 3 * (not isinstance(column.values[0], str))):
        return False
    strings = column.strings
    if strings and (
        _share(strings, is_date) > 0.5 or _share(strings, lambda v: v.lstrip().startswith(('{"', "[{"))) > 0.5
    ):
        return False
    if len(cells) < ENOUGH:
        return column.words <= 3
    if column.distinct <= max(2, 0.4 * len(cells)):
        return True
    if strings and _share(strings, is_number) > MOSTLY:
        return False  # prices, counts
    several = any(isinstance(value, list | dict) and not is_matrix(value) for value in column.values)
    return several or meaning.joined_by(strings) is not None


def _is_binary(column: _Column) -> bool:
    values = {str(value).strip().casefold() for value in column.values}
    return (
        bool(values)
        and values <= {"0", "1", "0.0", "1.0", "-1", "-1.0"}
        and column.filled > 0.5
        and bool(values & {"0", "1", "0.0", "1.0"})
    )


def _choose_labels(
    rest: Sequence[_Column], where: str, like: Choice | None, texts: Sequence[str]
) -> tuple[tuple[str, ...], list[str], tuple[str, ...]]:
    names = [one.name for one in rest]
    lacking = ""
    if like is not None and like.labels:
        if all(name in names for name in like.labels):
            return like.labels, [], ()
        lacking = f"the label column of training, {joined_names(like.labels)}, is not there; "
    ranks = {one.name: _label_rank(one.name) for one in rest}
    few = [one for one in rest if _is_few(one)]
    folded = {one.name.casefold().strip(): one.name for one in rest}
    known = [folded[name] for name in LABEL_COLUMNS if name in folded]
    candidates = sorted(
        few,
        key=lambda one: (
            -ranks[one.name] * (one.filled > 0.2),
            one.filled < MOSTLY,
            _likeliest(one.name),
            one.distinct < 2,
        ),
    )
    varied = [one for one in candidates if one.distinct > 1] or candidates
    best = varied[0] if varied else None
    binary = [one for one in rest if _is_binary(one) and ranks[one.name] not in (0, 3)]
    if len(binary) > 1 and (
        best is None or ranks[best.name] < 2 or (best in binary and ranks[best.name] < 3)
    ):
        columns = tuple(one.name for one in binary)
        beside = [one for one in varied if one not in binary and ranks[one.name] and one.distinct > 1]
        rank = max(ranks[name] for name in columns)
        if any(
            ranks[one.name] >= rank and _share(one.strings, is_number) < 0.5 for one in beside if one.strings
        ):
            raise _open(rest, [*beside, *binary], "label", where, lacking)
        others = tuple(one.name for one in beside)
        return (
            columns,
            [f"{lacking}the labels are the columns of 0 and 1: {', '.join(map(repr, columns))}"],
            others,
        )
    if best is None or ranks[best.name] == 0:
        named = next(iter(known), None)
        only = len(rest) == 1 and best is not None and best.distinct < len(best.values)
        if named is None and only:
            named = rest[0].name
        if named is None:
            order = sorted(rest, key=lambda one: (one not in few, -ranks[one.name], one.distinct))
            raise _open(rest, order, "label", where, lacking)
        return (named,), [f"{lacking}the label is {named!r}"], ()
    alike = [one for one in varied[1:] if ranks[one.name] == ranks[best.name]]
    if ranks[best.name] == 1 and alike and best.distinct > 1:
        raise _open(rest, varied, "label", where, lacking)
    if ranks[best.name] == 1 and len(best.values) < ENOUGH and len(rest) > 1:
        raise _open(rest, varied, "label", where, lacking)
    if ranks[best.name] == 1 and len(best.values) < ENOUGH and best.distinct == len(best.values):
        raise _open(rest, varied, "label", where, lacking)
    others = tuple(
        one.name
        for one in rest
        if one is not best
        and (ranks[one.name] > 1 or (one in few and one.distinct > 1 and ranks[one.name] == 1))
    )
    kinds = f"{best.distinct} value{'s' * (best.distinct != 1)} in the first {len(best.values):,} rows"
    return (best.name,), [f"{lacking}the label is {best.name!r} ({kinds})"], others[:5]


def _open(told: Sequence[_Column], order: Sequence[_Column], what: str, where: str, lacking: str) -> Unclear:
    """Return the message for a choice that stays open: the likeliest columns with an example each."""
    if not told:
        return Unclear(
            f"{where}: {lacking}no column is left for the {what}: a corpus needs one of texts and one of "
            "labels"
        )
    names = listed_columns([one.name for one in told])
    if what == "text":
        likely = [one for one in order if _text_score(one) > 0 and not _is_named_label(one)][:3]
    else:
        likely = [one for one in order if _is_few(one) and _label_rank(one.name)][:3]
    if not likely:
        return Unclear(
            f"{where}: {lacking}no column looks like the {what}; name it with --{what}-column; the columns "
            f"are: {names}"
        )
    shown = "; ".join(f"{one.name!r} (such as: {one.example})" for one in likely)
    return Unclear(
        f"{where}: {lacking}no column is surely the {what}; the likeliest: {shown}; say which, for instance "
        f"with --{what}-column {_quoted(likely[0].name)}; the columns are: {names}"
    )


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f'"{name}"'


def _is_one_hot(columns: Sequence[str], head: Sequence[Row]) -> bool:
    counts = []
    for row in head:
        try:
            found = meaning.marked(row.values, columns) if not row.error else None
        except ValueError:
            continue
        if found is not None:
            counts.append(len(found))
    return len(counts) >= ENOUGH and all(count == 1 for count in counts)
