"""Saved predictions: every number of a report follows from them, and anybody's can be reported on."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import TINY
from scipy import stats
from sklearn import metrics as sk

from sentiment.core.errors import CorpusError, SentimentError
from sentiment.core.sections.run import ReportConfig
from sentiment.data.corpus import load_corpus
from sentiment.evaluation import predictions
from sentiment.inference import bundle
from sentiment.metrics.curves import POINTS, curves
from sentiment.metrics.decision import Decision
from sentiment.metrics.task import MULTICLASS
from sentiment.runs import evaluate


@pytest.fixture(scope="module")
def saved(tiny):
    """True labels and probabilities as they are in the bundle."""
    table = pq.read_table(tiny.bundle.folder / bundle.PREDICTIONS)
    probabilities = np.stack([table[f"p_{name}"].to_numpy() for name in tiny.labels], 1)
    return np.array([tiny.labels.index(name) for name in table["label"].to_pylist()]), probabilities


def test_they_are_what_predict_says_of_the_texts(tiny):
    corpus = load_corpus("sample")
    for name, split in (
        (bundle.PREDICTIONS, corpus.test),
        (bundle.VALIDATION_PREDICTIONS, corpus.validation),
    ):
        rows = pq.read_table(tiny.bundle.folder / name).to_pylist()
        assert [row["id"] for row in rows] == list(range(len(split)))
        assert [row["label"] for row in rows] == [tiny.labels[label] for label in split.labels]
        for row, one in zip(rows, tiny.predict(split.texts), strict=True):
            assert row["predicted"] == one.label
            assert {f"p_{label}": p for label, p in one.probabilities.items()} == pytest.approx(
                {key: value for key, value in row.items() if key.startswith("p_")}, abs=1e-9
            )


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (lambda row: f"r{row}", lambda row: f"r{row}"),
        (lambda row: 10 * row, lambda row: 10 * row),
        (lambda row: "\udce9", lambda row: "\\udce9"),
        (lambda row: 10**30, None),
        (lambda row: None if row % 2 else row, None),
        (lambda row: [row], None),
    ],
)
def test_texts_keep_the_ids_that_they_came_with(tmp_path, ids, expected):
    rows = [{"text": f"a text of number{row}", "label": "yn"[row % 2], "id": ids(row)} for row in range(30)]
    source, target = tmp_path / "c.jsonl", tmp_path / "p.parquet"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    test = load_corpus(str(source)).test
    predictions.write(target, Decision.plain(("n", "y")), test, np.full((len(test), 2), 0.5))
    numbers = [int(text.split("number")[1]) for text in test.texts]
    assert len(numbers) > 2
    assert pq.read_table(target)["id"].to_pylist() == (
        [expected(number) for number in numbers] if expected else list(range(len(test)))
    )


def test_every_score_is_that_of_scikit_learn(tiny, saved):
    labels, probabilities = saved
    predicted, positive = probabilities.argmax(1), probabilities[:, 1]
    expected = {
        "accuracy": sk.accuracy_score(labels, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
        "macro_f1": sk.f1_score(labels, predicted, average="macro"),
        "weighted_f1": sk.f1_score(labels, predicted, average="weighted"),
        "mcc": sk.matthews_corrcoef(labels, predicted),
        "roc_auc": sk.roc_auc_score(labels, positive),
        "average_precision": sk.average_precision_score(labels, positive),
        "log_loss": sk.log_loss(labels, probabilities),
        "brier": sk.brier_score_loss(labels, positive),
        "confusion_matrix": sk.confusion_matrix(labels, predicted).tolist(),
    }
    report = tiny.report
    assert {name: report["test"][name] for name in expected} == expected
    assert report["intervals"] == MULTICLASS.intervals(
        labels, probabilities, resamples=TINY["report.bootstrap"]
    )
    right = int((predicted == labels).sum())
    wilson = stats.binomtest(right, len(labels)).proportion_ci(method="wilson")
    assert report["intervals"]["accuracy"] == [wilson.low, wilson.high]
    assert report["calibration"]["brier"]["score"] == pytest.approx(expected["brier"])
    assert report["curves"]["roc"][tiny.labels[1]]["auc"] == expected["roc_auc"]
    assert report["curves"]["pr"][tiny.labels[1]]["average_precision"] == expected["average_precision"]
    told = report["decision"]["test"]
    assert told["accuracy"]["value"] == expected["accuracy"]
    assert told["precision"]["value"] == sk.precision_score(labels, predicted)
    assert told["recall"]["value"] == sk.recall_score(labels, predicted)
    assert told["false_positive_rate"]["value"] == pytest.approx(
        1 - sk.recall_score(labels, predicted, pos_label=0)
    )
    assert sum(row["count"] for row in report["curves"]["lengths"]) == len(labels)
    mean = sum(row["count"] * row["accuracy"] for row in report["curves"]["lengths"]) / len(labels)
    assert mean == pytest.approx(expected["accuracy"])
    raw = probabilities ** report["decision"]["temperature"]
    before = report["calibration"]["before"]["brier"]["score"]
    assert before == pytest.approx(sk.brier_score_loss(labels, raw[:, 1] / raw.sum(1)))


def test_the_report_holds_its_history(tiny):
    lines = (tiny.bundle.folder / "history.jsonl").read_text().splitlines()
    assert tiny.report["schema"] == 2
    assert tiny.report["history"] == [json.loads(line) for line in lines]


@pytest.mark.parametrize(("count", "classes"), [(50, 2), (5000, 2), (3000, 4)])
def test_curves_are_thinned_points_of_scikit_learns(count, classes):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, count)
    probabilities = rng.dirichlet([1] * classes, count) + 0.6 * np.eye(classes)[labels]
    probabilities /= probabilities.sum(1, keepdims=True)
    names = [f"c{number}" for number in range(classes)]
    found = curves(labels, probabilities, names, MULTICLASS, rng.integers(1, 300, count))
    assert list(found["roc"]) == list(found["pr"]) == (names if classes > 2 else names[1:])
    for name in found["roc"]:
        side = names.index(name)
        fpr, tpr, _ = sk.roc_curve(labels == side, probabilities[:, side])
        precision, recall, _ = sk.precision_recall_curve(labels == side, probabilities[:, side])
        for mine, whole in (
            ((found["roc"][name]["fpr"], found["roc"][name]["tpr"]), (fpr, tpr)),
            ((found["pr"][name]["precision"], found["pr"][name]["recall"]), (precision, recall)),
        ):
            points, known = (
                list(zip(*mine, strict=True)),
                list(zip(*map(np.ndarray.tolist, whole), strict=True)),
            )
            assert len(points) <= POINTS
            assert set(points) <= set(known)
            assert (points[0], points[-1]) == (known[0], known[-1])
        thin, full = (
            sk.auc(*pair) for pair in ((found["roc"][name]["fpr"], found["roc"][name]["tpr"]), (fpr, tpr))
        )
        assert thin == pytest.approx(full, abs=0.005)
    kept = found["coverage"]
    assert (kept["coverage"][-1], kept["accuracy"][-1]) == (
        1.0,
        sk.accuracy_score(labels, probabilities.argmax(1)),
    )
    for coverage, accuracy, threshold in zip(*kept.values(), strict=True):
        mine = probabilities.max(1) >= threshold
        assert coverage == mine.mean()
        assert accuracy == pytest.approx((probabilities.argmax(1) == labels)[mine].mean())
    histogram = found["histogram"]
    assert len(histogram["edges"]) == 21
    assert {name: sum(counts) for name, counts in histogram["counts"].items()} == {
        name: int((labels == number).sum()) for number, name in enumerate(names)
    }
    assert len(found["lengths"]) == 10
    assert all(a["high"] < b["low"] for a, b in zip(found["lengths"], found["lengths"][1:], strict=False))


def test_a_class_that_is_absent_has_no_curve():
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 20)
    found = curves(np.arange(20) % 2, probabilities, ["a", "b", "c"], MULTICLASS)
    assert list(found["roc"]) == ["a", "b"]
    assert "lengths" not in found


SCORED = ("test", "calibration", "curves")


def own_numbers(tiny, found):
    """Check that a report on predictions has the numbers of the model's own."""
    report = tiny.report
    assert found["test"] == report["test"]
    assert found["intervals"] == report["intervals"]
    assert found["calibration"] == {k: v for k, v in report["calibration"].items() if k != "before"}
    assert found["curves"] == {k: v for k, v in report["curves"].items() if k != "lengths"}


