"""Files of texts → rows that know where they stand.

CSV, TSV, JSONL, Parquet and plain lines, also compressed (.gz, .zst, .bz2), are read as a stream,
in constant memory. A row that cannot be read becomes a row with an `error`; the rest go on.
"""

import codecs
import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from sentiment.errors import CorpusError, did_you_mean

COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
LOOK_AHEAD = 100  # rows looked at for the columns
ARRAY = "a JSON array; write one object a line (JSONL)"
BOMS = {  # longest first: the UTF-32 mark begins with the UTF-16 one
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file.

    Attributes
    ----------
    where
        Place for messages, such as ``reviews.csv:17``.
    values
        Columns by name; empty if the row cannot be read.
    error
        Why it cannot be read, or None.
    """

    where: str
    values: dict[str, Any]
    error: str | None = None


def file_format(path: Path) -> str:
    """Return the format that the file's name tells: csv, tsv, jsonl, parquet or txt."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    kind = suffixes[-1].lstrip(".") if suffixes else ""
    kind = {"ndjson": "jsonl", "json": "jsonl", "tab": "tsv", "text": "txt", "pq": "parquet"}.get(kind, kind)
    if kind not in READERS and kind != "parquet":
        raise CorpusError(
            f"{path}: unknown kind of file; name it .csv, .tsv, .jsonl, .parquet or .txt "
            "(.gz, .zst or .bz2 may follow)"
        )
    return kind


def read_rows(path: Path, kind: str | None = None) -> Iterator[Row]:
    """Yield the rows of a file; its format is told by its name unless `kind` is given.

    Raises
    ------
    CorpusError
        If the file as a whole cannot be read (missing, a folder, damaged, not text).
    """
    kind = kind or file_format(path)
    try:
        if kind == "parquet":
            yield from _read_parquet(path)
        else:
            with _open(path) as stream:
                yield from read_stream(stream, kind, path.name)
    except (FileNotFoundError, IsADirectoryError) as error:
        others = os.listdir(path.parent) if path.parent.is_dir() and not path.exists() else []
        near = did_you_mean(path.name, others)
        raise CorpusError(f"{path}: {error.strerror}{near}") from error
    except (EOFError, OSError) as error:  # gzip and pyarrow report damage as OSError
        if isinstance(error, PermissionError):
            raise CorpusError(f"{path}: no permission to read it") from error
        raise CorpusError(f"{path}: damaged or cut off: {error}") from error


def read_stream(stream: BinaryIO, kind: str, name: str) -> Iterator[Row]:
    """Yield the rows of a binary stream of one of the text formats; `name` begins each `where`."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
    head = buffered.peek(4096)[:4096]
    encoding = encoding_of(head)
    if encoding == "utf-8" and b"\0" in head:
        raise CorpusError(
            f"{name}: holds zero bytes: it is no text, or UTF-16 without its mark; save it as UTF-8"
        )
    # Bytes that are no UTF-8 survive as lone surrogates, and `text_error` finds them row by row.
    text = io.TextIOWrapper(buffered, encoding, errors="surrogateescape", newline="")
    try:
        yield from READERS[kind](text, name)
    except UnicodeError as error:
        raise CorpusError(f"{name}: not valid {encoding.upper()}: {error}; save it as UTF-8") from error
    finally:
        if not buffered.closed:  # as it may be already, when a reader gives up halfway
            text.detach()  # the caller closes the stream


def printable(text: str) -> str:
    """Return a text without control characters: it must not steer a terminal, or break a line."""
    return "".join(char if char.isprintable() else " " for char in text)


def columns_of(rows: Iterator[Row]) -> tuple[Iterator[Row], list[str], list[Row]]:
    """Look ahead for the columns; return all rows again, the columns, and the rows that were looked at."""
    head = list(islice(rows, LOOK_AHEAD))
    columns = list(dict.fromkeys(name for row in head for name in row.values))
    return chain(head, rows), columns, head


def encoding_of(head: bytes) -> str:
    """Return the encoding that the mark at the start of a file tells, or UTF-8."""
    return next((encoding for bom, encoding in BOMS.items() if head.startswith(bom)), "utf-8")


def text_error(value: object, what: str = "text") -> str | None:
    """Say why a value is no usable text, or None if it is one."""
    if value is None:
        return f"the {what} is missing"
    if not isinstance(value, str):
        return f"the {what} is of type {type(value).__name__}, not a string"
    if not value.strip():
        return f"the {what} is empty"
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(value[error.start])
        if 0xDC80 <= code <= 0xDCFF:
            return f"the {what} is not valid UTF-8 (byte 0x{code - 0xDC00:02x}); convert the file with iconv"
        return f"the {what} is not valid UTF-8: it holds half of a surrogate pair (U+{code:04X})"
    return None


def read_text(value: object) -> str:
    """Return a value that is a usable text; ValueError if it is none."""
    error = text_error(value)
    if error:
        raise ValueError(error)
    return str(value)


def _open(path: Path) -> BinaryIO:
    compression = COMPRESSED.get(path.suffix.lower())
    if compression:
        import pyarrow

        return io.BufferedReader(pyarrow.input_stream(str(path), compression=compression))
    return path.open("rb")


def _read_delimited(text: io.TextIOWrapper, name: str, delimiter: str, quoted: bool) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)  # a text may be longer than the 128 KiB of the default
    skipped, first = next(((number, line) for number, line in enumerate(text) if line.strip()), (0, ""))
    if delimiter == "," and "," not in first:  # spreadsheets of many countries write semicolons
        delimiter = next((mark for mark in ";\t" if mark in first), delimiter)

    def lines() -> Iterator[str]:
        yield first
        yield from text

    reader = csv.reader(
        lines(), delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True
    )
    header: list[str] | None = None
    while True:
        start = skipped + reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            where = f"{name}:{start}"
            if header is None:
                raise CorpusError(f"{where}: the header cannot be read: {error}") from error
            hint = "a quote that opens here never closes" if "end of data" in str(error) else str(error)
            yield Row(where, {}, f"not valid CSV: {hint}")
            continue
        if not fields:
            continue
        if not quoted:
            fields = [_unquote(field) for field in fields]
        if header is None:
            header = [field.strip() for field in fields]
            twice = {column for column in header if column and header.count(column) > 1}
            if twice:
                raise CorpusError(f"{name}:{start}: two columns are named {sorted(twice)[0]!r}")
        elif len(fields) != len(header):
            yield Row(
                f"{name}:{start}",
                {},
                f"{len(fields)} fields where the header has {len(header)}; quote a text that holds "
                f"{'a comma' if delimiter == ',' else 'the separator ' + repr(delimiter)} or a line end",
            )
        else:
            yield Row(f"{name}:{start}", dict(zip(header, fields, strict=True)))


def _unquote(field: str) -> str:
    # Spreadsheets quote a TSV field that holds quotes; elsewhere a quote is a plain character.
    if len(field) > 1 and field[0] == field[-1] == '"' and '"' not in field[1:-1].replace('""', ""):
        return field[1:-1].replace('""', '"')
    return field


def _read_csv(text: io.TextIOWrapper, name: str) -> Iterator[Row]:
    return _read_delimited(text, name, ",", quoted=True)


def _read_tsv(text: io.TextIOWrapper, name: str) -> Iterator[Row]:
    return _read_delimited(text, name, "\t", quoted=False)


def _read_jsonl(text: io.TextIOWrapper, name: str) -> Iterator[Row]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
            if number == 1 and line.lstrip().startswith("["):
                raise CorpusError(f"{where}: {ARRAY}") from error
            yield Row(where, {}, f"not valid JSON: {error}")
            continue
        if number == 1 and isinstance(values, list):
            raise CorpusError(f"{where}: {ARRAY}")
        if isinstance(values, dict):
            yield Row(where, values)
        else:
            yield Row(where, {}, f"a JSON {type(values).__name__}, not an object with named columns")


def _read_lines(text: io.TextIOWrapper, name: str) -> Iterator[Row]:
    for number, line in enumerate(text, 1):
        yield Row(f"{name}:{number}", {"text": line.rstrip("\r\n")})


READERS: dict[str, Callable[[io.TextIOWrapper, str], Iterator[Row]]] = {
    "csv": _read_csv,
    "tsv": _read_tsv,
    "jsonl": _read_jsonl,
    "txt": _read_lines,
}


def _plain(batch: Any) -> Any:
    """Turn dates and times, not all of which Python can hold, into strings."""
    import pyarrow
    from pyarrow import types

    columns = [
        column.cast(pyarrow.string()) if types.is_temporal(column.type) else column
        for column in batch.columns
    ]
    return pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise CorpusError(f"{path}: two columns are named {twice!r}")
            number = 0
            for batch in file.iter_batches(batch_size=1024):
                for values in _plain(batch).to_pylist():
                    number += 1
                    yield Row(f"{path.name}:{number}", values)
    except pyarrow.ArrowException as error:
        raise CorpusError(f"{path}: not a readable Parquet file: {error}") from error
