"""Binary tables: Parquet, and spreadsheets by `python_calamine`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sentiment.core.errors import CorpusError, ResourceError
from sentiment.data.rows.form import Asked, Form
from sentiment.data.rows.header import column_names, judge_header, rows_above
from sentiment.data.rows.row import Row


def _plain(batch: Any) -> Any:
    """Turn dates and times, not all of which Python can hold, into strings."""
    import pyarrow
    from pyarrow import types

    columns = [
        column.cast(pyarrow.string()) if types.is_temporal(column.type) else column
        for column in batch.columns
    ]
    return pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names)


def read_parquet(path: Path) -> Iterator[Row]:
    """Yield the rows of a Parquet file."""
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


def read_excel(path: Path, asked: Asked) -> tuple[Form, Iterator[Row]]:
    """Read the first sheet of a workbook that has anything in it."""
    try:
        import python_calamine as calamine
    except ImportError:
        raise ResourceError(
            f"{path}: reading Excel needs python-calamine; install it with: pip install python-calamine, or "
            "save the sheet as CSV"
        ) from None
    try:
        with path.open("rb") as file:
            book = calamine.CalamineWorkbook.from_filelike(file)
            sheets = [(name, book.get_sheet_by_name(name).to_python()) for name in book.sheet_names]
    except (calamine.CalamineError, ValueError) as error:
        raise CorpusError(f"{path}: not a readable Excel file: {error}") from error
    sheets = [
        (name, rows) for name, rows in sheets if any(any(_filled(cell) for cell in row) for row in rows)
    ]
    notes: tuple[str, ...] = ()
    if not sheets:
        return Form("xlsx"), iter(())
    name, rows = next((sheet for sheet in sheets if _is_table(sheet[1])), sheets[0])
    if len(sheets) > 1:
        others = ", ".join(repr(other) for other, _ in sheets if other != name)
        which = "first sheet," if name == sheets[0][0] else "sheet"
        notes = (f"read its {which} {name!r}; the others were left: {others}",)
    cells = [[str(cell) if _filled(cell) else "" for cell in row] for row in rows[:200]]
    titles = rows_above(cells) if asked.header is not False else 0
    if titles:
        first = " ".join(cells[0]).strip()[:40]
        notes += (f"its header is row {titles + 1}; what stands above is left, such as {first!r}",)
        rows, cells = rows[titles:], cells[titles:]
    form = judge_header(cells, Form("xlsx", notes=notes), asked, len(rows[0]))
    names = column_names(cells[0], form, len(rows[0]), str(path))
    rest = rows[1:] if form.header else rows
    begin = titles + (2 if form.header else 1)
    return form, (
        Row(f"{path.name}:{number}", {key: _cell(cell) for key, cell in zip(names, row, strict=False) if key})
        for number, row in enumerate(rest, begin)
        if any(_filled(cell) for cell in row)
    )


def _is_table(rows: list[list[Any]]) -> bool:
    """Whether most rows have several cells: a sheet of explanations has one each."""
    return sum(sum(map(_filled, row)) > 1 for row in rows) > 0.5 * len(rows)


def _filled(cell: Any) -> bool:
    return cell is not None and cell != ""


def _cell(cell: Any) -> Any:
    """Return a cell as in a CSV, but numbers as numbers."""
    if not _filled(cell):
        return None
    return cell if isinstance(cell, str | int | float) else str(cell)
