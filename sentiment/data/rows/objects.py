"""JSON: an object a line, objects over several lines, or an array; read as a stream."""

import io
import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from sentiment.core.errors import CorpusError
from sentiment.data.rows.header import HEADINGS
from sentiment.data.rows.row import Row

PART = 1 << 16  # characters read at once
LONGEST = 1 << 28  # characters of one object
FRAMES = {  # of what pandas wrote, by its orientation
    "columns": "pandas.DataFrame(d)",
    "index": "pandas.DataFrame(list(d.values()))",
    "split": "pandas.DataFrame(d['data'], columns=d['columns'])",
}


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
    """Return the row of an object of columns, or of a pair of a text and its label or object."""
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
        What is read of the text already.

    Raises
    ------
    CorpusError
        If it is no valid JSON from some place on, as then nobody knows where the next object begins.
    """
    for number, (line, value) in enumerate(_values(text, name, begin)):
        where = f"{name}:{line}"
        if isinstance(value, str):
            yield Row(where, {"text": value, "id": number})
        else:
            yield _row(where, value)


def _values(text: io.TextIOBase, name: str, begin: str) -> Iterator[tuple[int, Any]]:
    """Yield values, of an array or one after another, with the lines where they begin."""
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
                raise CorpusError(
                    f"{name}:{line}: not valid JSON from here on: {getattr(error, 'msg', None) or error}"
                ) from error
            part, place = part[place:] + further, 0
            continue
        yield line, value
        line += part.count("\n", place, end)
        place = end


def read(text: io.TextIOBase, name: str, sample: Sequence[str]) -> tuple[str, Iterator[Row]]:
    """Return the format, "jsonl" (an object a line) or "array", told by the beginning, and the rows.

    Parameters
    ----------
    sample
        Lines that were read of the text already.
    """
    lines, number = list(sample), 0

    def line_at(number: int) -> str:
        while len(lines) <= number and (line := text.readline()):
            lines.append(line)
        return lines[number] if number < len(lines) else ""

    while (line := line_at(number)) and not line.strip():
        number += 1
    if not line:
        return "jsonl", iter(())
    begin = line.lstrip("\ufeff \t\r\n")
    listed = begin.startswith("[")
    second = line_at(number + 1) if listed else ""
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
    first = list(islice(rows, 2))
    if len(first) == 1 and first[0].error is None:
        _check_single(first[0].values, name)
    yield from chain(first, rows)


def _check_single(values: dict[str, Any], name: str) -> None:
    """Refuse one object that holds all rows, with the command that writes an object a line.

    Raises
    ------
    CorpusError
        If it is empty, or holds lists of rows, whole columns, rows by their index, or texts by their label.
    """
    file = shlex.quote("FILE" if name == "stdin" else name)
    stem = name.rpartition(".")[0]
    new = shlex.quote(f"{stem}.jsonl" if stem and not name.endswith(".jsonl") else "rows.jsonl")
    parts = list(values.values())
    tables = [
        key for key, part in values.items() if isinstance(part, list) and part and isinstance(part[0], dict)
    ]
    keyed = len(parts) > 1 and all(isinstance(part, dict) and len(part) > 1 for part in parts)
    listed = len(parts) > 1 and all(isinstance(part, list) and part for part in parts)
    texts = listed and all(isinstance(text, str) for part in parts for text in part)
    known = not HEADINGS.isdisjoint(key.casefold() for key in values)
    whole = (listed or keyed) and len({*map(len, parts)}) == 1
    if not values:
        what, command = "an empty object, without any row", ""
    elif tables and "annotations" not in values:
        each = len(tables) > 1
        what = f"one object, in which the rows are the list{'s' * each} {', '.join(map(repr, tables))}"
        command = "; ".join(
            f"jq -c '{_path(key)}[]' {file} > {shlex.quote(f'{key}.jsonl') if each else new}"
            for key in tables
        )
    elif {"columns", "data"} <= {*values}:
        what, command = "one object of columns and data, as pandas writes it", _by_pandas("split", file, new)
    elif keyed and all(key.isdecimal() for key in values):
        what = "one object of rows by their index, as pandas writes it"
        command = _by_pandas("index", file, new)
    elif texts and not known:
        what = f"one object of texts by their label ({_some(values)})"
        program = "to_entries[] | .key as $label | .value[] | {text: ., label: $label}"
        command = f"jq -c {shlex.quote(program)} {file} > {new}"
    elif whole and len(parts[0]) > 1:
        what = f"one object of whole columns ({_some(values)}), as pandas writes it"
        command = _by_pandas("columns", file, new)
    else:
        return
    raise CorpusError(f"{name}: {what}" + (f"; write one object a line: {command}" if command else ""))


def _path(key: str) -> str:
    """Return the path of a key for jq, within single quotes of a shell."""
    plain = key.isascii() and key.isidentifier()
    return f".{key}" if plain else f".[{json.dumps(key)}]".replace("'", "'\\''")


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _by_pandas(orient: str, file: str, new: str) -> str:
    code = (
        f"import json, pandas, sys; d = json.load(open(sys.argv[1])); {FRAMES[orient]}"
        ".to_json(sys.argv[2], orient='records', lines=True)"
    )
    return f'python -c "{code}" {file} {new}'
