"""Texts with several labels: read in every form, cut fairly, one model with a probability for each label."""

import itertools
import json
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, TINY_OPTIONS, in_numpy, in_torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

import sentiment
from sentiment.core.config_io import load
from sentiment.core.errors import CorpusError, SentimentError, UsageError
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.sections.model import ModelConfig
from sentiment.core.sections.run import DecisionConfig
from sentiment.core.sections.training import TrainingConfig
from sentiment.data.corpus import RawCorpus, RawSplit, divide, load_corpus
from sentiment.data.corpus.audit import audit
from sentiment.data.corpus.folds import cut, read_pool
from sentiment.data.corpus.memory import read_memory
from sentiment.data.corpus.sides import stratify
from sentiment.data.identity import normalise
from sentiment.data.sequences import Sequences
from sentiment.evaluation import baselines, predictions
from sentiment.inference import bundle
from sentiment.metrics import decision
from sentiment.metrics.calibration import fit_temperature
from sentiment.metrics.catalogue import metric_of
from sentiment.metrics.multilabel import label_thresholds
from sentiment.metrics.task import task
from sentiment.models import ngrams
from sentiment.models.heads import HEADS
from sentiment.models.network import Network
from sentiment.models.numpy_engine import NumpyClassifier
from sentiment.report.audit import findings
from sentiment.runs import distillation
from sentiment.runs.folder import Run
from sentiment.runs.prepare import prepare
from sentiment.runs.train import TRAIN
from sentiment.training import losses
from sentiment.training.trainer import Data, Examples, Trainer

CPU = torch.device("cpu")
TOPICS = {
    "ball": "the team won its match and the goal was fine",
    "cash": "the bank and its shares fell on the market",
    "moon": "a probe flew into orbit around the planet",
}
SOME = [labels for size in range(4) for labels in itertools.combinations(TOPICS, size)]  # 8 sets of labels
MULTILABEL = task("multilabel")


def rows(count: int = 120) -> list[tuple[str, tuple[str, ...]]]:
    """Texts that say one sentence for each of their labels, and a number that tells them apart."""
    return [
        (" ".join([f"no{row}", *(TOPICS[name] for name in SOME[row % 8])]), SOME[row % 8])
        for row in range(count)
    ]


def raw(some) -> RawCorpus:
    texts, labels = map(list, zip(*some, strict=True))
    numbers = [str(number) for number in range(len(texts))]
    split = RawSplit(texts, labels, numbers, list(numbers))
    return RawCorpus("made", "made", None, {"train": split, "unlabelled": RawSplit()}, task="multilabel")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "topics.jsonl"
    path.write_text(
        "".join(json.dumps({"text": text, "labels": list(labels)}) + "\n" for text, labels in rows(160))
    )
    return path


