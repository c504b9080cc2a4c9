"""A file is read as its owner means it: dialects, encodings, labels, formats, folders.

The situations of public bug reports, written here as small files, each for its whole kind.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import random
import sqlite3
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import hypothesis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import TINY_OPTIONS
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.config_io import dumps, load
from sentiment.core.errors import CorpusError, UsageError
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus import RawCorpus, divide, load_corpus, read_corpus
from sentiment.data.corpus.audit import audit
from sentiment.data.corpus.label_audit import alike, joined_by
from sentiment.data.corpus.labels import Meaning, label_name, label_names
from sentiment.data.rows import Asked, NoLabel, guess_encoding, read, read_rows
from sentiment.report.audit import findings

PLACES = ["plot", "cast", "hotel", "soup", "phone", "score", "camera", "ending"]
MOODS = {"neg": ["clumsy", "dreary", "stale", "noisy"], "pos": ["lovely", "warm", "crisp", "tender"]}
TEXTS = [
    (
        f"the {PLACES[n % 8]} was {MOODS[label][n % 4]}, and on visit {n} the {PLACES[n // 8 % 8]} felt fine",
        label,
    )
    for n in range(60)
    for label in ("neg", "pos")
]
PLAIN = [(text.replace(",", ""), label) for text, label in TEXTS]


def table(rows=TEXTS, head=("text", "label"), separator=",", **options) -> str:
    """Write rows with separators."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n", **options)
    if head:
        writer.writerow(head)
    writer.writerows(rows)
    return stream.getvalue()


def lines(records) -> str:
    """Write an object a line."""
    return "".join(json.dumps(record) + "\n" for record in records)


def records(text="text", label="label", of=lambda label: label):
    """Return the rows as dictionaries."""
    return [{text: one, label: of(mine)} for one, mine in TEXTS]


def raw_of(path, content=None, **settings) -> RawCorpus:
    """Read a corpus, from a file that is written first."""
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_corpus(CorpusConfig(name=str(path), **settings))


def same(raw, rows=TEXTS) -> bool:
    """Whether a corpus has these texts and labels, and nothing else."""
    train = raw.splits["train"]
    return not train.invalid and list(zip(train.texts, train.labels, strict=True)) == list(rows)


# Headers, separators, quotes


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("separator", ["\t", ";", ",", "|"])
@pytest.mark.parametrize("suffix", ["", ".csv", ".tsv", ".txt"])
def test_a_file_without_a_header_is_recognised_and_told(tmp_path, capsys, order, separator, suffix):
    rows = [tuple(row[place] for place in order) for row in PLAIN]
    raw = raw_of(tmp_path / f"SMSSpamCollection{suffix}", table(rows, None, separator))
    assert same(raw, PLAIN)
    assert "its first row looks like data" in capsys.readouterr().err
    assert raw.reading.choice.text == (str(order.index(0) + 1),)
    assert not raw.reading.form.header


def test_a_header_can_be_said_to_be_there_or_not(tmp_path):
    path = tmp_path / "c.csv"
    with_header = raw_of(path, table(PLAIN, None), header=True, text_column=PLAIN[0][0], label_column="neg")
    assert len(with_header.splits["train"].texts) == len(PLAIN) - 1
    without = raw_of(path, table(PLAIN), header=False)
    assert len(without.splits["train"].texts) == len(PLAIN) + 1


@pytest.mark.parametrize(
    "first", [("sentence", "class"), ("v2", "v1"), ("What did you think of your stay?", "Stars")]
)
def test_a_header_is_no_row(tmp_path, first):
    assert same(raw_of(tmp_path / "c.csv", table(head=first)))


VARIED = [
    (f"the {text}{', and more' * (number % 4)} of {number}", label)
    for number, (text, label) in enumerate(PLAIN)
]


@pytest.mark.parametrize(
    ("separator", "form"),
    [
        ("@", "{0} , a @user said .@{1}"),
        (" ", "{1} {0} ?"),
        ("\t", "{1}\t{0}"),
        (";", "{0};{1}"),
        (":", "{1}: {0}"),
        (",", "{1},{0}"),
    ],
)
def test_a_label_and_a_text_in_a_line_are_divided_where_labels_end(tmp_path, separator, form):
    raw = raw_of(tmp_path / "c.txt", "".join(form.format(*row) + "\n" for row in VARIED))
    assert raw.reading.form.separator == separator
    assert raw.splits["train"].labels == [label for _, label in VARIED]
    assert all(text in found for (text, _), found in zip(VARIED, raw.splits["train"].texts, strict=True))


@pytest.mark.parametrize(
    ("name", "content", "separator"),
    [
        ("c.csv", table(head=("Review, full", "label"), separator=";", quoting=csv.QUOTE_ALL), ";"),
        ("c.csv", table(separator="|"), "|"),
        ("c.csv", "sep=;\n" + table(separator=";"), ";"),
        ("c.tsv", table(), ","),
        ("c.csv", table(separator="\t"), "\t"),
        ("c.csv", table(head=None, separator="\t"), "\t"),
        ("c.csv", "label, text\n" + "".join(f'{label}, "{text}"\n' for text, label in TEXTS), ","),
    ],
    ids=[
        "comma in the header",
        "pipe",
        "line of Excel",
        "commas in .tsv",
        "tabs in .csv",
        "tabs, and a comma in each text",
        "space after a comma",
    ],
)
def test_separators_are_judged_from_many_rows(tmp_path, name, content, separator):
    raw = raw_of(tmp_path / name, content)
    assert raw.reading.form.separator == separator
    assert same(raw)


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_line_ends_in_quotes_are_kept_whole(tmp_path, separator, order):
    rows = [(text.replace(", ", ",\n"), label) for text, label in TEXTS]
    head = tuple(("text", "label")[place] for place in order)
    content = table([tuple(row[place] for place in order) for row in rows], head, separator)
    assert same(raw_of(tmp_path / ("c.csv" if separator == "," else "c.tsv"), content), rows)


@pytest.mark.parametrize("at", [0, 10, 57])
@pytest.mark.parametrize("closed", [None, 1, 30])
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_stray_quote_swallows_no_row(tmp_path, at, closed, separator):
    content = table(PLAIN, separator=separator).splitlines()
    content[1 + at] = '"' + content[1 + at]
    if closed is not None:
        content[1 + at + closed] += '"' if closed == 1 else ""
        content[1 + at + closed] = content[1 + at + closed].replace("visit", '"visit"')
    path = tmp_path / ("c.tsv" if separator == "\t" else "c.csv")
    split = raw_of(path, "\n".join(content) + "\n").splits["train"]
    assert len(split.texts) + len(split.invalid) == len(PLAIN)
    assert len(split.invalid) <= 2
    known = {text for text, _ in PLAIN}
    assert sum(text in known for text in split.texts) >= len(PLAIN) - 3


@pytest.mark.parametrize("between", [1, 2, 30])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_stray_quotes_that_make_a_pair_join_no_rows(tmp_path, between, order):
    rows = [[row[place] for place in order] for row in PLAIN]
    text = order.index(0)
    rows[20][text] = '"' + rows[20][text]
    rows[20 + between][text] += '"'
    content = "\n".join(",".join(row) for row in [[("text", "label")[place] for place in order], *rows])
    split = raw_of(tmp_path / "c.csv", content + "\n").splits["train"]
    assert len(split.texts) + len(split.invalid) == len(PLAIN)


def test_rows_that_are_none_by_the_header_are_named_one_by_one():
    content = 'text,label\nn0 ,,pos\nn1 ,,pos\nn2 ,",pos\nn3 ",pos\nn4 ,,pos\n'
    _, found = read_bytes(content.encode())
    assert [row.where for row in found] == [f"x:{line}" for line in range(2, 7)]


@hypothesis.settings(max_examples=300)
@given(st.data())
def test_every_row_is_used_or_named(data):
    marks = st.sampled_from(['"', ",", "\n", "x", "yes,no", '""', "\t", "a b", "pos"])
    rows = data.draw(st.lists(st.lists(marks, max_size=6).map("".join), min_size=1, max_size=30))
    rows[data.draw(st.integers(0, len(rows) - 1))] += data.draw(st.sampled_from(["", "\0"]))
    content = "text,label\n" + "".join(f"n{number} {row},pos\n" for number, row in enumerate(rows))
    physical = {f"n{number} " for number in range(len(rows))}
    form, found = read_bytes(content.encode())
    seen = " ".join(
        str(row.values) if row.error is None else content.split("\n")[int(row.where[2:]) - 1] for row in found
    )
    hypothesis.assume(form.separator == ",")
    assert all(mark in seen for mark in physical), (form, found)


