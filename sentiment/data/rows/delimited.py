"""Lines with separators → records with the number of their first line.

`csv` reads quoted fields, strictly. No line is lost to a stray quote: where it swallows rows, they are read
again one by one. With tabs, and where a line is one field, a quote is a plain character unless it encloses a
whole field.
"""

import csv
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from sentiment.data.rows.form import Form
from sentiment.data.rows.row import Cells

LONGEST = 1 << 22  # most characters of a quoted field; beyond, its quote is a stray one
JOINED = 1000  # most lines of a quoted field in a file with tabs
CTRL_Z = "\x1a"  # DOS ended files with it
NUL = "it holds a zero byte"
NEVER = "\x1f"  # the unit separator of ASCII, which texts do not hold: where nothing separates


Record = tuple[int, list[str] | None, str | None]  # number of its first line, fields or what is wrong
Known = Sequence[Cells]


class _Endless(Exception):
    """A quoted field that is too long."""


class _Lines:
    """Lines that are counted, and can be put back if they are no part of the current record."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.pending: list[str] = []  # read, and not yet part of a record
        self.number = 0  # lines that are part of records
        self.nul = False  # since the last record
        self.back: deque[str] = deque()
        self._lines = iter(lines)
        self.iterator = self._iterate()

    def _iterate(self) -> Iterator[str]:
        pending, back = self.pending, self.back
        add = pending.append
        while True:
            while back:
                line = back.popleft()
                self._look(line)
                add(line)
                yield line
            for line in self._lines:
                add(line)
                if "\0" in line or len(pending) > 1:
                    self._look(line)
                yield line
                if back:
                    break
            else:
                if not back:
                    return

    def _look(self, line: str) -> None:
        if "\0" in line:
            self.nul = True
        if len(self.pending) % 64 == 63 and sum(map(len, self.pending)) > LONGEST:
            self.iterator = self._iterate()  # the one that raises ends with that
            self.pending.append(line)
            raise _Endless

    def done(self, count: int) -> None:
        """Make the first pending lines a record, and put the others back."""
        if len(self.pending) > count:
            self.back.extendleft(reversed(self.pending[count:]))
            self.iterator = self._iterate()  # the one that came to the end of the file yields no more
        self.number += count
        self.pending.clear()
        self.nul = False


def records(lines: Iterable[str], form: Form, width: int, known: Known | None = None) -> Iterator[Record]:
    """Yield the records of a file.

    Parameters
    ----------
    width
        Number of fields that a record should have.
    known
        The cells of columns, which tell a row from a line of a quoted text.
    """
    no_limit()
    if form.separator is None:
        return _unquoted(_Lines(lines), NEVER, 1)
    if form.split != "all":
        return _split_once(lines, form)
    lines, form = by_one(lines, form)
    if form.separator == "\t":
        return _unquoted(_Lines(lines), form.separator, width)
    return _quoted(_Lines(lines), form, width, known or ())


def by_one(lines: Iterable[str], form: Form) -> tuple[Iterable[str], Form]:
    """Replace a separator of several characters by a single one, as `csv` needs it."""
    separator = str(form.separator)
    if len(separator) == 1:
        return lines, form
    return (line.replace(separator, NEVER) for line in lines), replace(form, separator=NEVER)


def no_limit() -> None:
    """Let fields be longer than the 128 KiB that `csv` has by default."""
    csv.field_size_limit(sys.maxsize)


def parser(form: Form) -> Callable[[Iterable[str]], Iterator[list[str]]]:
    """Return a function that reads lines by `csv`."""

    def read(lines: Iterable[str]) -> Iterator[list[str]]:
        return csv.reader(
            lines,
            delimiter=form.separator or "\t",
            quotechar=form.quote,
            escapechar="\\" if form.escape else None,
            skipinitialspace=form.spaces,
            strict=True,
        )

    return read


def plain(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    """Divide lines at each separator, with quotes as plain characters."""
    return csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)


def _quoted(source: _Lines, form: Form, width: int, known: Known) -> Iterator[Record]:
    read, pending, clear = parser(form), source.pending, source.pending.clear
    while True:
        number = source.number
        try:
            for fields in read(source.iterator):
                if len(pending) == 1 and not source.nul:  # as nearly all are
                    number += 1
                    clear()
                    if len(fields) > 1 or (fields and fields[0] != CTRL_Z):
                        yield number, fields, None
                    continue
                source.number = number
                if len(pending) == 1:
                    yield number + 1, None, NUL
                elif source.nul or _swallowed(pending, fields, read, str(form.separator), width, known):
                    yield from _first_alone(source, form, width)
                    break
                else:
                    yield number + 1, fields, None
                number += len(pending)
                clear()
                source.nul = False
            else:
                return
        except (csv.Error, _Endless) as error:
            source.number = number
            endless = isinstance(error, _Endless) or "end of data" in str(error)
            why = "a quote that opens here never closes" if endless else _why(str(error), form)
            yield number + 1, None, f"not valid CSV: {why}"
            source.done(1)


def _why(message: str, form: Form) -> str:
    if "expected after" in message:
        ways = "" if form.escape else ' (write "" for a quote in a quoted text)'
        return f"a quoted text goes on after its closing quote{ways}"
    return message


def _swallowed(
    lines: list[str],
    fields: list[str],
    read: Callable[[Iterable[str]], Iterator[list[str]]],
    separator: str,
    width: int,
    known: Known,
) -> bool:
    """Whether a record of several lines is several rows that stray quotes join.

    It is if most lines between the first and the last are rows by themselves, with cells as the columns have
    elsewhere. If there are only two lines, the first must be such a row, too, with its quote as a plain
    character.
    """
    if len(fields) != width:
        return True  # no row, so its lines are read one by one
    if width < 2 or not known:
        return False

    def is_row(row: list[str]) -> bool:
        return len(row) == width and all(cells.have(row[cells.column]) for cells in known)

    alone = is_row(next(plain(lines[:1], separator), []))
    inner = lines[1:-1] or lines[1:]
    rows = 0
    for line in inner:
        try:
            rows += is_row(next(read([line]), []))
        except csv.Error:
            continue
    return rows > 0.5 * len(inner) and (alone or len(lines) > 2)


def _first_alone(source: _Lines, form: Form, width: int) -> Iterator[Record]:
    """Read the first line with its quote as a plain character, and put the others back."""
    fields = next(plain(source.pending[:1], str(form.separator)), [])
    if source.nul and "\0" in source.pending[0]:
        yield source.number + 1, None, NUL
    elif len(fields) == width:
        yield source.number + 1, fields, None
    else:
        yield source.number + 1, None, "not valid CSV: a quote that opens here closes lines later"
    source.done(1)


def _unquoted(source: _Lines, separator: str, width: int) -> Iterator[Record]:
    pending, clear = source.pending, source.pending.clear
    while True:
        number = source.number
        for fields in plain(source.iterator, separator):
            quoted = '"' in pending[0]
            if not quoted and not source.nul:
                number += 1
                clear()
                if len(fields) > 1 or (fields and fields[0] != CTRL_Z):
                    yield number, fields, None
                continue
            source.number = number
            if quoted and _opens(fields[-1] if fields else ""):
                joined = _join(source, separator, len(fields), width)
                if joined is not None:
                    yield number + 1, joined, None
                    source.done(len(pending))
                    break
            nul = "\0" in pending[0]
            yield number + 1, None if nul else [_unquote(field) for field in fields], NUL if nul else None
            source.done(1)
            break
        else:
            return


def _opens(field: str) -> bool:
    return field.startswith('"') and field.count('"') % 2 == 1


def _join(source: _Lines, separator: str, fields: int, width: int) -> list[str] | None:
    """Return the fields of a row whose last field goes on in the next lines, or None if it does not."""
    for line in source.iterator:
        fields += line.count(separator)
        if fields > width or len(source.pending) > JOINED:
            return None
        if line.count('"') % 2 == 1:
            try:
                rows = list(csv.reader(source.pending, delimiter=separator, strict=True))
            except csv.Error:
                return None
            return rows[0] if len(rows) == 1 and len(rows[0]) == width and not source.nul else None
    return None


def _unquote(field: str) -> str:
    # Spreadsheets quote a field that holds quotes; elsewhere a quote is a plain character.
    if len(field) > 1 and field[0] == field[-1] == '"' and '"' not in field[1:-1].replace('""', ""):
        return field[1:-1].replace('""', '"')
    return field


def _split_once(lines: Iterable[str], form: Form) -> Iterator[Record]:
    separator = str(form.separator)
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not text.strip() or text == CTRL_Z:
            continue
        if "\0" in text:
            yield number, None, NUL
        else:
            first, there, last = (
                text.partition(separator) if form.split == "first" else text.rpartition(separator)
            )
            if there:
                yield number, [_unquote(first.strip()), _unquote(last.strip())], None
            else:
                yield (
                    number,
                    None,
                    f"no {separator!r} in this line, which stands between label and text elsewhere",
                )
