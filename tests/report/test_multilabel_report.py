"""Texts with several labels: where a model fails, why it says what it says, the report in all its forms."""

import functools
import io
import json
import re
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import TINY
from rich.console import Console

import sentiment
from sentiment.core.sections.run import ReportConfig
from sentiment.evaluation import evaluate
from sentiment.evaluation.compare import compare
from sentiment.evaluation.error_analysis import error_analysis, mistakes, suspects
from sentiment.evaluation.evaluate import Scored
from sentiment.evaluation.slices import slices
from sentiment.inference.explain import explain
from sentiment.metrics.decision import Decision
from sentiment.metrics.label_scores import losses
from sentiment.metrics.task import task
from sentiment.report import html, phrases, plots, renderers, sections
from sentiment.report.comparison import render_comparison

WORDS = {"joy": "glad", "fear": "afraid", "anger": "furious"}

MULTILABEL = task("multilabel")


def made(labels=5, count=400, seed=0):
    """Texts that name their labels, and what a model that errs now and then says of them."""
    rng = np.random.default_rng(seed)
    names = [f"label {number}" for number in range(labels - 1)] + ["<b>odd|name</b>"]
    true = (rng.random((count, labels)) < 0.25).astype(np.int64)
    probabilities = 1 / (1 + np.exp(-(rng.normal(size=true.shape) * 1.5 + 4 * true - 2.5)))
    texts = [" ".join(["text", *(name for name, has in zip(names, row, strict=True) if has)]) for row in true]
    lengths = np.array([len(text.split()) for text in texts])
    encoded = SimpleNamespace(
        lengths=lengths,
        unknown_rate=rng.random(count),
        truncated=lengths > 99,
        sequences=SimpleNamespace(counts=np.ones(count, int)),
    )
    thresholds = tuple(float(value) for value in rng.uniform(0.3, 0.6, labels))
    return names, true, probabilities, texts, encoded, thresholds


def scored(texts, labels, probabilities, names, thresholds=None):
    decision = Decision.plain(names, MULTILABEL)
    return Scored(
        texts, labels, probabilities, replace(decision, thresholds=thresholds or decision.thresholds)
    )


@functools.cache
def made_report(labels=5):
    names, true, probabilities, texts, encoded, thresholds = made(labels)
    decision = replace(Decision.plain(names, MULTILABEL), thresholds=thresholds, temperature=1.2)
    rival = np.clip(probabilities + np.random.default_rng(1).normal(size=true.shape) * 0.3, 0, 1)
    found = evaluate.evaluate(
        Scored(texts, true, probabilities, decision),
        ReportConfig(bootstrap=100),
        encoded.lengths,
        MULTILABEL.logits(probabilities) * decision.temperature,
    )
    found["failures"] = error_analysis(scored(texts, true, probabilities, names, thresholds), encoded)
    found["baselines"] = {
        "tfidf_lr": MULTILABEL.scores(true, rival, names, thresholds)
        | {
            "train_seconds": 1.0,
            "predict_seconds": 0.1,
            "comparison": MULTILABEL.compare(
                true, MULTILABEL.decide(probabilities, thresholds), MULTILABEL.decide(rival, thresholds), 20
            ),
        }
    }
    return {"verdict": phrases.verdict(found), **found}


def terminal(found):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(renderers.render(found))
    return console.export_text()


@pytest.mark.parametrize("labels", [2, pytest.param(25, marks=pytest.mark.slow)])
def test_a_report_says_the_same_in_all_its_forms(labels):
    found = json.loads(json.dumps(made_report(labels), allow_nan=False))
    shown, card, page = terminal(found), renderers.card(found), html.page(found)
    test = found["test"]
    micro = f"{100 * test['micro_f1']:.1f} %"
    assert found["verdict"].startswith(f"{micro} micro F1 [")
    assert "above TF-IDF + LR, p " in found["verdict"]
    worst = min(test["labels"], key=lambda name: test["classification_report"][name]["f1-score"])
    for text in (shown, card, page.replace("\N{NO-BREAK SPACE}", " ")):
        assert micro in text
        for name in ("samples_f1", "lrap", "hamming_loss", "micro_f1"):
            assert f"{test[name]:.4f}" in text
        assert f"{test['classification_report'][worst]['recall']:.4f}" in text
        threshold = found["decision"]["thresholds"][test["labels"].index(worst)]
        assert f"{threshold:.4f}" in text
        assert "Worst mistakes" in text
        assert "(none)" in text
    assert "<b>odd" not in page
    assert all(not re.search(r"\bnan\b", text, re.IGNORECASE) for text in (shown, card))
    assert max(map(len, shown.splitlines())) <= 100
    folded = next(one for one in sections.sections(found) if one.name == "classes").tables[0]
    assert len(folded.rows) + len(folded.more) == labels
    assert len(folded.rows) <= 12


