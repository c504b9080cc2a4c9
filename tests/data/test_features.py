"""Sequences of feature vectors go the same way as texts, from the file to the explanation."""

import json
import re
import shutil
from dataclasses import replace

import hypothesis
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from conftest import TINY_OPTIONS, hub_environment, in_numpy, in_torch, run_process
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tiny_trainers import assert_equal, resumed, weights

import sentiment
from sentiment.core import config_io, recipes
from sentiment.core.errors import BundleError, CorpusError
from sentiment.core.sections.data import CorpusConfig, FeaturesConfig
from sentiment.core.sections.model import ModelConfig
from sentiment.core.sections.training import TrainingConfig
from sentiment.data.corpus import divide, load_corpus, read_corpus
from sentiment.data.corpus.audit import audit
from sentiment.data.corpus.folds import cut, read_pool
from sentiment.data.features import Features, read_array, with_deltas
from sentiment.data.inputs import FeatureInput
from sentiment.data.sequences import Sequences
from sentiment.evaluation.baselines import statistics_lr
from sentiment.evaluation.evaluate import Scored
from sentiment.evaluation.slices import slices
from sentiment.inference import bundle
from sentiment.inference.explain import explain
from sentiment.inference.predictor import Predictor
from sentiment.metrics.decision import Decision
from sentiment.models.batches import pack
from sentiment.models.network import Network
from sentiment.models.numpy_engine import NumpyClassifier, shapes
from sentiment.report.audit import findings
from sentiment.report.renderers import card
from sentiment.runs import evaluate, tuning
from sentiment.runs.crossval import fingerprint
from sentiment.runs.folder import Run
from sentiment.runs.prepare import prepare
from sentiment.runs.train import TRAIN
from sentiment.training.trainer import Data, Examples, Trainer, augment

CPU = torch.device("cpu")
PLAIN = FeaturesConfig(deltas=0, noise=0)
SETTINGS = {
    "training.epochs": 12,
    "training.batch_size": 8,
    "training.learning_rate": 0.02,
    "model.hidden_size": 8,
    "features.noise": 0.1,
    "features.time_mask": 0.2,
    "features.deltas": 1,
    "report.bootstrap": 100,
}
OPTIONS = [f"--set={name}={value}" for name, value in SETTINGS.items()]


