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


@pytest.mark.parametrize(
    "written",
    [
        lambda names: str(names),
        lambda names: json.dumps(names),
        lambda names: str(tuple(names)),
        lambda names: "{" + ", ".join(map(repr, names)) + "}",
        lambda names: "[" + " ".join(map(repr, names)) + "]",
        lambda names: json.dumps([{"id": len(name), "name": name} for name in names]),
    ],
    ids=["Python", "JSON", "tuple", "set", "numpy", "objects"],
)
def test_a_list_in_a_cell_is_read_however_it_is_written(tmp_path, written):
    several = [["a", "b c"], ["b c"], ["a", "it's"], ["it's"]]
    path = table(tmp_path / "c.csv", [written(several[n % 4]) for n in range(80)])
    raw = read_corpus(CorpusConfig(name=str(path), label_column="label"))
    assert raw.splits["train"].invalid == []
    assert raw.task == "multilabel"
    assert [set(names) for names in raw.splits["train"].labels[:4]] == [set(names) for names in several]


def test_brackets_and_quotes_go_with_a_separator(tmp_path):
    path = table(tmp_path / "c.csv", [("[neg, x]", "[pos]", "[ 'pos' , x]")[n % 3] for n in range(80)])
    raw = read_corpus(CorpusConfig(name=str(path), label_separator=","))
    assert raw.splits["train"].labels[:2] == [("neg", "x"), ("pos",)]
    assert divide(raw, CorpusConfig()).labels == ("neg", "pos", "x")


@pytest.mark.parametrize("doubtful", ["n/a", "na", "-", "?", "\\N", "#REF!", "none"])
def test_a_label_that_may_be_none_is_told_with_what_leaves_it_out(tmp_path, capsys, doubtful):
    path = table(tmp_path / "c.csv", [("pos", "neg", doubtful)[n % 3] for n in range(80)])
    raw = read_corpus(CorpusConfig(name=str(path)))
    told = capsys.readouterr().err
    assert f"the label {doubtful!r}, of 26 texts, may stand for no label" in told
    setting = told.partition("--set 'corpus.labels=")[2].partition("'")[0]
    name, value = (json.loads(part) for part in setting.strip("{}").split(" = "))
    config = CorpusConfig(name=str(path), labels={name: value}, invalid_rows="drop")
    corpus = divide(read_corpus(config), config)
    assert corpus.labels == ("neg", "pos")
    assert corpus.left_out == {"invalid rows": 26}
    assert len(raw.splits["train"].texts) == 80


def test_a_class_that_is_named_none_can_be_had(tmp_path):
    path = table(tmp_path / "c.csv", [("joy", "None")[n % 2] for n in range(80)])
    config = CorpusConfig(name=str(path), labels={"None": "no emotion"})
    assert divide(read_corpus(config), config).labels == ("no emotion", "joy")


@pytest.mark.parametrize("separator", ["&", "\n", " & ", ";"])
def test_what_joins_labels_in_a_cell_is_told_and_divides_them(tmp_path, capsys, separator):
    path = table(tmp_path / "c.csv", [(f"a{separator}b", "a", "b")[n % 3] for n in range(80)])
    read_corpus(CorpusConfig(name=str(path)))
    told = capsys.readouterr().err.partition("'corpus.label_separator=")[2].partition("'")[0]
    config = CorpusConfig(name=str(path), label_separator=json.loads(told))
    assert divide(read_corpus(config), config).labels == ("a", "b")


def test_decimals_that_differ_by_their_point_are_told(tmp_path, capsys):
    path = table(tmp_path / "c.csv", [("1,5", "1.5", "2")[n % 3] for n in range(80)])
    read_corpus(CorpusConfig(name=str(path)))
    assert "'1,5' and '1.5' are written alike" in capsys.readouterr().err


def grow(folder, *places, count=12):
    """Write texts into folders, and return how many into each."""
    for place in places:
        (folder / place).mkdir(parents=True)
        for number in range(count):
            (folder / place / f"{number}.txt").write_text(f"{TEXTS[number]} in {place}")


LAYOUTS = {
    "splits of labels": ("train/neg", "train/pos", "test/neg", "test/pos"),
    "labels of splits": ("neg/train", "neg/test", "pos/train", "pos/test"),
    "further words": ("train_set/neg", "train_set/pos", "test-data/neg", "test-data/pos"),
    "numbers": ("01_train/neg", "01_train/pos", "02_Test/neg", "02_Test/pos"),
    "deep": tuple(f"data/reviews/{part}/{label}" for part in ("train", "test") for label in ("neg", "pos")),
    "deep, labels of splits": tuple(
        f"data/{label}/{part}" for part in ("training", "eval") for label in ("neg", "pos")
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_splits_are_told_by_the_names_of_folders_wherever_they_are(tmp_path, layout):
    grow(tmp_path / "c", *LAYOUTS[layout])
    raw = read_corpus(CorpusConfig(name=str(tmp_path / "c")))
    other = "validation" if "eval" in str(LAYOUTS[layout]) else "test"
    assert {role: len(split.texts) for role, split in raw.splits.items() if split.texts} == {
        "train": 24,
        other: 24,
    }
    assert {label for split in raw.splits.values() for label in split.labels} == {"neg", "pos"}
    assert raw.name == "c"


def test_a_folder_beside_those_of_splits_is_counted(tmp_path, capsys):
    grow(tmp_path, "train/neg", "train/pos", "test/neg", "test/pos", "holdout/neg", "holdout/pos")
    read_corpus(CorpusConfig(name=str(tmp_path)))
    assert "the folder 'holdout' with 24 files was left" in capsys.readouterr().err


def test_a_folder_of_test_texts_alone_is_a_test_and_not_a_class(tmp_path):
    grow(tmp_path, "test/neg", "test/pos")
    raw = read_corpus(CorpusConfig(name=str(tmp_path)))
    assert set(raw.splits["test" if "test" in raw.splits else "train"].labels) == {"neg", "pos"}


def test_classes_may_be_named_as_splits_are(tmp_path):
    grow(tmp_path, "dev", "ops", "test")
    raw = read_corpus(CorpusConfig(name=str(tmp_path)))
    assert set(raw.splits["train"].labels) == {"dev", "ops", "test"}