@pytest.mark.slow
@pytest.mark.parametrize("labels", [2, 5, 25])
def test_every_plot_is_drawn(labels, tmp_path):
    found = made_report(labels)
    drawn = {plot.name: plot for plot in plots.plots(found)}
    assert drawn.keys() == {
        "confusion", "roc", "precision_recall", "reliability", "probabilities", "coverage", "lengths", "slices"
    }  # fmt: skip
    assert len(plots.save_png(found, tmp_path)) == len(drawn)


def test_a_report_without_a_decision_takes_one_half():
    names, true, probabilities, *_ = made()
    found = evaluate.evaluate(scored([], true, probabilities, names), ReportConfig(bootstrap=100))
    assert found["test"]["micro_f1"] == MULTILABEL.scores(true, probabilities, names, [0.5] * 5)["micro_f1"]
    found["verdict"] = phrases.verdict(found)
    assert "0.5000" in terminal(found)
    json.dumps(found, allow_nan=False)


def test_a_label_that_no_text_has_breaks_nothing():
    names, true, probabilities, texts, encoded, _ = made()
    true[:, 2] = 0
    found = evaluate.evaluate(
        scored(texts, true, probabilities, names), ReportConfig(bootstrap=100), encoded.lengths
    )
    found["failures"] = error_analysis(scored(texts, true, probabilities, names), encoded)
    found["verdict"] = phrases.verdict(found)
    json.dumps(found, allow_nan=False)
    assert "–" in terminal(found)
    assert plots.plots(found)


def test_where_no_label_is_missed_there_is_no_table_of_it():
    names, true, *_ = made(3)
    right = evaluate.evaluate(scored([], true, true * 0.8 + 0.1, names), ReportConfig(bootstrap=100))
    assert "Labels missed" not in terminal({"verdict": "", **right})
    assert "Labels missed" in terminal(made_report(3))


def test_slices_are_means_over_their_texts():
    names, true, probabilities, texts, encoded, thresholds = made()
    found = slices(scored(texts, true, probabilities, names, thresholds), encoded)
    given = MULTILABEL.decide(probabilities, thresholds)
    both, either = 2 * (true & given).sum(1), true.sum(1) + given.sum(1)
    f1 = np.where(either, both / np.maximum(either, 1), 1)
    by_name = {(one["slice"], one["value"]): one for one in found}
    for number, name in enumerate(names):
        mine = true[:, number] == 1
        one = by_name["label", name]
        assert one["count"] == mine.sum()
        assert one["samples_f1"] == pytest.approx(f1[mine].mean())
        assert one["difference"] == pytest.approx(f1[mine].mean() - f1[~mine].mean())
        assert one["interval"][0] <= one["samples_f1"] <= one["interval"][1]
    assert sum(one["count"] for one in found if one["slice"] == "labels of a text") == len(true)
    assert [one["difference"] for one in found] == sorted(one["difference"] for one in found)
    assert all(0 <= one["p"] <= one["q"] <= 1 for one in found)


def test_the_worst_mistakes_lose_most():
    names, true, probabilities, texts, _, thresholds = made()
    found = mistakes(scored(texts, true, probabilities, names, thresholds))
    given = MULTILABEL.decide(probabilities, thresholds)
    wrong = np.flatnonzero((given != true).any(1))
    loss = losses(true, probabilities).sum(1)
    assert [one["row"] for one in found] == wrong[np.argsort(-loss[wrong])][:10].tolist()
    for one in found:
        row = one["row"]
        assert one["loss"] == pytest.approx(loss[row])
        assert one["labels"] == [name for name, has in zip(names, true[row], strict=True) if has]
        assert (one["label"] in one["predicted"]) == one["given"] != (one["label"] in one["labels"])


