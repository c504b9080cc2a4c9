"""Rare classes: the losses are their formulas, and smooth labels alike; balanced sampling is balanced."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT, in_torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.functional import hessian, jacobian

from sentiment.core.sections.model import ModelConfig
from sentiment.core.sections.training import TrainingConfig
from sentiment.data.sequences import Sequences
from sentiment.models.batches import balanced
from sentiment.models.network import Network
from sentiment.training.events import Step
from sentiment.training.losses import CrossEntropy
from sentiment.training.trainer import Data, Examples, Trainer

CPU = torch.device("cpu")


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 7.0])], ids=["plain", "weighted"])
def test_focal_is_its_formula(gamma, weights):
    generator = torch.Generator().manual_seed(0)
    logits, labels = 3 * torch.randn(40, 3, generator=generator), torch.arange(40) % 3
    p = logits.double().softmax(1)[torch.arange(40), labels]
    each = torch.ones(40) if weights is None else weights[labels]
    expected = -(each * (1 - p) ** gamma * p.log()).sum()
    assert CrossEntropy(weights=weights, gamma=gamma)(logits, labels).item() == pytest.approx(
        expected.item(), rel=1e-5
    )


WEIGHTS = torch.tensor([0.3, 3.0, 20.0])
HARD = torch.arange(30) % 3
SOFT = torch.rand(30, 3, generator=torch.Generator().manual_seed(1)).softmax(1)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("target", [HARD, SOFT], ids=["hard", "soft"])
def test_the_cross_entropy_is_torchs_but_where_that_weighs_shares_of_a_label(target, smoothing, weights):
    logits = 3 * torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    logits.requires_grad_()
    found = CrossEntropy(weights=weights, label_smoothing=smoothing)(logits, target)
    expected = F.cross_entropy(logits, target, reduction="none", label_smoothing=smoothing)
    if weights is not None:
        expected = expected * (weights[target] if target is HARD else target @ weights)
    torch.testing.assert_close(found, expected.sum())
    if target is HARD and not smoothing:
        torch.testing.assert_close(found, F.cross_entropy(logits, target, weights, reduction="sum"))
    gradients = (torch.autograd.grad(one, logits)[0] for one in (found, expected.sum()))
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


def least(loss, target, shape, probabilities):
    """Return the probabilities with the least loss, found by Newton's method in free logits."""
    logits = torch.zeros(shape, dtype=torch.float64)
    for _ in range(20):
        gradient = jacobian(lambda logits: loss(logits, target), logits).ravel()
        curvature = hessian(lambda logits: loss(logits, target), logits).reshape(len(gradient), -1)
        logits -= (torch.linalg.pinv(curvature, hermitian=True) @ gradient).view(shape)
    return probabilities(logits)


@settings(max_examples=30)
@given(st.lists(st.floats(0.1, 30), min_size=2, max_size=4), st.sampled_from([0.02, 0.1, 0.3]), st.booleans())
def test_the_best_probability_of_a_smoothed_label_is_the_same_whatever_the_weights(weights, smoothing, soft):
    classes = len(weights)
    loss = CrossEntropy(weights=torch.tensor(weights, dtype=torch.float64), label_smoothing=smoothing)
    target = torch.arange(classes)
    expected = F.one_hot(target).double()
    if soft:
        target = expected = 0.9 * expected + 0.1 / classes
    expected = (1 - smoothing) * expected + smoothing / classes
    found = least(loss, target, (classes, classes), lambda logits: logits.softmax(1))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0.1, 30), st.floats(0.1, 30)), min_size=1, max_size=3))
def test_so_are_those_of_several_labels(weights):
    weights = torch.tensor(weights, dtype=torch.float64)  # (L, 2)
    target = torch.stack([torch.zeros(len(weights)), torch.ones(len(weights))])
    loss = CrossEntropy("multilabel", weights, label_smoothing=0.1)
    found = least(loss, target, target.shape, torch.sigmoid)
    torch.testing.assert_close(found, 0.9 * target.double() + 0.05, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("task", "focal"),
    [("multiclass", 0.0), ("multiclass", 0.5), ("ordinal", 0.0), ("multilabel", 0.0), ("taught", 0.0)],
)
def test_a_rare_class_is_told_apart_with_weights_and_smoothing(task, focal):
    """3 % of a class, and nothing to be unsure about but the smoothing."""
    rng = np.random.default_rng(0)
    rare = (rng.random(400) < 0.03).astype(np.int64)
    noise = 0.1 * rng.standard_normal((400, 4, 2))
    sequences = Sequences.of(list(np.float32((2 * rare - 1)[:, None, None] + noise)))
    labels = np.stack([rare, 1 - rare], 1) if task == "multilabel" else rare
    targets = np.float32(0.9 * np.eye(2)[rare] + 0.05) if task == "taught" else None
    smoothing = 0.0 if task == "taught" else 0.1
    task = "multiclass" if task == "taught" else task
    torch.manual_seed(0)
    model = Network(2, ModelConfig(hidden_size=8, output_dropout=0.0), input_size=2, task=task)
    config = TrainingConfig(
        epochs=10, batch_size=16, class_weights="balanced", label_smoothing=smoothing, focal=focal,
        learning_rate=0.02, metric="log_loss",
    )  # fmt: skip
    data = Data(Examples(sequences, labels, targets), Examples(sequences, labels))
    run = Trainer(model, data, config, CPU)
    list(run.run())
    found = in_torch(model, sequences, CPU)[:, 0 if task == "multilabel" else 1]
    assert ((found > 0.5) == rare).all()
    if not focal:
        assert found[rare == 0].mean() == pytest.approx(0.05, abs=0.03)
        assert found[rare == 1].mean() == pytest.approx(0.95, abs=0.05)


