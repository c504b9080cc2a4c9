"""What a source gives before it is checked and divided."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sentiment.core.errors import CorpusError
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus.columns import SPLIT_NAMES, listed_columns
from sentiment.data.corpus.labels import Label, Meaning, Task, is_list, label_names, names_in
from sentiment.data.corpus.reading import Choice, Reading
from sentiment.data.inputs import FeatureInput, Input, TextInput
from sentiment.data.rows import NoLabel, Row, guess_encoding, read_text

BETWEEN = "\n"  # of texts in several columns
RUN = 4096  # rows of one split that are sorted at once
MOST_KNOWN = 10_000  # strings whose labels are remembered
LOOKED = 20  # texts that are not UTF-8, by which their encoding is guessed


@dataclass
class RawSplit:
    """The usable rows of one split, and why the others are not.

    Attributes
    ----------
    texts
        One for each usable row; features are an array (T, F).
    labels
        The class name of each text, or a tuple of names if it may have several; None without a label.
    places
        Where each row stands, for messages, such as ``reviews.csv:17``.
    ids
        What the rows have in a column ``id``, or None.
    invalid
        A message, beginning with the place, for each row that is not usable.
    encoding
        What texts that are not UTF-8 seem to be written in, or None.
    """

    texts: list[Any] = field(default_factory=list)
    labels: list[Label | None] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    ids: list[Any] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    encoding: str | None = None

    @property
    def labelled(self) -> bool:
        """Whether any row has a label."""
        return any(label is not None for label in self.labels)

    @property
    def counts(self) -> Counter[str]:
        """How many texts have each label, in the order in which they first come."""
        return Counter(name for label in self.labels for name in names_in(label))

    def take(self, rows: Iterable[int]) -> "RawSplit":
        """Return some of the usable rows, with what is said of the others."""
        rows = list(rows)

        def some(column: list[Any]) -> list[Any]:
            return [column[row] for row in rows] if column else []

        return RawSplit(
            some(self.texts),
            some(self.labels),
            some(self.places),
            some(self.ids),
            list(self.invalid),
            self.encoding,
        )

    def extend(self, other: "RawSplit") -> None:
        """Add the rows of another part."""
        for name in ("texts", "labels", "places", "ids", "invalid"):
            getattr(self, name).extend(getattr(other, name))
        self.encoding = self.encoding or other.encoding


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
        What a label is, see `sentiment.data.corpus.Corpus`.
    reading
        How it was read, of a source that has columns.
    input
        What its texts are: texts, or features.
    """

    name: str
    source: str
    revision: str | None
    splits: dict[str, RawSplit]
    label_order: tuple[str, ...] | None = None
    task: Task = "multiclass"
    reading: Reading | None = None
    input: Input = field(default_factory=TextInput)

    @property
    def several(self) -> bool:
        """Whether a text may have several labels."""
        return self.task == "multilabel"

    @property
    def nouns(self) -> tuple[str, str]:
        """What messages call a label, and several."""
        return ("label", "labels") if self.several else ("class", "classes")


@dataclass
class Collector:
    """A corpus while its rows are read: what its first rows say, and its splits so far.

    Attributes
    ----------
    reading
        How it is read, with notes on what was met.
    input, meaning
        What its texts and its labels are.
    splits
        By role.
    """

    reading: Reading
    input: Input
    meaning: Meaning
    splits: dict[str, RawSplit] = field(default_factory=dict)

    @classmethod
    def of(cls, head: Sequence[Row], reading: Reading, config: CorpusConfig, where: str) -> "Collector":
        """Tell by the first rows what texts and labels are."""
        labels = reading.choice.labels
        values = [row.values.get(labels[0]) for row in head]
        if config.label_separator is not None and len(labels) == 1 and config.task == "auto":
            task: Task = "multilabel"
        else:
            task = find_task(values, labels, config.task, where, reading.choice.one_hot)
        meaning = meaning_of(config, task, config.task != "auto")
        return cls(reading, input_of(head, reading.choice.text), meaning)

    def note(self, note: str) -> None:
        """Add what is said of the corpus to its reading."""
        self.reading = replace(self.reading, notes=(*self.reading.notes, note))

    def sort(self, rows: Iterable[Row], role: str, choice: Choice) -> dict[str, RawSplit]:
        """Return usable rows by split, as `collect` does.

        Rows that are given as ``train`` may have a column that says their split; it is train where the
        column says none. If no row is of train, all are.
        """
        if choice.split is None or role != "train":
            return {role: collect(rows, choice, self.input.read, self.meaning)}
        parts: dict[str, RawSplit] = {}
        for part, run in _runs(rows, choice.split):
            split = collect(run, choice, self.input.read, self.meaning)
            parts.setdefault(part, RawSplit()).extend(split)
        if "train" in parts:
            return parts
        every = RawSplit()
        for split in parts.values():
            every.extend(split)
        self.note(f"the column {choice.split!r} has no row of train, so all rows are taken")
        return {"train": every}

    def take(self, role: str, parts: Mapping[str, RawSplit], given: Collection[str], where: str = "") -> None:
        """Add the parts of what is given as `role`, but those that are given besides."""
        for part, split in parts.items():
            if part != role and part in given:
                self.note(f"{where}the {part} texts among those of {role} were left: others are given")
            else:
                self.splits.setdefault(part, RawSplit()).extend(split)

    def marked_labels(self) -> tuple[str, ...] | None:
        """Return the names of several label columns that have a 1 in training texts; None of a single one."""
        columns, train = self.reading.choice.labels, self.splits.get("train")
        if len(columns) == 1 or train is None:
            return None
        names, marked = [self.meaning.named(column) for column in columns], train.counts
        empty = [name for name in names if train.labelled and name not in marked]
        for name in empty:
            self.note(f"the label column {name!r} has no 1 in the training texts, and was left out")
        return tuple(name for name in names if name not in empty)

    def corpus(self, name: str, source: str, label_order: tuple[str, ...] | None) -> RawCorpus:
        """Return what was read."""
        task, reading = self.meaning.task, self.reading
        return RawCorpus(name, source, None, self.splits, label_order, task, reading, self.input)