def read_bytes(content: bytes):
    from sentiment.data.rows import read_open

    form, rows = read_open(io.BytesIO(content), "csv", "x")
    return form, list(rows)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"they said "fine" twice",neg', "goes on after its closing quote"),
        ("too,many,fields", "3 fields where the header has 2; quote a text that holds a comma"),
        ("alone", "1 fields where the header has 2: nothing for 'label'"),
        ("nul\0 here,neg", "zero byte"),
    ],
)
def test_the_hint_fits_the_cause(tmp_path, line, words):
    content = table(PLAIN).splitlines()
    content.insert(50, line)
    split = raw_of(tmp_path / "c.csv", "\n".join(content) + "\n").splits["train"]
    assert len(split.texts) == len(PLAIN)
    assert words in split.invalid[0]
    assert split.invalid[0].startswith("c.csv:51: ")


def test_backslashes_before_quotes_are_understood(tmp_path):
    content = "text,label\n" + "".join(
        f'"they said \\"{text}\\" twice",{label}\n' if number % 10 == 0 else f'"{text}",{label}\n'
        for number, (text, label) in enumerate(TEXTS)
    )
    rows = [(f'they said "{t}" twice', y) if n % 10 == 0 else (t, y) for n, (t, y) in enumerate(TEXTS)]
    assert same(raw_of(tmp_path / "c.csv", content), rows)


@pytest.mark.parametrize(
    "content",
    [
        table() .replace("neg\n", "neg,\n").replace("pos\n", "pos,\n"),
        '"text","label"\n' + "".join(f'"{n}","{t}","{y}"\n' for n, (t, y) in enumerate(TEXTS)),
        table() + "\x1a",
        table() + "\n\n",
        "\n\n" + table(),
        table([(text, label, "", "") for text, label in TEXTS], ("v2", "v1", "", "")),
    ],
    ids=["comma at the end", "names of rows of R", "Ctrl-Z", "blank at the end", "blank at the start", "columns without names"],
)  # fmt: skip
def test_what_programs_leave_in_a_file_is_no_row(tmp_path, content):
    assert same(raw_of(tmp_path / "c.csv", content))


# Encodings and packings


@pytest.mark.parametrize(
    ("encoding", "words"), [("cp1252", "“smart” – it’s €5"), ("gb18030", "电影很好看"), ("cp1251", "очень хорошо"),
                            ("shift_jis", "とても良い映画でした"), ("utf-16-le", "plain")]
)  # fmt: skip
def test_another_encoding_is_named_and_can_be_given(tmp_path, capsys, encoding, words):
    rows = [(f"{words} {text}", label) for text, label in TEXTS]
    path = tmp_path / "c.csv"
    path.write_bytes(table(rows).encode(encoding))
    with pytest.raises(CorpusError, match=r"--encoding [\w-]+") as error:
        divide(read_corpus(CorpusConfig(name=str(path))), CorpusConfig())
    said = (
        str(error.value).partition("--encoding ")[2] if encoding == "utf-16-le" else capsys.readouterr().err
    )
    if encoding != "cp1251":  # KOI8 and Mac look alike in short texts
        assert {"shift_jis": "cp932"}.get(encoding, encoding) in said
    assert same(raw_of(path, encoding=encoding), rows)


def test_a_header_that_is_not_utf8_is_said_to_be_so(tmp_path):
    with pytest.raises(CorpusError, match=r"c\.csv:1: the header is not UTF-8.*--encoding cp1252"):
        raw_of(tmp_path / "c.csv", table(head=("comentário", "rótulo")).encode("latin-1"))
    raw = raw_of(tmp_path / "c.csv", encoding="cp1252")
    assert raw.reading.choice.text == ("comentário",)


def test_an_unknown_encoding_is_a_wrong_setting(tmp_path):
    with pytest.raises(CorpusError, match="no encoding 'utf-99'"):
        raw_of(tmp_path / "c.csv", table(), encoding="utf-99")


@given(st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]), min_size=30))
def test_a_guess_can_decode(text):
    data = text.encode("cp1252")
    assert data.decode(guess_encoding(data))


@pytest.mark.parametrize("name", ["c.csv", "c.csv.gz", "c.csv.bz2", "c.csv.xz", "c.csv.zip"])
@pytest.mark.parametrize("packing", ["gzip", "bz2", "xz", "zip"])
def test_what_is_packed_is_told_by_its_first_bytes(tmp_path, name, packing):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("train.csv", table())
        archive.writestr("__MACOSX/._train.csv", "x")
    data = table().encode()
    content = {
        "gzip": gzip.compress(data),
        "bz2": bz2.compress(data),
        "xz": lzma.compress(data),
        "zip": stream.getvalue(),
    }
    raw = raw_of(tmp_path / name, content[packing])
    assert same(raw)
    fitting = {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz", "zip": ".zip"}[packing] == Path(name).suffix
    assert fitting != any("though its name does not say so" in note for note in raw.reading.told())


def test_a_zip_of_several_files_names_them(tmp_path):
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("a.csv", table())
        archive.writestr("b.csv", table())
    with pytest.raises(CorpusError, match=r"a zip of 2 files \(a\.csv, b\.csv\); unpack it"):
        raw_of(tmp_path / "c.zip")


def workbook(*sheets) -> bytes:
    """Write a small .xlsx by hand: a zip of XML."""
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="r{n}"/>' for n in range(1, len(sheets) + 1))
        archive.writestr(
            "xl/workbook.xml", f'<workbook {space} xmlns:r="{office}"><sheets>{listed}</sheets></workbook>'
        )
        relations = "".join(
            f'<Relationship Id="r{n}" Type="{office}/worksheet" Target="worksheets/s{n}.xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">{relations}</Relationships>',
        )
        for n, rows in enumerate(sheets, 1):
            body = "".join(
                "<row>"
                + "".join(
                    f"<c><v>{cell}</v></c>"
                    if isinstance(cell, int)
                    else f'<c t="inlineStr"><is><t>{cell}</t></is></c>'
                    for cell in row
                )
                + "</row>"
                for row in rows
            )
            archive.writestr(
                f"xl/worksheets/s{n}.xml", f"<worksheet {space}><sheetData>{body}</sheetData></worksheet>"
            )
    return stream.getvalue()  # fmt: skip


@pytest.mark.parametrize("name", ["c.xlsx", "renamed.csv", "c"])
def test_excel_is_read_whatever_its_name(tmp_path, name):
    pytest.importorskip("python_calamine")
    rows = [(text, int(label == "pos")) for text, label in TEXTS]
    raw = raw_of(tmp_path / name, workbook([("text", "label"), *rows], [("other", "sheet")]))
    assert same(raw, [(text, str(label)) for text, label in rows])
    assert any("first sheet, 'S1'; the others were left: 'S2'" in line for line in raw.reading.told())


def test_a_damaged_workbook_is_no_fault_of_the_program(tmp_path):
    pytest.importorskip("python_calamine")
    for content in (workbook([("text", "label")])[:-30], b"not at all"):
        with pytest.raises(CorpusError, match=r"c\.xlsx"):
            raw_of(tmp_path / "c.xlsx", content)


UNREAD = {
    "arff": (b"@relation youtube\n@attribute CONTENT string\n@data\n'x',0\n", "ARFF|python -c"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n", "Git LFS|git lfs pull"),
    "HTML": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "page of HTML|again"),
    "PDF": (b"%PDF-1.4\n", "PDF"),
    "pickle": (b"\x80\x04\x95", "pickle|CSV"),
    "wrapped": (json.dumps({"data": records()}).encode(), "list 'data'|jq -c '.data[]'"),
    "wrapped, pretty": (json.dumps({"data": records()}, indent=1).encode(), "list 'data'|jq"),
    "columns of pandas": (json.dumps({"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": 0}}).encode(), "whole columns|pandas"),
    "columns": (json.dumps({"text": ["a b", "c d"], "label": [1, 0]}, indent=1).encode(), "whole columns|pandas"),
}  # fmt: skip


@pytest.mark.parametrize("name", ["c.json", "c.csv", "c.dat"])
@pytest.mark.parametrize("case", UNREAD)
def test_what_is_not_read_is_named_with_the_command_that_makes_it_readable(tmp_path, case, name):
    content, words = UNREAD[case]
    if name != "c.json" and case in ("wrapped, pretty", "columns"):
        name = "c.jsonl"
    with pytest.raises(CorpusError) as error:
        raw_of(tmp_path / name, content)
    assert all(word in str(error.value) for word in words.split("|")), str(error.value)


def test_a_database_is_named(tmp_path):
    with sqlite3.connect(tmp_path / "c.db") as base:
        base.execute("create table reviews (text, label)")
    with pytest.raises(CorpusError, match=r"SQLite database.*sqlite3 -header -csv"):
        raw_of(tmp_path / "c.db")


# Formats that people bring