@pytest.fixture(scope="module")
def model(source, tmp_path_factory):
    """A model that has learned the topics."""
    changes = TINY | {"training.epochs": 9, "training.learning_rate": 0.03, "report.baselines": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return sentiment.train(str(source), out=tmp_path_factory.mktemp("runs") / "topics", settings=changes)


def jsonl(some):
    return "".join(json.dumps({"text": text, "labels": labels}) + "\n" for text, labels in some)


def written(some, mark=","):
    """A table with a list as JSON in its second column."""

    def cell(labels):
        text = json.dumps(labels)
        return '"' + text.replace('"', '""') + '"'

    return f"text{mark}label\n" + "".join(f"{text}{mark}{cell(labels)}\n" for text, labels in some)


def marked(some, yes="1", no="0", names=tuple(TOPICS)):
    lines = (",".join([text, *(yes if name in labels else no for name in TOPICS)]) for text, labels in some)
    return ",".join(["text", *names]) + "\n" + "".join(f"{line}\n" for line in lines)


FORMS = {
    "lists.jsonl": (jsonl, None),
    "lists.csv": (written, None),
    "lists.tsv": (lambda some: written(some, "\t"), None),
    "columns.csv": (marked, "ball,cash,moon"),
    "words.csv": (lambda some: marked(some, "True", "false"), "ball, cash, moon"),
    "floats.csv": (lambda some: marked(some, "1.0", "0.0"), "ball,cash,moon"),
    "commas.csv": (lambda some: marked(some, names=("ball", '"cash, or ""it"""', "moon")),
                   'ball,"cash, or ""it""",moon'),
    "lists.parquet": (lambda some: pa.table({"text": [text for text, _ in some], "topic": [list(x) for _, x in some]}),
                      None),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_read_as_the_same_corpus(tmp_path, name):
    write, columns = FORMS[name]
    content, path = write(rows()), tmp_path / name
    path.write_text(content) if isinstance(content, str) else pq.write_table(content, path)
    corpus = load_corpus(CorpusConfig(name=str(path), label_column=columns))
    assert corpus.task == "multilabel"
    assert [label[:4] for label in corpus.labels] == ["ball", "cash", "moon"]
    expected = dict(rows())
    for split in (corpus.train, corpus.validation, corpus.test):
        assert split.labels.shape == (len(split), 3)
        for text, labels in zip(split.texts, split.labels, strict=True):
            assert tuple(name for name, has in zip(TOPICS, labels, strict=True) if has) == expected[text]


def test_columns_keep_their_order(tmp_path):
    (tmp_path / "c.csv").write_text(marked(rows()))
    assert load_corpus(CorpusConfig(name=str(tmp_path / "c.csv"), label_column="moon,ball")).labels == (
        "moon",
        "ball",
    )


def test_a_single_column_may_have_a_comma_in_its_name(tmp_path):
    lines = "".join(f"text {row},{'ab'[row % 2]}\n" for row in range(40))
    (tmp_path / "c.csv").write_text('text,"kind, of text"\n' + lines)
    corpus = load_corpus(CorpusConfig(name=str(tmp_path / "c.csv"), label_column="kind, of text"))
    assert (corpus.task, corpus.labels) == ("multiclass", ("a", "b"))


def test_single_labels_become_lists_of_one_if_asked(tmp_path):
    (tmp_path / "c.csv").write_text(
        "text,label\n" + "".join(f"text {row},{'ab'[row % 2]}\n" for row in range(40))
    )
    corpus = load_corpus(CorpusConfig(name=str(tmp_path / "c.csv"), task="multilabel"))
    assert corpus.task == "multilabel"
    assert (corpus.train.labels.sum(1) == 1).all()


@pytest.mark.parametrize(("name", "task"), [("['{}']", "multilabel"), ("[{}]", "multiclass")])
def test_written_lists_of_one_are_classes_if_asked_for(tmp_path, name, task):
    lines = "".join(f"text {row},{name.format('ab'[row % 2])}\n" for row in range(40))
    (tmp_path / "c.csv").write_text("text,label\n" + lines)
    corpus = load_corpus(CorpusConfig(name=str(tmp_path / "c.csv")))
    labels = ("a", "b") if task == "multilabel" else ("[a]", "[b]")
    assert (corpus.task, corpus.labels) == (task, labels)
    corpus = load_corpus(CorpusConfig(name=str(tmp_path / "c.csv"), task="multiclass"))
    assert (corpus.task, corpus.labels) == ("multiclass", labels)


def csv_of(*last):
    return marked(rows()) + "".join(f"{line}\n" for line in last)


def more(*labels):
    return jsonl([*rows(), *((f"further text {number}", one) for number, one in enumerate(labels))])


@pytest.mark.parametrize(
    ("name", "content", "asked", "words"),
    [
        ("c.csv", csv_of("some text,1,2,0"), {"label_column": "ball,cash,moon"}, r"c\.csv:122: .*'cash'.*'2' is neither 0 nor 1"),
        ("c.csv", csv_of("some text,1,,0"), {"label_column": "ball,cash,moon"}, "'cash': '' is neither"),
        ("c.csv", csv_of("some text,,,"), {"label_column": "ball,cash,moon"}, r"c\.csv:122: the label is missing"),
        ("c.csv", csv_of(), {"label_column": "ball,cahs"}, "no column 'cahs'.*did you mean 'cash'"),
        ("c.csv", csv_of(), {"label_column": "ball,cash,ball"}, "'ball' is named twice"),
        ("c.csv", csv_of(), {"label_column": "ball,cash", "task": "multiclass"}, "corpus.task=multiclass wants one label"),
        ("c.jsonl", jsonl(rows()), {"task": "multiclass"}, "lists in column 'labels', and corpus.task=multiclass"),
        ("c.jsonl", jsonl([("a text", "ball"), *rows()]), {}, r"c\.jsonl:2: the label is of type list"),
        ("c.jsonl", more(["ball", "ball"]), {}, r"c\.jsonl:121: the label 'ball' is in the list twice"),
        ("c.jsonl", more(["ball", None]), {}, "a label in the list is missing"),
        ("c.jsonl", more(["ball", 0.5]), {}, r"the label '0\.5' has 1 different texts"),
        ("c.jsonl", more([["ball"]]), {}, "of type list"),
        ("c.jsonl", more(["rare"], ["rare", "ball"]), {}, "the label 'rare' has 2 different texts, and 3 are needed"),
        ("c.jsonl", jsonl([(text, labels[:1]) for text, labels in rows() if labels[:1] in ((), ("ball",))]), {},
         "have 1 labels, and two or more"),
        ("c.jsonl", jsonl((f"text {row}", [f"label {row}"]) for row in range(40)), {}, "is that the label column"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path, name, content, asked, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(CorpusError, match=words):
        load_corpus(CorpusConfig(name=str(tmp_path / name), **asked))


def test_a_label_that_only_test_has_is_refused(tmp_path):
    (tmp_path / "c.jsonl").write_text(jsonl(rows()))
    (tmp_path / "t.jsonl").write_text(jsonl([("a new text", ["ball", "new"])]))
    with pytest.raises(CorpusError, match="labels that no training text has: 'new'"):
        load_corpus(CorpusConfig(name=str(tmp_path / "c.jsonl"), test=str(tmp_path / "t.jsonl")))


@settings(max_examples=30)
@given(st.integers(0, 99), st.integers(2, 5), st.integers(2, 8))
def test_stratified_sides_have_the_share_of_each_label(seed, sides, names):
    rng = np.random.default_rng(seed)
    shares = rng.uniform(0.02, 0.5, names)
    labels = (rng.random((400, names)) < shares).astype(np.int64)
    wanted, sizes = np.tile(labels.sum(0) / sides, (sides, 1)), np.full(sides, 400 / sides)
    dealt = stratify(labels, wanted, sizes, np.random.default_rng(seed))
    assert np.array_equal(dealt, stratify(labels, wanted, sizes, np.random.default_rng(seed)))

    def off(sided):
        found = np.array([labels[sided == side].sum(0) for side in range(sides)])
        return np.abs(found - wanted[0])

    by_lot = np.mean([off(rng.permutation(400) % sides) for _ in range(20)])
    assert off(dealt).mean() < 0.6 * by_lot
    assert off(dealt).max() <= 0.2 * 400 / sides + 2
    assert np.abs(np.bincount(dealt, minlength=sides) - sizes[0]).max() <= 0.2 * 400 / sides  # not exact


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["", "!", " ?"])), max_size=40), st.integers(0, 9)
)
def test_cuts_and_folds_keep_equal_texts_on_one_side_and_every_label_on_all(extra, seed):
    some = [*rows(80), *((rows(80)[number][0].upper() + sign, SOME[number % 8]) for number, sign in extra)]
    corpus = divide(raw(some), CorpusConfig(repeats="keep"), seed)
    splits = (corpus.train, corpus.validation, corpus.test)
    keys = [{normalise(text) for text in split.texts} for split in splits]
    assert sum(map(len, keys)) == len(set.union(*keys)) == 80
    assert all(split.labels.any(0).all() for split in splits)
    assert sum(corpus.sizes.values()) == len(some)
    tested = []
    for part in cut(raw(some), 4, seed):
        inside, outside = (
            {normalise(text) for text in part.splits[role].texts} for role in ("test", "train")
        )
        assert not inside & outside
        tested += part.splits["test"].ids
        of_labels = [sum(name in label for label in dict(zip(map(normalise, part.splits["test"].texts),
                     part.splits["test"].labels, strict=True)).values()) for name in TOPICS]  # fmt: skip
        assert all(8 <= count <= 12 for count in of_labels)  # of 40 in 80 different texts
    assert sorted(tested, key=int) == [str(number) for number in range(len(some))]


def test_a_cut_has_the_wanted_shares():
    corpus = divide(raw(rows(800)), CorpusConfig(), 1)
    assert corpus.sizes["test"] == pytest.approx(160, abs=2)
    for split in (corpus.train, corpus.validation, corpus.test):
        np.testing.assert_allclose(split.labels.mean(0), 0.5, atol=0.03)


def test_the_audit_tells_of_the_labels(tmp_path):
    some = [*rows(), (rows()[1][0].upper(), ("moon",))]
    (tmp_path / "c.jsonl").write_text(jsonl(some))
    result = audit(CorpusConfig(name=str(tmp_path / "c.jsonl")))
    split = result["splits"]["train"]
    assert split["labels"] == {"moon": 61, "ball": 60, "cash": 60, "(none)": 15}
    assert split["cardinality"] == pytest.approx(181 / 121)
    assert split["label_sets"] == 8
    assert result["conflicts"]["examples"][0]["labels"] == ["ball", "moon"]
    assert "train: 1.50 labels a text, in 8 different sets" in findings(result)
    assert any("not searched where a text may have several" in line for line in findings(result))


@given(st.lists(st.floats(-700, 700, allow_subnormal=False), min_size=1, max_size=9))
def test_the_link_is_a_sigmoid_and_goes_back(values):
    logits = np.array([values])
    found = MULTILABEL.probabilities(logits)
    np.testing.assert_allclose(found, torch.from_numpy(logits).sigmoid().numpy(), rtol=1e-12)
    near = np.abs(logits) < 20
    np.testing.assert_allclose(MULTILABEL.logits(found)[near], logits[near], atol=1e-6)


def test_a_temperature_is_found_for_all_labels_together():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 3))
    labels = (rng.random((4000, 3)) < MULTILABEL.probabilities(logits)).astype(np.int64)
    sharp = MULTILABEL.probabilities(2.5 * logits)
    temperature = fit_temperature(labels, 2.5 * logits, MULTILABEL)
    assert temperature == pytest.approx(2.5, rel=0.05)
    np.testing.assert_allclose(
        MULTILABEL.probabilities(MULTILABEL.logits(sharp) / 2.5), MULTILABEL.probabilities(logits), atol=1e-6
    )
    assert MULTILABEL.probabilities(MULTILABEL.logits(np.array([[0.0, 1.0]])) / 3.0).tolist() == [[0.0, 1.0]]


