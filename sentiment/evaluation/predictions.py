"""Predictions in a file: those of a bundle as Parquet, and anybody's in whatever form they come."""

import json
import math
import re
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sentiment.core import files
from sentiment.core.errors import CorpusError, UsageError, did_you_mean, listed
from sentiment.data.corpus import Split
from sentiment.data.corpus.checks import sorted_labels
from sentiment.data.corpus.labels import Label, Meaning, names_in
from sentiment.data.corpus.raw import find_task
from sentiment.data.rows import Row, columns_of, read_rows
from sentiment.metrics.arrays import Labels, Probabilities
from sentiment.metrics.decision import Decision
from sentiment.metrics.task import Task, task

ROUNDING = 0.005  # of each probability: they may be written with two decimals
FORMS = (
    "p_<class> for each class, or probabilities (a list in the order of the sorted labels, or an object by "
    "label), or for two classes probability (of the positive one)"
)
OF_PREDICT = {"unknown_rate", "truncated"}  # columns that only `sentiment predict` writes


@dataclass(frozen=True)
class Predictions:
    """What a file of predictions holds.

    Attributes
    ----------
    names
        Class names, by number; of two, the second is the positive one.
    labels
        (B,) true classes; or (B, L) of 0 and 1, where a text may have several labels.
    probabilities
        (B, C), rows that sum to 1; or (B, L).
    task
        What a label is; of grades a file does not know it.
    """

    names: tuple[str, ...]
    labels: Labels
    probabilities: Probabilities
    task: Task


def write(path: Path, decision: Decision, split: Split, probabilities: Probabilities) -> None:
    """Write a row for each text: id, label (true), predicted, and p_<class> for each class.

    Where a text may have several labels, label and predicted are lists.

    Parameters
    ----------
    split
        Its ids are used if all are whole numbers or strings, else the numbers of its rows.
    decision
        Whose labels and rule are used; `probabilities` (B, C) are tempered by it already.
    """
    import pyarrow
    import pyarrow.parquet

    predicted, _ = decision.decide(probabilities)

    def named(labels: Labels) -> Any:
        names = [decision.task.named(answer, decision.labels) for answer in labels]
        if decision.task.exclusive:
            return [name for (name,) in names]
        return pyarrow.array(names, pyarrow.list_(pyarrow.string()))  # also where all are empty

    columns: dict[str, Any] = {
        "id": _ids(split),
        "label": named(split.labels),
        "predicted": named(predicted),
    }
    columns |= {f"p_{name}": probabilities[:, number] for number, name in enumerate(decision.labels)}
    with files.replacing(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(columns), temporary)


def read(path: Path, positive: str | None = None) -> Predictions:
    """Read predictions: CSV, TSV, JSONL or Parquet with the column ``label`` and probabilities.

    Parameters
    ----------
    path
        Probabilities are columns ``p_<class>``; or one column ``probabilities``, a list in the order of
        the sorted labels or an object by label (JSON in a CSV); or, for two classes, one column
        ``probability`` of the positive class.
        Where texts may have several labels, ``label`` has lists (JSON in a CSV), and each probability is
        one of its own.
    positive
        Of two classes; the second by default, in the order of the columns or of the sorted labels.

    Raises
    ------
    CorpusError
        If anything in the file is not what it should be, with the row and the column.
    UsageError
        If `positive` is not a label of two.
    """
    rows, columns, head = columns_of(read_rows(path))
    _check_columns(path, columns, head)
    classes, parse = _form(path, columns, head[0])
    found = find_task([row.values.get("label") for row in head], ["label"], "auto", str(path))
    asked = task(found)
    if not asked.exclusive and positive is not None:
        raise UsageError(f"--positive is for two classes, and the labels in {path} are lists; leave it out")
    labels: list[Label] = []
    numbers: list[list[float]] = []
    places: list[str] = []
    for row in rows:
        if row.error:
            raise CorpusError(f"{row.where}: {row.error}")
        try:
            label = Meaning(found).read(row.values, ["label"])
            if label is None:
                raise ValueError("the label is missing")
            numbers.append(parse(row))
        except ValueError as error:
            raise CorpusError(f"{row.where}: {error}") from None
        labels.append(label)
        places.append(row.where)
    names = _names(path, asked, classes, labels, places)
    order = _order(names, positive)
    if len(numbers[0]) == 1:
        if len(names) != 2 or not asked.exclusive:
            raise CorpusError(
                f"{path}: one probability is enough for two classes, and there are {len(names)} labels: "
                f"{listed(names)}; write {FORMS}"
            )
        probabilities = np.array(numbers)
        probabilities = np.hstack([1 - probabilities, probabilities])
    else:
        probabilities = _rows(numbers, names, places, whole=asked.exclusive)[:, order]
    names = [names[number] for number in order]
    return Predictions(tuple(names), asked.encode(labels, names), probabilities, asked)


