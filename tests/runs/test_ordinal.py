"""Grades: their order, the cumulative link, the median, the scores, and a run from the file to the report."""

import csv
import json
import warnings

import numpy as np
import pytest
import torch
from conftest import TINY, TINY_OPTIONS, in_numpy, in_torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn import metrics as sk

import sentiment
from sentiment.core.errors import CorpusError, UsageError
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.sections.model import ModelConfig
from sentiment.core.sections.run import ReportConfig
from sentiment.data import grades
from sentiment.data.corpus import load_corpus
from sentiment.data.sequences import Sequences
from sentiment.evaluation import evaluate
from sentiment.evaluation.evaluate import Scored
from sentiment.inference import bundle
from sentiment.inference.explain import explain
from sentiment.metrics import ordinal
from sentiment.metrics.decision import Decision
from sentiment.metrics.significance import sign_flips
from sentiment.metrics.task import MULTICLASS, task
from sentiment.models.heads import cumulative
from sentiment.models.network import Network
from sentiment.models.numpy_engine import NumpyClassifier, shapes

SIZES = {"vocab_size": 50, "embedding_size": 7, "input_size": None}
WORDS = ("awful broken", "dull weak", "plain okay", "good pleasant", "superb brilliant")
outputs = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(2, 6)),
    elements=st.floats(-40, 40, allow_subnormal=False),
)
weights = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 9), st.integers(3, 6)), elements=st.floats(0.01, 1)
)
pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40).map(np.array)
ORDINAL = task("ordinal")


def write(path, grade=lambda number: f"{number + 1} stars", each=24):
    """A file of reviews in five grades, which two words give away."""
    rng = np.random.default_rng(0)
    rows = [(number % 5, row) for row, number in enumerate(rng.permutation(5 * each))]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "stars"])
        writer.writerows(
            [f"the room was {WORDS[number]} in house {row}", grade(number)] for number, row in rows
        )
    return path


