"""Files of texts → rows that know where they stand.

Whatever has rows and columns is read as a stream, in constant memory: CSV and its relatives, JSON, Parquet,
spreadsheets, plain lines, packed or not. The content tells the format before the name does, and `Form` says
how a file was read. A row that cannot be read becomes a row with an `error`; the others go on.
"""

from sentiment.data.rows.form import NOTHING, Asked, Form
from sentiment.data.rows.opening import (
    COMPRESSED,
    FORMATS,
    encoding_of,
    guess_encoding,
    name_format,
    unpacked,
)
from sentiment.data.rows.reading import read, read_open, read_rows
from sentiment.data.rows.row import LOOK_AHEAD, NoLabel, Row, columns_of, read_text, text_error

__all__ = [
    "COMPRESSED",
    "FORMATS",
    "LOOK_AHEAD",
    "NOTHING",
    "Asked",
    "Form",
    "NoLabel",
    "Row",
    "columns_of",
    "encoding_of",
    "guess_encoding",
    "name_format",
    "read",
    "read_open",
    "read_rows",
    "read_text",
    "text_error",
    "unpacked",
]