def pair() -> tuple[Network, NumpyClassifier]:
    torch.manual_seed(0)
    config = ModelConfig(hidden_size=6)
    model = Network(4, config, vocab_size=50, embedding_size=7, task="multilabel")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-1, 1)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    return model, NumpyClassifier(config, weights, "multilabel")


def test_both_engines_say_the_same_whatever_the_company():
    torch_model, numpy_model = pair()
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 50, length).astype(np.int32) for length in (1, 3, 40, 7, 7, 12)]
    together = in_torch(torch_model, Sequences.of(texts), CPU)
    np.testing.assert_allclose(in_numpy(numpy_model, Sequences.of(texts)), together, atol=1e-6)
    alone = np.concatenate([in_torch(torch_model, Sequences.of([text]), CPU) for text in texts])
    np.testing.assert_allclose(alone, together, atol=1e-6)
    assert np.abs(together.sum(1) - 1).max() > 0.1  # each label for itself


LOGITS = 3 * torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
GOALS = (torch.arange(24).reshape(6, 4) % 3 == 0).long()


def loss(**options):
    return losses.CrossEntropy("multilabel", **options)(LOGITS, GOALS)


def test_the_loss_is_that_of_torch():
    plain = F.binary_cross_entropy_with_logits(LOGITS, GOALS.float()) * 6
    torch.testing.assert_close(loss(), plain)
    ratio = torch.tensor([0.5, 1.0, 3.0, 9.0])
    weighted = F.binary_cross_entropy_with_logits(LOGITS, GOALS.float(), pos_weight=ratio) * 6
    torch.testing.assert_close(loss(weights=torch.stack([torch.ones(4), ratio], 1)), weighted)
    smooth = F.binary_cross_entropy_with_logits(LOGITS, 0.8 * GOALS + 0.1) * 6
    torch.testing.assert_close(loss(label_smoothing=0.2), smooth)
    soft = losses.CrossEntropy("multilabel")(LOGITS, 0.8 * GOALS + 0.1)
    torch.testing.assert_close(soft, smooth)
    right = torch.where(GOALS == 1, LOGITS, -LOGITS).sigmoid()
    focal = -((1 - right) ** 2 * right.log()).mean(1).sum()
    torch.testing.assert_close(loss(gamma=2.0), focal, rtol=1e-5, atol=1e-6)


