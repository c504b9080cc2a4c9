"""Decoded text → its form and its rows: JSON, fastText, plain lines or lines with separators."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from sentiment.core.errors import CorpusError
from sentiment.data.rows import objects
from sentiment.data.rows.annotations import adapted
from sentiment.data.rows.delimited import records
from sentiment.data.rows.dialect import are_columns, goes_with, judge, lines_above
from sentiment.data.rows.form import Asked, Form
from sentiment.data.rows.header import column_names
from sentiment.data.rows.row import Row

SAMPLE = 1000  # lines that tell separators, quotes and header
SAMPLE_SIZE = 1 << 20  # characters, likewise
FASTTEXT = "__label__"
PLAIN = "read as plain lines, a text each; if it has columns, name what stands between: --separator"
UNKNOWN = (
    "unknown kind of file; name it .csv, .tsv, .jsonl, .parquet, .xlsx or .txt (.gz, .zst, .bz2, .xz or "
    ".zip may follow)"
)


def read_decoded(
    text: io.TextIOBase,
    kind: str | None,
    name: str,
    asked: Asked,
    like: Form | None,
    lines: bool,
    form: Form,
) -> Iterator[Form | Row]:
    sample = [] if kind == "jsonl" else _sample(text)
    content = [line for line in sample if line.strip()]
    if kind in (None, "csv", "tsv") and content and content[0].lstrip().startswith(("[{", '{"', "[\n")):
        kind, form = "jsonl", form.noted("it is JSON, though its name does not say so")
    if kind == "jsonl":
        format_, rows = objects.read(text, name, sample)
        more, rows = adapted(rows)
        yield replace(form, format=format_, notes=form.notes + more)
        yield from rows
        return
    everything = chain(sample, text)
    if kind in (None, "txt") and content and _is_fasttext(content):
        several = any(line.count(FASTTEXT) > 1 for line in content)
        yield replace(form, format="fasttext")
        yield from _read_fasttext(everything, name, several)
        return
    as_like = asked.separator is None and like is not None and goes_with(content, like)
    several = kind in ("csv", "tsv") or asked.separator is not None or not lines or as_like
    if kind is None and not content:
        raise CorpusError(f"{name}: {UNKNOWN}")
    if not several and kind == "txt":
        yield replace(form, format="txt")
        yield from _read_lines(everything, name)
        return
    if as_like and like is not None:
        asked = replace(asked, separator=like.separator)
    plain, titles = form, lines_above(sample, asked) if several else 0
    if titles:
        first = sample[0].strip()[:40]
        note = f"its header is line {titles + 1}; what stands above is left, such as {first!r}"
        form, everything = form.noted(note), chain(sample[titles:], text)
    sample = sample[titles:]
    content = [line for line in sample if line.strip()]
    form, width, known = judge(sample, replace(form, format="csv"), kind or "", asked, like, not lines)
    if not several and asked.header is None and not are_columns(sample, form, known, like):
        yield replace(plain.noted(PLAIN), format="txt")
        yield from _read_lines(everything, name)
        return
    if not lines and kind in (None, "txt") and form.separator is None:
        if kind is None:
            raise CorpusError(f"{name}: {UNKNOWN}")
        raise CorpusError(
            f"{name}: plain lines have no labels; give CSV, TSV, JSONL or Parquet, or a folder with one "
            "folder of .txt files for each label; if labels are in the lines, name what stands between: "
            "--separator"
        )
    skipped = int(bool(sample) and re.fullmatch("sep=.", sample[0].strip()) is not None)  # Excel's first line
    begin = next((number for number, line in enumerate(sample) if line.strip() and number >= skipped), 0)
    rest = chain(sample[begin:], text)
    yield form
    yield from _read_delimited(rest, name, form, width, known, titles + begin, content[skipped:])


def _sample(text: Iterable[str]) -> list[str]:
    lines, size = [], 0
    for line in islice(text, SAMPLE):
        lines.append(line)
        size += len(line)
        if size > SAMPLE_SIZE:
            break
    return lines


def _is_fasttext(lines: Sequence[str]) -> bool:
    return sum(FASTTEXT in line for line in lines) >= 0.9 * len(lines) and lines[0].lstrip().startswith(
        FASTTEXT
    )


def _read_fasttext(lines: Iterable[str], name: str, several: bool) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        labels = re.findall(rf"(?:^|(?<=\s)){FASTTEXT}(\S+)", line)
        text = re.sub(rf"(?:^|(?<=\s)){FASTTEXT}\S+", "", line).strip()
        label: Any = labels if several or len(labels) > 1 else labels[0] if labels else None
        yield Row(f"{name}:{number}", {"text": text, "label": label})


def _read_lines(lines: Iterable[str], name: str) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        error = "it holds a zero byte" if "\0" in line else None
        yield Row(f"{name}:{number}", {} if error else {"text": line.rstrip("\r\n")}, error)


def _read_delimited(
    lines: Iterable[str], name: str, form: Form, width: int, known: Any, skipped: int, sample: Sequence[str]
) -> Iterator[Row]:
    lines = iter(lines)
    rows = records(lines, form, width, known)
    first = next(rows, None)
    if first is None:
        return
    number, fields, error = first
    if fields is None and form.header:
        raise CorpusError(f"{name}:{skipped + number}: the header cannot be read: {error}")
    names = column_names(fields or [], form, width, f"{name}:{skipped + number}", sample)
    size, blank = len(names), "" in names
    if form.header and size != width:  # most rows are none by the header: each is named, and joins no other
        rows, skipped = records(lines, form, size), skipped + number
    for number, fields, error in rows if form.header else chain([first], rows):
        where = f"{name}:{skipped + number}"
        if fields is None:
            yield Row(where, {}, error)
        elif len(fields) == size or (len(fields) > size and not any(fields[size:])):
            values = dict(zip(names, fields))  # noqa: B905  # some have empty fields more
            if blank:
                values.pop("", None)
            yield Row(where, values)
        else:
            yield Row(where, {}, _ragged(len(fields), names, form))


def _ragged(count: int, names: Sequence[str], form: Form) -> str:
    """Say why a row has too many or too few fields."""
    marks = {",": "a comma", "\t": "a tab"}
    mark = marks.get(str(form.separator), f"the separator {form.separator!r}")
    what = f"{count} fields where {'the header has' if form.header else 'others have'} {len(names)}"
    if count > len(names):
        return f"{what}; quote a text that holds {mark} or a line end"
    return (
        f"{what}: nothing for {names[count]!r}; write {mark} for each, or quote a text that holds a line end"
    )
