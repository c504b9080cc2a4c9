"""Bundles: whole, verified, the same after loading; predictions the same in every company."""

import json
import shutil

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

import sentiment
from sentiment.core.errors import BundleError
from sentiment.data.corpus import load_corpus
from sentiment.data.rows import Row
from sentiment.inference import bundle
from sentiment.report import html, renderers
from sentiment.report import scores as report_scores
from sentiment.runs import evaluate

TEXTS = ["Loved it.", "not good at all, a waste", "x", "漢字 😀", "good " * 1000, "<pad>"]


@pytest.fixture
def copy(tiny, tmp_path):
    return shutil.copytree(tiny.bundle.folder, tmp_path / "copy")


def test_a_bundle_has_its_files_and_no_others(tiny):
    names = {path.name for path in tiny.bundle.folder.iterdir()}
    assert names == {*bundle.FILES, bundle.MANIFEST, bundle.CARD, html.NAME}


def test_a_loaded_model_is_the_trained_one(tiny):
    loaded = sentiment.load(tiny.bundle.folder)
    ours, _ = tiny.probabilities(TEXTS)
    theirs, _ = loaded.probabilities(TEXTS)
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", [*bundle.FILES, bundle.MANIFEST])
def test_a_missing_or_changed_file_is_refused(copy, name):
    path = copy / name
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    with pytest.raises(BundleError, match=name if name != bundle.MANIFEST else "readable"):
        bundle.load(copy)
    path.unlink()
    with pytest.raises(BundleError, match=name):
        bundle.load(copy)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"schema": 99}, "newer version"),
        ({"schema": "x"}, "readable"),
        ({"files": {}}, "changed"),
        ({"labels": ["a", "b", "c"]}, "readable"),
        ({"model": {"vocab_size": 5, "embedding_size": 8, "input_size": None}}, "5"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(copy, change, word):
    manifest = json.loads((copy / bundle.MANIFEST).read_text())
    (copy / bundle.MANIFEST).write_text(json.dumps(manifest | change))
    with pytest.raises(BundleError, match=word):
        bundle.load(copy)


def test_a_text_is_the_same_alone_and_in_company(tiny):
    together = tiny.predict(TEXTS * 3)
    for text, prediction in zip(TEXTS * 3, together, strict=True):
        alone = tiny.predict([text])[0]
        assert alone.label == prediction.label
        assert alone.unknown_rate == prediction.unknown_rate
        assert alone.probability == pytest.approx(prediction.probability, abs=1e-6)
        assert sum(alone.probabilities.values()) == pytest.approx(1)
        assert alone.probability == max(alone.probabilities.values())
    assert [prediction.truncated for prediction in together[:6]] == [False] * 4 + [True, False]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_the_gpu_says_what_the_cpu_says(tiny):
    on_cpu, _ = tiny.probabilities(TEXTS)
    on_gpu, _ = sentiment.load(tiny.bundle.folder, device="cuda").probabilities(TEXTS)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-4)


def test_a_stream_keeps_order_ids_and_bad_rows(tiny):
    def rows():
        for number in range(5000):
            if number % 1000 == 7:
                yield Row(f"f:{number}", {"text": None})
            elif number % 1000 == 8:
                yield Row(f"f:{number}", {}, "broken")
            else:
                yield Row(f"f:{number}", {"text": f"text {number}", "id": f"n{number}"})

    results = list(tiny.stream(rows()))
    assert len(results) == 5000
    for number, result in enumerate(results):
        if number % 1000 in (7, 8):
            assert f"f:{number}" in str(result.error)
            assert result.id is None  # its own is not known, and a number could be another's
        else:
            assert (result.id, result.text) == (f"n{number}", f"text {number}")


def test_predict_refuses_what_is_no_list_of_texts(tiny):
    for wrong in ("one text", ["good", ""], [None]):
        with pytest.raises(ValueError, match="text"):
            tiny.predict(wrong)
    assert tiny.predict([]) == []


def test_the_report_holds_what_others_read(tiny):
    stored = json.loads((tiny.bundle.folder / "report.json").read_text())
    assert stored == tiny.report
    assert set(stored["corpus"]) >= {"name", "source", "revision", "sizes"}
    assert set(stored["training"]) >= {"seconds", "tokens_per_second", "device", "epochs"}
    assert stored["model"]["parameters"] == sum(p.numel() for p in tiny.bundle.model.parameters())
    assert set(stored["test"]) == {
        "accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "mcc", "roc_auc", "average_precision",
        "log_loss", "brier", "confusion_matrix", "labels", "classification_report",
    }  # fmt: skip
    for name, (low, high) in stored["intervals"].items():
        assert low <= stored["test"][name] <= high, name


def test_the_report_is_what_scikit_learn_says_of_the_predictions(tiny):
    test = load_corpus("sample").test
    predictions = tiny.predict(test.texts)
    names = [tiny.labels[label] for label in test.labels]
    assert sk.accuracy_score(names, [one.label for one in predictions]) == tiny.report["test"]["accuracy"]
    scores = [one.probabilities[tiny.labels[1]] for one in predictions]
    assert sk.roc_auc_score(test.labels, scores) == pytest.approx(tiny.report["test"]["roc_auc"])


def test_scoring_again_gives_the_same_numbers(tiny):
    again = evaluate.evaluate(tiny.bundle.folder, device="cpu")
    for key in ("test", "intervals", "verdict", "corpus"):
        assert again[key] == tiny.report[key]


def test_another_corpus_can_be_scored(tiny, tmp_path):
    file = tmp_path / "other.csv"
    file.write_text("text,label\nlovely,positive\nawful,negative\nnice,positive\n")
    result = evaluate.evaluate(tiny.bundle.folder, str(file), device="cpu")
    assert result["corpus"]["sizes"] == {"test": 3}
    assert np.sum(result["test"]["confusion_matrix"]) == 3
    assert "3 texts of other" in result["verdict"]
    renderers.card(result)


def test_the_card_is_rendered_from_the_report(tiny):
    card = (tiny.bundle.folder / bundle.CARD).read_text("utf-8")
    assert card == renderers.card(tiny.report)
    assert tiny.report["verdict"] in card
    for row in report_scores.score_table(tiny.report).rows:
        assert " | ".join(map(str, row)) in card


def test_the_newest_bundle_is_found(tiny, tmp_path):
    with pytest.raises(BundleError, match="sentiment train"):
        bundle.newest(tmp_path)
    shutil.copytree(tiny.bundle.folder, tmp_path / "b")
    shutil.copytree(tiny.bundle.folder, tmp_path / "z.partial")
    assert bundle.newest(tmp_path).name == "b"
