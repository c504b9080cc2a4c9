"""What is told of a corpus stands wherever a person may look: stderr, audit, report, card, page, manifest."""

import csv
import json
import subprocess
import sys
import textwrap

import pandas as pd
import pytest
from conftest import TINY

import sentiment
from sentiment.core.errors import CorpusError
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus import divide, read_corpus
from sentiment.data.corpus.audit import audit
from sentiment.data.corpus.memory import read_memory
from sentiment.data.corpus.reading import Reading
from sentiment.report import renderers

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
        console.print(renderers.render(model.report))
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
        str,
        json.dumps,
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


def test_the_report_takes_the_settings_that_its_messages_name(tmp_path, tiny, command):
    labels = list(tiny.labels)
    path = table(
        tmp_path / "c.csv", ["third", labels[0].upper(), labels[1]] + [labels[n % 2] for n in range(77)]
    )
    place = tiny.bundle.folder
    done = command("report", place, "--corpus", path)
    assert done.code == 3
    named = done.err.partition("--set 'corpus.labels=")[2].partition("'")[0]
    assert json.loads(named) == {labels[0].upper(): labels[0], "third": "…"}
    setting = named.replace("…", labels[0])
    assert command("report", place, "--corpus", path, "--set", f"corpus.labels={setting}").code == 0
    with path.open("a") as file:
        file.write(f'"",{labels[0]}\n')
    done = command("report", place, "--corpus", path, "--set", f"corpus.labels={setting}")
    assert "--set corpus.invalid_rows=drop" in done.err
    both = ("--set", f"corpus.labels={setting}", "--set", "corpus.invalid_rows=drop", "--json")
    done = command("report", place, "--corpus", path, *both)
    assert json.loads(done.out)["corpus"]["left_out"] == {"invalid rows": 1}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "corpus.invalid_rows=drop"], "give --corpus, too"),
        (["--corpus", "c.csv", "--set", "model.layers=2"], "settings of the section corpus only"),
        (["--corpus", "c.csv", "--set", "corpus.invalid_row=drop"], "invalid_row"),
    ],
)
def test_the_report_refuses_settings_that_are_none_of_a_corpus(tiny, command, options, words):
    done = command("report", tiny.bundle.folder, *options)
    assert done.code == 2
    assert words in done.err


def test_which_files_of_a_folder_are_which_split_is_told(tmp_path, capsys):
    labels = ["ab"[n % 2] for n in range(80)]
    table(tmp_path / "train.csv", labels)
    table(tmp_path / "all_of_it.csv", labels)
    table(tmp_path / "dev.csv", labels)
    raw = read_corpus(CorpusConfig(name=str(tmp_path)))
    told = capsys.readouterr().err
    assert "train: all_of_it.csv, train.csv; validation: dev.csv" in told
    assert "train.csv seems to have the same texts as all_of_it.csv" in told
    assert any("train: all_of_it.csv" in line for line in raw.reading.as_dict()["notes"])


def test_a_folder_of_a_competition_is_read(tmp_path, capsys):
    table(tmp_path / "train.csv", ["ab"[n % 2] for n in range(80)])
    pd.DataFrame({"id": range(80), "text": TEXTS}).to_csv(tmp_path / "test.csv", index=False)
    pd.DataFrame({"id": range(80), "label": 0}).to_csv(tmp_path / "sample_submission.csv", index=False)
    (tmp_path / "notes.md").write_text("about it")
    raw = read_corpus(CorpusConfig(name=str(tmp_path)))
    assert {role: len(split.texts) for role, split in raw.splits.items()} == {"train": 80}
    told = capsys.readouterr().err
    assert "test.csv was left: " in told
    assert "no column looks like the label" in told
    assert "files that were left: notes.md, sample_submission.csv\n" in told
    pd.DataFrame({"id": range(80), "label": 0}).to_csv(tmp_path / "test_labels.csv", index=False)
    read_corpus(CorpusConfig(name=str(tmp_path)))
    assert "test_labels.csv was left: " in capsys.readouterr().err


def test_files_of_lines_that_are_named_as_splits_are_a_corpus(tmp_path):
    for name in ("train.txt", "val.txt", "test.txt"):
        rows = [f"{text};{'joy' if n % 2 else 'anger'}\n" for n, text in enumerate(TEXTS)]
        (tmp_path / name).write_text("".join(rows))
    raw = read_corpus(CorpusConfig(name=str(tmp_path)))
    sizes = {role: len(split.texts) for role, split in raw.splits.items()}
    assert sizes == {"train": 80, "validation": 80, "test": 80}
    assert set(raw.splits["test"].labels) == {"joy", "anger"}


