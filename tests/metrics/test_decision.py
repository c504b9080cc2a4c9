"""A decision: what is asked for is met where it was fitted, stored, and obeyed."""

import json

import numpy as np
import pytest
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

import sentiment
from sentiment.core import config_io
from sentiment.core.errors import UsageError
from sentiment.core.sections.run import DecisionConfig
from sentiment.inference import bundle
from sentiment.inference.predictor import Predictor
from sentiment.metrics import decision
from sentiment.metrics.decision import Decision, describe
from sentiment.metrics.targets import choose_threshold, parse_target, read_target
from sentiment.metrics.task import MULTICLASS

SPAM = ("ham", "spam")


def fit(config, labels, probabilities, names):
    return decision.fit(config, labels, MULTICLASS.logits(probabilities), names)


def example(seed=0, count=400, ties=False):
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < 0.3).astype(np.int64)
    labels[:2] = [0, 1]
    scores = 1 / (1 + np.exp(-(rng.normal(size=count) * 1.5 + 5 * labels - 3)))
    scores = scores.round(1) if ties else scores
    return labels, np.stack([1 - scores, scores], 1)


def plain_rates(labels, predicted):
    (tn, fp), (fn, tp) = sk.confusion_matrix(labels, predicted, labels=[0, 1])
    return {
        "precision": tp / max(tp + fp, 1),
        "recall": tp / (tp + fn),
        "false_positive_rate": fp / (fp + tn),
    }


@given(
    st.integers(0, 10**6),
    st.integers(4, 200),
    st.booleans(),
    st.sampled_from(["precision", "recall", "false_positive_rate"]),
    st.integers(0, 1000),
)
def test_a_threshold_meets_its_target_or_is_the_nearest(seed, count, ties, measure, limit):
    labels, probabilities = example(seed, count, ties)
    scores = probabilities[:, 1]
    target = parse_target(f"{measure} {'<=' if 'false' in measure else '>='} {limit / 1000}", SPAM)
    threshold, reached = choose_threshold(target, labels == 1, scores)
    got = target.slack(plain_rates(labels, scores >= threshold)[measure])
    cuts = [plain_rates(labels, scores >= cut) for cut in np.unique(scores)]
    best = max(target.slack(cut[measure]) for cut in cuts if cut["recall"] > 0)
    assert reached == (best >= 0)
    assert got >= 0 if reached else got == best


@pytest.mark.parametrize("measure", ["precision", "recall", "false_positive_rate"])
def test_of_all_thresholds_the_most_useful_is_taken(measure):
    """With calibrated scores and many texts, little is given away beyond the target."""
    labels, probabilities = example(count=20_000)
    limit = {"precision": 0.95, "recall": 0.9, "false_positive_rate": 0.01}[measure]
    text = f"{measure} {'<=' if measure not in ('precision', 'recall') else '>='} {limit}"
    fitted = fit(DecisionConfig(target=text), labels, probabilities, SPAM)
    assert fitted.reached
    assert abs(fitted.validation[measure] - limit) < 0.02


def test_all_positives_are_found_without_taking_everything():
    """Calibrated scores alone would let expect a recall of 1 only of the threshold below all texts."""
    labels, probabilities = example(count=500)
    fitted = fit(DecisionConfig(target="recall >= 100 %"), labels, probabilities, SPAM)
    assert fitted.reached
    assert fitted.validation["recall"] == 1
    lowest = fitted.probabilities(MULTICLASS.logits(probabilities))[labels == 1, 1].min()
    assert (fitted.probabilities(MULTICLASS.logits(probabilities))[labels == 0, 1] < lowest).any(), (
        "else the test says nothing"
    )
    assert fitted.validation["false_positive_rate"] < 1


def test_one_class_in_validation_reaches_nothing():
    threshold, reached = choose_threshold(
        parse_target("recall >= 0.5", SPAM), np.ones(3, bool), np.array([0.1, 0.2, 0.3])
    )
    assert (threshold, reached) == (0.5, False)
    fitted = fit(DecisionConfig(target="recall >= 0.5"), np.ones(3, int), np.full((3, 2), 0.5), SPAM)
    assert fitted.reached is False
    assert "not reached" in decision.shortfall(fitted)


def test_the_target_of_validation_holds_on_test():
    """Of many runs with few validation texts, the test's interval holds the target in most."""
    held = []
    for seed in range(60):
        labels, probabilities = example(seed, 1500)
        fitted = fit(DecisionConfig(target="precision >= 0.98"), labels[:400], probabilities[:400], SPAM)
        held.append(
            describe(fitted, labels[400:], fitted.probabilities(MULTICLASS.logits(probabilities[400:])))[
                "holds"
            ]
        )
    assert np.mean(held) > 0.85


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("precision(spam) >= 0.995", ("precision", "spam", 0.995)),
        ("precision(ham)≥99.5%", ("precision", "ham", 0.995)),
        ("recall >= 95 %", ("recall", "spam", 0.95)),
        ("false_positive_rate(spam) <= .002", ("false_positive_rate", "spam", 0.002)),
        ("blocked(ham) ≤ 0.2 %", ("false_positive_rate", "spam", 0.002)),
        ("blocked( spam ) <= 1", ("false_positive_rate", "ham", 1.0)),
    ],
)
def test_targets_are_read(text, expected):
    target = parse_target(text, SPAM)
    assert (target.measure, target.positive, target.limit) == expected