def input_of(head: Sequence[Row], columns: Sequence[str]) -> Input:
    """Say what a column holds: features if the first rows have only lists there, not of words."""
    column = columns[0]
    values = [row.values[column] for row in head if row.values.get(column) is not None]
    lists = bool(values) and all(isinstance(value, list) for value in values)
    words = lists and all(isinstance(item, str) for value in values for item in value)
    return FeatureInput() if lists and not words else TextInput()


def text_of(values: Mapping[str, Any], columns: Sequence[str]) -> Any:
    """Return what a row has in the column of texts, or in several, joined by line ends."""
    if len(columns) == 1:
        return values.get(columns[0])
    parts = [values.get(column) for column in columns]
    return BETWEEN.join(str(part) for part in parts if part is not None and str(part).strip()) or None


def find_task(
    values: Sequence[Any], columns: Sequence[str], asked: str, where: str, one_hot: bool = False
) -> Task:
    """Say what a label is.

    It is several of a text if there are several label columns, or if all the first `values` are lists.

    Raises
    ------
    CorpusError
        If they are, and another task is asked for.
    """
    given = [
        value for value in values if value is not None and value != "" and not isinstance(value, NoLabel)
    ]
    lists = bool(given) and all(is_list(value, asked == "auto") for value in given)
    single = one_hot or (lists and all(map(_is_single, given)))
    several = len(columns) > 1 or lists
    if asked == "auto":
        exclusive = one_hot or (single and all(isinstance(value, dict) for value in given))
        return "multilabel" if several and not exclusive else "multiclass"
    if several and asked != "multilabel" and not single:
        what = f"columns {listed_columns(columns)}" if len(columns) > 1 else f"lists in column {columns[0]!r}"
        raise CorpusError(
            f"{where}: the labels are {what}, and corpus.task={asked} wants one label for each text; "
            "leave corpus.task out, or choose another --label-column"
        )
    return asked  # type: ignore[return-value]  # one of the settings' literals


def _is_single(value: Any) -> bool:
    try:
        return len(label_names(value) or ()) <= 1
    except ValueError:
        return False


def meaning_of(config: CorpusConfig, task: Task, lists: bool = False) -> Meaning:
    """Return how labels are read, by the settings."""
    names = config.labels if isinstance(config.labels, dict) else None
    return Meaning(task, config.label_separator, names, config.label_spelling == "fold", lists)


def collect(
    rows: Iterable[Row],
    choice: Choice,
    read: Callable[[object], Any] = read_text,
    meaning: Meaning | None = None,
) -> RawSplit:
    """Sort rows into usable texts, or features, with labels and messages on the others."""
    split, odd = RawSplit(), []  # type: RawSplit, list[str]
    meaning = meaning or Meaning()
    columns, labels = choice.text, choice.labels
    column = columns[0] if len(columns) == 1 else None
    single, known = len(labels) == 1, {}  # type: bool, dict[str, Label | None]
    for row in rows:
        try:
            if row.error:
                raise ValueError(row.error)
            value = row.values.get(column) if column is not None else text_of(row.values, columns)
            text = read(value)
            key = row.values.get(labels[0]) if single else None
            if type(key) is str and key in known:
                label = known[key]
            else:
                label = meaning.read(row.values, labels) if labels else None
                if type(key) is str and len(known) < MOST_KNOWN:
                    known[key] = label
        except ValueError as error:
            split.invalid.append(f"{row.where}: {error}")
            if len(odd) < LOOKED and "UTF-8" in str(error):
                odd += [value for value in row.values.values() if isinstance(value, str)]
        else:
            split.texts.append(text)
            split.labels.append(label)
            split.places.append(row.where)
            split.ids.append(row.values.get("id"))
    data = "\n".join(odd).encode("utf-8", "surrogateescape") if _escaped(odd) else b""
    split.encoding = guess_encoding(data) if data else None
    return split


def _runs(rows: Iterable[Row], column: str) -> Iterator[tuple[str, list[Row]]]:
    """Yield runs of rows of the same split."""
    run: list[Row] = []
    role = "train"
    for row in rows:
        mine = SPLIT_NAMES.get(str(row.values.get(column) or "train").strip().casefold(), "train")
        if run and (mine != role or len(run) >= RUN):
            yield role, run
            run = []
        role = mine
        run.append(row)
    if run:
        yield role, run


def _escaped(texts: Collection[str]) -> bool:
    """Whether all lone surrogates in texts stand for bytes."""
    codes = [ord(char) for text in texts for char in text if "\ud800" <= char <= "\udfff"]
    return bool(codes) and all(0xDC80 <= code <= 0xDCFF for code in codes)