def made(count=90, seed=0):
    """Sequences of three features: one rises, falls or stays; one is noise of another size; one is constant."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        slope, length = number % 3 - 1, int(rng.integers(3, 15))
        ramp = 5 + slope * np.linspace(-2, 2, length) + rng.normal(0, 0.2, length)
        features = np.stack([ramp, rng.normal(-300, 100, length), np.full(length, 7.0)], 1)
        label = ("falls", "stays", "rises")[slope + 1]
        rows.append({"id": f"n{number}", "features": features.astype(np.float32).tolist(), "label": label})
    return rows


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    return write_jsonl(tmp_path_factory.mktemp("features") / "ramps.jsonl", made())


@pytest.fixture(scope="session")
def trained(file, tmp_path_factory):
    return sentiment.train(str(file), out=tmp_path_factory.mktemp("runs") / "ramps", settings=SETTINGS)


# --- reading ---------------------------------------------------------------------------------------------

matrices = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.int16]),
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=5),
    elements={
        "allow_nan": False,
        "allow_infinity": False,
        "min_value": -1000,
        "max_value": 1000,
        "allow_subnormal": False,
    },
)


@hypothesis.given(matrices)
def test_any_matrix_is_read_as_it_is_from_lists_too(matrix):
    for value in (matrix, matrix.tolist(), [tuple(step) for step in matrix.tolist()]):
        read = read_array(value, matrix.shape[1])
        np.testing.assert_array_equal(read, matrix.astype(np.float32))
        assert read.dtype == np.float32


def test_a_list_of_numbers_is_one_feature():
    assert read_array([1, 2.5, 3]).tolist() == [[1.0], [2.5], [3.0]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "missing"),
        ("a text", "of type str"),
        ({"a": 1}, "of type dict"),
        ([], "no step"),
        ([[]], "each a list of numbers"),
        ([[[1.0]]], "each a list of numbers"),
        ([[1.0, 2.0], [1.0]], "step 2 has 1 features"),
        ([[1.0, 2.0], 3.0], "step 2 has 1 features"),
        ([[1.0, "2"]], "step 1 holds '2'"),
        ([[1.0, 2.0], [1.0, None]], "step 2 holds 'None'"),
        ([[True, False]], "no number"),
        ([[1.0, 1.0], [10**400, 1.0]], "step 2 holds a number that is too large"),
        ([[1.0, 2.0], [float("nan"), 0.0]], "step 2, feature 1 is nan"),
        ([[1e39, 0.0]], "step 1, feature 1 is 1e+39"),
        ([[1.0, 2.0, 3.0]], "3 features a step, where 2 are expected"),
    ],
)
def test_what_is_no_sequence_of_features_is_refused_with_its_place(value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_array(value, 2)


def test_jsonl_parquet_and_folders_of_arrays_hold_the_same_corpus(tmp_path, file):
    rows = made()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "ramps.parquet")
    for number, row in enumerate(rows):
        folder = tmp_path / "ramps" / row["label"]
        folder.mkdir(parents=True, exist_ok=True)
        array = np.array(row["features"], np.float32)
        np.savez(
            folder / f"{number:03}.npz", **({"features": array, "rate": 100} if number % 2 else {"x": array})
        )
    parts = {}
    for name in (file, tmp_path / "ramps.parquet", tmp_path / "ramps"):
        split = read_corpus(CorpusConfig(name=str(name))).splits["train"]
        assert not split.invalid
        parts[name.name] = {
            (label, text.tobytes()) for text, label in zip(split.texts, split.labels, strict=True)
        }
    assert len(parts["ramps"]) == 90
    assert parts["ramps"] == parts["ramps.jsonl"] == parts["ramps.parquet"]


def test_a_flat_folder_of_npz_has_its_labels_inside(tmp_path):
    for number, row in enumerate(made(30)):
        np.savez(tmp_path / f"{number:02}.npz", features=np.array(row["features"]), label=row["label"])
    np.savez(tmp_path / "no.npz", features=np.ones((2, 3)))
    np.savez(tmp_path / "two.npz", features=np.ones((2, 3)), label=["a", "b"])
    split = read_corpus(CorpusConfig(name=str(tmp_path))).splits["train"]
    assert split.labels == [*(row["label"] for row in made(30)), None]
    assert "two.npz: " in split.invalid[0]


def test_a_column_of_numbers_is_found_where_nothing_else_fits(tmp_path):
    rows = [{"n": number, "readings": [0.5, number / 3], "kind": "ab"[number % 2]} for number in range(30)]
    path = write_jsonl(tmp_path / "one.jsonl", rows)
    found = load_corpus(CorpusConfig(name=str(path), label_column="kind"))
    assert found.input.width == 1
    assert found.sizes["train"] > 10


def test_a_damaged_array_names_its_file_and_runs_no_pickle(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        np.save(tmp_path / label / "good.npy", np.ones((3, 2)))
    (tmp_path / "a" / "cut.npy").write_bytes((tmp_path / "a" / "good.npy").read_bytes()[:90])
    np.save(tmp_path / "b" / "pickled.npy", np.array([{"a": 1}], object), allow_pickle=True)
    invalid = read_corpus(CorpusConfig(name=str(tmp_path))).splits["train"].invalid
    assert [message.split(": ")[0].rpartition("/")[2] for message in invalid] == ["cut.npy", "pickled.npy"]


def test_bad_rows_and_other_widths_are_named(tmp_path):
    rows = made(12)
    rows[4]["features"][1].pop()
    rows[7]["features"] = [[1.0]]
    path = write_jsonl(tmp_path / "bad.jsonl", rows)
    with pytest.raises(
        CorpusError, match=r"bad.jsonl:5: step 2 has 2 features.*bad.jsonl:8: 1 features a step"
    ):
        load_corpus(str(path))
    test = write_jsonl(tmp_path / "test.jsonl", [{"features": [[1.0]], "label": "falls"}])
    good = write_jsonl(tmp_path / "good.jsonl", made())
    with pytest.raises(CorpusError, match=r"test.jsonl:1: 1 features a step, where 3"):
        load_corpus(CorpusConfig(name=str(good), test=str(test)))


def test_a_column_of_texts_comes_before_one_of_features(tmp_path):
    rows = [row | {"text": f"word {number}"} for number, row in enumerate(made(30))]
    path = str(write_jsonl(tmp_path / "both.jsonl", rows))
    assert load_corpus(path).input.written
    assert load_corpus(CorpusConfig(name=path, text_column="features")).input.width == 3


def test_a_list_among_texts_is_a_bad_row_not_a_corpus_of_features(tmp_path):
    rows = [{"text": ["no text"], "label": "a"}, {"text": "one", "label": "a"}, {"text": "two", "label": "b"}]
    split = read_corpus(CorpusConfig(name=str(write_jsonl(tmp_path / "t.jsonl", rows)))).splits["train"]
    assert split.texts == ["one", "two"]
    assert "of type list, not a string" in split.invalid[0]


# --- division and audit ----------------------------------------------------------------------------------


def test_equal_sequences_are_on_one_side_and_those_in_test_leave_training(tmp_path):
    rows = made(60)
    test = [dict(row, id=f"t{number}") for number, row in enumerate(made(30, seed=1))]
    path = write_jsonl(tmp_path / "train.jsonl", [*rows, *rows[:9], *test[:6]])
    given = CorpusConfig(name=str(path), test=str(write_jsonl(tmp_path / "test.jsonl", test)))
    corpus = divide(read_corpus(given), given)
    assert corpus.left_out == {"training texts in test": 6, "repeated training texts": 9}
    sides = [
        {text.tobytes() for text in split.texts} for split in (corpus.train, corpus.validation, corpus.test)
    ]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 90
    # A hair's breadth makes another sequence, and another corpus.
    rows[0]["features"][0][0] += 0.001
    other = load_corpus(str(write_jsonl(tmp_path / "other.jsonl", rows)))
    assert (
        load_corpus(str(write_jsonl(tmp_path / "same.jsonl", made(60)))).fingerprint() != other.fingerprint()
    )


def test_folds_divide_sequences_and_a_pool_has_a_fingerprint(file):
    pool = read_pool(CorpusConfig(name=str(file)))
    folds = cut(pool, 3, 0)
    tested = [text.tobytes() for fold in folds for text in fold.splits["test"].texts]
    assert len(tested) == len(set(tested)) == 90
    changed = read_pool(CorpusConfig(name=str(file)))
    changed.splits["train"].texts[5] = changed.splits["train"].texts[5] + 1
    assert fingerprint(pool) == fingerprint(read_pool(CorpusConfig(name=str(file)))) != fingerprint(changed)


def test_the_audit_finds_repeats_conflicts_and_odd_sequences(tmp_path, command):
    rows = made(60)
    rows.append(dict(rows[0], label="stays"))
    rows.append({"id": "x", "features": [[5.0, 10_000.0, 7.0]], "label": "falls"})
    path = write_jsonl(tmp_path / "odd.jsonl", rows)
    found = audit(CorpusConfig(name=str(path)))
    assert found["kind"] == "features"
    assert found["repeats"] == [{"of": "train", "in": "train", "exact": 1, "normalised": 1}]
    assert found["conflicts"]["examples"][0]["labels"] == ["falls", "stays"]
    odd = found["splits"]["train"]["oddities"]
    assert {name: one["count"] for name, one in odd.items()} == {
        "a single step": 1,
        "numbers more than 20 deviations from the mean": 1,
        "features that never change": 62,
    }
    assert odd["a single step"]["example"] == "odd.jsonl:62"
    assert found["splits"]["train"]["words"]["most"] == 14
    assert not re.search("texts|punctuation|words", " ".join(findings(found)))
    shown = command("audit", path)
    assert shown.code == 0
    assert "steps:" in shown.out
    assert json.loads(command("audit", path, "--json").out) == json.loads(json.dumps(found))


# --- what a tokenizer is to texts ------------------------------------------------------------------------


def test_training_steps_get_mean_0_and_deviation_1(tmp_path):
    given = [np.array(row["features"], np.float32) for row in made()]
    features = Features.fit(given, PLAIN)
    values = features.encode(given).sequences.values
    np.testing.assert_allclose(values.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(0), [1, 1, 0], atol=1e-5)  # the constant one stays 0
    features.save(tmp_path / "f.json")
    again = Features.load(tmp_path / "f.json", PLAIN)
    assert np.array_equal(again.encode(given).sequences.values, values)
    assert len(again.encode([]).sequences) == 0


@hypothesis.given(st.integers(1, 12), st.floats(-3, 3, allow_subnormal=False), st.integers(0, 2))
def test_a_delta_is_the_slope(length, slope, orders):
    ramp = np.stack([slope * np.arange(length), np.ones(length)], 1).astype(np.float32)
    found = with_deltas(ramp, orders)
    assert found.shape == (length, 2 * (1 + orders))
    if orders and length > 4:
        np.testing.assert_allclose(found[2:-2, 2], slope, atol=1e-5)
    if orders:
        np.testing.assert_allclose(found[:, 3], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("policy", "kept"), [("head", [0, 1, 2]), ("tail", [7, 8, 9]), ("head+tail", [0, 1, 9])]
)
def test_a_long_sequence_is_cut_as_a_text_is(policy, kept):
    settings = FeaturesConfig(max_length=3, truncation=policy, deltas=1)
    array = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    features = Features.fit([array, array + 1], settings)
    whole = Features(features.mean, features.scale, FeaturesConfig(deltas=1)).encode([array]).sequences[0]
    encoded = features.encode([array, array[:2]])
    assert np.array_equal(encoded.sequences[0], whole[kept])  # deltas look at what is cut off, too
    assert encoded.lengths.tolist() == [10, 2]
    assert encoded.truncated.tolist() == [True, False]


@pytest.mark.parametrize("deltas", [0, 1])
def test_numpy_says_what_torch_says_alone_and_in_company(deltas):
    torch.manual_seed(0)
    model = Network(3, ModelConfig(hidden_size=9, pooling=["max", "attention", "last"]), input_size=4)
    weights = {name: 3 * value.numpy() for name, value in model.state_dict().items()}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    assert {name: value.shape for name, value in weights.items()} == shapes(model.config, 3, input_size=4)
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(length, 4)).astype(np.float32) for length in (1, 30, 2, 7)]
    expected = in_torch(model, Sequences.of(rows), CPU)
    assert expected.std(0).min() > 1e-3
    found = in_numpy(NumpyClassifier(model.config, weights), Sequences.of(rows))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    for row, one in zip(rows, expected, strict=True):
        np.testing.assert_allclose(in_torch(model, Sequences.of([row]), CPU)[0], one, atol=1e-6)


# --- augmentation ----------------------------------------------------------------------------------------


def packed(lengths, width=3):
    sequences = Sequences.of([np.ones((length, width), np.float32) for length in lengths])
    return pack(sequences, np.arange(len(lengths)), CPU).inputs


@hypothesis.given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6), st.floats(0, 0.99, allow_subnormal=False)
)
def test_a_hidden_stretch_is_whole_and_no_longer_than_allowed(lengths, share):
    found = augment(packed(lengths), FeaturesConfig(noise=0, time_mask=share))
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(found, batch_first=True)
    for row, length in zip(padded, sorted(lengths, reverse=True), strict=True):
        steps = row[:length]
        assert torch.equal(steps.amin(1), steps.amax(1))  # a step is hidden whole
        hidden = torch.nonzero(steps[:, 0] == 0).flatten()
        assert len(hidden) <= share * length
        assert not len(hidden) or hidden[-1] - hidden[0] == len(hidden) - 1


def test_every_number_of_hidden_steps_comes_as_often():
    torch.manual_seed(0)
    found = augment(packed([10] * 5000), FeaturesConfig(noise=0, time_mask=0.3))
    padded, _ = torch.nn.utils.rnn.pad_packed_sequence(found, batch_first=True)
    counts = torch.bincount((padded[:, :, 0] == 0).sum(1))
    assert len(counts) == 4
    assert counts.min() > 1100


def test_noise_has_the_asked_size_and_none_leaves_all_as_it_is():
    torch.manual_seed(0)
    inputs = packed([200] * 50)
    noisy = augment(inputs, FeaturesConfig(noise=0.4)).data - 1
    assert abs(noisy.std() - 0.4) < 0.01
    assert abs(noisy.mean()) < 0.01
    assert torch.equal(augment(inputs, PLAIN).data, inputs.data)


def test_a_training_with_augmentation_resumes_to_the_bit(tmp_path):
    given = [np.array(row["features"], np.float32) for row in made(48)]
    labels = np.arange(48) % 3
    features = Features.fit(given, PLAIN)
    examples = Examples(features.encode(given).sequences, labels)

    def trainer(noise=0.3):
        torch.manual_seed(0)
        model = Network(3, ModelConfig(hidden_size=4), input_size=3)
        settings = FeaturesConfig(noise=noise, time_mask=0.3)
        return Trainer(
            model, Data(examples, examples, augment=lambda inputs: augment(inputs, settings)),
            TrainingConfig(epochs=3, batch_size=16), CPU,
        )  # fmt: skip

    whole = trainer()
    list(whole.run())
    plain = trainer(0.0)
    list(plain.run())
    assert_equal(weights(whole), weights(resumed(trainer, 5, tmp_path / "c.safetensors")))
    assert whole.history[0]["loss"] != plain.history[0]["loss"]


# --- a whole run -----------------------------------------------------------------------------------------


def test_a_run_learns_and_reports_in_its_own_words(trained, file):
    report = trained.report
    assert report["test"]["accuracy"] > 0.9
    assert set(report["baselines"]) == {"majority", "statistics_lr"}
    assert report["tokenizer"]["kind"] == "features"
    assert report["audit"]["kind"] == "features"
    names = {one["slice"] for one in report["failures"]["slices"]}
    assert not names & {"digits", "URL", "unknown words"}
    for text in (report["verdict"], card(report), (trained.bundle.folder / "report.html").read_text("utf-8")):
        assert "sequences" in text
        body = re.sub(r"<style>.*?</style>|class=\"[^\"]*\"", "", text, flags=re.DOTALL)
        assert not re.search(
            r"\b(texts?|tokens?|words?|TF-IDF)\b(?! *[-/:])", re.sub(r"(?s)<svg.*?</svg>", "", body)
        ), text
    manifest = json.loads((trained.bundle.folder / "manifest.json").read_text("utf-8"))
    assert manifest["kind"] == "features"
    assert manifest["model"] == {"vocab_size": None, "embedding_size": None, "input_size": 6}
    assert "features.json" in manifest["files"]


def test_few_sequences_are_read_in_small_batches(file, tmp_path):
    corpus = load_corpus(CorpusConfig(name=str(file)))
    for given, expected in ((32, 8), (4, 4)):
        settings = config_io.load(None, {"training.batch_size": given})
        run = Run(TRAIN, settings, tmp_path / str(given))
        run.working.mkdir()
        ready = prepare(run, corpus)
        assert ready.trainer(settings, CPU).config.batch_size == expected


def test_the_normalisation_is_that_of_the_training_sequences_alone(trained, file):
    corpus = load_corpus(CorpusConfig(name=str(file)))
    expected = Features.fit(corpus.train.texts, trained.bundle.config.features)
    everything = Features.fit([*corpus.train.texts, *corpus.test.texts], trained.bundle.config.features)
    np.testing.assert_array_equal(trained.bundle.tokenizer.mean, expected.mean)
    assert abs(trained.bundle.tokenizer.mean - everything.mean).max() > 1e-3


def test_predictions_are_those_of_the_report_and_a_bad_row_stops_nothing(trained, file, tmp_path, command):
    rows = made()
    table = pyarrow.Table.from_pylist([{"id": row["id"], "features": row["features"]} for row in rows])
    pyarrow.parquet.write_table(table, tmp_path / "new.parquet")
    done = command("predict", "--model", trained.bundle.folder, "--input", tmp_path / "new.parquet")
    assert done.code == 0
    found = {one["id"]: one for one in map(json.loads, done.out.splitlines())}
    stored = pyarrow.parquet.read_table(trained.bundle.folder / "predictions.parquet").to_pylist()
    assert len(stored) == 18
    for row in stored:
        assert found[row["id"]]["label"] == row["predicted"]
        assert found[row["id"]]["probabilities"]["rises"] == pytest.approx(row["p_rises"], abs=2e-6)
    rows[1]["features"] = [[1.0, 2.0]]
    rows[2]["features"] = "a text"
    mixed = command(
        "predict", "--model", trained.bundle.folder, "--input", write_jsonl(tmp_path / "m.jsonl", rows)
    )
    assert mixed.code == 1
    lines = [json.loads(line) for line in mixed.out.splitlines()]
    assert "m.jsonl:2: 2 features a step, where 3 are expected" in lines[1]["error"]
    assert "m.jsonl:3: the features are of type str" in lines[2]["error"]
    for row, one in zip(rows[3:], lines[3:], strict=True):
        assert one["probabilities"] == pytest.approx(found[row["id"]]["probabilities"], abs=2e-6)
    assert trained.predict([rows[0]["features"], np.array(rows[3]["features"])])[1].label == lines[3]["label"]
    with pytest.raises(ValueError, match="2 features a step"):
        trained.predict([rows[1]["features"]])


def test_an_explanation_weighs_steps_and_sums_up(trained, command, tmp_path):
    rows = made(9, seed=5)
    for one in explain(trained, [row["features"] for row in rows]):
        assert [word.text for word in one.words] == [str(n + 1) for n in range(len(one.words))]
        total = sum(word.weight for word in one.words)
        assert total == pytest.approx(one.difference - one.baseline_difference, rel=0.02)
        assert [one.text[word.start : word.end] for word in one.words] == one.text.split()
    path = write_jsonl(tmp_path / "one.jsonl", [row for row in rows if row["label"] == "rises"])
    single = explain(trained, [rows[2]["features"][:1]])[0]
    assert len(single.words) == 1
    page = tmp_path / "why.html"
    done = command("explain", "--input", path, "--model", trained.bundle.folder, "--html", page)
    assert done.code == 0
    assert "Which steps carried the decision" in page.read_text("utf-8")
    assert "mean steps" in page.read_text("utf-8")


def test_steps_that_were_cut_off_have_no_weight(trained, file):
    tokenizer = trained.bundle.tokenizer
    short = Features(tokenizer.mean, tokenizer.scale, FeaturesConfig(max_length=4, deltas=1))
    cut_off = Predictor(replace(trained.bundle, tokenizer=short))
    long = max((row["features"] for row in made()), key=len)
    found = explain(cut_off, [long])[0]
    assert found.truncated
    assert [word.weight is None for word in found.words] == [False] * 2 + [True] * (len(long) - 4) + [
        False
    ] * 2


def test_a_bundle_is_scored_again_on_its_own_and_other_sequences(trained, file, tmp_path, command):
    again = evaluate.evaluate(trained.bundle.folder)
    assert again["test"]["accuracy"] == trained.report["test"]["accuracy"]
    assert again["failures"]["slices"] == trained.report["failures"]["slices"]
    other = write_jsonl(tmp_path / "other.jsonl", made(60, seed=3))
    assert evaluate.evaluate(trained.bundle.folder, str(other))["test"]["accuracy"] > 0.9
    refused = command("report", trained.bundle.folder, "--corpus", "sample")
    assert refused.code == 3
    narrow = write_jsonl(tmp_path / "n.jsonl", [{"features": [[1, 2]], "label": "rises"}] * 4)
    assert (
        "2 features a step, but the model is of 3"
        in command("report", trained.bundle.folder, "--corpus", narrow).err
    )


def test_a_changed_normalisation_is_noticed(trained, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(trained.bundle.folder, copy)
    path = copy / "features.json"
    path.write_text(path.read_text("utf-8").replace("mean", "mean "), "utf-8")
    with pytest.raises(BundleError, match=r"features.json: changed"):
        bundle.load(copy)
    path.write_text('{"mean": [0, 1], "scale": [1, 0]}', "utf-8")
    with pytest.raises(ValueError, match="not the normalisation"):
        Features.load(path, PLAIN)


def test_the_linear_baseline_is_beaten_where_order_matters_and_beats_chance(file):
    corpus = load_corpus(CorpusConfig(name=str(file)))
    answers = statistics_lr(corpus)
    assert answers.about["features"] == 12
    np.testing.assert_allclose(answers.probabilities.sum(1), 1)
    # Whether it rises or falls is not in mean, deviation, least and most; whether it stays is.
    predicted = answers.probabilities.argmax(1)
    stays = corpus.labels.index("stays")
    assert ((predicted == stays) == (corpus.test.labels == stays)).mean() > 0.9
    assert (predicted == corpus.test.labels).mean() < 0.95


def test_slices_of_sequences_are_lengths_labels_and_truncation():
    rng = np.random.default_rng(0)
    texts = [np.zeros((int(length), 2), np.float32) for length in rng.integers(1, 50, 400)]
    encoded = Features.fit([np.eye(2, dtype=np.float32)], FeaturesConfig(max_length=25)).encode(texts)
    labels = rng.integers(0, 2, 400)
    found = slices(
        Scored(
            texts, labels, np.eye(2)[rng.integers(0, 2, 400)], Decision.plain(["a", "b"]), FeatureInput(2)
        ),
        encoded,
    )
    assert {one["slice"] for one in found} == {"length", "label", "truncated"}
    assert all("steps" in one["value"] for one in found if one["slice"] == "length")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set=tokenizer.kind=char"], "corpus of features; leave out what is for texts: tokenizer.kind"),
        (
            ["--set=tokenizer.truncation=windows", "--set=model.word_dropout=0.2"],
            "tokenizer.truncation, model.word_dropout",
        ),
        (["--set=training.adversarial=1"], "for texts: training.adversarial"),
        (["--set=pretraining.first=true"], "for texts: pretraining.first"),
        (["--set=model.init_from=nowhere"], "for texts: model.init_from"),
        (
            ["--set=distillation.teachers=1", "--set=distillation.ngrams=true"],
            "for texts: distillation.ngrams",
        ),
        (["--set=corpus.near_duplicates=drop"], "near_duplicates=drop is for texts"),
        (["--set=features.deltas=3"], "features.deltas"),
        (["--text-column=label"], "no column looks like the label"),
    ],
)
def test_settings_of_texts_are_refused(command, file, tmp_path, options, message):
    done = command("train", file, "--out", tmp_path / "x", *options)
    assert (done.code, message in done.err) == (3 if "--text-column=label" in options else 2, True)
    assert not list(tmp_path.iterdir())


def test_settings_of_features_are_refused_for_texts_and_there_is_no_pretraining(command, file, tmp_path):
    done = command("train", "sample", "--out", tmp_path / "x", "--set=features.noise=0.1", *TINY_OPTIONS)
    assert (done.code, "leave out what is for features: features.noise" in done.err) == (2, True)
    done = command("pretrain", file, "--out", tmp_path / "x")
    assert (done.code, "pretraining is for texts" in done.err) == (2, True)


def test_teachers_teach_sequences_too_and_unlabelled_ones(file, tmp_path):
    more = write_jsonl(tmp_path / "more.jsonl", [{"features": row["features"]} for row in made(20, seed=1)])
    settings = SETTINGS | {
        "training.epochs": 2, "training.sampling": "balanced", "distillation.teachers": 1,
        "corpus.unlabelled": str(more), "report.baselines": False,
    }  # fmt: skip
    report = sentiment.train(str(file), out=tmp_path / "taught", settings=settings).report
    assert report["corpus"]["sizes"]["unlabelled"] == 20
    assert len(report["teachers"]["generations"][0]["test"]["each"]) == 1
    more.write_text('{"text": "no features"}\n', "utf-8")
    with pytest.raises(CorpusError, match="of type str"):
        load_corpus(CorpusConfig(name=str(file), unlabelled=str(more)))


def test_a_search_on_sequences_leaves_settings_of_texts_alone(file, tmp_path):
    settings = config_io.load(overrides=SETTINGS | {"corpus.name": str(file), "training.epochs": 2})
    result = tuning.tune(settings, trials=2, out=tmp_path / "search")
    assert result["counts"]["finished"] == 2
    assert "model.hidden_size" in result["space"]
    assert not any(not FeatureInput().uses(name) for name in result["space"])
    assert recipes.read(result["recipe"]).settings["features"]["time_mask"] == SETTINGS["features.time_mask"]


def test_a_text_for_a_model_of_features_is_a_row_with_an_error(command, trained):
    done = command("predict", "some text", "--model", trained.bundle.folder)
    assert done.code == 1
    assert "of type str, not a list of steps" in done.out


@pytest.mark.slow
def test_japanese_vowels_come_from_the_hub(mirror, tmp_path):
    environment = hub_environment(mirror, tmp_path)
    done = run_process("audit", "japanese_vowels", "--json", env=environment)
    found = json.loads(done.out)
    assert found["kind"] == "features"
    assert [found["splits"][role]["texts"] for role in ("train", "test")] == [270, 370]
    assert len(found["splits"]["train"]["labels"]) == 9
    assert found["splits"]["train"]["words"] == {"least": 7, "median": 15, "95th percentile": 23, "most": 26}