@pytest.mark.parametrize("label", ["two words", "a(b)", "two\nlines", "😀 % >= 1"])
def test_a_target_may_name_any_label(label):
    assert parse_target(f"precision({label}) >= 0.9", (label, "other")).positive == label


@pytest.mark.parametrize(
    ("settings", "labels", "words"),
    [
        ({"target": "high precision"}, SPAM, "not understood"),
        ({"target": "precison(spam) >= 0.9"}, SPAM, "did you mean 'precision'"),
        ({"target": "precision(spam) <= 0.9"}, SPAM, "precision >="),
        ({"target": "blocked(ham) >= 0.1"}, SPAM, "blocked <="),
        ({"target": "precision(spma) >= 0.9"}, SPAM, "did you mean 'spam'"),
        ({"target": "precision(spam) >= 99"}, SPAM, "99 %"),
        ({"target": "precision(spam) >= 0.9", "positive": "ham"}, SPAM, "decision.positive"),
        ({"positive": "x"}, SPAM, "labels are: ham, spam"),
        ({"target": "precision(a) >= 0.9"}, ("a", "b", "c"), "two classes"),
        ({"positive": "a"}, ("a", "b", "c"), "two classes"),
        ({"false_positive_cost": 3}, ("a", "b", "c"), "two classes"),
    ],
)
def test_what_does_not_fit_is_refused(settings, labels, words):
    with pytest.raises(UsageError, match=words):
        read_target(DecisionConfig(**settings), labels)


def test_a_wrong_target_is_refused_before_training(command, tmp_path):
    done = command(
        "train", "sample_spam", "--out", tmp_path / "x", "--set", "decision.target=recall(sam) >= 0.9"
    )
    assert (done.code, done.out) == (2, "")
    assert "did you mean 'spam'" in done.err
    assert "epoch" not in done.err
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="costs"):
        config_io.load(overrides={"decision.target": "recall >= 0.9", "decision.false_positive_cost": 2})


def test_costs_are_weighed_by_the_probabilities():
    labels, probabilities = example()
    settings = DecisionConfig(false_positive_cost=9, false_negative_cost=1, temperature=False)
    fitted = fit(settings, labels, probabilities, SPAM)
    assert (fitted.rule, fitted.target, fitted.threshold) == ("threshold", "cost", 0.9)
    classes, _ = fitted.decide(np.array([[0.11, 0.89], [0.1, 0.9]]))
    assert classes.tolist() == [0, 1]
    equal = fit(DecisionConfig(), labels, probabilities, SPAM)
    assert (equal.rule, equal.target, equal.threshold) == ("argmax", None, 0.5)


@pytest.mark.parametrize("target", [None, "precision(spam) >= 0.97", "recall(ham) >= 0.9"])
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_least_sure_are_left_to_a_person(target, share):
    labels, probabilities = example()
    fitted = fit(DecisionConfig(target=target, unsure=share), labels, probabilities, SPAM)
    assert fitted.validation["coverage"] == pytest.approx(1 - share, abs=0.01)
    side = SPAM.index(fitted.positive)
    tempered = fitted.probabilities(MULTICLASS.logits(probabilities))
    _, unsure = fitted.decide(tempered)
    score = tempered[:, side]
    assert fitted.unsure["low"] < fitted.threshold < fitted.unsure["high"]
    assert np.array_equal(unsure, (score > fitted.unsure["low"]) & (score < fitted.unsure["high"]))
    whole = fit(DecisionConfig(target=target), labels, probabilities, SPAM)
    assert fitted.validation["accuracy"] >= whole.validation["accuracy"]


def test_more_classes_have_an_unsure_band_too():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.5] * 3, 500)
    labels = (probabilities.cumsum(1) < rng.random((500, 1))).sum(1)
    fitted = fit(DecisionConfig(unsure=0.2), labels, probabilities, ("a", "b", "c"))
    classes, unsure = fitted.decide(probabilities)
    assert np.array_equal(classes, probabilities.argmax(1))
    assert fitted.validation["coverage"] == pytest.approx(0.8, abs=0.01)
    assert set(fitted.validation) == {"accuracy", "coverage", "counts", "intervals"}
    assert probabilities[unsure].max(1).max() <= fitted.unsure["high"]