def load(path, **settings):
    return load_corpus(CorpusConfig(name=str(path), task="ordinal", **settings))


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A bundle trained for a moment on five grades, with its baselines."""
    folder = tmp_path_factory.mktemp("ordinal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        asked = TINY | {"corpus.task": "ordinal", "report.baselines": True}
        return sentiment.train(str(write(folder / "reviews.csv")), out=folder / "graded", settings=asked)


@pytest.mark.parametrize(
    "names",
    [
        ("2", "9", "10"),
        ("-1", "0", "1"),
        ("−2", "−1", "+3"),
        ("1 star", "2 stars", "10 stars"),
        ("3", "3.5", "4"),
        ("1. bad", "2. fair", "3. good"),
    ],
)
def test_numbers_are_in_order_of_their_size(names):
    assert grades.in_order(set(names), None, sorted(names, reverse=True), "made") == names


def test_other_names_need_an_order():
    names = {"bad", "fair", "good", "1 fine"}
    assert grades.in_order(names, ["fair", "bad", "1 fine", "good"], None, "x")[1] == "bad"
    assert grades.in_order(names, None, ("good", "never", "fair", "bad", "1 fine"), "x")[0] == "good"
    with pytest.raises(
        CorpusError, match=r"made: the labels 1 fine, bad, fair, good do not say.*corpus\.grades="
    ):
        grades.in_order(names, None, None, "made")
    for wrong in (["bad", "fair", "good"], ["bad", "fair", "good", "1 fine", "x"], ["bad"] * 4):
        with pytest.raises(UsageError, match=r"corpus\.grades = bad.* which are: 1 fine, bad, fair, good"):
            grades.in_order(names, wrong, None, "made")
    with pytest.raises(CorpusError, match=r"a, b are two classes.*corpus\.task=ordinal"):
        grades.in_order({"a", "b"}, None, ("a", "b"), "made")
    assert (
        grades.numbers(("1 a", "1 b"))
        is grades.numbers(("v1.2.3", "2"))
        is grades.numbers(("1.2.3", "2"))
        is None
    )


def test_a_corpus_has_its_grades_in_order(tmp_path):
    corpus = load(write(tmp_path / "a.csv", lambda number: str(8 + number)))
    assert (corpus.task, corpus.labels) == ("ordinal", ("8", "9", "10", "11", "12"))
    counts = [np.bincount(part.labels).tolist() for part in (corpus.train, corpus.validation, corpus.test)]
    assert counts == [[17] * 5, [2] * 5, [5] * 5]  # each part has the same share of each grade
    named = write(tmp_path / "b.csv", lambda number: "edcba"[number])
    assert load(named, grades="e, d,c,b,a").labels == tuple("edcba")
    with pytest.raises(CorpusError, match="do not say their order"):
        load(named)


def test_half_grades_are_grades_or_classes_in_order(tmp_path):
    file = tmp_path / "half.jsonl"
    rows = [{"text": f"text {number}", "label": 3 + number % 4 / 2} for number in range(40)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert load(file).labels == ("3", "3.5", "4", "4.5")
    classes = load_corpus(str(file))  # as from a CSV, where they are strings
    assert (classes.task, classes.labels) == ("multiclass", ("3", "3.5", "4", "4.5"))


@given(outputs)
def test_probabilities_sum_to_one_and_thresholds_rise(values):
    found = cumulative(torch.from_numpy(values)).double()
    assert found.isfinite().all()
    np.testing.assert_allclose(found.logsumexp(1), 0, atol=2e-5)
    thresholds = np.cumsum(np.concatenate([values[:, :1], np.logaddexp(0, values[:, 1:])], 1), 1)
    reached = found.exp().cumsum(1)[:, :-1]
    np.testing.assert_allclose(reached, 1 / (1 + np.exp(-thresholds)), atol=2e-6)
    assert (reached.diff(dim=1) >= 0).all()


def test_gradients_are_those_of_the_naive_formula():
    values = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([0, 1, 2, 3, 4])
    steps = torch.cat([values[:, :1].double(), (1 + values[:, 1:].double().exp()).log()], 1)
    reached = torch.nn.functional.pad(torch.sigmoid(steps.cumsum(1)), (1, 0))
    naive = torch.cat([reached, torch.ones(5, 1)], 1).diff(dim=1).log()
    ours, theirs = (
        torch.autograd.grad(torch.nn.functional.nll_loss(one, labels), values)[0]
        for one in (cumulative(values), naive)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_numpy_says_what_torch_says(kind):
    torch.manual_seed(0)
    config = ModelConfig(kind=kind, hidden_size=9, layers=2)
    model = Network(4, config, **SIZES, task="ordinal")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-1, 1)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in weights.items()} == shapes(
        config, 4, **SIZES, task="ordinal"
    )
    rng = np.random.default_rng(0)
    sequences = Sequences.of([rng.integers(0, 50, length).astype(np.int32) for length in (1, 30, 2, 90)])
    expected = in_torch(model, sequences, torch.device("cpu"))
    assert expected.shape == (4, 4)
    found = in_numpy(NumpyClassifier(config, weights, "ordinal"), sequences)
    np.testing.assert_allclose(found, expected, atol=2e-6, rtol=0)


def test_a_model_begins_with_the_frequencies_of_the_grades():
    model = Network(4, ModelConfig(hidden_size=5), **SIZES, task="ordinal")
    model.begin(np.repeat(np.arange(4), [10, 200, 0, 90]))
    with torch.no_grad():
        model.linear.weight.zero_()
        found = cumulative(model.linear(torch.zeros(1, 20))).exp()[0]
    np.testing.assert_allclose(found, np.array([10.5, 200.5, 0.5, 90.5]) / 302, rtol=1e-4)


@given(weights)
def test_no_grade_has_less_error_to_expect_than_the_median(values):
    probabilities = values / values.sum(1, keepdims=True)
    steps = np.abs(np.arange(values.shape[1])[:, None] - np.arange(values.shape[1]))
    expected = probabilities @ steps  # (B, C), of deciding each grade
    chosen = ORDINAL.decide(probabilities)
    np.testing.assert_allclose(expected[np.arange(len(values)), chosen], expected.min(1), atol=1e-12)
    decision = Decision.plain("abcdef"[: values.shape[1]], ORDINAL)
    assert np.array_equal(decision.decide(probabilities)[0], chosen)
    assert Decision.from_dict(json.loads(json.dumps(decision.as_dict())), decision.task) == decision


@settings(max_examples=50)
@given(pairs)
def test_scores_are_those_of_the_libraries(both):
    labels, decided = both.T
    matrix = sk.confusion_matrix(labels, decided, labels=range(5))
    found = {name: value for name, (value,) in ordinal.grade_scores(matrix[None]).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where they, too, say NaN
        kappa = sk.cohen_kappa_score(labels, decided, weights="quadratic", labels=range(5))
        correlation = stats.spearmanr(labels, decided).statistic
    assert found == pytest.approx(
        {
            "mae": np.abs(labels - decided).mean(),
            "quadratic_kappa": np.nan_to_num(kappa),
            "within_one": (np.abs(labels - decided) <= 1).mean(),
            "spearman": np.nan_to_num(correlation),
        },
        abs=1e-9,
    )


def test_intervals_hold_the_scores():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 300)
    probabilities = rng.dirichlet(np.ones(4), 300) + 2 * np.eye(4)[labels] * (rng.random((300, 1)) < 0.5)
    probabilities /= probabilities.sum(1, keepdims=True)
    found = ORDINAL.quick_scores(labels, probabilities)
    for name, edges in ORDINAL.intervals(labels, probabilities, resamples=200).items():
        assert edges[0] < found[name] < edges[1]
    plain = MULTICLASS.scores(labels, probabilities, "abcd")
    assert "mae" not in plain
    assert ORDINAL.scores(labels, probabilities, "abcd")["log_loss"] == plain["log_loss"]


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9).map(np.array))
def test_sign_flips_are_those_of_all_signs(differences):
    signs = 1 - 2 * (np.arange(2 ** len(differences))[:, None] >> np.arange(len(differences)) & 1)
    sums = np.abs(signs @ differences)
    assert sign_flips(differences) == pytest.approx((sums >= abs(differences.sum())).mean())


def test_without_larger_steps_it_is_mcnemars_test():
    rng = np.random.default_rng(0)
    labels = np.ones(200, np.int64)
    ours, theirs = (rng.random((2, 200)) < [[0.8], [0.7]]).astype(np.int64)
    found = ORDINAL.compare(labels, ours, theirs, 100)
    assert found["mae"]["p"] == pytest.approx(found["p"])
    assert found["mae"]["difference"] == pytest.approx(-found["difference"])
    assert sign_flips(np.tile([2, 2, -1], 20_000)) < 1e-9  # of many texts too


def test_a_run_from_the_file_to_the_report(graded, command):
    folder, told = graded.bundle.folder, graded.report
    assert graded.labels == tuple(f"{number} stars" for number in range(1, 6))
    assert told["task"] == graded.bundle.task == "ordinal"
    assert told["decision"]["rule"] == "median"
    assert told["training"]["metric"] == "quadratic_kappa"
    assert set(told["baselines"]) == {"median", "tfidf_lr", "tfidf_ridge"}
    for rival in told["baselines"].values():
        paired = rival["comparison"]["mae"]
        assert paired["difference"] == pytest.approx(told["test"]["mae"] - rival["mae"])
    assert told["baselines"]["median"]["mae"] == 1.2  # of grades that are equally frequent
    assert told["baselines"]["tfidf_ridge"]["mae"] < 0.5
    assert "grades off" in told["verdict"]
    scored = json.loads(command("report", folder, "--json").out)
    assert scored["test"] == told["test"]
    shown = command("report", folder).out
    assert "The median grade is chosen" in shown
    for page in ("report.html", "README.md"):
        assert "within one grade" in (folder / page).read_text("utf-8")
    compared = json.loads(command("compare", folder, folder / bundle.PREDICTIONS, "--json").out)
    assert compared["models"][0]["mae"] == told["test"]["mae"]
    assert compared["models"][1]["comparison"]["p"] == 1


def test_predictions_are_those_of_either_engine(graded):
    texts = ["the room was superb", "awful", "plain and okay"]
    loaded = sentiment.load(graded.bundle.folder)
    encoded = loaded.bundle.tokenizer.encode(texts)
    quick = in_numpy(loaded.bundle.numpy_model, encoded.sequences)
    slow = in_torch(loaded.bundle.model, encoded.sequences, torch.device("cpu"))
    np.testing.assert_allclose(quick, slow, atol=2e-6)
    for one, row in zip(
        loaded.predict(texts), loaded.bundle.decision.probabilities(ORDINAL.logits(quick)), strict=True
    ):
        assert one.expected == pytest.approx(row @ np.arange(1, 6))
        assert one.label == loaded.labels[ORDINAL.decide(row[None])[0]]
        assert one.as_dict()["expected"] == one.expected


def test_words_are_for_the_highest_grade_or_for_the_one_that_is_asked_for(graded):
    (found,) = explain(graded, ["the room was superb"])
    assert (found.explained, found.against) == ("5 stars", "1 stars")
    assert abs(found.completeness_error) < 0.01
    (other,) = explain(graded, ["the room was superb"], "1 stars", "5 stars")
    assert other.difference == pytest.approx(-found.difference)
    mistakes = graded.report["failures"]["mistakes"]
    off = [abs(graded.labels.index(one["label"]) - graded.labels.index(one["predicted"])) for one in mistakes]
    assert off == sorted(off, reverse=True)
    assert off[-1] >= 1


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["corpus.grades=a,b,c"], 2, "corpus.grades is of ordinal labels"),
        (["corpus.task=ordinal", "corpus.grades=1,2,3"], 2, "corpus.grades = 1,2,3"),
        (
            ["corpus.task=ordinal", "decision.target=recall(5 stars) >= 0.9"],
            2,
            "decision.target is for two classes",
        ),
        (["training.metric=quadratic_kappa"], 2, "is not for the task multiclass"),
    ],
)
def test_what_does_not_fit_is_refused(command, tmp_path, options, code, message):
    file = write(tmp_path / "reviews.csv")
    ended = command("train", file, "--out", tmp_path / "out", *(f"--set={option}" for option in options))
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert not list(tmp_path.glob("out*"))


def test_a_report_of_multiclass_is_as_ever():
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 3, 90), rng.dirichlet(np.ones(3), 90)
    found = evaluate.evaluate(
        Scored([], labels, probabilities, Decision.plain("abc")), ReportConfig(bootstrap=100)
    )
    assert found["test"]["accuracy"] == (probabilities.argmax(1) == labels).mean()
    assert not {"mae", "quadratic_kappa"} & (set(found["test"]) | set(found["intervals"]))


@pytest.mark.slow
def test_training_learns_the_grades_and_folds_have_them_all(command, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = write(tmp_path / "reviews.csv", each=60)
    options = [
        "--set=corpus.task=ordinal",
        "--set=training.epochs=12",
        "--set=training.batch_size=8",
        "--set=model.hidden_size=16",
        "--set=training.adversarial=0",
    ]
    done = command(
        "crossval", file, "--folds", "2", "--seeds", "1", "--json", "--out", tmp_path / "cv", *options
    )
    assert done.code == 0, done.err
    scores = json.loads(done.out)["model"]["scores"]
    assert scores["mae"]["mean"] < 0.4  # the median grade: 1.2
    assert scores["quadratic_kappa"]["mean"] > 0.8
    taught = command("train", file, "--out", tmp_path / "taught", *options, *TINY_OPTIONS[1:],
                     "--set=distillation.teachers=1", "--set=model.storage=int8", "--set=training.focal=0",
                     "--set=training.label_smoothing=0.1", "--set=training.sampling=balanced")  # fmt: skip
    assert taught.code == 0, taught.err
    assert sentiment.load(tmp_path / "taught").report["test"]["mae"] < 1.2
