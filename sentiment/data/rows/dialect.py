"""Separators and quotes of a file of columns, judged from many of its lines."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from sentiment.data.rows.delimited import CTRL_Z, Known, by_one, no_limit, parser, plain, records
from sentiment.data.rows.form import Asked, Form
from sentiment.data.rows.header import HEADINGS, TITLES, judge_header, rows_above
from sentiment.data.rows.row import SHORT, Cells, is_number

SEPARATORS = {"csv": ",;\t|", "tsv": "\t,;|", "txt": "\t;|,", "": "\t,;|"}  # by format, likeliest first
RARE = "^~#\x01"  # tried, too, if they stand in every line
DOUBLED = ":;|^~#@\t"  # may stand in twos or threes
ONCE = (*"\t;|@", *RARE, *", :")  # between a label and a text that may hold them, too
ASKING = {"what", "how", "why", "when", "who", "where", "which", "is", "are", "do", "does", "did", "can"}
MOST_ONCE = 100  # most labels before or after such a separator
FEW = 0.9  # share of good rows with which a separator is taken at once


def judge(
    lines: Sequence[str], form: Form, kind: str, asked: Asked, like: Form | None = None, labelled: bool = True
) -> tuple[Form, int, Known]:
    """Complete the form of a file with separators from its first lines.

    Parameters
    ----------
    lines
        With their line ends; the last may be cut off.
    form
        What is known of it.
    kind
        csv, tsv, txt or "", by the name of the file.
    like
        The form of the training file.
    labelled
        Whether labels are expected, so that a line may be a label and a text.

    Returns
    -------
    Form, int, sequence of Cells
        The form, the number of fields of a row, and the cells of the columns that are no texts.
    """
    no_limit()
    lines = [line for line in lines if line.strip() and line.strip() != CTRL_Z]
    if like is not None and like.split != "all" and like.separator == asked.separator:
        form = replace(form, separator=like.separator, split=like.split)
    else:
        form = _separator(lines, form, kind, asked, labelled)
    width = _width(lines, form)
    rows = [fields for _, fields, _ in records(lines, form, width) if fields is not None]
    return (
        judge_header(rows, form, asked, width, like),
        width,
        _cells([row for row in rows[1:] if len(row) == width], width),
    )


def _separator(lines: Sequence[str], form: Form, kind: str, asked: Asked, labelled: bool) -> Form:
    if not lines:
        return replace(form, separator=asked.separator or SEPARATORS.get(kind, ",")[0])
    excel = re.fullmatch(r"sep=(.)", lines[0].strip())
    usual: Sequence[str] = SEPARATORS.get(kind, SEPARATORS[""])
    if asked.separator is not None or excel is not None:
        usual = (asked.separator or str(excel and excel[1]),)
    else:
        usual = (*usual, *_doubled(lines), *(mark for mark in RARE if _in_all(lines, mark)))
    if asked.separator is None and excel is None and _one_column(lines, form):
        return replace(form, separator=None)
    best, most, quality, labels = replace(form, separator=usual[0]), 0.0, 0.0, False
    for separator in usual:
        for candidate in _variants(replace(form, separator=separator), lines):
            good, worth, few = _judged(lines, candidate)
            if worth > quality + 0.02:
                best, most, quality, labels = candidate, good, worth, few
    header = [cell.strip().casefold() for cell in next(_loose(lines, best), [])]
    headed = not HEADINGS.isdisjoint(header)
    poor = most < FEW and (asked.separator is not None or (most < 0.5 and kind != "csv") or most < 0.2)
    once = None
    if labelled and (poor or best.separator == " " or (not labels and not headed)):
        once = _once(lines, form, usual if asked.separator else (*_doubled(lines), *ONCE))
    elif labelled and (len(header) == 2 or not headed) and (most < FEW or _in_prose(lines, best)):
        once = _once(lines, form, (str(best.separator),))  # it stands in texts, too
    if once is not None:
        return once
    if most == 0 and asked.separator is None:
        return replace(form, separator=None if kind != "tsv" else "\t")
    if best.separator != SEPARATORS.get(kind, ",")[0] and asked.separator is None:
        return best.noted(f"its columns stand between {best.separator!r}")
    return best


def lines_above(lines: Sequence[str], asked: Asked) -> int:
    """Return how many lines stand above the header, which is divided by one of the usual separators."""
    if asked.header is False or (lines and re.fullmatch("sep=.", lines[0].strip())):
        return 0
    marks = (asked.separator,) if asked.separator else SEPARATORS[""]
    return max(rows_above([line.split(mark) for line in lines[: TITLES + 1]]) for mark in marks)


def _in_all(lines: Sequence[str], mark: str) -> bool:
    return sum(mark in line for line in lines) >= 0.98 * len(lines)


def _doubled(lines: Sequence[str]) -> list[str]:
    """Return separators of two or three equal characters that stand in nearly every line."""
    return [mark * count for mark in DOUBLED for count in (3, 2) if _in_all(lines, mark * count)]


def _in_prose(lines: Sequence[str], form: Form) -> bool:
    """Whether a separator stands in texts, too: after it, some columns begin with a space and some never."""
    spaced = _spaced(lines, form)
    return max(spaced, default=0) > FEW and min(spaced, default=1) < 1 - FEW


def _spaced(lines: Sequence[str], form: Form) -> list[float]:
    """Return the share of cells that begin with a space, for each column but the first."""
    rows = [fields for _, fields, _ in records(lines[1:200], form, _width(lines, form)) if fields]
    width = max(map(len, rows), default=0)
    cells = [[row[column] for row in rows if len(row) > column] for column in range(1, width)]
    return [sum(cell.startswith(" ") for cell in column) / len(column) for column in cells]


def are_columns(lines: Sequence[str], form: Form, known: Known, like: Form | None) -> bool:
    """Whether lines are rows, rather than texts with a separator by chance.

    They are if their header has a known name, or if a column is no text.
    """
    lines = [line for line in lines if line.strip()]
    if form.header and any(cell.casefold() in HEADINGS for cell in form.columns):
        return True
    if form.header and like is not None and not {*like.columns, ""}.isdisjoint({*form.columns} - {""}):
        return True
    if form.separator is None or len(lines) <= 10 or not known or _judged(lines, form)[0] < FEW:
        return False
    return form.header or min(_spaced(lines, form), default=1) < FEW  # a space follows a comma of a text


def _one_column(lines: Sequence[str], form: Form) -> bool:
    """Whether the file has one column: its header is a single known name, or whole lines are in quotes."""
    if lines[0].strip().strip('"').casefold() in HEADINGS | {"texts", "sentences", "reviews", "comments"}:
        return True
    if any(sum(mark in line for line in lines) >= FEW * len(lines) for mark in ";|\t"):
        return False
    rows = [fields for _, fields, _ in records(lines[:-1], replace(form, separator=","), 1)]
    single = sum(fields is not None and len(fields) == 1 for fields in rows)
    quoted = sum(line.startswith('"') for line in lines)
    return single > FEW * len(rows) and quoted > 0.05 * len(rows)


def _variants(form: Form, lines: Sequence[str]) -> list[Form]:
    """Return the forms to try: with other kinds of quotes, if there are signs of them, and as it is."""
    if form.separator == "\t":
        return [form]
    mark, variants = re.escape(str(form.separator)), []  # type: str, list[Form]
    joined = "".join(lines[:200])
    if '\\"' in joined and re.search(rf'[^{mark}\r\n]\\"[^"{mark}\r\n]', joined):
        variants.append(replace(form, escape=True))
    begun = len(re.findall(rf"(?m)^'|{mark} *'", joined))
    ended = len(re.findall(rf"(?m)'\r?$|' *{mark}", joined))
    if min(begun, ended) > 0.5 * len(lines[:200]) and '"' + str(form.separator) not in joined:
        variants.append(replace(form, quote="'"))
    if re.search(rf'{mark} +"[^"{mark}\r\n]', joined):
        variants.append(replace(form, spaces=True))
    return [*variants, form]


def _width(lines: Sequence[str], form: Form) -> int:
    """Return the number of fields that most rows have."""
    if form.separator is None:
        return 1
    if form.split != "all":
        return 2
    widths: Counter[int] = Counter()
    first = 0
    for row in _loose(lines, form):
        first = first or len(row)
        widths[len(row)] += 1
    if not widths:
        return 1
    most = max(widths.values())
    if widths[first] >= 0.3 * most and first > 1:  # a text in several lines makes short rows
        return first
    return next(width for width, count in widths.items() if count == most)


def _loose(lines: Sequence[str], form: Form) -> Any:
    """Yield rows, by `csv` as far as it gets, or by lines."""
    separator = str(form.separator)
    if separator == "\t":
        yield from plain(lines, separator)
        return
    again, form = by_one(lines, form)
    rest = iter(again)
    while True:
        try:
            yield from parser(form)(rest)
            return
        except csv.Error:
            continue


def goes_with(lines: Sequence[str], like: Form) -> bool:
    """Whether lines are divided as those of another file, and are no plain texts.

    Commas and spaces stand in texts, too, so with them the header must be the same, or labels must be there.
    """
    if like.format != "csv" or like.separator is None or not lines:
        return False
    lines = lines[:200]
    if like.split != "all":
        once = _once(lines, like, (like.separator,))
        return once is not None and once.split == like.split
    first = {cell.strip() for cell in next(_loose(lines, like), [])}
    same = not {*like.columns}.isdisjoint(first - {""})
    return (same or like.separator != ",") and _judged(lines, like)[0] >= FEW


def _judged(lines: Sequence[str], form: Form) -> tuple[float, float, bool]:
    """Return the share of records of the usual width, its worth, and whether a column may be labels.

    The share is worth less where another separator is in every line.
    """
    width = _width(lines, form)
    if width < 2:
        return 0.0, 0.0, False
    read = list(records(lines, form, width, None))
    good = [fields for _, fields, _ in read if fields is not None and _fits(fields, width)]
    part = len(good) / max(1, len(read) - (len(read) > 2 and read[-1][1] is None))
    first = read[0][1] if read else None
    if first is None or (len(first) != width and (len(first) != width - 1 or width < 3)):
        part /= 2  # a header of other fields
    # Commas stand in texts; a tab, a semicolon or a bar in every line does not do so by chance.
    others = (mark for mark in (*";|\t", *RARE, "::", "@@") if mark not in str(form.separator))
    other = any(sum(mark in line for line in lines) >= FEW * len(lines) for mark in others)
    few = bool(_few([fields for fields in good[1:] if len(fields) == width], width))
    return part, part * (0.8 if other else 1), few


def _fits(fields: list[str], width: int) -> bool:
    return len(fields) == width or (len(fields) > width and not any(fields[width:]))


def _once(lines: Sequence[str], form: Form, separators: Sequence[str]) -> Form | None:
    """Return the form of lines that are a label, a separator and a text, in this or the other order."""
    rows = [line.rstrip("\r\n") for line in lines]
    if len(rows) < 10:
        return None
    for separator in separators:
        for side in ("first", "last"):
            cut = str.partition if side == "first" else str.rpartition
            parts = [cut(row, separator) for row in rows]
            labels = Counter(part[0 if side == "first" else 2].strip() for part in parts if part[1])
            few = len(labels) <= min(MOST_ONCE, max(2, 0.15 * len(rows)))
            short = all(0 < len(label) <= 40 and len(label.split()) == 1 for label in labels)
            guessed = len(separators) > 1
            if guessed and separator == " " and side == "first" and _are_words(labels, rows):
                continue
            there = sum(labels.values()) >= 0.98 * len(rows)
            again = sum(count for count in labels.values() if count > 1) > 0.9 * len(rows)
            texts = sum(bool(part[2 if side == "first" else 0].strip()) for part in parts)
            several = sum(count > 1 for count in labels.values()) > 1
            if there and few and short and again and several and texts > 0.9 * len(rows):
                called = "space" if separator == " " else repr(separator)
                note = f"each line is a label and a text; the {side} {called} stands between them"
                return replace(form.noted(note), separator=separator, split=side)
    return None


def _are_words(labels: Collection[str], rows: Sequence[str]) -> bool:
    """Whether the first words of lines begin sentences, or end in a colon, and so are no labels."""
    if all(label.endswith(":") for label in labels):
        return True  # the colon stands between label and text
    asking = sum(label.casefold() in ASKING for label in labels)
    begun = [row.split(maxsplit=2)[:2] for row in rows]
    capital = sum(len(words) == 2 and words[0].istitle() and words[1].islower() for words in begun)
    return 2 * asking > len(labels) or capital > FEW * len(rows)


def _few(rows: Sequence[Sequence[str]], width: int) -> dict[int, set[str]]:
    """Return the values of the columns with few values, if there are enough rows to tell."""
    few: dict[int, set[str]] = {}
    for column in range(width if len(rows) >= 10 else 0):
        values = {row[column].strip() for row in rows}
        if len(values) <= max(2, 0.2 * len(rows)) and max(map(len, values)) <= 40:
            few[column] = values
    return few


def _cells(rows: Sequence[Sequence[str]], width: int) -> list[Cells]:
    """Return what the cells of each column that is no text have in common."""
    known = []
    few = _few(rows, width)
    for column in range(width if len(rows) > 1 else 0):
        cells = [row[column] for row in rows if row[column].strip()]
        if not cells:
            continue
        number = all(map(is_number, cells))
        words = max(len(cell.split()) for cell in cells)
        values = few.get(column)
        # Where rows are sorted by a column, others of its values may come after the sample.
        runs = 1 + sum(cell != other for cell, other in pairwise(cells))
        closed = frozenset(values) if values is not None and runs > len({*cells}) else None
        length = 2 * max(map(len, cells))
        if closed is not None or number or (words <= SHORT and all(cell == cell.strip() for cell in cells)):
            known.append(Cells(column, closed, number, words, length))
    return known