def test_divergence_and_entropy_are_those_of_coins():
    one, other = (torch.distributions.Bernoulli(logits=logits) for logits in (LOGITS, LOGITS.flip(0)))
    expected = torch.distributions.kl_divergence(one, other).mean(1).sum()
    torch.testing.assert_close(losses.divergence(LOGITS, LOGITS.flip(0), HEADS["multilabel"]), expected)
    torch.testing.assert_close(losses.entropy(LOGITS, HEADS["multilabel"]), one.entropy().mean(1).sum())


OBJECTIVES = [
    {"virtual_adversarial": 1.0, "entropy": 0.5, "label_smoothing": 0.1},
    *(pytest.param(changes, marks=pytest.mark.slow) for changes in (
        {}, {"adversarial": 1.0}, {"focal": 2.0}, {"class_weights": "balanced"}, {"metric": "log_loss"},
    )),
]  # fmt: skip


@pytest.mark.parametrize("changes", OBJECTIVES, ids=str)
def test_every_objective_learns(changes):
    labels = np.array([[row % 2, row // 2 % 2, row % 3 == 0] for row in range(60)], np.int64)
    texts = [[2 + number for number in range(3) if row[number]] + [9] for row in labels]
    torch.manual_seed(0)
    model = Network(3, ModelConfig(hidden_size=8), vocab_size=10, embedding_size=8, task="multilabel")
    examples = Examples(Sequences.of(texts), labels)
    config = TrainingConfig(
        **{"epochs": 10, "batch_size": 8, "learning_rate": 0.05, "adversarial": 0.0} | changes
    )
    trainer = Trainer(model, Data(examples, examples), config, CPU)
    list(trainer.run())
    assert trainer.history[-1]["validation"]["micro_f1"] > 0.95
    assert trainer.config.metric == changes.get("metric", "micro_f1")


def test_weights_balance_both_sides_of_each_label():
    labels = np.array([[1, 1], [0, 1], [0, 1], [0, 0]])
    model = Network(2, ModelConfig(hidden_size=2), vocab_size=5, embedding_size=2, task="multilabel")
    examples = Examples(Sequences.of([[2]] * 4), labels)
    trainer = Trainer(model, Data(examples, examples), TrainingConfig(class_weights="balanced"), CPU)
    torch.testing.assert_close(trainer.loss.weights, torch.tensor([[2 / 3, 2.0], [2.0, 2 / 3]]))  # (L, 2)


def test_settings_for_one_label_are_refused_before_the_work(source, command, tmp_path):
    for setting, words in {
        "training.sampling=balanced": "training.class_weights = 'balanced' is for them too",
        "training.metric=mcc": "not for the task multilabel; choose one of micro_f1",
        "decision.target=recall(ball) >= 0.9": "a text may have several labels",
        "decision.positive=ball": "decision.positive is for two classes",
        "decision.false_negative_cost=9": "decision.false_positive_cost is for two classes",
        "corpus.task=multiclass": "leave corpus.task out",
    }.items():
        done = command("train", source, "--out", tmp_path / "out", "--set", setting, *TINY_OPTIONS)
        assert done.code in (2, 3), done.err
        assert words in done.err
        assert not (tmp_path / "out.partial").exists()
    with pytest.raises(UsageError, match="metric = 'micro_f1' is not for the task multiclass"):
        metric_of("micro_f1", "multiclass")


def test_thresholds_are_those_of_the_best_f1():
    rng = np.random.default_rng(0)
    probabilities = rng.random((3000, 3)) ** [1, 2, 4]
    labels = (rng.random((3000, 3)) < probabilities).astype(np.int64)
    found = label_thresholds(labels, probabilities)
    for side, threshold in enumerate(found):
        mine, scores = labels[:, side], probabilities[:, side]
        best = max(sk.f1_score(mine, scores >= one) for one in np.linspace(0.02, 0.98, 49))
        assert sk.f1_score(mine, scores >= threshold) > best - 0.01
        assert threshold < 0.5


def test_a_label_of_few_texts_has_the_threshold_of_all():
    rng = np.random.default_rng(0)
    probabilities = rng.random((400, 3))
    labels = (rng.random((400, 3)) < probabilities).astype(np.int64)
    labels[9:, 2] = 0
    found = label_thresholds(labels, probabilities)
    assert found[2] == pytest.approx(label_thresholds(labels.reshape(-1, 1), probabilities.reshape(-1, 1))[0])
    assert label_thresholds(np.zeros((5, 2), np.int64), np.zeros((5, 2))) == (0.5, 0.5)


def test_the_decision_is_stored_and_marks_the_nearest_to_a_threshold_unsure():
    rng = np.random.default_rng(0)
    probabilities = rng.random((500, 2))
    labels = (rng.random((500, 2)) < probabilities).astype(np.int64)
    fitted = decision.fit(
        DecisionConfig(unsure=0.2), labels, MULTILABEL.logits(probabilities), ("a", "b"), MULTILABEL
    )
    again = decision.Decision.from_dict(json.loads(json.dumps(fitted.as_dict())), fitted.task)
    assert again == fitted
    tempered = fitted.probabilities(MULTILABEL.logits(probabilities))
    chosen, unsure = again.decide(tempered)
    assert np.array_equal(chosen, tempered >= np.array(fitted.thresholds))
    assert unsure.mean() == pytest.approx(0.2, abs=0.01)
    odds, edges = (MULTILABEL.logits(np.array(one)) for one in (tempered, fitted.thresholds))
    distance = np.abs(odds - edges).min(1)
    assert distance[unsure].max() <= distance[~unsure].min()
    sure = ~unsure
    counts = fitted.validation["counts"]
    assert counts["right"] == (chosen[sure] == labels[sure]).all(1).sum()
    assert counts["true_positive"] == (chosen[sure] & labels[sure]).sum()
    assert fitted.validation["precision"] == sk.precision_score(labels[sure], chosen[sure], average="micro")


def test_it_learns_and_says_so(model):
    test = model.report["test"]
    assert model.report["task"] == "multilabel"
    assert model.bundle.decision.task.name == "multilabel"
    assert test["micro_f1"] > 0.9
    assert model.report["training"]["metric"] == "micro_f1"
    for one in model.report["baselines"].values():
        assert 0 <= one["micro_f1"] <= 1
    assert model.report["baselines"]["tfidf_lr"]["micro_f1"] > 0.9
    assert model.report["baselines"]["majority"]["micro_f1"] < 0.7


def test_a_loaded_model_says_the_same(model):
    texts = [text for text, _ in rows(16)]
    loaded = sentiment.load(model.bundle.folder)
    for one, other in zip(loaded.predict(texts), model.predict(texts), strict=True):
        assert one == other
    (first,) = loaded.predict(texts[7:8])
    assert first.labels is not None
    assert first.label == ", ".join(first.labels)
    edges = dict(zip(loaded.labels, loaded.bundle.decision.thresholds, strict=True))
    assert set(first.labels) == {name for name, p in first.probabilities.items() if p >= edges[name]}


def test_predict_writes_lists_in_every_style(model, command):
    folder, texts = model.bundle.folder, ["no7 " + TOPICS["ball"] + " " + TOPICS["moon"], "no8"]
    found = model.predict(texts)
    told = command("predict", *texts, "--model", folder)
    assert [line.split("\t")[0] for line in told.out.splitlines()] == [one.label for one in found]
    lines = command("predict", *texts, "--model", folder, "--format", "jsonl").out.splitlines()
    for line, one in zip(map(json.loads, lines), found, strict=True):
        assert line["label"] == list(one.labels)
        assert line["probabilities"] == pytest.approx(one.probabilities)
        assert "labels" not in line
    table = command("predict", *texts, "--model", folder, "--format", "csv").out
    head, *cells = table.splitlines()
    assert head.startswith("id,label,probability,unsure,p_ball,p_cash,p_moon,")
    assert json.dumps(found[0].labels).replace('"', '""') in cells[0]


def test_saved_predictions_are_a_report_of_their_own(model, command):
    path = model.bundle.folder / bundle.PREDICTIONS
    found = predictions.read(path)
    corpus = load_corpus(model.bundle.config.corpus)
    assert found.task is MULTILABEL
    assert np.array_equal(found.labels, corpus.test.labels)
    np.testing.assert_allclose(found.probabilities, model.probabilities(corpus.test.texts)[0], atol=1e-6)
    rows_of = pq.read_table(path).to_pylist()
    assert [tuple(row["predicted"]) for row in rows_of] == [
        one.labels for one in model.predict(corpus.test.texts)
    ]
    done = command("report", "--predictions", path, "--json")
    told = json.loads(done.out)
    assert told["task"] == "multilabel"
    assert told["test"]["lrap"] == pytest.approx(model.report["test"]["lrap"])
    assert command("report", "--predictions", path, "--positive", "ball").code == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"label": ["a"], "probability": 0.5}\n', "one probability is enough for two classes"),
        ('{"label": ["c"], "p_a": 0.5, "p_b": 0.1}\n', "the label 'c' has no probability"),
        ('{"label": ["a", "a"], "p_a": 0.5, "p_b": 0.1}\n', "in the list twice"),
        ('{"label": ["a"], "p_a": 1.5, "p_b": 0.1}\n', "no probability from 0 to 1"),
    ],
)
def test_bad_predictions_are_refused(tmp_path, content, words):
    (tmp_path / "p.jsonl").write_text(content)
    with pytest.raises(CorpusError, match=words):
        predictions.read(tmp_path / "p.jsonl")


