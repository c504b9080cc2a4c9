"""Cross-validation: folds that do not leak, numbers that follow from the predictions, runs that go on."""

import io
import json
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import TINY_OPTIONS
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats
from sklearn import metrics as sk

from sentiment.core import files
from sentiment.core.errors import CorpusError
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus import RawCorpus, RawSplit, divide
from sentiment.data.corpus.folds import cut, read_pool
from sentiment.data.identity import normalise
from sentiment.metrics.catalogue import SCORES
from sentiment.report import comparison
from sentiment.runs import train as runs_train

OPTIONS = [*TINY_OPTIONS, "--set=training.epochs=1", "--set=report.baselines=true"]
texts = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["", "!", "  ?"])), max_size=60)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def pool_of(rows):
    """A corpus of rows (text, label)."""
    texts, labels = map(list, zip(*rows, strict=True))
    numbers = [str(number) for number in range(len(rows))]
    split = RawSplit(texts, labels, [f"row {n}" for n in numbers], numbers)
    return RawCorpus("made", "made", None, {"train": split, "unlabelled": RawSplit()})


@given(texts, st.integers(2, 6), st.integers(0, 99))
def test_each_text_is_tested_once_and_equal_texts_are_on_one_side(extra, folds, seed):
    rows = [(f"text {n}", "ab"[n % 2]) for n in range(16)]
    rows += [(f"Text {n % 16 if n > 15 else n}{mark}", "ab"[n % 2]) for n, mark in extra]
    parts = cut(pool_of(rows), folds, seed)
    assert len(parts) == folds
    tested = Counter(identity for part in parts for identity in part.splits["test"].ids)
    assert tested == Counter(str(n) for n in range(len(rows)))
    for part in parts:
        train, test = part.splits["train"], part.splits["test"]
        assert len(train.texts) + len(test.texts) == len(rows)
        assert not {normalise(t) for t in train.texts} & {normalise(t) for t in test.texts}
        assert all(rows[int(i)] == (t, y) for i, t, y in zip(test.ids, test.texts, test.labels, strict=True))
        different = Counter({normalise(t): y for t, y in zip(test.texts, test.labels, strict=True)}.values())
        assert max(different["a"], different["b"]) - min(different["a"], different["b"]) <= 2
        corpus = divide(part, CorpusConfig(), seed)  # every class is on every side
        for split in (corpus.train, corpus.validation, corpus.test):
            assert set(split.labels) == {0, 1}
        sides = [{normalise(t) for t in s.texts} for s in (corpus.train, corpus.validation, corpus.test)]
        assert sum(map(len, sides)) == len(set.union(*sides))


def test_another_seed_cuts_anew_and_the_same_does_not():
    pool = pool_of([(f"text {n}", "ab"[n % 2]) for n in range(40)])
    ids = [[part.splits["test"].ids for part in cut(pool, 5, seed)] for seed in (0, 0, 1)]
    assert ids[0] == ids[1] != ids[2]


def test_a_class_that_is_too_small_is_named():
    pool = pool_of([(f"text {n}", "rare" if n < 4 else "common") for n in range(40)])
    assert len(cut(pool, 4, 0)) == 4
    with pytest.raises(CorpusError, match=r"'rare' has 4 different texts, and 5 are needed .*--folds"):
        cut(pool, 5, 0)


def write_csv(path, rows):
    path.write_text("id,text,label\n" + "".join(f"{i},{t},{y}\n" for i, t, y in rows), "utf-8")


def test_the_test_split_of_the_corpus_is_not_touched(tmp_path):
    write_csv(tmp_path / "train.csv", [(f"a{n}", f"some text {n}", "xy"[n % 2]) for n in range(30)])
    write_csv(tmp_path / "dev.csv", [(f"b{n}", f"another text {n}", "xy"[n % 2]) for n in range(8)])
    write_csv(tmp_path / "test.csv", [(f"c{n}", f"SOME text {n}", "xy"[n % 2]) for n in range(28, 40)])
    config = CorpusConfig(
        name=str(tmp_path / "train.csv"),
        validation=str(tmp_path / "dev.csv"),
        test=str(tmp_path / "test.csv"),
    )
    pool = read_pool(config).splits["train"]
    assert pool.ids == [*(f"a{n}" for n in range(28)), *(f"b{n}" for n in range(8))]
    whole = read_pool(CorpusConfig(name=str(tmp_path / "train.csv"))).splits["train"]
    assert len(whole.texts) == 30


