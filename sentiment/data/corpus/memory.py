"""Texts and labels of a Python program → `RawCorpus`, or rows to classify."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentiment.core.errors import UsageError
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.strings import Say, warn
from sentiment.data.corpus.columns import find
from sentiment.data.corpus.raw import Collector, RawCorpus, text_of
from sentiment.data.corpus.reading import Reading
from sentiment.data.corpus.source import tell, tell_corpus
from sentiment.data.rows import Form, Row, columns_of

MEMORY = "(memory)"  # the name of a corpus that is nowhere else
KINDS = (
    "a preset, a path, a pandas or polars DataFrame, a datasets.Dataset or DatasetDict, or rows "
    "(dictionaries, or pairs of text and label); for lists write train(texts=…, labels=…)"
)


def read_memory(corpus: Any, config: CorpusConfig, say: Say = warn) -> RawCorpus:
    """Read what a program holds: a table, a data set of `datasets`, or rows.

    Parameters
    ----------
    corpus
        A mapping of splits to such (``train``, ``validation``, ``test``) is taken, too.
    say
        Told what was guessed; a warning of Python's logging by default.

    Raises
    ------
    UsageError
        If it is nothing of these.
    """
    if type(corpus).__module__.partition(".")[0] == "datasets":
        from sentiment.data.corpus.hub import read_dataset

        splits = corpus if hasattr(corpus, "keys") else {"train": corpus}
        raw = replace(read_dataset(splits, config, "a data set in memory", say=say), name="memory")
    else:
        roles = ("train", "validation", "test", "unlabelled")
        parts = corpus if isinstance(corpus, Mapping) else {"train": corpus}
        if "train" not in parts or not set(parts) <= set(roles):
            raise UsageError(f"a mapping has to be of splits: {', '.join(roles)}; a corpus is {KINDS}")
        raw = _read_parts(parts, config)
    tell_corpus(raw, say)
    return raw


def _read_parts(parts: Mapping[str, Any], config: CorpusConfig) -> RawCorpus:
    collector = None
    for role in sorted(parts, key=lambda role: role != "train"):
        rows, columns, head = columns_of(rows_of(parts[role], role))
        if not head:
            raise UsageError(f"{role}: there are no rows in it")
        labelled = role != "unlabelled"
        like = collector.reading.choice if collector else None
        choice = find(columns, head, role, config.text_column, config.label_column, like, labelled)
        if collector is None:
            collector = Collector.of(head, Reading(Form("memory"), choice), config, role)
        collector.take(role, collector.sort(rows, role, choice), parts)
    assert collector is not None
    return collector.corpus("memory", "memory", collector.marked_labels())


def rows_of(data: Any, where: str) -> Iterator[Row]:
    """Yield the rows of a table, or of an iterable of dictionaries or pairs.

    Raises
    ------
    UsageError
        If it is neither.
    """
    kind = type(data).__module__.partition(".")[0]
    records: Iterable[Any]
    if kind == "pandas" and hasattr(data, "columns"):
        twice = next((str(name) for name in data.columns[data.columns.duplicated()]), None)
        if twice is not None:
            raise UsageError(f"{where}: the column {twice!r} is there twice; rename one of them")
        columns = {str(name): data[name].tolist() for name in data.columns}
        records = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
    elif kind == "polars" and hasattr(data, "iter_rows"):
        records = data.iter_rows(named=True)
    elif kind == "pyarrow" and hasattr(data, "to_pylist"):
        batches = data.to_batches() if hasattr(data, "to_batches") else [data]
        records = (record for batch in batches for record in batch.to_pylist())
    elif isinstance(data, str | bytes | Mapping | Path) or not isinstance(data, Iterable):
        raise UsageError(f"of type {type(data).__name__}, which is no corpus; a corpus is {KINDS}")
    else:
        records = data
    for number, record in enumerate(records):
        place = f"{where}:{number}"
        if isinstance(record, Mapping):
            yield Row(place, {str(name): _plain(value) for name, value in record.items()})
        elif isinstance(record, tuple | list) and len(record) == 2:
            yield Row(place, {"text": _plain(record[0]), "label": _plain(record[1])})
        else:
            raise UsageError(
                f"{place}: a {type(record).__name__} is no row; a row is a dictionary, or a pair of text "
                "and label; for lists write train(texts=…, labels=…)"
            )


def _plain(value: Any) -> Any:
    """Return the value of Python that one of an array means; None for pandas.NA, NaT, NaN."""
    if hasattr(value, "tolist") and hasattr(value, "shape"):
        value = value.tolist()
    if type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and math.isnan(value)):
        return None
    return value


def pairs(texts: Any, labels: Any) -> list[dict[str, Any]]:
    """Return rows of texts and their labels.

    Raises
    ------
    UsageError
        If there are not as many of one as of the other, or they are single strings.
    """
    for name, values in (("texts", texts), ("labels", labels)):
        if values is None:
            raise UsageError("give texts and labels, both")
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            raise UsageError(f"{name} is a list, and not of type {type(values).__name__}")
    texts, labels = list(texts), list(map(_plain, labels))
    if len(texts) != len(labels):
        raise UsageError(
            f"there are {len(texts):,} texts and {len(labels):,} labels; give one label for each text"
        )
    width = len(labels[0]) if labels and isinstance(labels[0], list) else 0
    if width and all(isinstance(row, list) and len(row) == width for row in labels):
        if width == 1:
            labels = [row[0] for row in labels]
        elif all(number in (0, 1) for row in labels for number in row):
            raise UsageError(
                f"labels are rows of {width} numbers of 0 and 1, without names; give a list of names for "
                "each text, or a DataFrame with a column of 0 and 1 for each label"
            )
    return [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]


def texts_to_classify(data: Any, like: Reading | None, say: Say = warn) -> Iterator[Row] | None:
    """Return the rows of a table by the columns of training, as ``text``; None if it is none."""
    kind = type(data).__module__.partition(".")[0]
    table = kind in ("pandas", "polars", "pyarrow", "datasets") and hasattr(
        data, "columns" if kind != "datasets" else "column_names"
    )
    if not table:
        return None
    rows, columns, head = columns_of(rows_of(data, "row"))
    if not head:
        return iter(())
    choice = find(columns, head, "the table", None, None, like.choice if like else None, labelled=False)
    tell(Reading(Form("memory"), choice).like_training(like), "the table", say)
    return (row._replace(values={"text": text_of(row.values, choice.text)}) for row in rows)
