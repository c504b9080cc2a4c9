"""The header of a table: where it stands, whether there is one, and the names in it."""

from collections.abc import Sequence
from dataclasses import replace

from sentiment.core.errors import CorpusError
from sentiment.data.rows.delimited import records
from sentiment.data.rows.form import Asked, Form
from sentiment.data.rows.opening import guess_encoding
from sentiment.data.rows.row import SHORT, is_date, is_number

TITLES = 20  # lines that may stand above the header
HEADINGS = {  # usual names of columns
    "id", "ids", "index", "idx", "uid", "text", "label", "labels", "split", "title", "date", "user",
    "name", "target", "tweet", "review", "sentence", "comment", "message", "content", "body", "rating",
    "score", "class", "category", "sentiment",
}  # fmt: skip


def judge_header(
    rows: Sequence[Sequence[str]], form: Form, asked: Asked, width: int, like: Form | None = None
) -> Form:
    """Complete a form by whether the first row is a header.

    Parameters
    ----------
    rows
        The first ones, divided into cells.
    width
        The number of cells that most rows have.
    like
        The form of a file that this one goes with.
    """
    if not rows:
        return replace(form, header=asked.header is not False)
    first = [cell.strip() for cell in rows[0]]
    known = like is not None and not {*like.columns, ""}.isdisjoint({*first} - {""})
    heading = known or not HEADINGS.isdisjoint(cell.casefold() for cell in first)
    headless = like is not None and not like.header and not heading
    if asked.header is not None:
        header = asked.header
    else:
        below = [row for row in rows[1:] if len(row) == width]
        header = not headless and (known or len(first) < width or _is_header(first, below))
    if header:
        return replace(form, header=True, columns=tuple(first))
    if asked.header is False or headless:
        return replace(form, header=False)
    shown = " | ".join(cell[:30] for cell in first)
    note = (
        f"its first row looks like data ({shown}), so its columns are numbered from 1; if it is a header, "
        "say so with --header"
    )
    return replace(form.noted(note), header=False)


def column_names(
    first: Sequence[str], form: Form, width: int, where: str, sample: Sequence[str] = ()
) -> list[str]:
    """Return the names of columns: those of the header, where one may be "", or numbers from 1.

    Raises
    ------
    CorpusError
        If two columns have one name, or a name is not UTF-8.
    """
    if not form.header:
        return [str(number) for number in range(1, max(width, len(first)) + 1)]
    names = [cell.strip() for cell in first]
    if len(names) == width - 1 and len(names) > 0:  # R writes no name for the names of its rows
        rows = [fields for _, fields, _ in records(sample, form, width) if fields is not None][1:]
        if rows and all(is_number(row[0]) for row in rows if len(row) == width):
            names.insert(0, "")
    for name in names:
        if name and names.count(name) > 1:
            raise CorpusError(f"{where}: two columns are named {name!r}")
        try:
            name.encode()
        except UnicodeEncodeError:
            guess = guess_encoding("".join(sample).encode("utf-8", "surrogateescape")) or "cp1252"
            raise CorpusError(
                f"{where}: the header is not UTF-8; it looks like {guess}: --encoding {guess}"
            ) from None
    return names


def rows_above(rows: Sequence[Sequence[str]]) -> int:
    """Return how many rows stand above the header: titles, dates, comments.

    The header is the first row of short cells with two known names of columns. One known name is enough if
    each row above has a single cell, or is a comment.
    """
    rows = [[cell.strip().strip('"').casefold() for cell in row] for row in rows[: TITLES + 1]]
    alone = True
    for number, row in enumerate(rows):
        known = len(HEADINGS.intersection(row))
        filled = [cell for cell in row if cell]
        short = all(len(cell.split()) <= SHORT for cell in filled)
        below = [len(later) >= len(row) for later in rows[number + 1 :]]
        if known >= (1 if alone else 2) and len(filled) > 1 and short and sum(below) > 0.5 * len(below):
            return number
        alone = alone and (len(filled) <= 1 or row[0].startswith("#"))
    return 0


def _is_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: it differs from the rows below."""
    names = values = 0.0
    for column, cell in enumerate(cell.strip() for cell in first):
        below = [row[column].strip() for row in rows if column < len(row) and row[column].strip()]
        if not cell or not below:
            continue
        again = cell in below
        if cell.casefold() in HEADINGS and not again:
            names += 3
        numbers, dates = (sum(map(test, below)) / len(below) > 0.8 for test in (is_number, is_date))
        if numbers or dates:
            alike = is_number(cell) if numbers else is_date(cell)
            names, values = names + 2 * (not alike), values + 2 * alike
            continue
        few = len(set(below)) <= max(1, 0.3 * len(below))
        if again and few:
            values += 3
        elif few and len(below) >= 8:
            names += 1
        else:
            lengths = sorted(map(len, below))
            usual, words = lengths[len(lengths) // 2], len(cell.split())
            asks = cell[-1] == "?" and sum(text[-1] == "?" for text in below) < 0.5 * len(below)
            if words > 3 and len(cell) > 0.4 * usual and not asks:
                values += 1 + (words > 5)
            elif words <= 3 and len(cell) < 0.3 * usual and usual > 15:
                names += 1
    return names >= values