FORMATS = {
    "array": ("c.json", json.dumps(records())),
    "pretty array": ("c.json", json.dumps(records(), indent=2)),
    "array in .jsonl": ("c.jsonl", json.dumps(records(), indent=2)),
    "JSON in .csv": ("c.csv", lines(records())),
    "objects one after another": ("c.json", "\n".join(json.dumps(one, indent=1) for one in records())),
    "fastText": ("c.txt", "".join(f"__label__{label} {text}\n" for text, label in TEXTS)),
    "fastText without a suffix": ("train", "".join(f"__label__{label} {text}\n" for text, label in TEXTS)),
    "doccano": ("c.jsonl", lines({"id": n, "text": t, "label": [y], "Comments": []} for n, (t, y) in enumerate(TEXTS))),
    "Label Studio": ("c.json", json.dumps([
        {"id": n, "data": {"text": t}, "annotations": [{"result": [{"type": "choices", "value": {"choices": [y]}}]}]}
        for n, (t, y) in enumerate(TEXTS)
    ], indent=1)),
    "Label Studio, small": ("c.json", json.dumps([{"text": t, "id": n, "sentiment": y, "annotator": 1, "annotation_id": n,
                                                   "lead_time": 3.1} for n, (t, y) in enumerate(TEXTS)], indent=1)),
    "Prodigy": ("c.jsonl", lines({"text": t, "_input_hash": 1, "options": [{"id": "neg", "text": "x"}], "accept": [y],
                                  "answer": "accept"} for t, y in TEXTS)),
    "spaCy": ("c.jsonl", lines({"text": t, "cats": {"neg": float(y == "neg"), "pos": float(y == "pos")}} for t, y in TEXTS)),
    "spaCy, in pairs": ("c.json", json.dumps([[t, {"cats": {"neg": float(y == "neg"), "pos": float(y == "pos")}}] for t, y in TEXTS])),
    "pairs": ("c.jsonl", "".join(json.dumps(row) + "\n" for row in TEXTS)),
    "object within": ("c.jsonl", lines({"review": {"title": "x", "body": t}, "label": y} for t, y in TEXTS)),
    "one-hot": ("c.csv", table([(t, int(y == "neg"), int(y == "pos")) for t, y in TEXTS], ("text", "neg", "pos"))),
    "struct of a label": ("c.jsonl", lines({"text": t, "label": {"name": y, "id": int(y == "pos")}} for t, y in TEXTS)),
}  # fmt: skip


@pytest.mark.parametrize("case", FORMATS)
def test_formats_that_people_have(tmp_path, case):
    name, content = FORMATS[case]
    settings = {"task": "multiclass"} if case == "doccano" else {}
    assert same(raw_of(tmp_path / name, content, **settings))


def test_several_labels_of_fasttext(tmp_path):
    raw = raw_of(tmp_path / "c.txt", "".join(f"__label__{y} __label__x {t}\n" for t, y in TEXTS))
    assert raw.task == "multilabel"
    assert raw.splits["train"].labels[0] == ("neg", "x")


@pytest.mark.parametrize("answer", ["reject", "ignore"])
def test_what_an_annotator_did_not_accept_is_no_label(tmp_path, answer):
    rows = [
        {"text": t, "label": y, "answer": answer if n % 5 == 0 else "accept"}
        for n, (t, y) in enumerate(TEXTS)
    ]
    split = raw_of(tmp_path / "c.jsonl", lines(rows)).splits["train"]
    assert len(split.texts) == 96
    assert len(split.invalid) == 24
    assert f"answered '{answer}'" in split.invalid[0]


def test_a_split_column_divides(tmp_path):
    names = ["train", "train", "dev", "test"]
    rows = [(t, y, names[n % 4]) for n, (t, y) in enumerate(TEXTS)]
    raw = raw_of(tmp_path / "c.csv", table(rows, ("text", "label", "split")))
    assert {role: len(split.texts) for role, split in raw.splits.items()} == {
        "train": 60,
        "validation": 30,
        "test": 30,
    }
    assert "the column 'split' says which split a row is of" in raw.reading.told()


def test_texts_and_labels_in_two_files(tmp_path):
    (tmp_path / "labels.txt").write_text("".join(f"{label}\n" for _, label in TEXTS))
    raw = raw_of(
        tmp_path / "texts.txt",
        "".join(f"{text}\n" for text, _ in TEXTS),
        label_file=str(tmp_path / "labels.txt"),
    )
    assert same(raw)
    (tmp_path / "labels.txt").write_text("neg\npos\n")
    with pytest.raises(CorpusError, match=r"labels\.txt: it ends at line 2"):
        raw_of(tmp_path / "texts.txt", label_file=str(tmp_path / "labels.txt"))