def test_planted_label_errors_are_found():
    names, true, _, texts, _, _ = made(3, 600)
    probabilities = np.where(true, 0.9, 0.1) + np.random.default_rng(0).normal(size=true.shape) * 0.02
    probabilities = np.clip(probabilities, 0, 1)
    wrong = true.copy()
    wrong[:12, 1] = 1 - wrong[:12, 1]
    found = suspects({"test": scored(texts, wrong, probabilities, names)})
    rows = {one["row"] for one in found}
    assert len(rows) > 6
    assert rows <= set(range(12))  # as many as the estimated rate of errors, or fewer
    assert len(rows) >= 6
    for one in found:
        assert one["label"] == names[1]
        assert one["suggested"] == ("take away" if wrong[one["row"], 1] else "add")
        assert one["quality"] < 0.3


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that has learned a word for each label."""
    root = tmp_path_factory.mktemp("several")
    rng = np.random.default_rng(0)
    with (root / "moods.jsonl").open("w") as file:
        for number in range(240):
            has = [name for name in WORDS if rng.random() < 0.4]
            words = [f"text{number}", "so", "they", "were", *(WORDS[name] for name in has)]
            file.write(json.dumps({"text": " ".join(rng.permutation(words)), "labels": has}) + "\n")
    settings = TINY | {"training.epochs": 20, "training.learning_rate": 0.04, "model.hidden_size": 12}
    return sentiment.train(str(root / "moods.jsonl"), out=root / "run", settings=settings)


def test_the_word_of_a_label_speaks_for_it(model):
    text = "so glad they were furious"
    for label, word in (("joy", "glad"), ("anger", "furious")):
        (told,) = explain(model, [text], label)
        assert told.explained == label
        assert told.against is None
        assert told.strongest(1, True)[0].text == word
        assert max(told.words, key=lambda one: one.leave_one_out).text == word
        share = model.predict([text])[0].probabilities[label]
        assert told.explained_probability == share
        assert told.difference == pytest.approx(np.log(share / (1 - share)), abs=1e-3)
        weights = sum(one.weight for one in told.words)
        assert weights == pytest.approx(told.difference - told.baseline_difference, rel=0.03)
    (default,) = explain(model, [text])
    shares = model.predict([text])[0].probabilities
    assert default.explained == max(shares, key=shares.get)


@pytest.mark.parametrize(("true", "threshold", "given"), [([0, 0, 0], 0.5, True), ([0, 0, 1], 1.1, False)])
def test_the_words_of_a_mistake_speak_for_the_wrong_answer(model, true, threshold, given):
    """Of a label that was given wrongly those for it, of one that was missed those against it."""
    probabilities, _ = model.probabilities(["so glad they were"])
    (one,) = mistakes(
        scored(["so glad they were"], np.array([true]), probabilities, model.labels, [threshold] * 3),
        partial(explain, model),
    )
    assert (one["label"], one["given"]) == ("joy", given)
    assert one["predicted"] == (["joy"] if given else [])
    (weight,) = (word["weight"] for word in one["words"] if word["text"] == "glad")
    assert (weight > 0) == given


def test_explanations_of_several_labels_are_shown(command, model, tmp_path):
    folder = model.bundle.folder
    text = "so glad they were furious"
    done = command("explain", text, "--model", folder, "--label", "anger")
    assert done.code == 0, done.err
    assert "explained is anger" in done.out
    assert "for anger" in done.out
    shown = json.loads(command("explain", text, "--model", folder, "--json").out)
    assert shown["against"] is None
    assert command("explain", text, "--model", folder, "--html", tmp_path / "why.html").code == 0
    assert "explained is" in (tmp_path / "why.html").read_text("utf-8")
    assert (
        "no class 'angr' (did you mean 'anger'?)"
        in command("explain", text, "--model", folder, "--class", "angr").err
    )


def test_the_report_of_a_trained_model(command, model, tmp_path):
    folder = model.bundle.folder
    found = model.report
    assert found["task"] == "multilabel"
    assert found["test"]["micro_f1"] > 0.8
    low, high = found["intervals"]["micro_f1"]
    assert low <= found["test"]["micro_f1"] <= high
    assert found["calibration"].keys() >= {"ece", "before"}
    assert command("report", folder, "--html", tmp_path / "report.html").code == 0
    assert "micro F1" in (tmp_path / "report.html").read_text("utf-8")
    assert "threshold" in (folder / "README.md").read_text("utf-8")


def test_models_of_several_labels_are_compared(model, tmp_path):
    folder, rival = model.bundle.folder, tmp_path / "rival.jsonl"
    rows = pq.read_table(folder / "predictions.parquet").to_pylist()
    with rival.open("w") as file:  # half as sure of everything, in another order of the labels
        for row in rows:
            shares = {name: share / 2 for name, share in row.items() if name.startswith("p_")}
            file.write(json.dumps({"label": row["label"]} | dict(reversed(shares.items()))) + "\n")
    result = compare([rival, folder])
    assert result["score"] == "micro_f1"
    best, other = result["models"]
    assert best["model"] == str(folder)
    assert best["micro_f1"] == pytest.approx(model.report["test"]["micro_f1"])
    assert best["interval"][0] <= best["micro_f1"] <= best["interval"][1]
    assert other["micro_f1"] == 0  # no probability reaches one half
    assert other["log_loss"] > best["log_loss"]
    assert other["comparison"]["difference"] == pytest.approx(-best["micro_f1"])
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render_comparison(result))
    assert "approximate randomisation" in console.export_text()