def test_a_class_without_texts_has_no_say():
    labels = np.array([0, 0, 0, 2])
    data = Examples(Sequences.of([[2]] * 4), labels)
    model = Network(4, ModelConfig(hidden_size=2), vocab_size=5, embedding_size=2)
    run = Trainer(model, Data(data, data), TrainingConfig(class_weights="balanced"), CPU)
    torch.testing.assert_close(run.loss.weights[[0, 2]], torch.tensor([1 / 3, 1.0]))
    assert run.loss.weights.isfinite().all()
    assert run.loss(torch.zeros(4, 4), torch.from_numpy(labels)).isfinite()


@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.0])
def test_focal_has_gradients_however_sure_a_text_is(gamma):
    logits = torch.tensor([[200.0, -200.0], [1.0, 0.0]], requires_grad=True)
    for label in (0, 1):
        (gradient,) = torch.autograd.grad(
            CrossEntropy(gamma=gamma)(logits, torch.tensor([label, label])), logits
        )
        assert gradient.isfinite().all()
        assert gradient[1].abs().min() > 0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 9))
def test_balanced_draws_each_class_equally_and_each_row_equally(labels, seed):
    labels = np.array(labels)
    rows = balanced(labels, np.random.default_rng(seed))
    assert len(rows) == len(labels)
    classes = np.bincount(labels[rows])[np.unique(labels)]
    assert classes.max() - classes.min() <= 1
    for label in np.unique(labels):
        times = np.bincount(rows, minlength=len(labels))[labels == label]
        assert times.max() - times.min() <= 1
    assert np.array_equal(rows, balanced(labels, np.random.default_rng(seed)))


def trainer(**changes) -> Trainer:
    """A model of 200 texts, 10 of them of class 1."""
    rng = np.random.default_rng(0)
    labels = (np.arange(200) % 20 == 0).astype(np.int64)
    data = Examples(Sequences.of([rng.integers(2, 20, 6).astype(np.int32) for _ in labels]), labels)
    torch.manual_seed(0)
    model = Network(2, ModelConfig(hidden_size=4), vocab_size=20, embedding_size=4)
    return Trainer(model, Data(data, data), TrainingConfig(epochs=2, batch_size=16, **changes), CPU)


@pytest.mark.parametrize(("sampling", "expected"), [("natural", 10), ("balanced", 100)])
def test_an_epoch_has_the_texts_that_were_asked_for(sampling, expected, monkeypatch):
    run, epochs = trainer(sampling=sampling), ([], [])
    backward = run.backward

    def noted(batch, *others):
        epochs[run.epoch].append(batch.rows)
        return backward(batch, *others)

    monkeypatch.setattr(run, "backward", noted)
    steps = sum(isinstance(event, Step) for event in run.run())
    assert steps == 2 * 13
    for batches in epochs:
        rows = np.concatenate(batches)
        assert len(rows) == 200
        assert run.data.train.labels[rows].sum() == expected
    assert not np.array_equal(*map(np.concatenate, epochs))


def test_focal_changes_the_loss():
    losses = []
    for focal in (0.0, 2.0):
        run = trainer(focal=focal)
        list(run.run())
        losses.append(run.history[0]["loss"])
    assert 0 < losses[1] < losses[0] / 2


def test_balancing_twice_is_refused(command):
    both = ["--set=training.class_weights=balanced", "--set=training.sampling=balanced"]
    done = command("train", "sample_spam", *both)
    assert done.code == 2
    assert "training.class_weights and training.sampling both balance the classes" in done.err


@pytest.mark.slow
def test_the_script_compares_all_ways():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "rare.py", "sample_spam", "--share", "0.1", "--seeds", "1"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    head, _, *rows = done.stdout.splitlines()
    assert [row.split(" | ")[0] for row in rows] == [
        "| as it is", "| class weights", "| balanced sampling", "| focal loss, gamma 2",
    ]  # fmt: skip
    for row in rows:
        values = [float(value) for value in row.strip(" |").split(" | ")[1:]]
        assert len(values) == head.count("|") - 2
        assert all(np.isfinite(values))
