"""`sentiment predict`: where texts come from, and how predictions are written."""

import csv
import io
import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from sentiment.cli.options import say
from sentiment.core.errors import CorpusError
from sentiment.core.files import replacing
from sentiment.core.strings import printable
from sentiment.data.audio import SUFFIXES
from sentiment.data.rows import (
    Asked,
    Form,
    Row,
    columns_of,
    encoding_of,
    read_open,
    unpacked,
)
from sentiment.data.rows import read as read_file
from sentiment.inference import builtin, bundle
from sentiment.inference.predictor import Predictor, Result

# An id may hold what is no UTF-8; as \udce9 it is still valid JSON.
ENCODING: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace", "newline": "\n"}


def load(model: Path | None, device: str) -> Predictor:
    """Load a model by its folder or name; without either the default one, which is named on stderr."""
    if model is None:
        folder, called = builtin.default()
        click.echo(f"model: {called}", err=True)
    else:
        folder = builtin.find(model)
    return Predictor(bundle.load(folder), device)


def read(
    texts: Sequence[str],
    source: str | None,
    model: bundle.Bundle,
    text_column: str | None,
    options: dict[str, Any],
) -> tuple[Iterator[Row], str]:
    """Return the rows to classify, and the column that holds the texts, or features.

    The columns are those that the model was trained on; what is chosen otherwise is said on stderr. The
    `options` say how a file is read.
    """
    if source is None:
        return (Row(f"text {number}", {"text": text}) for number, text in enumerate(texts)), "text"
    files = _files(Path(source)) if source != "-" else []
    if files:
        return iter(files), "features"
    from sentiment.data.corpus.columns import find
    from sentiment.data.corpus.reading import Reading
    from sentiment.data.corpus.source import tell

    like = model.reading
    asked = Asked(**options)
    if source == "-":
        where, (form, rows) = "stdin", _read_stdin(text_column, asked, like.form if like else None)
    else:
        where, (form, rows) = source, read_file(Path(source), asked, like.form if like else None)
    rows, columns, head = columns_of(rows)
    if not head:
        raise CorpusError(f"{where}: there is nothing in it")
    if not columns:
        return rows, "text"  # only bad rows so far: each becomes an error
    if form.format == "txt" and text_column is None:
        for note in form.notes:
            click.echo(printable(f"{where}: {note}"), err=True)
        return rows, "text"
    choice = find(columns, head, where, text_column, None, like.choice if like else None, labelled=False)
    reading = Reading(form, choice)
    tell(reading.like_training(like) if text_column is None else reading, where, say)
    if len(choice.text) == 1:
        return rows, choice.text[0]
    from sentiment.data.corpus.raw import text_of

    return (
        row._replace(values={**row.values, "text": text_of(row.values, choice.text)}) for row in rows
    ), "text"


def _files(path: Path) -> list[Row]:
    """Return a row for each file of features or sound: this one, or those in this folder."""
    paths = [path] if path.is_file() else sorted(path.rglob("*"))
    return [
        Row(str(file), {"features": file, "id": str(file.relative_to(path) if file != path else file.name)})
        for file in paths
        if file.suffix in SUFFIXES
    ]


def write(results: Iterable[Result], labels: Sequence[str], output: str, style: str) -> int:
    """Write predictions as they come, and return how many rows had an error.

    A file is written beside its place and moved there at the end, so that it is never half of one.
    """
    if output == "-":
        # Not the text layer of stdout: texts may hold what the terminal's encoding lacks.
        sys.stdout.flush()
        with open(sys.stdout.fileno(), "w", closefd=False, **ENCODING) as stream:
            return _write(results, labels, stream, style)
    path = Path(output)
    if path.exists() and not path.is_file():  # a pipe or a device is written to, never replaced
        with path.open("w", **ENCODING) as file:
            return _write(results, labels, file, style)
    try:
        with replacing(path, apart=True) as temporary, temporary.open("x", **ENCODING) as file:
            return _write(results, labels, file, style)
    except OSError as error:
        error.filename = output
        raise


def _read_stdin(text_column: str | None, asked: Asked, like: Form | None) -> tuple[Form, Iterator[Row]]:
    """Read stdin by how it begins: as JSON, else as columns or a text a line."""
    stream = unpacked(sys.stdin.buffer, "stdin")
    head = stream.peek(4096)[:4096] if isinstance(stream, io.BufferedReader) else b""
    begin = head.decode(asked.encoding or encoding_of(head), "ignore").lstrip("\ufeff \t\r\n")
    kind = "csv" if text_column else None if begin else "txt"
    if begin[:1] == "{" or re.match(r"\[\s*([{\[]|\"[^\"]*\"\s*[,\]])|\[\s*$", begin):
        kind = "jsonl"
    return read_open(stream, kind, "stdin", asked, like)


def _write(results: Iterable[Result], labels: Sequence[str], stream: TextIO, style: str) -> int:
    failed, write_one = 0, STYLES[style](labels, stream)
    for result in _counted(results):
        write_one(result)
        failed += result.prediction is None
    return failed


def _counted(results: Iterable[Result], every: float = 5.0) -> Iterator[Result]:
    """Say from time to time on stderr how many texts are done; nothing at all for a short job."""
    begun = shown = time.monotonic()
    count = 0

    def talk(end: str) -> None:
        speed = count / max(time.monotonic() - begun, 1e-9)
        click.echo(f"{count:,} texts, {speed:,.0f} a second{end}", nl=False, err=True)

    for count, result in enumerate(results, 1):
        yield result
        if count % 256 == 0 and time.monotonic() - shown > every:
            shown = time.monotonic()
            talk("\r" if sys.stderr is not None and sys.stderr.isatty() else "\n")
    if shown > begun:
        talk("\n")


def _text(_: Sequence[str], stream: TextIO) -> Callable[[Result], None]:
    def write_one(result: Result) -> None:
        if result.prediction is None:
            stream.write(f"error\t-\t{result.error}\n")
        else:
            label, shown = printable(result.prediction.label), printable(result.text)
            if result.prediction.unsure:
                label = f"unsure ({label})"
            stream.write(f"{label}\t{result.prediction.probability:.4f}\t{shown}\n")

    return write_one


def _jsonl(_: Sequence[str], stream: TextIO) -> Callable[[Result], None]:
    def write_one(result: Result) -> None:
        unusual = isinstance(result.id, float) and not math.isfinite(result.id)
        content: dict[str, Any] = {"id": str(result.id) if unusual else result.id}
        content |= result.prediction.as_dict() if result.prediction else {"error": result.error}
        stream.write(json.dumps(content, ensure_ascii=False, default=str) + "\n")

    return write_one


def _csv(labels: Sequence[str], stream: TextIO) -> Callable[[Result], None]:
    writer = csv.writer(stream, lineterminator="\n")
    classes = [f"p_{label}" for label in labels]
    writer.writerow(["id", "label", "probability", "unsure", *classes, "unknown_rate", "truncated", "error"])

    def write_one(result: Result) -> None:
        answer = result.prediction
        if answer is None:
            writer.writerow([result.id, *[""] * (len(labels) + 5), result.error])
        else:
            several = answer.labels is not None
            label = json.dumps(answer.labels, ensure_ascii=False) if several else answer.label
            numbers = [answer.probabilities[name] for name in labels]
            decided = [label, answer.probability, answer.unsure, *numbers]
            writer.writerow([result.id, *decided, answer.unknown_rate, answer.truncated, ""])

    return write_one


STYLES: dict[str, Callable[[Sequence[str], TextIO], Callable[[Result], None]]] = {
    "text": _text,
    "jsonl": _jsonl,
    "csv": _csv,
}
