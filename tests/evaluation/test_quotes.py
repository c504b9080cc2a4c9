"""A report without texts has none of the corpus in it, wherever it is stored."""

import json

import pytest
from conftest import TINY

import sentiment
from sentiment.data.rows import read_rows
from sentiment.evaluation import predictions
from sentiment.evaluation.evaluate import without_texts
from sentiment.inference import bundle
from sentiment.report import html, renderers
from sentiment.runs import evaluate

SECRET = "umbrella stolen by a heron"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A corpus in which every text has words of its own, and every finding of the audit an example."""
    rows = []
    for number in range(320):
        good, wrong = number % 3 == 0, number % 20 in (1, 9)
        text = (
            f"{'Dear reader, ' * (number % 6 == 0)}a {'lovely' if good else 'awful'} film {number} {SECRET}"
        )
        rows.append({"text": text, "label": "positive" if good != wrong else "negative"})
    rows += [rows[3], rows[5] | {"label": "positive"}]  # a repeat and a conflict
    rows.append({"text": f"<b>{SECRET}</b>", "label": "positive"})
    long = " ".join(f"word{number}" for number in range(30))
    rows += [{"text": f"{SECRET} {long} {end}", "label": "positive"} for end in ("one", "two")]  # near
    path = tmp_path_factory.mktemp("corpus") / "private.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def models(corpus):
    """The same training with its texts quoted, and without."""
    return {
        quoted: sentiment.train(
            str(corpus),
            out=corpus.with_name(str(quoted)),
            settings=TINY | {"training.epochs": 8, "report.texts": quoted},
        )
        for quoted in (True, False)
    }


def test_no_file_has_a_text_in_it(models):
    folder = models[False].bundle.folder
    for path in folder.iterdir():
        if path.suffix != ".parquet" and path.name != "tokenizer.json":  # that has the vocabulary
            content = path.read_text("utf-8", "replace")
            for piece in (SECRET, "stolen by", "Dear reader", "heron"):
                assert piece not in content, path.name
    for name in (bundle.PREDICTIONS, bundle.VALIDATION_PREDICTIONS):
        columns = {"id", "label", "predicted", "p_negative", "p_positive"}
        assert all(
            set(row.values) == columns and type(row.values["id"]) is int for row in read_rows(folder / name)
        )
        assert len(predictions.read(folder / name).labels)


def test_with_texts_each_of_these_places_has_one(models):
    told = models[True].report
    folder = models[True].bundle.folder
    for name in ("report.json", bundle.CARD, html.NAME):
        assert "heron" in (folder / name).read_text("utf-8")
    assert told["failures"]["mistakes"][0]["words"]
    assert SECRET in told["failures"]["suspects"][0]["text"]
    audit = told["audit"]
    assert audit["conflicts"]["examples"]
    assert audit["near_duplicates"]["examples"]
    assert audit["splits"]["train"]["oddities"]["HTML tags"]["example"]
    assert {one["kind"] for one in audit["leakage"]} > {"token"}


def test_the_numbers_are_the_same(models):
    quoted, bare = models[True].report, models[False].report
    for key in ("test", "intervals", "decision", "verdict"):
        assert quoted[key] == bare[key]
    for kind in ("mistakes", "suspects"):
        pairs = zip(quoted["failures"][kind], bare["failures"][kind], strict=True)
        assert all(bare_one.items() <= one.items() for one, bare_one in pairs)
    assert bare["audit"]["repeats"] == quoted["audit"]["repeats"]
    assert without_texts(bare) == bare


def test_card_and_page_name_the_rows(models):
    folder, told = models[False].bundle.folder, models[False].report
    card, page = (folder / bundle.CARD).read_text("utf-8"), (folder / html.NAME).read_text("utf-8")
    one = told["failures"]["mistakes"][0]
    assert f"| {one['row']} | {one['label']} | {one['predicted']} |" in card
    assert "| row | true | predicted | probability |\n" in card
    assert card == renderers.card(told)
    assert page == html.page(told)
    assert "Most confident mistakes" in page


def test_scoring_again_quotes_as_the_settings_say_or_as_asked(command, models, corpus):
    folder = models[False].bundle.folder
    for options, quotes in (
        ([], False),
        (["--texts"], True),
        (["--corpus", corpus], True),
        (["--corpus", corpus, "--no-texts"], False),
    ):
        done = command("report", folder, "--device", "cpu", *options)
        assert done.code == 0, done.err
        assert ("heron" in done.out) == quotes, options
    assert "text" not in evaluate.evaluate(folder, device="cpu")["failures"]["mistakes"][0]
    refused = command("report", "--predictions", folder / bundle.PREDICTIONS, "--texts")
    assert refused.code == 2
    assert "--predictions has no texts" in refused.err