def test_repeats_leave_unless_they_are_to_stay_and_ids_are_places_if_there_are_none(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("text,label\n" + "good one,x\nbad one,y\n" * 3 + "Good ONE!,x\nother,y\n", "utf-8")
    assert read_pool(CorpusConfig(name=str(file))).splits["train"].ids == [f"rows.csv:{n}" for n in (2, 3, 9)]
    assert len(read_pool(CorpusConfig(name=str(file), repeats="keep")).splits["train"].texts) == 8


@pytest.fixture
def finished(command, tmp_path):
    """The outcome of a small run, and its folder."""
    out = tmp_path / "whole"
    done = command(
        "crossval", "sample_spam", "--folds", "2", "--seeds", "2", "--out", out, "--json", *OPTIONS
    )
    assert done.code == 0, done.err
    return done, out


def timeless(result):
    """The numbers of a result that do not depend on the day."""
    return {key: result[key] for key in ("corpus", "model", "baselines", "folds", "seeds", "settings")}


@pytest.mark.slow
def test_every_number_follows_from_the_saved_predictions(finished, command):
    done, out = finished
    result = json.loads(done.out)
    assert json.loads((out / "crossval.json").read_text("utf-8")) == result
    table = pq.read_table(out / "predictions.parquet").to_pydict()
    columns = {name: np.array(values) for name, values in table.items()}
    assert list(table) == ["seed", "fold", "id", "label", "predicted", "p_ham", "p_spam"]
    for seed in (0, 1):
        ids = columns["id"][columns["seed"] == seed]
        assert len(ids) == len(set(ids)) == result["corpus"]["texts"] == 600
    accuracies, losses = [], []
    for run in result["runs"]:
        rows = (columns["seed"] == run["seed"]) & (columns["fold"] == run["fold"])
        spam, p = columns["label"][rows] == "spam", columns["p_spam"][rows]
        assert rows.sum() == run["sizes"]["test"]
        accuracies.append(sk.accuracy_score(spam, p > 0.5))
        losses.append(sk.log_loss(spam, np.stack([1 - p, p], 1)))
    scores = result["model"]["scores"]
    assert scores["accuracy"]["values"] == pytest.approx(accuracies)
    assert scores["log_loss"]["values"] == pytest.approx(losses)
    assert scores["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert scores["accuracy"]["std"] == pytest.approx(np.std(accuracies, ddof=1))
    assert set(result["baselines"]) == {"majority", "tfidf_lr", "nbsvm"}
    for rival in result["baselines"].values():
        apart = np.array(accuracies) - rival["scores"]["accuracy"]["values"]
        found = rival["differences"]["accuracy"]
        assert found["mean"] == pytest.approx(apart.mean())
        sizes = [run["sizes"] for run in result["runs"]]
        ratio = np.mean([size["test"] / (size["train"] + size["validation"]) for size in sizes])
        t = apart.mean() / np.sqrt((1 / 4 + ratio) * apart.var(ddof=1))
        assert found["p"] == pytest.approx(2 * stats.t.sf(abs(t), 3))
    shown = command("crossval", "--resume", "--out", out)
    assert f"{scores['accuracy']['mean']:.4f} ± {scores['accuracy']['std']:.4f}" in shown.out
    assert "Nadeau" in shown.out
    assert "finished already" in shown.err


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_ends_like_one_that_was_not(finished, command, tmp_path, monkeypatch):
    train = runs_train.train

    def stop_in_third(settings, folder, *rest):
        if folder.name == "2-1":
            raise KeyboardInterrupt
        return train(settings, folder, *rest)

    out = tmp_path / "cut"
    monkeypatch.setattr(runs_train, "train", stop_in_third)
    done = command("crossval", "sample_spam", "--folds", "2", "--seeds", "2", "--out", out, *OPTIONS)
    assert (done.code, done.out) == (130, "")
    assert f"sentiment crossval --resume --out {out}" in done.err
    models = {
        folder: (out / "folds" / folder / "manifest.json").stat().st_mtime_ns for folder in ("1-1", "1-2")
    }
    refused = command("crossval", "sample_spam", "--folds", "2", "--resume", "--out", out)
    assert (refused.code, "leave out --corpus, --folds" in refused.err) == (2, True)

    monkeypatch.setattr(runs_train, "train", train)
    done = command("crossval", "--resume", "--out", out, "--json")
    assert done.code == 0, done.err
    whole = json.loads(finished[0].out)
    assert timeless(json.loads(done.out)) == timeless(whole)
    for folder, changed in models.items():
        assert (out / "folds" / folder / "manifest.json").stat().st_mtime_ns == changed
    one, two = (pq.read_table(folder / "predictions.parquet") for folder in (finished[1], out))
    assert one.equals(two)
    assert sorted(file.name for file in out.iterdir()) == [
        "config.toml",
        "crossval.json",
        "folds",
        "predictions.parquet",
    ]


@pytest.mark.slow
def test_a_fold_that_is_stopped_within_goes_on_from_its_checkpoint(command, tmp_path, monkeypatch):
    """The checkpoint of an epoch is where the fold goes on; what follows is the same."""
    options = ["sample_spam", "--folds", "2", "--seeds", "1", *TINY_OPTIONS]
    whole = command("crossval", *options, "--out", tmp_path / "whole", "--json")
    infer = runs_train.fit_decision

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs_train, "fit_decision", stop)  # trained, but not scored
    assert command("crossval", *options, "--out", tmp_path / "cut").code == 130
    assert files.partial(tmp_path / "cut" / "folds" / "1-1").is_dir()
    monkeypatch.setattr(runs_train, "fit_decision", infer)
    done = command("crossval", "--resume", "--out", tmp_path / "cut", "--json")
    assert done.code == 0, done.err
    assert "1/2" not in done.err.split("fold 2 of 2")[0]  # no epoch of the first fold is run again
    assert timeless(json.loads(done.out)) == timeless(json.loads(whole.out))


def test_errors_say_what_and_leave_nothing_behind(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "run"
    cases = [
        (["sample_spam", "--folds", "1"], 2, "folds"),
        (["sample_spam", "--folds", "300"], 3, "'spam' has 200 different texts, and 300 are needed"),
        (["sample_spam", "--set", "decision.target=precision(eggs) >= 0.9"], 2, "eggs"),
        (["sample_spm"], 3, "did you mean 'sample_spam'"),
        (["--resume"], 2, "no unfinished cross-validation to resume"),
    ]
    for arguments, code, words in cases:
        done = command("crossval", *arguments, "--out", out)
        assert (done.code, done.out) == (code, ""), arguments
        assert words in done.err, arguments
        assert not out.exists()
    assert "no unfinished cross-validation under artifacts" in command("crossval", "--resume").err
    out.mkdir()
    done = command("crossval", "sample_spam", "--out", out)
    assert (done.code, "is there already" in done.err) == (2, True)


def test_a_corpus_that_has_changed_is_not_gone_on_with(command, tmp_path, monkeypatch):
    file = tmp_path / "rows.csv"
    rows = [(n, f"text number {n}", "xy"[n % 2]) for n in range(24)]
    write_csv(file, rows)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs_train, "train", stop)
    arguments = ["crossval", file, "--seeds", "1", "--out", tmp_path / "run", *TINY_OPTIONS]
    assert command(*arguments).code == 130
    write_csv(file, rows[1:])
    done = command("crossval", "--resume", "--out", tmp_path / "run")
    assert (done.code, "has changed" in done.err) == (3, True)


def test_a_result_of_two_runs_without_baselines_renders():
    scores = {key: {"mean": 0.5, "std": 0.1, "values": [0.4, 0.6]} for key in comparison.MEANS}
    scores["roc_auc"] = {"mean": None, "std": None, "values": [None, None]}
    result = {
        "corpus": {"name": "x", "texts": 9},
        "folds": 2,
        "seeds": 1,
        "model": {"scores": scores},
        "baselines": {},
    }
    console = Console(width=200, file=io.StringIO())
    console.print(comparison.render_crossval(result))
    [row] = [line for line in console.file.getvalue().splitlines() if SCORES["mcc"].title in line]
    assert "0.5000 ± 0.1000" in row
