"""What is told of a corpus stands wherever a person may look: stderr, audit, report, card, page, manifest."""

import csv
import json

import pandas as pd
import pytest
from conftest import TINY

import sentiment
from sentiment import report
from sentiment.config import CorpusConfig
from sentiment.corpus import divide, read_corpus
from sentiment.corpus.memory import read_memory
from sentiment.corpus.reading import Reading

TEXTS = [f"the {'lovely' if n % 2 else 'dreary'} thing number {n} was here again" for n in range(80)]


def table(path, labels, **columns):
    """Write a file of texts and labels, and return its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", *columns, "label"])
        writer.writerows(zip(TEXTS, *columns.values(), labels, strict=True))
    return path


ODD = {
    "case": (lambda n: ("pos", "Pos", "neg", "neg")[n % 4], {}, "'Pos' and 'pos' are written alike"),
    "cells": (lambda n: ("a|b", "a", "b")[n % 3], {}, 'corpus.label_separator="|"'),
    "cells of several": (
        lambda n: ("a|b", "a", "b")[n % 3], {"corpus.task": "multilabel"}, 'corpus.label_separator="|"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_what_is_odd_about_labels_is_told_everywhere(tmp_path, capsys, kind):
    label, settings, words = ODD[kind]
    path = table(tmp_path / "c.csv", [label(n) for n in range(80)])
    model = sentiment.train(path, out=tmp_path / "m", settings=TINY | settings)
    assert words in capsys.readouterr().err
    folder = model.bundle.folder
    assert words in " ".join(model.bundle.manifest["reading"]["odd_labels"])
    assert words in " ".join(model.report["corpus"]["reading"]["odd_labels"])
    assert words in " ".join(model.report["audit"]["labels"])
    assert words.replace("|", "\\|") in (folder / "README.md").read_text("utf-8")
    page = (folder / "report.html").read_text("utf-8")
    assert words.replace('"', "&#34;").replace("'", "&#39;") in page
    from rich.console import Console

    console = Console(width=10_000)
    with console.capture() as shown:
        console.print(report.render(model.report))
    assert words in shown.get()


def test_odd_labels_are_told_once_by_the_audit(tmp_path, command):
    path = table(tmp_path / "c.csv", [("pos", "Pos", "neg")[n % 3] for n in range(80)])
    done = command("audit", path)
    assert done.out.count("are written alike") == 1
    assert "are written alike" in done.err


def test_a_reading_keeps_its_form_and_its_column_of_splits(tmp_path):
    path = table(tmp_path / "c.csv", ["ab"[n % 2] for n in range(80)], split=["train", "test"] * 40)
    reading = read_corpus(CorpusConfig(name=str(path))).reading
    again = Reading.from_dict(json.loads(json.dumps(reading.as_dict())))
    assert (again.choice.split, again.form.split) == ("split", "all")
    assert again.choice.width == 3


def write(path, rows, separator="\t"):
    """Write rows without a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    return path


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([(n % 2 * 4, 1000 + n, "x", "u", text) for n, text in enumerate(TEXTS)], "5"),  # another width
        ([(text, "ab"[n % 2]) for n, text in enumerate(TEXTS)], "1"),  # the same width, another order
        ([("ab"[n % 2], text) for n, text in enumerate(TEXTS)], "2"),  # as in training
    ],
)
def test_numbers_of_columns_are_not_names(tmp_path, capsys, rows, text):
    first = write(tmp_path / "sms.tsv", [(("ham", "spam")[n % 2], text) for n, text in enumerate(TEXTS)])
    like = read_corpus(CorpusConfig(name=str(first))).reading
    like = Reading.from_dict(like.as_dict())
    assert like.choice.text == ("2",)
    capsys.readouterr()
    raw = read_corpus(CorpusConfig(name=str(write(tmp_path / "other.tsv", rows))), like)
    assert raw.reading.choice.text == (text,)
    assert raw.splits["train"].texts == TEXTS
    told = capsys.readouterr().err
    assert ("as in training" in told) == (text == "2")
    assert ("not those of training" in told) == (text != "2")


def test_a_label_column_without_a_1_is_left_and_told(tmp_path, capsys):
    marks = {"joy": [n % 2 for n in range(80)], "anger": [n % 3 == 0 for n in range(80)], "fear": [0] * 80}
    frame = pd.DataFrame({"text": TEXTS} | {name: list(map(int, column)) for name, column in marks.items()})
    frame.to_csv(tmp_path / "c.csv", index=False)
    config = CorpusConfig(name=str(tmp_path / "c.csv"), label_column="joy,anger,fear")
    for read in (lambda: read_corpus(config), lambda: read_memory(frame, config)):
        raw = read()
        assert divide(raw, CorpusConfig()).labels == ("joy", "anger")
        assert "'fear' has no 1" in capsys.readouterr().err
        assert any("'fear' has no 1" in line for line in raw.reading.as_dict()["notes"])
