"""`sentiment compare`: several models on the same test texts."""

import csv
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import TINY
from scipy import stats
from sklearn import metrics as sk

import sentiment
from sentiment.evaluation.compare import compare
from sentiment.metrics.significance import holm


@pytest.fixture(scope="module")
def folders(tiny, tmp_path_factory):
    """Three models on the same test texts; they differ in seed and size."""
    root = tmp_path_factory.mktemp("compared")
    for name, changes in {"two": {"seed": 1}, "three": {"seed": 2, "model.hidden_size": 12}}.items():
        settings = {**TINY, "corpus.seed": 0, **changes}
        sentiment.train("sample", out=root / name, settings=settings)
    return [tiny.bundle.folder, root / "two", root / "three"]


def rows(folder):
    return pq.read_table(folder / "predictions.parquet").to_pydict()


@pytest.mark.slow
def test_models_of_other_seeds_compare_best_first_and_numbers_are_those_of_the_predictions(command, folders):
    done = command("compare", *folders, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    models = result["models"]
    assert result["corpus"]["texts"] == 180
    assert [m["accuracy"] for m in models] == sorted((m["accuracy"] for m in models), reverse=True)
    right, reports = {}, {str(f): json.loads((f / "report.json").read_text("utf-8")) for f in folders}
    for folder in folders:
        content = rows(folder)
        names = [name.removeprefix("p_") for name in content if name.startswith("p_")]
        top = np.array(names)[np.array([content[f"p_{name}"] for name in names]).argmax(0)]
        right[str(folder)] = top == np.array(content["label"])
    for model in models:
        report = reports[model["model"]]
        for name in ("accuracy", "mcc", "macro_f1", "log_loss"):
            assert model[name] == pytest.approx(report["test"][name])
        assert model["interval"] == report["intervals"]["accuracy"]
        assert model["ece"] == pytest.approx(report["calibration"]["ece"])
        assert model["parameters"] == report["model"]["parameters"]
    best = right[models[0]["model"]]
    assert models[0]["comparison"] is None
    for model in models[1:]:
        mine, versus = right[model["model"]], model["comparison"]
        assert versus["difference"] == pytest.approx(mine.mean() - best.mean())
        counts = (mine & ~best).sum(), (best & ~mine).sum()
        assert (versus["ours_only"], versus["theirs_only"]) == counts
        if sum(counts):
            assert versus["p"] == pytest.approx(stats.binomtest(counts[0], sum(counts)).pvalue)
        assert versus["interval"][0] <= versus["difference"] <= versus["interval"][1]
    adjusted = [model["comparison"]["p_holm"] for model in models[1:]]
    assert adjusted == holm([model["comparison"]["p"] for model in models[1:]])


def test_the_order_of_the_arguments_does_not_matter(folders):
    one, two = compare(folders), compare(folders[::-1])
    assert one == two


def test_the_table_shows_the_numbers(command, folders):
    done = command("compare", *folders[:2])
    assert done.code == 0, done.err
    assert "2 models on 180 test texts of sample, best first" in done.out
    for model in compare(folders[:2])["models"]:
        assert f"{100 * model['accuracy']:.2f} [" in done.out
    assert "Holm" not in done.out
    assert "Holm for 2" in " ".join(command("compare", *folders).out.split())


def test_a_file_stands_for_a_model_whatever_the_order_of_its_classes(command, folders, tmp_path):
    content = rows(folders[1])
    file = tmp_path / "theirs.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", "p_positive", "p_negative"])
        writer.writerows(zip(content["label"], content["p_positive"], content["p_negative"], strict=True))
    done = command("compare", folders[1], file, "--json")
    assert done.code == 0, done.err
    bundle, theirs = sorted(json.loads(done.out)["models"], key=lambda model: model["device"] is None)
    for name in ("accuracy", "mcc", "log_loss"):
        assert theirs[name] == pytest.approx(bundle[name])
    assert theirs["parameters"] is None
    assert "–" in command("compare", folders[1], file).out
    predicted = np.array(content["predicted"])
    assert sk.accuracy_score(content["label"], predicted) == pytest.approx(theirs["accuracy"])


@pytest.mark.slow
def test_other_test_texts_are_refused(command, folders, tmp_path):
    other = {"sample_spam": {}, "sample": {"corpus.seed": 9}}
    for name, changes in other.items():
        sentiment.train(name, out=tmp_path / name, settings={**TINY, "training.epochs": 1, **changes})
        done = command("compare", folders[0], tmp_path / name)
        assert (done.code, done.out) == (3, "")
        assert name in done.err
        assert "test texts are not those of" in done.err
    # Equal labels, other texts: only the fingerprint of the test texts tells.
    moved = tmp_path / "moved"
    shutil.copytree(folders[1], moved)
    manifest = json.loads((moved / "manifest.json").read_text("utf-8"))
    manifest["corpus"]["test_fingerprint"] = "0" * 64
    (moved / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    done = command("compare", folders[0], moved)
    assert done.code == 3
    assert "the texts differ" in done.err


def test_what_cannot_be_compared_is_said(command, folders, tmp_path):
    one = command("compare", folders[0])
    assert (one.code, "two models or more" in one.err) == (2, True)
    same = command("compare", folders[0], folders[0].parent / "." / folders[0].name)
    assert (same.code, "named twice" in same.err) == (2, True)
    assert command("compare", folders[0], tmp_path / "nowhere").code == 4