def formed(form, path, labels, probabilities, names):
    """Write predictions as somebody may have them."""
    texts = [names[label] for label in labels]
    match form:
        case "columns":
            columns = {f"p_{name}": probabilities[:, number].tolist() for number, name in enumerate(names)}
        case "list":
            columns = {"probabilities": probabilities.tolist()}
        case "object":
            columns = {
                "probabilities": [dict(zip(names, row, strict=True)) for row in probabilities.tolist()]
            }
        case "one":
            columns = {"probability": probabilities[:, 1].tolist()}
    rows = [
        {"label": text} | dict(zip(columns, values, strict=True))
        for text, *values in zip(texts, *columns.values(), strict=True)
    ]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            for row in rows:
                writer.writerow(
                    {
                        key: value if isinstance(value, str | float) else json.dumps(value)
                        for key, value in row.items()
                    }
                )


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("form", ["columns", "list", "object", "one"])
def test_foreign_predictions_give_the_numbers_of_the_models_own(tiny, saved, tmp_path, form, suffix):
    path = tmp_path / f"scores.{suffix}"
    formed(form, path, *saved, tiny.labels)
    read = predictions.read(path)
    assert read.names == tiny.labels
    assert np.array_equal(read.labels, saved[0])
    if form != "one":  # 1 - p rounds otherwise than the model's softmax
        assert np.array_equal(read.probabilities, saved[1])
    settings = ReportConfig(bootstrap=TINY["report.bootstrap"])
    if form == "columns":
        own_numbers(tiny, evaluate.evaluate_predictions(path, settings=settings))
    np.testing.assert_allclose(read.probabilities, saved[1], atol=1e-15)


