"""Every file of JSON that the package writes holds what its types say, and nothing else."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conforming import faults
from conftest import ROOT, TINY

import sentiment
from sentiment.core.schema.report import Report
from sentiment.core.schema.runs import ComparedModels, Manifest
from sentiment.evaluation.compare import compare
from sentiment.runs.evaluate import evaluate, evaluate_predictions

WORDS = {"bad": "awful", "fair": "fine", "good": "great"}
OF_TASK = {
    "multiclass": {"balanced_accuracy", "mcc"},
    "ordinal": {"balanced_accuracy", "mcc", "mae", "quadratic_kappa", "within_one", "spearman"},
    "multilabel": {"micro_f1", "samples_f1", "jaccard", "hamming_loss", "lrap", "coverage_error"},
}
OF_TEXTS = ("embedding.size", "ngrams.longest", "training.adversarial")
CHANGES = {
    "multiclass": {"corpus.name": "sample", "report.baselines": True},
    "everything": {
        "corpus.name": "sample",
        "ngrams.longest": 2,
        "pretraining.first": True,
        "pretraining.epochs": 1,
        "distillation.teachers": 1,
        "distillation.ngrams": True,
        "report.texts": False,
    },
    "ordinal": {"corpus.name": "grades.csv", "corpus.task": "ordinal", "report.baselines": True},
    "multilabel": {"corpus.name": "topics.jsonl", "report.baselines": True, "ngrams.longest": 2},
    "features": {"corpus.name": "ramps.jsonl", "report.baselines": True},
}


def read(path):
    return json.loads(path.read_text("utf-8"))


def write_corpora(folder):
    rng = np.random.default_rng(0)
    rows = [(f"text{number} is {WORDS[label]}", label) for number in range(80) for label in WORDS]
    grades = {"bad": 1, "fair": 2, "good": 3}
    (folder / "grades.csv").write_text("text,label\n" + "".join(f"{t},{grades[n]}\n" for t, n in rows))
    with (folder / "topics.jsonl").open("w") as file:
        for number in range(160):
            has = [name for name in WORDS if rng.random() < 0.4]
            text = " ".join([f"text{number}", *(WORDS[name] for name in has)])
            file.write(json.dumps({"text": text, "labels": has}) + "\n")
    with (folder / "ramps.jsonl").open("w") as file:
        for number in range(60):
            ramp = rng.normal(number % 2 * np.arange(8), 0.2)
            row = {"features": np.stack([ramp, ramp**2], 1).tolist(), "label": ("flat", "steep")[number % 2]}
            file.write(json.dumps(row) + "\n")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schema")
    write_corpora(folder)
    return folder


@pytest.fixture
def bundle(corpora, monkeypatch):
    """Return the bundle of a kind, trained for a moment when it is first asked for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(corpora / "cache"))

    def trained(name):
        if not (corpora / name).exists():
            settings = TINY | CHANGES[name]
            source = settings.pop("corpus.name")
            if name == "features":
                settings = {key: value for key, value in settings.items() if key not in OF_TEXTS}
            source = source if source == "sample" else str(corpora / source)
            sentiment.train(source, out=corpora / name, settings=settings)
        return corpora / name

    return trained


def test_the_schema_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", "import sys; import sentiment.core.schema.runs; print(*sys.modules)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert not {"numpy", "torch", "pydantic"} & set(done.stdout.split())


@pytest.mark.parametrize("name", ["imdb", "sms_spam"])
def test_the_bundles_that_are_shipped(name):
    folder = ROOT / "artifacts" / name
    assert not list(faults(read(folder / "report.json"), Report))
    assert not list(faults(read(folder / "manifest.json"), Manifest))


@pytest.mark.parametrize("name", CHANGES)
def test_a_trained_bundle(bundle, name):
    folder = bundle(name)
    report = read(folder / "report.json")
    assert not list(faults(report, Report))
    assert not list(faults(read(folder / "manifest.json"), Manifest))
    own, others = OF_TASK[report["task"]], set().union(*OF_TASK.values())
    for scores in (report["test"], report["training"]["validation"], *report.get("baselines", {}).values()):
        assert others & scores.keys() == own
    assert {"calibration", "curves", "decision", "failures", "audit", "history"} <= report.keys()
    assert ("teachers" in report) == (name == "everything")


def test_a_report_on_another_corpus_and_of_predictions(bundle, corpora):
    away = evaluate(bundle("ordinal"), str(corpora / "grades.csv"))
    assert not list(faults(json.loads(json.dumps(away)), Report))
    assert "trained_on" in away["corpus"]
    for name in ("ordinal", "multilabel"):
        alone = evaluate_predictions(bundle(name) / "predictions.parquet")
        assert not list(faults(json.loads(json.dumps(alone)), Report))


def test_a_comparison(bundle):
    for name in ("ordinal", "multilabel", "multiclass"):
        rival = bundle(name) / "predictions.parquet"
        result = json.loads(json.dumps(compare([bundle(name), rival])))
        assert not list(faults(result, ComparedModels))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (("calibration", "ece"), ".calibration: ece is missing"),
        (("failures", "slices", 0, "slice"), ".failures.slices[0]: slice is missing"),
        (("test", "labels"), ".test: labels is missing"),
    ],
)
def test_a_missing_key_and_an_unknown_one_are_told(path, told):
    report = read(ROOT / "artifacts" / "sms_spam" / "report.json")
    holder = report
    for key in path[:-1]:
        holder = holder[key]
    value = holder.pop(path[-1])
    assert list(faults(report, Report)) == [told]
    holder[path[-1]] = value
    holder["misspelled"] = 1
    (line,) = faults(report, Report)
    assert "misspelled is not in" in line
