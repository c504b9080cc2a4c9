"""Texts and labels of a Python program: trained on and classified as those of a file."""

from unittest.mock import Mock

import datasets
import huggingface_hub
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from conftest import TINY

import sentiment
from sentiment.core.errors import CorpusError, SentimentError, UsageError
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus import Preset, divide, hub, load_corpus
from sentiment.data.corpus.audit import inspect
from sentiment.data.corpus.memory import pairs, read_memory, rows_of

TEXTS = [
    f"the thing number {n} was {'lovely and warm' if n % 2 else 'dreary and cold'} again" for n in range(80)
]
LABELS = ["pos" if n % 2 else "neg" for n in range(80)]
FRAME = pd.DataFrame({"id": range(80), "review": TEXTS, "stars": LABELS})

FORMS = {
    "pairs": lambda: zip(TEXTS, LABELS, strict=True),
    "rows": lambda: ({"review": text, "stars": label} for text, label in zip(TEXTS, LABELS, strict=True)),
    "DataFrame": lambda: FRAME,
    "Table": lambda: pa.table({"review": TEXTS, "stars": LABELS}),
    "Dataset": lambda: datasets.Dataset.from_pandas(FRAME),
    "texts and labels": lambda: pairs(iter(TEXTS), pd.Series(LABELS)),
    "categories": lambda: FRAME.astype({"stars": "category"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_corpus_of_a_file(tmp_path, form):
    FRAME.to_csv(tmp_path / "c.csv", index=False)
    wanted = load_corpus(str(tmp_path / "c.csv"))
    assert (
        divide(read_memory(FORMS[form](), CorpusConfig()), CorpusConfig()).fingerprint()
        == wanted.fingerprint()
    )


@pytest.mark.parametrize(
    "splits",
    [
        {"train": FRAME[:60], "test": FRAME[60:]},
        datasets.DatasetDict(
            {
                "train": datasets.Dataset.from_pandas(FRAME[:60]),
                "test": datasets.Dataset.from_pandas(FRAME[60:]),
            }
        ),
    ],
    ids=["a dictionary", "DatasetDict"],
)
def test_splits_are_kept(splits):
    raw = read_memory(splits, CorpusConfig())
    assert raw.splits["test"].texts == TEXTS[60:]
    assert raw.splits["train"].texts == TEXTS[:60]


@pytest.mark.parametrize("nothing", [None, pd.NA, float("nan"), pd.NaT, ""])
def test_what_stands_for_no_label_is_missing(nothing):
    raw = read_memory([*zip(TEXTS, LABELS, strict=True), ("one more text", nothing)], CorpusConfig())
    with pytest.raises(CorpusError, match="train:80: the label is missing"):
        divide(raw, CorpusConfig())


@pytest.mark.parametrize(
    ("corpus", "words"),
    [
        (5, "of type int"),
        (["just", "texts"], "train:0: a str is no row"),
        ((TEXTS, LABELS), "train(texts=…, labels=…)"),
        ({"text": TEXTS, "label": LABELS}, "a mapping has to be of splits"),
        (b"bytes", "of type bytes"),
    ],
    ids=["number", "texts", "two lists", "columns", "bytes"],
)
def test_what_is_no_corpus_is_refused_in_a_short_message(corpus, words):
    with pytest.raises(UsageError) as error:
        sentiment.train(corpus)
    assert words in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("texts", "labels", "words"),
    [
        (TEXTS, LABELS[:3], "80 texts and 3 labels"),
        (TEXTS, None, "both"),
        ("one text", LABELS, "texts is a list, and not of type str"),
    ],
)
def test_texts_need_as_many_labels(texts, labels, words):
    with pytest.raises(UsageError, match=words):
        sentiment.train(texts=texts, labels=labels)
    with pytest.raises(UsageError, match="not both"):
        sentiment.train("sample", texts=TEXTS, labels=LABELS)


def test_a_row_that_is_none_says_where():
    with pytest.raises(UsageError, match="x:1: a int is no row"):
        list(rows_of([("text", "label"), 7], "x"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train on a table."""
    return sentiment.train(FRAME, out=tmp_path_factory.mktemp("memory") / "m", settings=TINY)


def test_a_table_is_classified_by_the_column_of_training(trained):
    wanted = [one.label for one in trained.predict(TEXTS)]
    for shuffled in (FRAME, FRAME[["stars", "review", "id"]], pa.table({"stars": LABELS, "review": TEXTS})):
        assert [one.label for one in trained.predict(shuffled)] == wanted
    assert [one.label for one in trained.predict(pd.Series(TEXTS))] == wanted
    assert [one.label for one in trained.predict(iter(TEXTS))] == wanted


def test_a_table_without_the_column_says_what_is_taken(trained, capsys):
    trained.predict(FRAME.rename(columns={"review": "body"}))
    assert (
        "the text column of training, 'review', is not there; the text is 'body'" in capsys.readouterr().err
    )
    with pytest.raises(CorpusError, match="no column is surely the text"):
        trained.predict(FRAME[["id", "stars"]].assign(other=LABELS))


@pytest.mark.parametrize("data", ["one text", b"bytes", {"text": ["x"]}, {}])
def test_what_is_no_list_of_texts_is_refused(trained, data):
    with pytest.raises(ValueError, match="predict takes a list of texts"):
        trained.predict(data)


def test_a_notebook_shows_the_report(trained):
    shown = trained._repr_html_()
    assert shown.startswith("<iframe")
    assert "srcdoc=" in shown
    assert "<script" not in shown
    assert trained.report["corpus"]["name"] in shown


def test_a_model_of_texts_in_memory_says_so_when_asked_for_them(trained, tmp_path):
    from sentiment.runs import evaluate

    with pytest.raises(UsageError, match="trained on texts from memory"):
        evaluate.evaluate(trained.bundle.folder)
    FRAME.to_csv(tmp_path / "c.csv", index=False)
    assert evaluate.evaluate(trained.bundle.folder, str(tmp_path / "c.csv"))["test"]["accuracy"] >= 0


def test_a_path_is_taken_as_one(tmp_path):
    FRAME.to_csv(tmp_path / "c.csv", index=False)
    classifier = sentiment.train(tmp_path / "c.csv", out=tmp_path / "m", settings=TINY)
    assert classifier.bundle.manifest["reading"]["text"] == ["review"]


def data_set(labels, **columns):
    """Return a data set with class names."""
    features = datasets.Features(
        {name: datasets.Value("string") if isinstance(values[0], str) else {key: datasets.Value("string") for key in values[0]}
         for name, values in columns.items()} | {"label": datasets.ClassLabel(names=["neg", "pos"])}
    )  # fmt: skip
    return datasets.Dataset.from_dict({**columns, "label": labels}, features=features)


NUMBERS = [n % 2 for n in range(80)]


def test_columns_within_columns_of_a_data_set(capsys):
    raw = read_memory(
        data_set(NUMBERS, review=[{"title": "x", "body": text} for text in TEXTS]), CorpusConfig()
    )
    assert raw.splits["train"].texts == TEXTS
    assert "the text is 'review.body'" in capsys.readouterr().err


def test_pairs_of_a_data_set_are_joined():
    raw = read_memory(data_set(NUMBERS, premise=TEXTS, hypothesis=TEXTS[::-1]), CorpusConfig())
    assert raw.splits["train"].texts[0] == f"{TEXTS[0]}\n{TEXTS[-1]}"


def test_minus_one_is_no_label_and_the_audit_counts_it():
    some = [-1 if n % 8 == 0 else n % 2 for n in range(80)]
    raw = read_memory(data_set(some, text=TEXTS), CorpusConfig())
    corpus = divide(raw, CorpusConfig(invalid_rows="drop"))
    assert corpus.left_out == {"invalid rows": 10}
    assert inspect(raw, None)["splits"]["train"]["unusable_rows"]["count"] == 10


@pytest.mark.parametrize("validation", [True, False])
def test_labels_of_test_that_are_not_public(capsys, validation):
    parts = {"train": data_set(NUMBERS, text=TEXTS), "test": data_set([-1] * 80, text=TEXTS)}
    if validation:
        parts["validation"] = data_set(NUMBERS, text=TEXTS)
    raw = read_memory(datasets.DatasetDict(parts), CorpusConfig())
    assert set(raw.splits) == ({"train", "test"} if validation else {"train"})
    assert ("validation is the test" in capsys.readouterr().err) == validation


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Dataset scripts are no longer supported, but found loader.py", "a/b@refs/convert/parquet"),
        (
            "Config name is missing.\nPlease pick one among the available configs: ['en', 'de']",
            "such as a/b:en",
        ),
    ],
)
def test_what_the_hub_refuses_comes_with_the_name_to_ask_for(message, words, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: True)
    monkeypatch.setattr(datasets, "load_dataset", Mock(side_effect=ValueError(message)))
    with pytest.raises(SentimentError) as error:
        hub.read_hub(Preset("", "a/b"), CorpusConfig(), "a/b", None, None)
    assert words in str(error.value)


@pytest.mark.parametrize(
    "select",
    [
        lambda data: data.select([5, 9, 1, 0, 2, 2]),
        lambda data: data.filter(lambda row: row["number"] % 3 == 0),
        lambda data: data.shuffle(seed=1),
        lambda data: data.sort("label"),
        lambda data: data.train_test_split(0.3, seed=1)["train"],
        lambda data: data.shard(2, 1),
        lambda data: datasets.concatenate_datasets([data.select([3, 4]), data]),
        lambda data: data.with_format("numpy"),
        lambda data: data.to_iterable_dataset(),
    ],
    ids=["select", "filter", "shuffle", "sort", "split", "shard", "concatenate", "format", "streamed"],
)
def test_a_data_set_is_read_as_its_owner_sees_it(select):
    data = select(data_set(NUMBERS, text=TEXTS).add_column("number", list(range(80))))
    rows = list(data)
    raw = read_memory(data, CorpusConfig())
    assert raw.splits["train"].texts == [str(row["text"]) for row in rows]
    assert raw.splits["train"].labels == [["neg", "pos"][row["label"]] for row in rows]


@pytest.mark.parametrize(
    "form",
    [lambda data: data, datasets.Dataset.from_pandas, pa.Table.from_pandas, lambda d: d.to_dict("records")],
)
def test_a_column_of_splits_divides_what_is_in_memory(form, capsys):
    wanted = ["test" if n % 4 == 0 else "dev" if n % 4 == 1 else "train" for n in range(80)]
    raw = read_memory(form(FRAME.assign(split=wanted)), CorpusConfig())
    sizes = {role: len(split.texts) for role, split in raw.splits.items()}
    assert sizes == {"train": 40, "validation": 20, "test": 20}
    assert "says which split a row is of" in capsys.readouterr().err


def test_splits_that_are_given_come_before_those_of_a_column(capsys):
    marked = FRAME.assign(split=["test" if n % 4 == 0 else "train" for n in range(80)])
    raw = read_memory({"train": marked, "test": FRAME[:10]}, CorpusConfig())
    assert {role: len(split.texts) for role, split in raw.splits.items()} == {"train": 60, "test": 10}
    assert "the test texts among those of train were left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array(NUMBERS), {"0", "1"}),
        ([np.int64(number) for number in NUMBERS], {"0", "1"}),
        (np.array(NUMBERS, dtype=bool), {"true", "false"}),
        (np.array(NUMBERS, dtype=float), {"0", "1"}),
        (np.array(NUMBERS).reshape(-1, 1), {"0", "1"}),
        (np.array(LABELS), {"neg", "pos"}),
        (pd.Series(NUMBERS).values, {"0", "1"}),
        (torch.tensor(NUMBERS), {"0", "1"}),
    ],
    ids=["int", "list", "bool", "float", "column", "str", "values", "torch"],
)
def test_labels_of_an_array_are_those_of_a_list(labels, names):
    raw = read_memory(pairs(np.array(TEXTS), labels), CorpusConfig())
    assert set(raw.splits["train"].labels) == names
    assert raw.splits["train"].texts == TEXTS


def test_numbers_of_0_and_1_without_names_are_no_labels():
    with pytest.raises(UsageError, match="rows of 2 numbers of 0 and 1, without names"):
        pairs(TEXTS, np.array([[number, 1 - number] for number in NUMBERS]))


def test_arrays_beside_a_text_are_no_texts():
    frame = FRAME.assign(embedding=[np.zeros(4) for _ in TEXTS]).rename(columns={"review": "kurz"})
    assert read_memory(frame, CorpusConfig()).splits["train"].texts == TEXTS


def test_a_column_that_is_there_twice_is_named(trained):
    twice = pd.concat([FRAME, FRAME[["stars"]]], axis=1)
    with pytest.raises(UsageError, match="the column 'stars' is there twice"):
        read_memory(twice, CorpusConfig())
    with pytest.raises(UsageError, match="the column 'stars' is there twice"):
        trained.predict(twice)
    assert trained.predict(FRAME[:0]) == []