def test_the_bundles_own_predictions_can_be_reported_on(command, tiny, tmp_path):
    path = tiny.bundle.folder / bundle.PREDICTIONS
    own_numbers(tiny, evaluate.evaluate_predictions(path, settings=ReportConfig(bootstrap=100)))
    shown, data = (command("report", "--predictions", path, *more) for more in ((), ("--json",)))
    assert shown.code == data.code == 0, shown.err
    result = json.loads(data.out)
    assert result["test"] == tiny.report["test"]
    assert result["verdict"].split() == shown.out.split()[: len(result["verdict"].split())]
    turned = json.loads(command("report", "--predictions", path, "--positive", "negative", "--json").out)
    assert turned["test"]["labels"] == ["positive", "negative"]
    assert turned["test"]["accuracy"] == result["test"]["accuracy"]
    assert list(turned["curves"]["roc"]) == ["negative"]


def test_rounded_probabilities_and_number_labels_are_taken(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("label,p_9,p_10,p_11\n9,0.33,0.33,0.33\n10,0.2,0.7,0.1\n9.0,1,0,0\n".replace("9.0", "9"))
    found = predictions.read(path)
    assert found.names == ("9", "10", "11")
    np.testing.assert_allclose(found.probabilities.sum(1), 1)
    path.write_text('label,probabilities\n9,"[0.6, 0.4]"\n10,"[0.6, 0.4]"\n')
    assert predictions.read(path).names == ("9", "10")
    path = tmp_path / "p.jsonl"
    path.write_text('{"label": true, "probability": 0.9}\n{"label": false, "probability": 0}\n')
    found = predictions.read(path)
    assert found.names == ("false", "true")
    assert found.probabilities.tolist() == [[pytest.approx(0.1), 0.9], [1.0, 0.0]]


BAD = {
    # case: (file, content, positive, words)
    "empty": ("p.csv", "", None, "p.csv: there are no rows"),
    "header only": ("p.csv", "label,p_a,p_b\n", None, "no rows"),
    "text of another kind": ("p.doc", "x", None, "no column 'label'"),
    "no Excel": ("p.xls", "x", None, "no column 'label'"),
    "no label column": ("p.csv", "lable,p_a,p_b\na,1,0\n", None, "'label'.*columns are: 'lable'"),
    "no probabilities": ("p.csv", "label,score\na,1\n", None, "p_<class>.*'score'"),
    "one column of a class": ("p.csv", "label,p_a\na,1\n", None, "p_a is the only"),
    "above 1": ("p.csv", "label,p_a,p_b\na,1,0\nb,-0.2,1.2\n", None, "p.csv:3: column 'p_a': '-0.2'"),
    "percentages": ("p.csv", "label,p_a,p_b\na,90,10\n", None, "p.csv:2.*'p_a'.*divide percentages"),
    "decimal comma": ("p.csv", "label;p_a;p_b\na;0,9;0,1\n", None, "p.csv:2.*'0,9'.*decimal point"),
    "no number": ("p.csv", "label,p_a,p_b\na,x,0\n", None, "p.csv:2: column 'p_a': 'x'"),
    "NaN": ("p.jsonl", '{"label": "a", "p_a": NaN, "p_b": 1}\n', None, "p.jsonl:1: column 'p_a'"),
    "missing": ("p.jsonl", '{"label": "a", "p_a": 1, "p_b": 0}\n{"label": "a", "p_a": 1}\n', None, "jsonl:2: column 'p_b'"),
    "boolean": ("p.jsonl", '{"label": "a", "probability": true}\n', None, "p.jsonl:1: column 'probability'"),
    "sum": ("p.csv", "label,p_a,p_b\na,1,0\nb,0.5,0.4\n", None, "p.csv:3: the probabilities sum to 0.9"),
    "unknown label": ("p.csv", "label,p_a,p_b\na,1,0\nB,1,0\n", None, "p.csv:3: the label 'B'.*did you mean 'b'"),
    "missing label": ("p.csv", "label,p_a,p_b\na,1,0\n,1,0\n", None, "p.csv:3: the label is missing"),
    "one class only": ("p.csv", "label,p_a,p_b\na,1,0\na,1,0\n", None, "all 2 rows have the label 'a'"),
    "ragged": ("p.csv", "label,p_a,p_b\na,1,0\na,1\n", None, "p.csv:3: 2 fields"),
    "no JSON": ("p.csv", "label,probabilities\na,[0.1 0.9]\n", None, "p.csv:2: column 'probabilities'.*list"),
    "short list": ("p.csv", 'label,probabilities\na,"[1,0]"\nb,"[1,0]"\nc,"[1,0]"\n', None, "p.csv:2: 2 prob.*3 labels"),
    "list of one": ("p.jsonl", '{"label": "a", "probabilities": [1]}\n', None, "p.jsonl:1.*1 numbers"),
    "other keys": ("p.jsonl", '{"label": "a", "probabilities": {"a": 1, "b": 0}}\n{"label": "b", "probabilities": {"a": 1}}\n',
                   None, "p.jsonl:2: column 'probabilities'.*a, b"),
    "one for three": ("p.csv", "label,probability\na,1\nb,0\nc,0\n", None, "two classes.*3 labels"),
    "output of predict": ("p.csv", "id,label,p_a,p_b,unknown_rate,truncated\n0,a,1,0,0,False\n", None, "sentiment predict"),
    "ids as labels": ("p.csv", "label,probability\n" + "".join(f"x{n},1\n" for n in range(999)), None, "x0, x1, .*and 979 more;"),
    "unknown positive": ("p.csv", "label,p_a,p_b\na,1,0\nb,0,1\n", "A", "--positive A.*did you mean 'a'"),
    "positive of three": ("p.csv", "label,p_a,p_b,p_c\na,1,0,0\nb,0,1,0\n", "a", "--positive is for two"),
    "only bad rows": ("p.jsonl", "{bad\n", None, "p.jsonl:1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_predictions_are_refused(tmp_path, case):
    name, content, positive, words = BAD[case]
    (tmp_path / name).write_text(content)
    with pytest.raises(SentimentError, match=words):
        predictions.read(tmp_path / name, positive)
    with pytest.raises(CorpusError, match="No such file"):
        predictions.read(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(CorpusError, match=r"Is a directory; give a file in it"):
        predictions.read(tmp_path / "folder.csv")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--predictions FILE"),
        (["x", "--predictions", "y.csv"], "--predictions FILE"),
        (["x", "--positive", "spam"], "--positive goes with"),
        (["--predictions", "y.csv", "--corpus", "imdb"], "--corpus needs a model"),
    ],
)
def test_a_report_is_on_one_thing(command, arguments, words):
    done = command("report", *arguments)
    assert done.code == 2
    assert words in done.err