@pytest.mark.parametrize("name", ["TEXT", "body"])
def test_columns_that_are_asked_for_are_found_anew_in_a_test_that_lacks_them(tmp_path, capsys, name):
    table(tmp_path / "train.csv", ["ab"[n % 2] for n in range(80)])
    frame = pd.DataFrame({name: TEXTS[:20], "label": ["ab"[n % 2] for n in range(20)]})
    frame.to_csv(tmp_path / "test.csv", index=False)
    config = CorpusConfig(
        name=str(tmp_path / "train.csv"),
        test=str(tmp_path / "test.csv"),
        text_column="text",
        label_column="label",
    )
    assert read_corpus(config).splits["test"].texts == TEXTS[:20]
    told = capsys.readouterr().err
    assert f"the text column of training, 'text', is not there; the text is {name!r}" in told
    with pytest.raises(CorpusError, match="no column 'txt'"):
        read_corpus(CorpusConfig(name=str(tmp_path / "train.csv"), text_column="txt"))


def test_a_test_with_all_training_texts_is_told_as_that(tmp_path):
    path = table(tmp_path / "c.csv", ["ab"[n % 2] for n in range(80)])
    config = CorpusConfig(name=str(path), test=str(path))
    with pytest.raises(CorpusError, match="all training texts are in test too"):
        divide(read_corpus(config), config)


def test_labels_that_only_validation_has_are_not_said_to_be_scored(tmp_path, capsys):
    labels = ["ab"[n % 2] for n in range(80)]
    parts = {"train": labels, "validation": ["c", *labels[1:]], "test": ["d", *labels[1:]]}
    for number, (name, some) in enumerate(parts.items()):
        path = table(tmp_path / f"{name}.csv", some)
        path.write_text(path.read_text().replace("thing", f"thing{number}"))
    divide(read_corpus(CorpusConfig(name=str(tmp_path))), CorpusConfig())
    lines = [line for line in capsys.readouterr().err.splitlines() if "no training text has" in line]
    assert [("with them as wrong" in line) for line in lines] == [False, True]


def test_the_audit_says_what_training_stops_at(tmp_path, command):
    path = table(tmp_path / "c.csv", [f"class {n}" for n in range(80)])
    done = command("audit", path, "--label-column", "label")
    assert done.code == 0
    assert "training stops at this: " in done.out
    assert "nothing that calls for attention" not in done.out
    path = table(tmp_path / "d.csv", ["ab"[n % 2] for n in range(80)])
    assert "training stops" not in command("audit", path).out


def test_unusable_texts_without_a_label_are_counted_and_stop_nothing(tmp_path, capsys):
    grow(tmp_path, "train/neg", "train/pos", "train/unsup", "test/neg", "test/pos")
    (tmp_path / "train" / "unsup" / "bad.txt").write_bytes(b"\xff\xfe\x00\x00 \xd8")
    (tmp_path / "train" / "unsup" / "empty.txt").write_text("")
    corpus = divide(read_corpus(CorpusConfig(name=str(tmp_path))), CorpusConfig())
    assert corpus.left_out["invalid rows"] == 2
    assert "left out 2 unusable rows" in capsys.readouterr().err
    (tmp_path / "train" / "pos" / "empty.txt").write_text("")
    with pytest.raises(CorpusError, match="the text is empty"):
        divide(read_corpus(CorpusConfig(name=str(tmp_path))), CorpusConfig())


def test_the_audit_in_a_report_is_of_the_corpus_as_it_was_read(tmp_path):
    path = table(tmp_path / "c.csv", ["" if n % 8 == 0 else "ab"[n % 2] for n in range(80)])
    more = table(tmp_path / "test.csv", ["c" if n % 8 == 0 else "ab"[n % 2] for n in range(80)])
    more.write_text(more.read_text().replace("thing number 1", "one thing number 1"))  # the rest stay repeats
    repeats = "".join(f"another {'ba'[n % 2]} thing {n},{'ba'[n % 2]}\n" * 2 for n in range(20))
    path.write_text(path.read_text() + repeats)
    asked = {"corpus.test": str(more), "corpus.invalid_rows": "drop"}
    model = sentiment.train(path, out=tmp_path / "m", settings=TINY | asked)
    assert len(model.report["corpus"]["left_out"]) == 4, "what is left out of training is in the audit"
    config = CorpusConfig(name=str(path), test=str(more), invalid_rows="drop")
    assert model.report["audit"] == json.loads(json.dumps(audit(config)))


def test_a_program_hears_of_guesses_by_logging_and_can_silence_it(tmp_path):
    path = table(tmp_path / "c.csv", ["" if n % 8 == 0 else "ab"[n % 2] for n in range(80)], other=TEXTS)
    settings = TINY | {"corpus.invalid_rows": "drop", "report.baselines": False}
    program = f"""
        import logging, sys
        logger = logging.getLogger("sentiment")
        logger.disabled = True
        import sentiment
        for out in {[str(tmp_path / "a"), str(tmp_path / "b")]!r}:
            model = sentiment.train({str(path)!r}, out=out, settings={settings!r})
            model.predict(["a lovely thing"])
            print("so much for one", file=sys.stderr)
            logger.disabled = False
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    silent, heard, _ = done.stderr.split("so much for one\n")
    assert silent == ""
    assert "left out 10 unusable rows" in heard
