"""A file or a stream → its form and its rows: opened, unpacked and decoded."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from sentiment.core.errors import CorpusError
from sentiment.data.rows.annotations import adapted
from sentiment.data.rows.form import NOTHING, Asked, Form
from sentiment.data.rows.opening import (
    SHIFTS,
    Opened,
    buffered,
    check_text,
    encoding_of,
    guess_encoding,
    missing,
)
from sentiment.data.rows.row import Row
from sentiment.data.rows.tables import read_excel, read_parquet
from sentiment.data.rows.text import read_decoded


def read(
    path: Path, asked: Asked = NOTHING, like: Form | None = None, lines: bool = True
) -> tuple[Form, Iterator[Row]]:
    """Return how a file is read, and its rows.

    Parameters
    ----------
    asked
        What its owner says.
    like
        The form of a file that this one goes with; it is taken where it fits.
    lines
        Whether a .txt may be plain lines, a text each; else it has to have labels.

    Raises
    ------
    CorpusError
        If the file as a whole cannot be read (missing, a folder, damaged, not text). The iterator raises
        it, too.
    """
    steps = _read(path, asked, like, lines)
    form = next(steps)
    assert isinstance(form, Form)
    return form, steps  # type: ignore[return-value]  # after the form there are only rows


def read_rows(path: Path, kind: str | None = None) -> Iterator[Row]:
    """Yield the rows of a file; its format is told by itself unless `kind` is given."""
    steps = _read(path, NOTHING, None, True, kind)
    next(steps)
    yield from steps  # type: ignore[misc]


def _read(
    path: Path, asked: Asked, like: Form | None, lines: bool, kind: str | None = None
) -> Iterator[Form | Row]:
    """Yield the form of a file, then its rows."""
    with _damage(path):
        opened = Opened(path)
        kind = kind or opened.format
        notes = tuple(opened.notes)
        if kind == "parquet":
            more, rows = adapted(read_parquet(path))
            yield Form("parquet", notes=notes + more)
            yield from rows
        elif kind == "xlsx":
            form, rows = read_excel(path, asked)
            yield replace(form, notes=notes + form.notes)
            yield from rows
        else:
            assert opened.stream is not None
            with opened.stream as stream:
                yield from _read_stream(stream, kind, path.name, asked, like, lines, notes)


def _undamaged(rows: Iterator[Row], name: str) -> Iterator[Row]:
    with _damage(name):
        yield from rows


@contextmanager
def _damage(path: Path | str) -> Iterator[None]:
    """Say of a file that it cannot be read, whatever unpacks it."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError) as error:
        raise missing(Path(path), error) from error
    except (EOFError, OSError) as error:  # gzip and pyarrow report damage as OSError
        if isinstance(error, PermissionError):
            raise CorpusError(f"{path}: no permission to read it") from error
        raise CorpusError(f"{path}: damaged or cut off: {error}") from error
    except Exception as error:
        if type(error).__module__ in ("lzma", "_lzma", "zlib", "zipfile"):
            raise CorpusError(f"{path}: damaged or cut off: {error}") from error
        raise


def read_open(
    stream: BinaryIO,
    kind: str | None,
    name: str,
    asked: Asked = NOTHING,
    like: Form | None = None,
    lines: bool = True,
) -> tuple[Form, Iterator[Row]]:
    """Return how a binary stream is read, and its rows; `name` begins each `where`."""
    with _damage(name):
        steps = _read_stream(stream, kind, name, asked, like, lines, ())
        form = next(steps)
    assert isinstance(form, Form)
    return form, _undamaged(steps, name)  # type: ignore[arg-type]


def _read_stream(
    stream: BinaryIO, kind: str | None, name: str, asked: Asked, like: Form | None, lines: bool,
    notes: tuple[str, ...],
) -> Iterator[Form | Row]:  # fmt: skip
    looked = buffered(stream)
    head = looked.peek(4096)[: 1 << 16]
    encoding = asked.encoding or encoding_of(head)
    other = like.encoding if like is not None else None
    if asked.encoding is None and encoding == "utf-8" and other not in (None, "utf-8") and not _is_utf8(head):
        encoding = str(other)
        notes += (f"it is not UTF-8, and is read as {other}, like the corpus of training",)
    check_text(head, encoding, asked.encoding, name)
    if encoding in SHIFTS.values() and asked.encoding is None:
        notes += (f"it is {encoding}, by its shifts between characters",)
    if asked.encoding is None and encoding == "utf-8" and not _is_utf8(head):
        guess = guess_encoding(head)
        way = f"; it looks like {guess}: --encoding {guess}" if guess else ""
        notes += (f"it is not all UTF-8{way}",)
    try:
        # Bytes that are no UTF-8 survive as lone surrogates, and `text_error` finds them row by row.
        text = io.TextIOWrapper(looked, encoding, errors="surrogateescape", newline="")
    except LookupError:
        raise CorpusError(
            f"{name}: Python knows no encoding {encoding!r}; try utf-8, cp1252 or gb18030"
        ) from None
    try:
        yield from read_decoded(text, kind, name, asked, like, lines, Form("", encoding, notes=notes))
    except UnicodeError as error:
        raise CorpusError(f"{name}: not valid {encoding.upper()}: {error}; save it as UTF-8") from error
    finally:
        if not looked.closed:  # as it may be already, when a reader gives up halfway
            text.detach()  # the caller closes the stream


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3 and error.reason == "unexpected end of data"
    return True