def _check_columns(path: Path, columns: Sequence[str], head: Sequence[Row]) -> None:
    if not head:
        raise CorpusError(f"{path}: there are no rows in it")
    if not columns:
        first = head[0]
        raise CorpusError(f"{first.where}: {first.error}; no row at the start of the file can be read")
    if "label" not in columns:
        raise CorpusError(
            f"{path}: no column 'label' with the true classes{did_you_mean('label', columns)}; "
            f"the columns are: {listed(map(repr, columns))}"
        )
    if set(columns) >= OF_PREDICT:
        raise CorpusError(
            f"{path}: this is the output of `sentiment predict`, whose label is the predicted class; "
            "put the true classes into that column, and leave out unknown_rate and truncated"
        )


def _names(
    path: Path, task: Task, classes: Sequence[str], labels: Sequence[Label], places: Sequence[str]
) -> list[str]:
    """Return the names of the classes that have probabilities; by default, those that the labels have."""
    found = sorted_labels({name for label in labels for name in names_in(label)})
    if len(found) < 2 and task.exclusive:
        raise CorpusError(f"{path}: all {len(labels)} rows have the label {found[0]!r}; two are needed")
    names = list(classes or found)
    for label, where in zip(labels, places, strict=True):
        for name in names_in(label):
            if name not in names:
                raise CorpusError(
                    f"{where}: the label {name!r} has no probability{did_you_mean(name, names)}; "
                    f"there are those of {listed(names)}"
                )
    return names


def _ids(split: Split) -> list[Any]:
    ids = split.ids or []
    if ids and all(isinstance(identity, str) for identity in ids):
        return [identity.encode("utf-8", "backslashreplace").decode() for identity in ids]
    if ids and all(type(identity) is int and abs(identity) < 2**63 for identity in ids):
        return ids
    return list(range(len(split)))


def _form(path: Path, columns: Sequence[str], first: Row) -> tuple[list[str], Callable[[Row], list[float]]]:
    """Return the classes that the columns name, if they do, and what reads the numbers of a row."""
    classes = [column.removeprefix("p_") for column in columns if column.startswith("p_")]
    if len(classes) == 1:
        raise CorpusError(f"{path}: p_{classes[0]} is the only column of a class; write {FORMS}")
    if classes:
        return classes, lambda row: [_number(row.values.get(f"p_{name}"), f"p_{name}") for name in classes]
    if "probabilities" in columns:
        with_names = _content(first.values.get("probabilities")) if not first.error else None
        if isinstance(with_names, dict):
            classes = sorted_labels(with_names)
        return classes, lambda row: _several(row.values.get("probabilities"), classes)
    if "probability" in columns:
        return [], lambda row: [_number(row.values.get("probability"), "probability")]
    raise CorpusError(
        f"{path}: no probabilities; write {FORMS}; the columns are: {listed(map(repr, columns))}"
    )


def _content(value: Any) -> Any:
    """Return what JSON in a CSV means."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def _several(value: Any, classes: Sequence[str]) -> list[float]:
    """Read one cell of the column ``probabilities``."""
    value = _content(value)
    if classes:
        if not isinstance(value, dict) or set(value) != set(classes):
            raise ValueError(
                f"column 'probabilities': not an object of {listed(classes)}: {reprlib.repr(value)}"
            )
        return [_number(value[name], f"probabilities.{name}") for name in classes]
    if not isinstance(value, list):
        raise ValueError(
            f"column 'probabilities': not a list in JSON, such as [0.1, 0.9]: {reprlib.repr(value)}"
        )
    if len(value) < 2:
        raise ValueError(f"column 'probabilities': {len(value)} numbers, and each class needs one")
    return [_number(number, "probabilities") for number in value]


def _number(value: Any, column: str) -> float:
    try:
        number = math.nan if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        hint = "; divide percentages by 100" if 1 < number <= 100 else ""
        if isinstance(value, str) and re.fullmatch(r"[01],\d+", value):
            hint = "; write a decimal point"
        raise ValueError(f"column {column!r}: {reprlib.repr(value)} is no probability from 0 to 1{hint}")
    return number


def _rows(
    numbers: list[list[float]], names: Sequence[str], places: Sequence[str], whole: bool
) -> Probabilities:
    """Return (B, C); if they sum to a whole, with what rounding took away made good."""
    for row, where in zip(numbers, places, strict=True):
        if len(row) != len(names):
            raise CorpusError(
                f"{where}: {len(row)} probabilities, but {len(names)} labels are there: {listed(names)}; "
                "write an object by label, or columns p_<class>"
            )
    probabilities = np.array(numbers)
    if not whole:
        return probabilities
    sums = probabilities.sum(1)
    off = np.abs(sums - 1)
    for row in np.flatnonzero(off > ROUNDING * len(names) + 1e-9)[:1]:
        raise CorpusError(f"{places[row]}: the probabilities sum to {sums[row]:.6g}, not to 1")
    rounded = off > 1e-9
    probabilities[rounded] /= sums[rounded, None]
    return probabilities


def _order(names: Sequence[str], positive: str | None) -> list[int]:
    """Return the numbers of the classes so that the positive one is the second of two."""
    if positive is None:
        return list(range(len(names)))
    if positive not in names:
        raise UsageError(
            f"--positive {positive}: no such label{did_you_mean(positive, names)}; "
            f"the labels are: {listed(names)}"
        )
    if len(names) > 2:
        raise UsageError(f"--positive is for two classes, and there are {len(names)}: {listed(names)}")
    side = names.index(positive)
    return [1 - side, side]
