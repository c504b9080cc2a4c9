"""JSON: an object a line, objects over several lines, or an array; read as a stream."""

import io
import json
import shlex
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from sentiment.errors import CorpusError
from sentiment.rows.row import Row

PART = 1 << 16  # characters read at once
LONGEST = 1 << 28  # characters of one object


def read_lines(text: Iterable[str], name: str) -> Iterator[Row]:
    """Read an object a line; a line that is none becomes an error."""
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
            yield Row(where, {}, f"not valid JSON: {error}")
            continue
        yield _row(where, values)


def _row(where: str, value: Any) -> Row:
    """Return the row that a value means: an object of columns, or a pair of a text and its label or "
    "object."""
    if isinstance(value, dict):
        return Row(where, value)
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
        more = value[1] if isinstance(value[1], dict) else {"label": value[1]}
        return Row(where, {"text": value[0]} | more)
    return Row(where, {}, f"a JSON {type(value).__name__}, not an object with named columns")


def read_stream(text: io.TextIOBase, name: str, begin: str = "") -> Iterator[Row]:
    """Read an array, or objects one after another, which may go over several lines.

    Parameters
    ----------
    begin
        What was read of the text already.

    Raises
    ------
    CorpusError
        If it is no valid JSON from some place on: where the next object begins is not known then.
    """
    for number, (line, value) in enumerate(_values(text, name, begin)):
        where = f"{name}:{line}"
        if isinstance(value, str):
            yield Row(where, {"text": value, "id": number})
        else:
            yield _row(where, value)


def _values(text: io.TextIOBase, name: str, begin: str) -> Iterator[tuple[int, Any]]:
    """Yield the values of an array, or those that stand one after another, with the lines they begin at."""
    decoder, part = json.JSONDecoder(), begin or text.read(PART)
    place, line, more, array = 0, 1, True, None
    while True:
        # Spaces and commas between values
        start = place
        while place < len(part) and part[place] in " \t\r\n,\ufeff":
            place += 1
        line += part.count("\n", start, place)
        if place == len(part):
            part, place = text.read(PART), 0
            if not part:
                if array:
                    raise CorpusError(f"{name}:{line}: the array is cut off: it has no closing bracket")
                return
            continue
        if array is None:
            array = part[place] == "["
            place += array
            if array:
                continue
        if array and part[place] == "]":
            array, place = None, place + 1  # another array may follow, or objects
            continue
        try:
            value, end = decoder.raw_decode(part, place)
            if end == len(part) and more and not isinstance(value, dict | list | str):
                raise json.JSONDecodeError("cut", part, end)
        except (ValueError, RecursionError) as error:
            cut = isinstance(error, json.JSONDecodeError) and (
                error.msg.startswith("Unterminated") or error.pos > len(part) - 12
            )
            further = text.read(max(PART, len(part) - place)) if cut and len(part) < LONGEST else ""
            more = bool(further)
            if not further:
                raise CorpusError(f"{name}:{line}: not valid JSON from here on: {_short(error)}") from error
            part, place = part[place:] + further, 0
            continue
        yield line, value
        line += part.count("\n", place, end)
        place = end


def _short(error: Exception) -> str:
    return getattr(error, "msg", None) or str(error)


def read(text: io.TextIOBase, name: str) -> tuple[str, Iterator[Row]]:
    """Tell by the beginning how objects are written, and read them: an object a line (jsonl), or array."""
    lines: list[str] = []
    while not (lines and lines[-1].strip()):
        line = text.readline()
        if not line:
            return "jsonl", iter(())
        lines.append(line)
    begin = lines[-1].lstrip("\ufeff \t\r\n")
    listed = begin.startswith("[")
    second = text.readline() if listed else ""
    lines += [second] if second else []
    pairs = second.lstrip().startswith("[") and _is_pair(begin)  # of a text and its label, one a line
    if not pairs and (listed or (begin.rstrip().endswith(("{", "[", ",")) and not _is_whole(begin))):
        rows, form = read_stream(text, name, "".join(lines)), "array"
    else:
        form, rows = "jsonl", read_lines(chain(lines, text), name)
    return form, _refuse_single(rows, name)


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_pair(line: str) -> bool:
    return _is_whole(line) and len(pair := json.loads(line)) == 2 and isinstance(pair[0], str)


def _refuse_single(rows: Iterator[Row], name: str) -> Iterator[Row]:
    """Refuse a file of one object that has all rows in it."""
    first = next(rows, None)
    if first is None:
        return
    second = next(rows, None)
    if second is None:
        _check_single(first.values, name)
        yield first
        return
    yield from chain((first, second), rows)


def _check_single(values: dict[str, Any], name: str) -> None:
    file = "FILE" if name == "stdin" else name
    new = name.rpartition(".")[0] + ".jsonl" if not name.endswith(".jsonl") else "rows.jsonl"
    lists = [
        key
        for key, value in values.items()
        if isinstance(value, list) and value and isinstance(value[0], dict)
    ]
    if lists and "annotations" not in values:
        raise CorpusError(
            f"{name}: one object, in which the rows are the list {lists[0]!r}; write one object a line: "
            f"jq -c '.{lists[0]}[]' {shlex.quote(file)} > {shlex.quote(new)}"
        )
    parts = list(values.values())
    keyed = all(isinstance(part, dict) for part in parts)
    listed = all(isinstance(part, list) for part in parts)
    sizes = {len(part) for part in parts} if keyed or listed else set()
    if len(parts) > 1 and len(sizes) == 1 and sizes.pop() > 1:
        load = f"pandas.read_json({file!r})" if keyed else f"pandas.DataFrame(json.load(open({file!r})))"
        code = f"import json, pandas; {load}.to_json({new!r}, orient='records', lines=True)"
        raise CorpusError(
            f"{name}: one object of whole columns ({', '.join(values)}), as pandas writes it; write one "
            f"object a line: python -c {shlex.quote(code)}"
        )