def test_shards_and_splits_in_a_folder_of_files(tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    for number in (0, 1):
        part = TEXTS[60 * number : 60 * number + 60]
        pq.write_table(
            pa.table({"text": [t for t, _ in part], "label": [y for _, y in part]}),
            folder / f"train-0000{number}-of-00002.parquet",
        )
    (folder / "test.csv").write_text(table([("a new text of mine", "pos")]))
    (folder / "README.md").write_text("about")
    raw = raw_of(folder)
    assert same(raw)
    assert raw.splits["test"].texts == ["a new text of mine"]


# Labels


FORMS = [
    ("1", [1, 1.0, "1", "1.0", "1.00", Decimal(1), Decimal("1.0"), np.int64(1), np.float32(1), " 1 "]),
    ("true", [True, "True", "true", "TRUE", np.bool_(True)]),
    ("3.5", [3.5, "3.5", "3.50", Decimal("3.5"), np.float64(3.5)]),
    ("0", [0, -0.0, "0.0", "-0.0"]),
    ("-1", [-1, "-1", "-1.0", -1.0]),
    (None, [None, "", " ", "nan", "NaN", "NA", "None", "<NA>", float("nan"), np.float64("nan"), Decimal("nan"), "null"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values"), FORMS, ids=[str(name) for name, _ in FORMS])
def test_a_label_is_its_meaning_whatever_the_format(name, values):
    assert {label_name(value) for value in values} == {name}


@given(st.integers(-(10**9), 10**9) | st.decimals(-1000, 1000, places=3))
def test_a_number_has_one_name(value):
    names = {
        label_name(str(value)),
        label_name(Decimal(value)),
        label_name(format(Decimal(value), "f") + ("" if "." in str(value) else ".0")),
    }
    assert len(names) == 1


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet", "json"])
@pytest.mark.parametrize("values", [(0, 1), (0.0, 1.0), (False, True), (3.5, 4.5)], ids=str)
def test_the_same_labels_have_the_same_names_in_every_format(tmp_path, suffix, values):
    rows = [(text, values[label == "pos"]) for text, label in TEXTS]
    path = tmp_path / f"c.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"text": [t for t, _ in rows], "label": [y for _, y in rows]}), path)
    elif suffix in ("csv", "tsv"):
        path.write_text(table(rows, separator="\t" if suffix == "tsv" else ","))
    else:
        content = [{"text": t, "label": y} for t, y in rows]
        path.write_text(lines(content) if suffix == "jsonl" else json.dumps(content))
    wanted = {"0": ("0", "1"), "0.0": ("0", "1"), "False": ("false", "true"), "3.5": ("3.5", "4.5")}[
        str(values[0])
    ]
    assert load_corpus(CorpusConfig(name=str(path))).labels == wanted


@pytest.mark.parametrize(
    "spellings",
    [
        ("neg", "Neg", "NEG"),
        ("neg", "neg\u200b", "neg\u00a0"),
        ("caf\u00e9", "cafe\u0301"),
        ("very good", "very  good", "very\tgood"),
    ],
    ids=["case", "invisible", "composed", "spaces"],
)
def test_labels_that_are_written_alike_are_a_finding_and_can_be_joined(tmp_path, spellings):
    rows = [(t, spellings[n // 2 % len(spellings)] if y == "neg" else y) for n, (t, y) in enumerate(TEXTS)]
    path = tmp_path / "c.jsonl"
    path.write_text(lines({"text": t, "label": y} for t, y in rows))
    said = " ".join(findings(audit(CorpusConfig(name=str(path)), near=False)))
    assert "written alike" in said
    assert "corpus.label_spelling=fold" in said
    assert len(load_corpus(CorpusConfig(name=str(path), label_spelling="fold")).labels) == 2


def test_different_labels_are_not_alike():
    assert alike(["neg", "pos", "C", "C++", "C#", "1", "-1", "10"]) == []
    assert alike(["1", "01", "+1"]) == [["+1", "01", "1"]]


@pytest.mark.parametrize("separator", ["|", ";", ",", "#", "/", "+"])
def test_several_labels_in_one_cell_are_a_finding_with_the_way_out(tmp_path, separator):
    rows = [(t, f"{y}{separator}x{n % 3}" if n // 2 % 2 else y) for n, (t, y) in enumerate(PLAIN)]
    path = tmp_path / "c.csv"
    path.write_text(table(rows))
    said = " ".join(findings(audit(CorpusConfig(name=str(path)), near=False)))
    assert f'corpus.label_separator="{separator}"' in said
    raw = raw_of(path, label_separator=separator)
    assert raw.task == "multilabel"
    assert {name for label in raw.splits["train"].labels for name in label} == {
        "neg",
        "pos",
        "x0",
        "x1",
        "x2",
    }


def test_one_label_in_each_cell_is_no_finding():
    assert joined_by(["Sports", "Sci/Tech", "World", "Business"] * 10) is None
    assert joined_by(["neg", "pos"] * 10) is None
    assert joined_by(["a, b and c", "d"] * 10) is None


def test_a_list_that_is_no_json_is_a_finding(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text(table([(t, f"[{y}, x{n % 3}]") for n, (t, y) in enumerate(TEXTS)]))
    assert "looks like a list" in " ".join(findings(audit(CorpusConfig(name=str(path)), near=False)))


def test_lists_of_one_can_be_classes(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text(lines(records(of=lambda label: [label])))
    found = audit(CorpusConfig(name=str(path)), near=False)
    assert "corpus.task=multiclass" in " ".join(findings(found))
    assert load_corpus(CorpusConfig(name=str(path), task="multiclass")).labels == ("neg", "pos")
    path.write_text(
        lines([*records(of=lambda label: [label]), {"text": "two at once", "label": ["neg", "pos"]}])
    )
    with pytest.raises(CorpusError, match="wants one label for each text"):
        read_corpus(CorpusConfig(name=str(path), task="multiclass"))


def test_labels_can_be_renamed_and_put_in_order(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text(table([(t, {"neg": "0.0", "pos": "1"}[y]) for t, y in TEXTS]))
    assert load_corpus(CorpusConfig(name=str(path), labels={"1": "good", "0": "bad"})).labels == (
        "good",
        "bad",
    )
    assert load_corpus(CorpusConfig(name=str(path), labels=["1", "0"])).labels == ("1", "0")
    with pytest.raises(CorpusError, match=r"corpus\.labels names 'fair'"):
        load_corpus(CorpusConfig(name=str(path), labels={"2": "fair"}))


@pytest.mark.parametrize(
    "value", ['{"0": "neg", "1": "pos"}', {"0": "neg", "1": "pos"}, {0: "neg", 1: "pos"}]
)
def test_a_map_of_labels_survives_the_settings(tmp_path, value):
    settings = load(None, {"corpus.labels": value})
    (tmp_path / "config.toml").write_text(dumps(settings))
    assert load(tmp_path / "config.toml").corpus.labels == {"0": "neg", "1": "pos"}


def intents(rare=25):
    return [*TEXTS, *((f"please do the rare thing {n} now", f"rare_{n}") for n in range(rare))]


def test_rare_classes_are_named_at_once_and_can_be_dropped_or_merged(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text(table(intents(5)))
    with pytest.raises(CorpusError) as error:
        load_corpus(CorpusConfig(name=str(path)))
    assert all(f"'rare_{n}' (1)" in str(error.value) for n in range(5))
    assert "corpus.rare_classes=drop" in str(error.value)
    dropped = load_corpus(CorpusConfig(name=str(path), rare_classes="drop"))
    assert dropped.labels == ("neg", "pos")
    assert dropped.left_out == {"texts of rare classes": 5}
    assert sum(dropped.sizes.values()) == len(TEXTS)
    merged = load_corpus(CorpusConfig(name=str(path), rare_classes="merge"))
    assert merged.labels == ("neg", "other", "pos")
    assert sum(merged.sizes.values()) == len(TEXTS) + 5


def test_a_label_that_only_the_test_texts_have_is_told_and_counted(tmp_path, capsys):
    (tmp_path / "test.csv").write_text(table([("one new text", "meh"), ("another new text", "pos")]))
    (tmp_path / "c.csv").write_text(table())
    corpus = load_corpus(CorpusConfig(name=str(tmp_path / "c.csv"), test=str(tmp_path / "test.csv")))
    assert corpus.test.texts == ["another new text"]
    assert corpus.left_out == {"test texts of labels that no training text has": 1}
    assert "'meh' (1)" in capsys.readouterr().err
    with pytest.raises(CorpusError, match="'meh'"):
        load_corpus(
            CorpusConfig(name=str(tmp_path / "c.csv"), test=str(tmp_path / "test.csv"), unseen_labels="error")
        )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_audit_counts_rows_without_a_label_as_training_does(tmp_path, suffix):
    rows = [(t, None if n % 12 == 0 else float(y == "pos")) for n, (t, y) in enumerate(TEXTS)]
    path = tmp_path / f"c.{suffix}"
    if suffix == "csv":
        path.write_text(table([(t, "nan" if y is None else y) for t, y in rows]))
    else:
        pq.write_table(pa.table({"text": [t for t, _ in rows], "label": [y for _, y in rows]}), path)
    found = audit(CorpusConfig(name=str(path)), near=False)["splits"]["train"]
    corpus = load_corpus(CorpusConfig(name=str(path), invalid_rows="drop"))
    assert found["unusable_rows"]["count"] == corpus.left_out["invalid rows"] == 10
    assert found["texts"] == sum(corpus.sizes.values())


def test_a_division_leaves_the_corpus_as_it_was_read(tmp_path):
    (tmp_path / "c.csv").write_text(table([*TEXTS, ("no label here", "")]))
    raw = raw_of(tmp_path / "c.csv")
    divide(raw, CorpusConfig(invalid_rows="drop"))
    assert len(raw.splits["train"].texts) == len(TEXTS) + 1


def test_html_entities_are_a_finding(tmp_path):
    (tmp_path / "c.csv").write_text(table([(f"&quot;{t}&quot; it&#39;s", y) for t, y in TEXTS]))
    assert "HTML entities" in " ".join(
        findings(audit(CorpusConfig(name=str(tmp_path / "c.csv")), near=False))
    )


def test_label_columns_that_are_all_minus_one_are_not_told(tmp_path):
    rows = [(t, int(y == "neg"), int(n % 3 == 0)) if n % 4 else (t, -1, -1) for n, (t, y) in enumerate(TEXTS)]
    split = raw_of(tmp_path / "c.csv", table(rows, ("text", "toxic", "insult"))).splits["train"]
    assert len(split.invalid) == 30
    assert "all label columns are -1" in split.invalid[0]


def test_what_stands_for_no_label_says_why():
    with pytest.raises(ValueError, match="rejected"):
        Meaning().read({"label": NoLabel("rejected")}, ["label"])
    assert label_names({"a": 1, "b": 0.2, "c": True}) == ("a", "c")
    assert label_names('{"choices": ["a", "b"]}') == ("a", "b")


def test_texts_of_a_label_that_training_lacks_count_as_wrong_in_the_report(command, tmp_path):
    rows = [
        ("one new text", "meh"),
        ("a second new one", "meh"),
        ("another new text", "pos"),
        ("and yet another", "neg"),
    ]
    (tmp_path / "test.csv").write_text(table(rows))
    (tmp_path / "c.csv").write_text(table())
    done = command(
        "train", tmp_path / "c.csv", "--test", tmp_path / "test.csv", "--out", tmp_path / "m", *TINY_OPTIONS
    )
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "m" / "report.json").read_text())
    assert report["corpus"]["accuracy_with_unseen_labels"] == report["test"]["accuracy"] / 2
    assert "count as wrong" in (tmp_path / "m" / "README.md").read_text()


def test_the_header_is_that_of_training(command, tmp_path):
    odd = ("a lovely day at the very end of it all", "pos")  # a header that looks like a row
    (tmp_path / "c.csv").write_text(table(PLAIN, odd))
    options = ("--header", "--text-column", odd[0], "--label-column", "pos")
    assert command("train", tmp_path / "c.csv", "--out", tmp_path / "m", *options, *TINY_OPTIONS).code == 0
    done = command("predict", "--input", tmp_path / "c.csv", "--model", tmp_path / "m", "--format", "text")
    assert len(done.out.splitlines()) == len(PLAIN)
    (tmp_path / "d.csv").write_text(table(PLAIN, ("some", "words")))  # a row that looks like a header
    assert (
        command(
            "train",
            tmp_path / "d.csv",
            "--out",
            tmp_path / "n",
            "--no-header",
            *TINY_OPTIONS,
            "--set",
            "corpus.rare_classes=drop",
        ).code
        == 0
    )
    done = command("predict", "--input", tmp_path / "d.csv", "--model", tmp_path / "n", "--format", "text")
    assert len(done.out.splitlines()) == len(PLAIN) + 1


# Folders


def folder(path: Path, name=lambda n: f"{n}.txt", rows=TEXTS, splits=("",)) -> Path:
    """Write a folder of labels."""
    for number, (text, label) in enumerate(rows):
        file = path / splits[number // 2 % len(splits)] / label / name(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


@pytest.mark.parametrize(
    "name",
    [
        lambda n: f"{n}.txt",
        lambda n: f"{n}.{'TXT' if n % 3 else 'txt'}",
        lambda n: f"{49000 + n}",
        lambda n: f"part{n % 2}/{n}.txt",
    ],
    ids=["txt", "TXT beside txt", "no suffix", "nested"],
)
def test_files_of_texts_in_folders(tmp_path, name):
    raw = raw_of(folder(tmp_path / "c", name))
    assert sorted(zip(raw.splits["train"].texts, raw.splits["train"].labels, strict=True)) == sorted(TEXTS)


def test_what_systems_leave_in_folders_is_left_aside(tmp_path):
    path = folder(tmp_path / "c")
    for name in (".ipynb_checkpoints/x-checkpoint.txt", "neg/._1.txt", "__MACOSX/neg/1.txt", "neg/.DS_Store"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"\0\5\x16\7")
    raw = raw_of(path)
    assert len(raw.splits["train"].texts) == len(TEXTS)
    assert set(raw.splits["train"].labels) == {"neg", "pos"}
    assert not raw.splits["train"].invalid


@pytest.mark.parametrize(
    "splits", [("train", "dev", "test"), ("Train", "Valid", "Test"), ("training", "val", "testing")]
)
def test_splits_in_folders_by_their_usual_names(tmp_path, splits):
    raw = raw_of(folder(tmp_path / "c", splits=splits))
    assert {role: len(split.texts) for role, split in raw.splits.items()} == {
        "train": 40, "validation": 40, "test": 40, "unlabelled": 0,
    }  # fmt: skip


def test_files_of_another_kind_are_told(tmp_path, capsys):
    path = folder(tmp_path / "c")
    (path / "neg" / "x.md").write_text("x")
    raw_of(path)
    assert "files of other kinds than .txt were left: 1 .md" in capsys.readouterr().err


def test_mails_in_folders(tmp_path):
    for number, (text, label) in enumerate(TEXTS):
        file = tmp_path / "c" / label / f"{number}.eml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"From: a@example.org\nTo: b@example.org\nSubject: visit {number}\n\n{text}\n")
    found = raw_of(tmp_path / "c").splits["train"].texts
    assert sorted(found)[0].startswith("visit 0\nthe plot was clumsy")


def test_unusable_files_without_labels_are_counted(tmp_path):
    path = folder(tmp_path / "c")
    (path / "unsup").mkdir()
    for number in range(10):
        (path / "unsup" / f"{number}.txt").write_bytes(b"caf\xe9 text" if number % 2 else b"a plain text")
    split = raw_of(path).splits["unlabelled"]
    assert (len(split.texts), len(split.invalid)) == (5, 5)


def test_a_folder_in_another_encoding(tmp_path):
    path = folder(tmp_path / "c", rows=[])
    for number, (text, label) in enumerate(TEXTS):
        (path / label).mkdir(parents=True, exist_ok=True)
        (path / label / f"{number}.txt").write_bytes(f"café {text}".encode("latin-1"))
    with pytest.raises(CorpusError, match="They look like cp1252: --encoding cp1252"):
        load_corpus(str(path))
    assert not raw_of(path, encoding="latin-1").splits["train"].invalid


def test_a_folder_without_texts_says_what_is_there(tmp_path):
    (tmp_path / "c" / "neg").mkdir(parents=True)
    (tmp_path / "c" / "neg" / "a.doc").write_text("x")
    with pytest.raises(CorpusError, match=r"no texts in it \(1 \.doc\)"):
        raw_of(tmp_path / "c")


# Hints


@pytest.mark.parametrize(("name", "suggested"), [("reviws.csv", "reviews.csv"), ("zzz.csv", None)])
def test_a_mistyped_path_is_a_missing_file(tmp_path, name, suggested):
    (tmp_path / "reviews.csv").write_text(table())
    with pytest.raises(CorpusError, match="No such file") as error:
        raw_of(tmp_path / name)
    assert ("did you mean" in str(error.value)) == (suggested is not None)


def test_a_mistyped_folder_is_a_missing_folder_and_no_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(CorpusError, match="No such file"):
        read_corpus(CorpusConfig(name="data/reviws"))
    (tmp_path / "reviews").mkdir()
    with pytest.raises(CorpusError, match="did you mean 'reviews'"):
        read_corpus(CorpusConfig(name="reviws"))


def test_a_folder_of_texts_has_no_columns(tmp_path):
    with pytest.raises(UsageError, match=r"no use for corpus\.text_column"):
        raw_of(folder(tmp_path / "c"), text_column="text")


# The command line: the columns of training are the model's


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train on a column that would not be chosen unasked; return the model and its corpus."""
    from sentiment import cli

    path = tmp_path_factory.mktemp("own")
    rows = [(n, "one two three", f"{t} again", t, y) for n, (t, y) in enumerate(TEXTS)]
    (path / "c.csv").write_text(table(rows, ("id", "Title", "text", "Review Text", "mood"), ";"))
    with pytest.MonkeyPatch.context() as patch:
        arguments = [
            "train",
            path / "c.csv",
            "--out",
            path / "model",
            "--text-column",
            "Review Text",
            *TINY_OPTIONS,
        ]
        patch.setattr(sys, "argv", ["sentiment", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert not ended.value.code
    return path / "model", path / "c.csv"


def test_a_manifest_keeps_how_the_corpus_was_read(trained):
    model, _ = trained
    for content in (
        json.loads((model / "manifest.json").read_text()),
        json.loads((model / "report.json").read_text())["corpus"],
    ):
        reading = content["reading"]
        assert (reading["text"], reading["labels"], reading["separator"]) == (["Review Text"], ["mood"], ";")
        assert any("the label is 'mood'" in line for line in reading["why"])
    assert "the label is 'mood'" in (model / "README.md").read_text()
    assert "the label is &#39;mood&#39;" in (model / "report.html").read_text()


@pytest.mark.parametrize("verb", ["predict", "explain", "report"])
def test_every_verb_takes_the_columns_of_training_and_tells_them(command, trained, verb):
    model, corpus = trained
    arguments = {
        "predict": ("--input", corpus, "--model", model, "--format", "text"),
        "explain": ("--input", corpus, "--model", model, "--json"),
        "report": (model, "--corpus", corpus, "--json"),
    }
    done = command(verb, *arguments[verb])
    assert done.code == 0, done.err
    assert "the text is 'Review Text'" in done.err
    assert "as in training" in done.err
    texts = [text for text, _ in TEXTS]
    if verb == "predict":
        assert [line.split("\t")[2] for line in done.out.splitlines()] == texts
    elif verb == "explain":
        assert [json.loads(line)["text"] for line in done.out.splitlines()] == texts
    else:
        assert json.loads(done.out)["corpus"]["reading"]["text"] == ["Review Text"]


@pytest.mark.parametrize("verb", ["predict", "explain", "report"])
def test_every_verb_can_be_told_other_columns_and_says_if_they_are_not_there(
    command, trained, tmp_path, verb
):
    model, corpus = trained
    begin = (verb, model, "--corpus") if verb == "report" else (verb, "--model", model, "--input")
    more = ("--format", "text") if verb == "predict" else ()
    done = command(*begin, corpus, "--text-column", "text", *more)
    assert done.code == 0, done.err
    assert "again" in done.out or verb == "report"
    assert command(*begin, corpus, "--text-column", "nope").code == 3
    (tmp_path / "o.csv").write_text(table(TEXTS, ("body", "mood"), "\t"))
    done = command(*begin, tmp_path / "o.csv")
    assert done.code == 0, done.err
    assert "the text column of training, 'Review Text', is not there; the text is 'body'" in done.err


def test_the_test_file_is_read_by_the_columns_of_training(tmp_path):
    rows = [(n, t, y) for n, (t, y) in enumerate(TEXTS)]
    (tmp_path / "train.csv").write_text(table(rows, ("id", "review", "sentiment")))
    other = [(n, t, "so so", y, "neg") for n, (t, y) in enumerate(TEXTS)]
    (tmp_path / "test.csv").write_text(table(other, ("id", "review", "text", "sentiment", "label")))
    raw = raw_of(
        tmp_path / "train.csv", test=str(tmp_path / "test.csv"), validation=str(tmp_path / "test.csv")
    )
    for role in ("test", "validation"):
        assert raw.splits[role].texts == [text for text, _ in TEXTS]
        assert raw.splits[role].labels == [label for _, label in TEXTS]


@pytest.mark.parametrize(
    "content",
    [table(PLAIN, None, "\t"), "".join(f"__label__{y} {t}\n" for t, y in TEXTS), table(head=("v2", "v1", "")[:2]),
     table([("0" if y == "neg" else "4", 14678 + n, "Mon Apr 06 22:19:45 PDT 2009", "NO_QUERY", f"u{n}", t) for n, (t, y) in enumerate(TEXTS)], None)],
    ids=["SMSSpamCollection", "fastText", "Kaggle", "Sentiment140"],
)  # fmt: skip
def test_one_command_from_a_file_to_a_model_and_back(command, tmp_path, content):
    (tmp_path / "c.txt").write_text(content) if "__label__" in content else (tmp_path / "c.csv").write_text(
        content
    )
    file = next(tmp_path.glob("c.*"))
    assert command("audit", "--no-near", file).code == 0
    done = command("train", file, "--out", tmp_path / "m", *TINY_OPTIONS)
    assert done.code == 0, done.err
    done = command("predict", "--input", file, "--model", tmp_path / "m", "--format", "text")
    assert done.code == 0
    assert len(done.out.splitlines()) == len(TEXTS)
    assert done.out.splitlines()[0].split("\t")[2].startswith("the plot was clumsy")
    assert command("report", tmp_path / "m", "--corpus", file).code == 0


def test_a_kaggle_file_in_latin1_takes_the_command_of_its_message(command, tmp_path):
    rows = [(y, f"£5 {t}", "", "", "") for t, y in TEXTS]
    (tmp_path / "spam.csv").write_bytes(table(rows, ("v1", "v2", "", "", "")).encode("latin-1"))
    refused = command("train", tmp_path / "spam.csv", "--out", tmp_path / "m", *TINY_OPTIONS)
    assert refused.code == 3
    assert "--encoding cp1252" in refused.err
    assert (
        command(
            "train", tmp_path / "spam.csv", "--encoding", "cp1252", "--out", tmp_path / "m", *TINY_OPTIONS
        ).code
        == 0
    )
    done = command("predict", "--input", tmp_path / "spam.csv", "--model", tmp_path / "m", "--format", "text")
    assert done.out.count("£5") == len(TEXTS)  # in the encoding of training


def test_the_report_of_several_labels_has_lengths_of_a_single_text(command, tmp_path):
    rng = random.Random(0)
    rows = [
        {
            "text": " ".join(rng.choices(PLACES, k=3 + (n % 4) * (n < 40))) + f" no{n}",
            "label": rng.sample(["bug", "billing", "praise"], 1 + n % 2),
        }
        for n in range(120)
    ]
    (tmp_path / "c.jsonl").write_text(lines(rows))
    odd = [{"text": " ".join(["word"] * size), "label": ["bug"]} for size in (1, 3, 9, 27, 81, 243, 700)]
    (tmp_path / "odd.jsonl").write_text(lines(odd))
    assert (
        command(
            "train",
            tmp_path / "c.jsonl",
            "--test",
            tmp_path / "odd.jsonl",
            "--out",
            tmp_path / "m",
            *TINY_OPTIONS,
        ).code
        == 0
    )
    assert (tmp_path / "m" / "report.html").is_file()
    done = command(
        "report",
        tmp_path / "m",
        "--corpus",
        tmp_path / "odd.jsonl",
        "--html",
        tmp_path / "p.html",
        "--png",
        tmp_path / "png",
    )
    assert done.code == 0, done.err


def test_a_page_that_fails_does_not_lose_the_model(command, tmp_path, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("in a plot")

    monkeypatch.setattr("sentiment.report.html.page", fail)
    (tmp_path / "c.csv").write_text(table())
    done = command("train", tmp_path / "c.csv", "--out", tmp_path / "m", *TINY_OPTIONS)
    assert done.code == 0
    assert "ZeroDivisionError" in done.err
    assert command("predict", "lovely", "--model", tmp_path / "m").code == 0


# stdin


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (json.dumps(records(), indent=2), 120),
        (json.dumps(records()), 120),
        (lines(records()), 120),
        (table(head=("text", "mood")), 120),
        (table(head=("Review Text", "mood"), separator=";"), 120),
        ("one text, of mine\nand, another\n", 2),
        ("[red] is a text\n[blue] too\n", 2),
        ('["a text of mine", "and another"]', 2),
    ],
    ids=["pretty array", "array", "objects", "CSV", "column of training", "lines", "brackets", "strings"],
)
def test_stdin_is_read_as_what_it_begins_like(command, trained, monkeypatch, content, count):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content.encode()))))
    done = command("predict", "--input", "-", "--model", trained[0], "--format", "text")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == count
    assert '{"text' not in done.out


@pytest.mark.parametrize("form", ["{0},{1}", "{1} {0}", "{1}\t{0}", "{0}|{1}", "__label__{1} {0}"])
def test_plain_lines_stay_texts_whatever_a_model_was_trained_on(command, tmp_path, form):
    (tmp_path / "c.txt").write_text("".join(form.format(*row) + "\n" for row in PLAIN))
    assert command("train", tmp_path / "c.txt", "--out", tmp_path / "m", *TINY_OPTIONS).code == 0
    (tmp_path / "lines.txt").write_text("".join(f"{text}, and more of it\n" for text, _ in PLAIN))
    done = command(
        "predict", "--input", tmp_path / "lines.txt", "--model", tmp_path / "m", "--format", "text"
    )
    assert [line.split("\t")[2] for line in done.out.splitlines()] == [
        f"{text}, and more of it" for text, _ in PLAIN
    ]
    done = command("predict", "--input", tmp_path / "c.txt", "--model", tmp_path / "m", "--format", "text")
    shown = [line.split("\t")[2] for line in done.out.splitlines()]
    assert shown == [form.format(*row) if form == "{0},{1}" else row[0] for row in PLAIN]


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_terminal_that_is_not_utf8(tmp_path, encoding):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "sentiment.cli", *map(str, arguments)],
            check=False, capture_output=True, encoding=encoding, env=os.environ | {"PYTHONIOENCODING": encoding},
        )  # fmt: skip

    rows = [(f"{t} 😞 ❤️", {"neg": "плохо", "pos": "хорошо"}[y]) for t, y in TEXTS]
    (tmp_path / "c.csv").write_text(table(rows), "utf-8")
    for verb in (
        ("audit", tmp_path / "c.csv"),
        ("train", tmp_path / "c.csv", "--out", tmp_path / "m", *TINY_OPTIONS),
        ("report", tmp_path / "m"),
        ("explain", TEXTS[0][0] + " 😞", "--model", tmp_path / "m"),
    ):
        done = run(*verb)
        assert done.returncode == 0, done.stderr
    as_json = run("report", tmp_path / "m", "--json")
    assert json.loads(as_json.stdout)["test"]["labels"] == ["плохо", "хорошо"]


def test_memory_stays_flat_and_the_sample_is_read_once(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("text,label\n" + "a text of some words,pos\n" * 50_000)
    import tracemalloc

    form, rows = read(path, Asked())
    tracemalloc.start()
    assert sum(1 for _ in rows) == 50_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert form.separator == ","
    assert sum(1 for _ in read_rows(path)) == 50_000


# One column, quotes that join rows, and rows that a shape tells


@pytest.mark.parametrize("name", ["c.csv", "c.tsv", "c.csv.gz"])
@pytest.mark.parametrize("head", ["text", "Remark", None])
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
def test_a_file_of_one_column_has_texts_of_several_lines(tmp_path, name, head, quoting):
    texts = [f'the "{text}"\n\nalso {label}' if n % 3 == 0 else text for n, (text, label) in enumerate(TEXTS)]
    content = table([(text,) for text in texts], (head,) if head else None, quoting=quoting).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    form, rows = read(path)
    assert [next(iter(row.values.values())) for row in rows] == texts
    assert form.header == (head is not None)


SHAPES = {
    "an id and a text": (("id", "text"), [(n, text) for n, (text, _) in enumerate(PLAIN)]),
    "a number": (("text", "score"), [(text, f"{n / 7:.3f}") for n, (text, _) in enumerate(PLAIN)]),
    "sorted by label": (("text", "label"), sorted(PLAIN * 20, key=lambda row: row[1])),
    "few rows": (("label", "text"), [(label, text) for text, label in PLAIN[:9]]),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("between", [1, 3])
def test_stray_quotes_join_no_rows_whatever_the_columns(tmp_path, shape, between):
    head, rows = SHAPES[shape]
    content = [list(map(str, row)) for row in rows]
    column, at = head.index("text"), len(rows) - between - 2
    content[at][column] = '"' + content[at][column]
    content[at + between][column] += '"'
    path = tmp_path / "c.csv"
    path.write_text("".join(",".join(row) + "\n" for row in [head, *content]))
    assert len(list(read(path)[1])) == len(rows)


def test_a_text_of_several_lines_with_commas_stays_whole(tmp_path):
    rows = [(n, f"first, {text}\nthen, of {n}\nand, at last, {n}") for n, (text, _) in enumerate(TEXTS)]
    (tmp_path / "c.csv").write_text(table(rows, ("id", "text")))
    assert [row.values["text"] for row in read(tmp_path / "c.csv")[1]] == [text for _, text in rows]


OBJECTS = [json.dumps(record) for record in records()]
PAIRS = [json.dumps([text, label]) for text, label in TEXTS]


@pytest.mark.parametrize(
    "content",
    [
        f"[{', '.join(OBJECTS[:60])}]\n[{', '.join(OBJECTS[60:])}]\n",
        f"[{', '.join(OBJECTS[:60])}][{', '.join(OBJECTS[60:])}]",
        "".join(f"[{record}]\n" for record in OBJECTS),
        f"[{', '.join(OBJECTS[:119])}]\n{OBJECTS[119]}\n",
        json.dumps(records()[:50], indent=1) + "\n" + json.dumps(records()[50:], indent=1),
        "\n\n" + "\n".join(PAIRS) + "\n",
        "".join(
            json.dumps([text, {"cats": {"pos": int(label == "pos"), "neg": int(label == "neg")}}]) + "\n"
            for text, label in TEXTS
        ),
    ],
    ids=["two arrays", "on one line", "an array a line", "an object after", "pretty", "pairs", "spaCy"],
)
@pytest.mark.parametrize("name", ["c.json", "c.jsonl"])
def test_nothing_is_lost_after_a_closing_bracket(tmp_path, content, name):
    assert same(raw_of(tmp_path / name, content))


@pytest.mark.parametrize("rest", ["oops", "]", "3"])
def test_what_follows_an_array_and_is_no_row_is_said(tmp_path, rest):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(records()) + "\n" + rest)
    message = ""
    try:
        message = " ".join(f"{row.where}: {row.error}" for row in read(path)[1] if row.error)
    except CorpusError as error:
        message = str(error)
    assert message.startswith("c.json:2: ")


@pytest.mark.parametrize("mark", ["\u2028", "\u0085", "\x0b", "\x1c"])
def test_only_line_ends_end_an_object(tmp_path, mark):
    content = "".join(
        json.dumps({"text": text + " \u2028 " + mark, "label": label}, ensure_ascii=ord(mark) < 32) + "\n"
        for text, label in TEXTS
    )
    train = raw_of(tmp_path / "c.jsonl", content).splits["train"]
    assert len(train.texts) == len(TEXTS)
    assert not train.invalid


# A label and a text in a line; separators of several characters


PROSE = [
    (f"{text.replace('; ', ' ')}{f'{mark} and more{mark} of {n}' * (n % 3 == 0)}", label)
    for mark in ";,"
    for n, (text, label) in enumerate(TEXTS[:60])
]


@pytest.mark.parametrize("name", ["c.csv", "c.txt"])
@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("mark", [",", ";", ", "])
def test_separators_in_texts_that_are_not_quoted_cut_no_text(tmp_path, name, head, first, mark):
    rows = PROSE[60:] if mark != ";" else PROSE[:60]
    listed = [("text", "label")] * head + rows
    content = "".join(
        (label + mark + text if first else text + mark + label) + "\n" for text, label in listed
    )
    assert same(raw_of(tmp_path / name, content), rows)


@pytest.mark.parametrize("first", [True, False])
def test_a_comma_in_every_text_makes_no_column(tmp_path, first):
    content = "".join(f"{label},{text}\n" if first else f"{text},{label}\n" for text, label in TEXTS)
    assert same(raw_of(tmp_path / "c.csv", content))


SEPARATORS = ["::", "|||", ";;", "\t\t", "^", "~", "#", "\x01", "@@"]


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("order", ["text label", "label text", "id text label"])
def test_rare_separators_and_those_of_several_characters(tmp_path, separator, head, order):
    columns = {
        "text": [t for t, _ in TEXTS],
        "label": [y for _, y in TEXTS],
        "id": map(str, range(900, 1020)),
    }
    rows = [order.split()] * head + list(zip(*(columns[name] for name in order.split()), strict=False))
    assert same(raw_of(tmp_path / "c.dat", "".join(separator.join(row) + "\n" for row in rows)))


@pytest.mark.parametrize(
    ("asked", "mark"), [("::", "::"), ("tab", "\t"), ("\\t", "\t"), ("space", " "), ("\\x01", "\x01")]
)
def test_a_separator_can_be_said_in_words_and_of_several_characters(tmp_path, asked, mark):
    content = "".join(f"{label}{mark}{text}\n" for text, label in TEXTS)
    assert same(raw_of(tmp_path / "c.csv", content, separator=asked))


QUESTIONS = [
    f"{('What', 'How', 'Why', 'When')[n % 4]} is the {PLACES[n % 8]} of visit {n} like" for n in range(60)
]


@pytest.mark.parametrize("end", ["?", ""])
@pytest.mark.parametrize("lower", [True, False])
def test_the_first_words_of_questions_are_no_labels(tmp_path, end, lower):
    content = "".join(f"{one.lower() if lower else one}{end}\n" for one in QUESTIONS)
    with pytest.raises(CorpusError, match="plain lines have no labels"):
        raw_of(tmp_path / "c.txt", content)


# Texts to classify, whatever their file is called


@pytest.mark.parametrize("name", ["c", "c.log", "c.md", "c.txt"])
@pytest.mark.parametrize("texts", [[t for t, _ in TEXTS], QUESTIONS, [f"{one}?" for one in QUESTIONS]])
def test_plain_texts_are_not_cut_whatever_their_file_is_called(tmp_path, name, texts):
    (tmp_path / name).write_text("".join(f"{text}\n" for text in texts))
    form, rows = read(tmp_path / name)
    assert [row.values["text"] for row in rows] == texts
    assert name == "c.txt" or "read as plain lines" in form.notes[-1]


def test_questions_in_a_csv_of_one_column_stay_whole(tmp_path):
    (tmp_path / "c.csv").write_text("".join(f"{one}?\n" for one in QUESTIONS))
    assert [list(row.values.values()) for row in read(tmp_path / "c.csv")[1]] == [
        [f"{q}?"] for q in QUESTIONS
    ]


GERMAN = [(n, f"{n % 28 + 1:02}.03.2024", text, label) for n, (text, label) in enumerate(TEXTS)]


@pytest.mark.parametrize(
    ("content", "count", "told"),
    [
        (table(GERMAN, ("Nr", "Datum", "Kommentar", "Bewertung"), ";"), 120, "the text is 'Kommentar'"),
        (table(GERMAN, None, ";"), 120, "its first row looks like data"),
        (
            table([(label, text, "", "") for text, label in TEXTS], ("v1", "v2", "", "")),
            120,
            "the text is 'v2'",
        ),
        ("text\nlovely plot\nstale soup\n", 2, ""),
        (table([(f"{text}\nand more",) for text, _ in TEXTS], ("text",)), 120, ""),
        ("one text, of mine\nand, another\n", 2, "stdin: read as plain lines"),
        ("".join(f"{text}\n" for text, _ in TEXTS), 120, "stdin: read as plain lines"),
    ],
    ids=["German", "no header", "Kaggle", "one column", "lines in quotes", "two lines", "lines"],
)
def test_columns_on_stdin_are_judged_as_those_of_files(command, trained, monkeypatch, content, count, told):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content.encode()))))
    done = command("predict", "--input", "-", "--model", trained[0], "--format", "text")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == count
    assert told in done.err
    assert ";neg" not in done.out


# What the first bytes tell, and encodings


@pytest.mark.parametrize(
    ("name", "told"),
    [(f"c.csv{end}", "not packed") for end in (".gz", ".xz", ".bz2", ".zst")]
    + [(f"c{end}", "it is text") for end in (".xlsx", ".xls", ".parquet", ".ods")],
)
@pytest.mark.parametrize("mark", [",", "\t"])
def test_text_under_the_name_of_another_format_is_read_and_told(tmp_path, capsys, name, told, mark):
    assert same(raw_of(tmp_path / name, table(separator=mark)))
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("content", [table(head=("text", "mood")), lines(records()), json.dumps(records())])
def test_stdin_may_be_packed(command, trained, monkeypatch, pack, content):
    packed = io.BytesIO(pack(content.encode()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(packed)))
    done = command("predict", "--input", "-", "--model", trained[0], "--format", "text")
    assert (done.code, len(done.out.splitlines())) == (0, 120), done.err


def parquet_bytes() -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records()), stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(table().encode() * 50)[:-300], "stdin: damaged or cut off"),
        (b"PK\x03\x04" + b"\0" * 99, "stdin: it is Excel or a zip"),
        (parquet_bytes(), "stdin: it is Parquet, which is not read from a pipe"),
    ],
)
def test_what_cannot_be_read_from_stdin_is_named(command, trained, monkeypatch, content, words):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
    done = command("predict", "--input", "-", "--model", trained[0])
    assert done.code == 3
    assert words in done.err


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("name", ["c.tar", "c.csv", "c.tgz"])
def test_a_tar_archive_is_named(tmp_path, mode, name):
    import tarfile

    (tmp_path / "in.csv").write_text(table())
    with tarfile.open(tmp_path / name, mode) as archive:
        archive.add(tmp_path / "in.csv", "in.csv")
    with pytest.raises(CorpusError, match="a tar archive; unpack it: tar xf"):
        raw_of(tmp_path / name)


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (b"Rar!\x1a\x07", "RAR"), (b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"\x89PNG\r\n", "picture"),
        (b"$FL2@(#)", "SPSS"), (b"{\\rtf1", "RTF"), (b"RDX3\nX\n", "data of R"), (b"<TABLE>", "HTML"),
        (b"CREATE TABLE t (x int);\n", "SQL"), (b"-- MySQL dump 10\n", "SQL"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["c.csv", "my file"])
def test_other_formats_are_named_by_their_first_bytes(tmp_path, begin, words, name):
    for way in (raw_of, lambda path, _: list(read(path)[1])):
        (tmp_path / name).write_bytes(begin + b"rest of it\n" * 20)
        with pytest.raises(CorpusError, match=words):
            way(tmp_path / name, begin + b"rest of it\n" * 20)


@pytest.mark.parametrize("text", ["おはよう、とても良い部屋でした", "朝食も美味しい"])
@pytest.mark.parametrize("name", ["c.csv", "c.jsonl"])
def test_japanese_of_old_mails_is_read_and_told(tmp_path, capsys, text, name):
    rows = [(f"{text}{n}", label) for n, (_, label) in enumerate(TEXTS)]
    objects = "".join(json.dumps({"text": t, "label": y}, ensure_ascii=False) + "\n" for t, y in rows)
    content = table(rows) if name == "c.csv" else objects
    assert same(raw_of(tmp_path / name, content.encode("iso2022_jp")), rows)
    assert "it is iso2022_jp" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["номер был очень хороший", "το δωμάτιο ήταν καλό", "the room was good"])
def test_utf16_without_its_mark_is_named_in_every_alphabet(tmp_path, encoding, text):
    content = table([(f"{text} {n}", label) for n, (_, label) in enumerate(TEXTS)])
    with pytest.raises(CorpusError, match=f"--encoding {encoding}"):
        raw_of(tmp_path / "c.csv", content.encode(encoding))
    assert len(raw_of(tmp_path / "c.csv", encoding=encoding).splits["train"].texts) == len(TEXTS)


@pytest.mark.parametrize(
    ("encoding", "head", "text"),
    [
        ("cp1252", "opinião", "não gostei da comida, mas a praia é linda e o café também"),
        ("gb18030", "评论", "电影很好看，音乐也不错，但是风景一般，服务太慢了"),
        ("cp1251", "отзыв", "номер был очень хороший, завтрак вкусный, персонал вежливый"),
    ],
)
def test_the_encoding_of_a_header_is_guessed_by_all_rows(tmp_path, encoding, head, text):
    rows = [(f"{text} {n}", label) for n, (_, label) in enumerate(TEXTS)]
    with pytest.raises(CorpusError, match=f"--encoding {encoding}"):
        raw_of(tmp_path / "c.csv", table(rows, (head, "label")).encode(encoding))


# What stands above the header


TITLES = {
    "a comment": ["# a corpus of reviews, made in 2020"],
    "comments": ["# reviews", "# by hand", ""],
    "a title": ["Export of reviews", ""],
    "a title with a comma": ["Export of reviews, 2024"],
    "several": ["Export", "Monday", "", "120 rows"],
}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("titles", "head"),
    [(titles, ("text", "label")) for titles in TITLES]
    + [(titles, ("Kommentar", "Rating")) for titles in TITLES if "comma" not in titles],
)
def test_what_stands_above_the_header_is_left_and_told(tmp_path, capsys, titles, separator, head):
    listed = TITLES[titles]
    filled = [line + separator if line and "#" not in line else line for line in listed]
    for begin in (listed, filled):
        raw = raw_of(
            tmp_path / "c.csv", "".join(f"{line}\n" for line in begin) + table(head=head, separator=separator)
        )
        assert same(raw)
        assert f"its header is line {len(listed) + 1}" in capsys.readouterr().err


def test_a_bad_row_below_a_title_has_its_number(tmp_path):
    content = ("Export\n\n" + table()).splitlines()
    content.insert(60, "too,many,fields")
    train = raw_of(tmp_path / "c.csv", "\n".join(content) + "\n").splits["train"]
    assert [message.split(": ")[0] for message in train.invalid] == ["c.csv:61"]


def test_short_texts_of_one_column_are_no_titles(tmp_path):
    texts = ["hello", "fine", "name, please", "good", "text, label", "well", "thanks"] * 9
    (tmp_path / "c.csv").write_text(table([(one,) for one in texts], ("Said",)))
    assert len(list(read(tmp_path / "c.csv")[1])) == len(texts)


@pytest.mark.parametrize("above", [[], [["Export of reviews"], []], [["Export"], ["by hand"], []]])
@pytest.mark.parametrize("readme", [True, False])
def test_the_table_of_a_workbook_is_found(tmp_path, capsys, above, readme):
    pytest.importorskip("python_calamine")
    first = [[["This is a corpus."], ["It has reviews."]]] if readme else []
    content = workbook(*first, [*above, ["text", "label"], *TEXTS])
    assert same(raw_of(tmp_path / "c.xlsx", content))
    told = capsys.readouterr().err
    assert ("read its sheet 'S2'" in told) == readme
    assert ("its header is row" in told) == bool(above)


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("head", [("text", "label"), None])
def test_single_quotes_are_understood(tmp_path, separator, head):
    rows = [
        (f'the "{text}"\nand more' if n % 3 == 0 else text, label) for n, (text, label) in enumerate(TEXTS)
    ]
    content = table(rows, head, separator, quotechar="'", quoting=csv.QUOTE_ALL)
    assert same(raw_of(tmp_path / "c.csv", content), rows)


def test_an_apostrophe_is_no_quote(tmp_path):
    rows = [
        (f"'tis {text}" if n % 2 else f"{text}, the cooks'", label) for n, (text, label) in enumerate(TEXTS)
    ]
    assert same(raw_of(tmp_path / "c.csv", table(rows)), rows)


SINGLE = {
    "a list": {"data": records()},
    "columns": {"text": [t for t, _ in TEXTS], "label": [y for _, y in TEXTS]},
    "columns by index": {
        "text": {str(n): t for n, (t, _) in enumerate(TEXTS)},
        "label": {str(n): y for n, (_, y) in enumerate(TEXTS)},
    },
    "index": {str(n): record for n, record in enumerate(records())},
    "split": {"columns": ["text", "label"], "index": list(range(120)), "data": [list(row) for row in TEXTS]},
}


@pytest.mark.parametrize("name", ["my rows.json", "it's.json"])
@pytest.mark.parametrize("form", SINGLE)
def test_the_command_that_is_told_makes_an_object_readable(tmp_path, name, form):
    import shlex
    import shutil

    with pytest.raises(CorpusError) as caught:
        raw_of(tmp_path / name, json.dumps(SINGLE[form]))
    told = str(caught.value).split("line: ")[1]
    program = shlex.split(told)[0]
    if program == "python":
        pytest.importorskip("pandas")
        told = told.replace("python", sys.executable, 1)
    elif shutil.which(program) is None:
        assert name in shlex.split(told)
        return
    subprocess.run(told, shell=True, check=True, cwd=tmp_path)
    (made,) = tmp_path.glob("*.jsonl")
    assert same(raw_of(made))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "an empty object"),
        ({"pos": ["good", "fine"], "neg": ["bad", "worse"]}, "texts by their label (pos, neg); write"),
        ({"train": records(), "test": records()}, "> train.jsonl; jq -c '.test[]' c.json > test.jsonl"),
        ({str(n): record for n, record in enumerate(records())}, "rows by their index"),
    ],
)
def test_one_object_of_all_rows_is_called_what_it_is(tmp_path, value, words):
    with pytest.raises(CorpusError) as caught:
        raw_of(tmp_path / "c.json", json.dumps(value))
    assert words in str(caught.value)
    assert len(str(caught.value)) < 500
