"""A stream of texts → a stream of predictions: batched, in order, in constant memory."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentiment.core.errors import listed
from sentiment.core.schema.report import Report
from sentiment.data import grades
from sentiment.data.rows import Row
from sentiment.data.sequences import Encoded
from sentiment.inference.bundle import Bundle
from sentiment.metrics.task import Task

if TYPE_CHECKING:
    import torch

NO_LABEL = "(none)"
CHUNK = 2048  # texts held at once
# Seconds of work in NumPy from which torch is quicker: if it has yet to be imported, and if it is there.
COLD, WARM = 2.0, 0.002


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model says of one text, or sequence of features.

    Attributes
    ----------
    label
        The class that the bundle's decision chooses: the most probable, or by a threshold. Where there may
        be several, all of them in a line, for people.
    probability
        Its probability. Where there may be several labels, that of the least sure answer among those to
        each of them: its own if it is chosen, else what is left to 1.
    unsure
        Whether the text is better left to a person; `label` is then the side it leans to.
    probabilities
        Of all classes, by name.
    unknown_rate
        Share of the text's tokens that are not in the vocabulary; 0 of features.
    truncated
        Whether it was longer than what the recurrence reads; n-grams beside it read all.
    labels
        Where a text may have several labels: those that are chosen, by thresholds; else None.
    expected
        Of grades that are numbers, their mean under the probabilities; else None.
    """

    label: str
    probability: float
    unsure: bool
    probabilities: dict[str, float]
    unknown_rate: float
    truncated: bool
    labels: tuple[str, ...] | None = None
    expected: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return a dictionary, ready for JSON; several labels are a list under ``label``.

        Where there is nothing expected, the dictionary does without.
        """
        content = asdict(self)
        if self.expected is None:
            del content["expected"]
        labels = content.pop("labels")
        return content if labels is None else content | {"label": list(labels)}


@dataclass(frozen=True, slots=True)
class Result:
    """The prediction for one row of a stream, or why there is none.

    Attributes
    ----------
    id
        The row's ``id`` column, or its number from 0 in a file without one; None for a row that lacks
        its id.
    text
        What stands for features is how many steps they have.
    """

    id: Any
    text: str
    prediction: Prediction | None
    error: str | None = None


class Predictor:
    """Classify texts, or features, with a trained bundle.

    Wherever texts are spoken of, a model of features takes arrays (T, F) or lists of steps instead.

    Parameters
    ----------
    bundle
        From `sentiment.inference.bundle.load`.
    device
        Where to run. With "auto" and "cpu", short jobs run in NumPy on the CPU.

    Raises
    ------
    UsageError
        If the device is not there.
    """

    def __init__(self, bundle: Bundle, device: "torch.device | str" = "cpu") -> None:
        self.bundle = bundle
        self.device = str(device)
        if self.device not in ("auto", "cpu"):
            _ = self.torch_device  # fails now if it is not there

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled and copied: not what torch says of the device, which may not be there."""
        return {"bundle": self.bundle, "device": self.device}

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, by number."""
        return self.bundle.labels

    @property
    def task(self) -> Task:
        """What a label is."""
        return self.bundle.decision.task

    @property
    def report(self) -> Report:
        """The evaluation stored with the model."""
        return self.bundle.report

    def probabilities(
        self, texts: Sequence[Any], *, more: bool = False
    ) -> tuple[NDArray[np.float64], Encoded]:
        """Return tempered probabilities (B, C) for what `logits` takes, and what the tokenizer made of it."""
        logits, encoded = self.logits(texts, more=more)
        return self.bundle.decision.probabilities(logits), encoded

    def logits(self, texts: Sequence[Any], *, more: bool = False) -> tuple[NDArray[np.float64], Encoded]:
        """Return logits (B, C), and what the tokenizer made of the texts.

        Features are arrays here, checked already. `more` says that further texts may follow, for which a
        slow start pays.
        """
        check_several(texts)
        encoded = self.bundle.tokenizer.encode(texts)
        if self._is_short(encoded, more):
            logits = self.bundle.numpy_model.infer(encoded.sequences)
        else:
            from sentiment.models.network import infer

            device = self.torch_device
            logits = infer(self.bundle.model.to(device), encoded.sequences, device)
        if self.bundle.ngrams is not None:
            logits = logits + self.bundle.ngrams.logits(encoded.whole)
        return logits, encoded

    @cached_property
    def torch_device(self) -> "torch.device":
        """Where torch runs."""
        from sentiment.models import runtime

        return runtime.choose_device(self.device)

    def _is_short(self, encoded: Encoded, more: bool) -> bool:
        """Choose the engine: NumPy for a short job, torch for a longer one and for a GPU that is asked for.

        Torch computes in batches, some three times as fast, or on a GPU, but takes two seconds to be
        imported.
        """
        if self.device not in ("auto", "cpu"):
            return False
        limit = WARM if more or "torch" in sys.modules else COLD
        return self.bundle.numpy_model.seconds(int(encoded.sequences.steps().sum())) < limit

    def predict(self, texts: Iterable[Any]) -> list[Prediction]:
        """Classify texts, or the rows of a DataFrame by the column that the model was trained on.

        Parameters
        ----------
        texts
            A list, an array, a column of a table (``frame["text"]``), or whatever else gives texts in turn.

        Raises
        ------
        ValueError
            If one of them is empty or no string; or no features of the width of the model. Also of what is
            one text, or a mapping: it would be taken for its letters, or its keys.
        """
        rows = self._table(texts)
        if rows is None:
            check_several(texts)
            rows = (Row(f"text {number}", {"text": text}) for number, text in enumerate(texts))
        predictions = []
        for result in self.stream(rows):
            if result.prediction is None:
                raise ValueError(result.error)
            predictions.append(result.prediction)
        return predictions

    def _table(self, texts: Any) -> Iterable[Row] | None:
        """Return the rows of a table, or None of a list of texts."""
        if isinstance(texts, list | tuple):
            return None
        from sentiment.data.corpus.memory import texts_to_classify
        from sentiment.data.corpus.reading import Reading

        content = self.bundle.manifest.get("reading")
        return texts_to_classify(texts, Reading.from_dict(content) if content else None)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the page of the model's report."""
        page = self.bundle.folder / "report.html"
        if not page.is_file():
            return f"<p>{escape(str(self.report.get('verdict', '')))}</p>"
        frame = 'style="width: 100%; height: 40em; border: 0" sandbox'
        return f'<iframe {frame} srcdoc="{escape(page.read_text("utf-8"))}"></iframe>'

    def stream(self, rows: Iterable[Row], text_column: str = "text") -> Iterator[Result]:
        """Classify rows in order; a bad row gives a result with an `error`, and the rest go on."""
        numbered, named = enumerate(rows), False
        while chunk := list(islice(numbered, CHUNK)):
            read = [self._try(row, text_column) for _, row in chunk]
            texts = [text for text, error in read if error is None]
            predictions = iter(self._predictions(texts, more=len(chunk) == CHUNK))
            for (number, row), (text, error) in zip(chunk, read, strict=True):
                named = named or "id" in row.values
                identity = row.values.get("id", None if named else number)
                if error is not None:
                    yield Result(identity, "", None, f"{row.where}: {error}")
                else:
                    yield Result(identity, self.bundle.input.shown(text), next(predictions))

    def read(self, row: Row, text_column: str) -> Any:
        """Return the text, or the features, of a row; ValueError says why it has none that can be used."""
        if row.error:
            raise ValueError(row.error)
        if text_column not in row.values:
            raise ValueError(f"no column {text_column!r}")
        value = row.values[text_column]
        if isinstance(value, Path):
            value = self.bundle.input.open(value, self.bundle.section("corpus"))
        return self.bundle.tokenizer.read(value)

    def _try(self, row: Row, text_column: str) -> tuple[Any, str | None]:
        """Return what a row has, or why it has nothing."""
        try:
            return self.read(row, text_column), None
        except ValueError as error:
            return None, str(error)

    def _predictions(self, texts: Sequence[Any], more: bool) -> Iterator[Prediction]:
        probabilities, encoded = self.probabilities(texts, more=more)
        classes, unsure = self.bundle.decision.decide(probabilities)
        values = grades.numbers(self.labels) if self.task.ordered else None
        means = [None] * len(texts) if values is None else (probabilities @ np.array(values)).tolist()
        for row, chosen, probability, doubtful, unknown, truncated, mean in zip(
            probabilities.tolist(),
            classes.tolist(),
            self.task.least(probabilities, classes).tolist(),
            unsure.tolist(),
            encoded.unknown_rate.tolist(),
            encoded.truncated.tolist(),
            means,
            strict=True,
        ):
            named = dict(zip(self.labels, row, strict=True))
            labels = self.task.named(chosen, self.labels)
            yield Prediction(
                ", ".join(labels) or NO_LABEL,
                probability,
                doubtful,
                named,
                unknown,
                truncated,
                None if self.task.exclusive else labels,
                mean,
            )