def test_rates_are_those_of_scikit_learn_and_scipy():
    labels, probabilities = example()
    fitted = fit(DecisionConfig(target="precision >= 0.95", unsure=0.1), labels, probabilities, SPAM)
    tempered = fitted.probabilities(MULTICLASS.logits(probabilities))
    classes, unsure = fitted.decide(tempered)
    told = describe(fitted, labels, tempered)["test"]
    expected = plain_rates(labels[~unsure], classes[~unsure])
    expected["accuracy"] = sk.accuracy_score(labels[~unsure], classes[~unsure])
    for name, value in expected.items():
        assert told[name]["value"] == value == fitted.validation[name]
        assert told[name]["interval"] == fitted.validation["intervals"][name]
    caught = stats.binomtest(told["counts"]["true_positive"], int(labels[~unsure].sum())).proportion_ci(
        method="wilson"
    )
    assert told["recall"]["interval"] == [caught.low, caught.high]


def test_whether_a_target_holds_is_read_from_the_interval():
    labels, probabilities = np.array([0] * 99 + [1]), np.tile([0.9, 0.1], (100, 1))
    probabilities[:3] = probabilities[-1] = [0.1, 0.9]  # 3 of 99 blocked: [1.0 %, 8.5 %]
    plain = Decision.plain(SPAM)
    for limit, expected in (("0.5 %", False), ("1.1 %", True), ("20 %", True)):
        asked = Decision(**vars(plain) | {"target": f"blocked(ham) <= {limit}"})
        assert describe(asked, labels, probabilities)["holds"] is expected
    assert describe(plain, labels, probabilities)["holds"] is None


@given(st.integers(0, 10**6), st.sampled_from([None, "recall >= 0.9"]), st.sampled_from([0.0, 0.2]))
def test_a_decision_survives_json(seed, target, unsure):
    labels, probabilities = example(seed, 40)
    fitted = fit(DecisionConfig(target=target, unsure=unsure), labels, probabilities, SPAM)
    again = Decision.from_dict(json.loads(json.dumps(fitted.as_dict())))
    assert again == fitted
    for ours, theirs in zip(fitted.decide(probabilities), again.decide(probabilities), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"temperature": "hot"},
        {"threshold": None},
        {"positive": "x"},
        {"unsure": {}},
        {"more": 1},
    ],
)
def test_a_damaged_decision_is_refused(change):
    labels, probabilities = example()
    fitted = fit(DecisionConfig(target="recall >= 0.9"), labels, probabilities, SPAM)
    with pytest.raises((ValueError, TypeError, KeyError)):
        Decision.from_dict(fitted.as_dict() | change)


@pytest.fixture(scope="module")
def decided(tmp_path_factory) -> Predictor:
    """A tiny model with a threshold and an unsure band."""
    extra = {"training.epochs": 6, "decision.target": "recall(spam) >= 0.8", "decision.unsure": 0.2}
    return sentiment.train(
        "sample_spam", out=tmp_path_factory.mktemp("runs") / "decided", settings=TINY | extra
    )


def test_predict_obeys_the_decision_in_every_form(command, decided):
    from sentiment.data.corpus import load_corpus

    fitted, folder = decided.bundle.decision, decided.bundle.folder
    assert (fitted.rule, fitted.positive, fitted.reached) == ("threshold", "spam", True)
    assert fitted.validation["recall"] >= 0.8
    texts = load_corpus("sample_spam").test.texts[:40]
    predictions = decided.predict(texts)
    assert 0 < sum(one.unsure for one in predictions) < 40
    assert {one.label for one in predictions} == {"ham", "spam"}
    for one in predictions:
        spam = one.probabilities["spam"]
        assert one.label == ("spam" if spam >= fitted.threshold else "ham")
        assert one.probability == one.probabilities[one.label]
        assert one.unsure == (fitted.unsure["low"] < spam < fitted.unsure["high"])
    shown = command("predict", "--model", folder, *texts).out.splitlines()
    for line, one in zip(shown, predictions, strict=True):
        assert line.split("\t")[0] == (f"unsure ({one.label})" if one.unsure else one.label)
    rows = [
        json.loads(line)
        for line in command("predict", "--model", folder, "--format=jsonl", *texts).out.splitlines()
    ]
    assert [(row["label"], row["unsure"]) for row in rows] == [(one.label, one.unsure) for one in predictions]


def test_a_target_out_of_reach_costs_no_run(command, tmp_path):
    options = [f"--set={name}={str(value).lower()}" for name, value in TINY.items()]
    done = command(
        "train", "sample_spam", *options, "--set", "training.epochs=1", "--out", tmp_path / "x",
        "--set", "decision.target=precision(spam) >= 1", "--set", "decision.unsure=0.1",
    )  # fmt: skip
    assert done.code == 0, done.err
    told = bundle.load(tmp_path / "x").report["decision"]
    assert told["reached"] is False
    assert "not reached" in done.err
    assert f"threshold {told['threshold']:.4g}" in done.err