def test_predictions_of_anybody_are_read(tmp_path):
    (tmp_path / "p.csv").write_text('label,p_a,p_b\n"[""a"", ""b""]",0.9,0.8\n[],0.1,0.7\n')
    found = predictions.read(tmp_path / "p.csv")
    assert found.labels.tolist() == [[1, 1], [0, 0]]
    assert found.probabilities.tolist() == [[0.9, 0.8], [0.1, 0.7]]


def test_a_bundle_whose_decision_is_of_another_task_is_refused(model, tmp_path):
    target = tmp_path / "copy"
    target.mkdir()
    for file in model.bundle.folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((target / bundle.MANIFEST).read_text())
    manifest["task"] = "multiclass"
    (target / bundle.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(SentimentError, match="its task is not that of"):
        bundle.load(target)


@pytest.mark.slow
def test_teachers_teach_each_label(source, tmp_path):
    further = [f"no{number} {TOPICS['ball']}" for number in range(20)]
    (tmp_path / "more.txt").write_text("\n".join(further))
    asked = load(None, TINY | {
        "corpus.name": str(source), "corpus.unlabelled": str(tmp_path / "more.txt"), "training.epochs": 1,
        "distillation.teachers": 1, "distillation.ngrams": True, "distillation.weight": 0.5,
    })  # fmt: skip
    run = Run(TRAIN, asked, tmp_path / "run")
    run.working.mkdir()
    corpus = load_corpus(asked.corpus, 0)
    ready = prepare(run, corpus)
    parts = distillation.texts(asked, ready)
    counted = partial(ngrams.count, asked.ngrams, parts, ready.validation)
    examples, about = distillation.teach(run, ready, parts, counted)
    count = len(corpus.train)
    assert examples.targets.shape == (count + 20, 3)
    assert (np.abs(examples.targets[:count] - corpus.train.labels) <= 0.5).all()
    assert about["generations"][0]["mean"]["micro_f1"] is not None
    list(ready.trainer(asked, CPU, examples).run())


def test_most_frequent_labels_are_a_baseline():
    corpus = divide(raw([(f"text {row}", [("a",), ("a", "b"), ("a", "c")][row % 3]) for row in range(90)]),
                    CorpusConfig(), 0)  # fmt: skip
    answers = baselines.majority(corpus)
    given = answers.probabilities >= np.array(answers.about["thresholds"])
    assert given[:, 0].all()
    np.testing.assert_allclose(answers.probabilities[0], corpus.train.labels.mean(0))


@pytest.mark.slow  # it imports datasets
@pytest.mark.parametrize("kind", ["numbers", "strings", "columns"])
def test_lists_of_the_hub_keep_the_order_of_its_classes(kind):
    import datasets

    names = ["moon", "ball", "cash"]
    texts, labels = map(list, zip(*rows(), strict=True))
    columns: dict = {"text": texts}
    features: dict = {"text": datasets.Value("string")}
    if kind == "columns":
        columns |= {name: [int(name in one) for one in labels] for name in names}
        features |= dict.fromkeys(names, datasets.Value("int64"))
    else:
        columns["labels"] = [
            [names.index(name) if kind == "numbers" else name for name in one] for one in labels
        ]
        one = datasets.ClassLabel(names=names) if kind == "numbers" else datasets.Value("string")
        features["labels"] = datasets.Sequence(one)
    data = datasets.DatasetDict(train=datasets.Dataset.from_dict(columns, datasets.Features(features)))
    asked = CorpusConfig(label_column=",".join(names) if kind == "columns" else None)
    corpus = divide(read_memory(data, asked), asked)
    assert corpus.labels == (tuple(names) if kind != "strings" else tuple(sorted(names)))
    expected = dict(rows())
    for text, row in zip(corpus.test.texts, corpus.test.labels, strict=True):
        assert {name for name, has in zip(corpus.labels, row, strict=True) if has} == set(expected[text])


@pytest.mark.slow
def test_it_is_cross_validated(source, command, tmp_path):
    out = tmp_path / "crossval"
    done = command(
        "crossval",
        source,
        "--folds",
        2,
        "--seeds",
        1,
        "--out",
        out,
        *TINY_OPTIONS,
        "--set=report.baselines=true",
    )
    assert done.code == 0, done.err
    assert "micro F1" in done.out
    table = pq.read_table(out / bundle.PREDICTIONS)
    assert len(table) == len(read_pool(CorpusConfig(name=str(source))).splits["train"].texts)


@pytest.mark.slow
def test_it_is_tuned(source, command, tmp_path):
    pytest.importorskip("optuna")
    done = command(
        "tune", source, "--trials", 2, "--out", tmp_path / "tune", *TINY_OPTIONS, "--set=training.epochs=1"
    )
    assert done.code == 0, done.err
    assert "micro F1" in done.out