def check_several(texts: Iterable[Any], verb: str = "predict") -> None:
    """Refuse what would not give texts, or sequences of features, one after another.

    A text is not a list of its letters, and a table is one of the names of its columns.

    Raises
    ------
    ValueError
        Which says what to pass to `verb` instead.
    """
    takes = f"{verb} takes a list of texts, not {type(texts).__name__}"
    names = _columns(texts)
    if names is not None:
        column = "text" if "text" in names else next(iter(names), "text")
        known = listed(map(repr, names)) or "none"
        raise ValueError(f"{takes}; pass one of its columns, such as table[{column!r}] (it has {known})")
    whole = isinstance(texts, str | bytes | bytearray | memoryview) or getattr(texts, "ndim", 1) == 0
    if whole or not isinstance(texts, Iterable):
        raise ValueError(f"{takes}; for one text pass [text]")
    if hasattr(texts, "_fields"):
        raise ValueError(f"{takes}, a row with the fields {listed(texts._fields)}; pass its text in a list")
    if isinstance(texts, set | frozenset):
        raise ValueError(f"{takes}, which has no order; pass list(texts)")


def _columns(table: object) -> list[Any] | None:
    """Return the names of the columns, or keys, of a table of any library; None of what is no table."""
    if isinstance(table, Mapping):
        return list(table)
    for attribute in ("column_names", "columns"):  # of datasets, Arrow; of pandas, polars, Spark
        # Of the class: a column of pandas has the labels of its index as attributes.
        if hasattr(type(table), attribute) and not callable(names := getattr(table, attribute)):
            return [] if names is None else list(names)
    fields = getattr(getattr(table, "dtype", None), "names", None)  # of NumPy
    return None if fields is None else list(fields)
