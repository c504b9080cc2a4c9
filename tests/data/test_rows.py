"""Reading files: every format gives the same rows, and a bad row says where it stands."""

import bz2
import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.errors import CorpusError
from sentiment.data.rows import read_open, read_rows, text_error

RECORDS = [{"text": 'He said "well, no"', "label": "neg"}, {"text": "café 😀\tyes", "label": "pos"}]


def write_all(folder):
    with (folder / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(RECORDS)
    lines = "".join(json.dumps(record) + "\n" for record in RECORDS)
    (folder / "a.jsonl").write_text(lines, "utf-8")
    pq.write_table(pa.Table.from_pylist(RECORDS), folder / "a.parquet")
    plain = (folder / "a.csv").read_bytes()
    (folder / "b.csv.gz").write_bytes(gzip.compress(plain, mtime=0))
    (folder / "b.csv.bz2").write_bytes(bz2.compress(plain))
    with pa.output_stream(str(folder / "b.csv.zst"), compression="zstd") as out:
        out.write(plain)
    (folder / "c.csv").write_bytes(plain.decode().encode("utf-16"))
    (folder / "d.csv").write_bytes(b"\xef\xbb\xbf" + plain)
    (folder / "e.csv").write_bytes(plain.replace(b'"He said ""well, no"""', b"x").replace(b",", b";"))
    return sorted(folder.iterdir())


def test_all_formats_give_the_same_rows(tmp_path):
    for path in write_all(tmp_path):
        rows = [row.values for row in read_rows(path)]
        if path.name == "e.csv":
            rows[0]["text"] = RECORDS[0]["text"]
        assert rows == RECORDS, path.name


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1
    )
)
def test_whatever_csv_writes_is_read_back(texts):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(["text", "n"])
    writer.writerows([text, 1] for text in texts)
    stream = io.BytesIO(buffer.getvalue().encode())
    assert [row.values["text"] for row in read_open(stream, "csv", "x")[1]] == texts


def test_a_ragged_row_is_an_error_at_its_line_and_the_rest_go_on(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('text,label\n"two\nlines",1\ntoo,many,fields\nfine,0\n', "utf-8")
    rows = list(read_rows(file))
    assert [row.where for row in rows] == ["a.csv:2", "a.csv:4", "a.csv:5"]
    assert [bool(row.error) for row in rows] == [False, True, False]


def test_a_quote_that_never_closes_is_an_error_at_its_line_and_swallows_no_other(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('text,label\nfine,1\n"never closed,0\nlost,1\n', "utf-8")
    assert [(row.where, bool(row.error)) for row in read_rows(file)] == [
        ("a.csv:2", False),
        ("a.csv:3", True),
        ("a.csv:4", False),
    ]


def test_a_tsv_keeps_its_quotes(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_text('text\tlabel\n"Hi" she said\t1\n"one ""two"""\t0\n', "utf-8")
    assert [row.values["text"] for row in read_rows(file)] == ['"Hi" she said', 'one "two"']


def test_invalid_utf8_is_found_in_its_row(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"text,label\ngood,1\ncaf\xe9,0\n")
    first, second = read_rows(file)
    assert text_error(first.values["text"]) is None
    assert "0xe9" in str(text_error(second.values["text"]))


@pytest.mark.parametrize(
    ("value", "word"), [(None, "missing"), (3, "int"), ("  ", "empty"), ("\ud800", "UTF-8")]
)
def test_unusable_texts_are_named(value, word):
    assert word in str(text_error(value))


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.csv.gz", gzip.compress(b"text\n" + b"x" * 999, mtime=0)[:-20], "damaged"),
        ("a.parquet", b"PAR1 no", "Parquet"),
        ("a.csv", "text\nhello".encode("utf-16-le"), "UTF-16"),
        ("a.jsonl", b'[\n{"text": "a"}\n', "cut off"),
        ("a.doc", b"", "unknown kind"),
    ],
)
def test_an_unreadable_file_is_an_error(tmp_path, name, content, word):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=word):
        list(read_rows(tmp_path / name))
