"""Rare classes: the focal loss is its formula, balanced sampling is balanced."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from sentiment.batches import balanced
from sentiment.config import ModelConfig, TrainingConfig
from sentiment.model import SequenceClassifier
from sentiment.objectives import Focal
from sentiment.sequences import Sequences
from sentiment.training import Examples, Step, Trainer

CPU = torch.device("cpu")


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 7.0])], ids=["plain", "weighted"])
def test_focal_is_its_formula(gamma, weights):
    generator = torch.Generator().manual_seed(0)
    logits, labels = 3 * torch.randn(40, 3, generator=generator), torch.arange(40) % 3
    p = logits.double().softmax(1)[torch.arange(40), labels]
    each = torch.ones(40) if weights is None else weights[labels]
    expected = -(each * (1 - p) ** gamma * p.log()).sum()
    assert Focal(gamma, weights)(logits, labels).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_focal_of_0_is_the_cross_entropy(smoothing):
    logits, labels, weights = torch.randn(9, 2), torch.arange(9) % 2, torch.tensor([0.3, 3.0])
    expected = F.cross_entropy(logits, labels, weights, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(Focal(0.0, weights, label_smoothing=smoothing)(logits, labels), expected)


@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.0])
def test_focal_has_gradients_however_sure_a_text_is(gamma):
    logits = torch.tensor([[200.0, -200.0], [1.0, 0.0]], requires_grad=True)
    for label in (0, 1):
        (gradient,) = torch.autograd.grad(Focal(gamma)(logits, torch.tensor([label, label])), logits)
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
    model = SequenceClassifier(2, ModelConfig(hidden_size=4), vocab_size=20, embedding_size=4)
    return Trainer(model, data, data, TrainingConfig(epochs=2, batch_size=16, **changes), device=CPU)


@pytest.mark.parametrize(("sampling", "expected"), [("natural", 10), ("balanced", 100)])
def test_an_epoch_has_the_texts_that_were_asked_for(sampling, expected, monkeypatch):
    run, epochs = trainer(sampling=sampling), ([], [])
    update = run._update

    def noted(batch, *others):
        epochs[run.epoch].append(batch.rows)
        update(batch, *others)

    monkeypatch.setattr(run, "_update", noted)
    steps = sum(isinstance(event, Step) for event in run.run())
    assert steps == 2 * 13
    for batches in epochs:
        rows = np.concatenate(batches)
        assert len(rows) == 200
        assert run.train.labels[rows].sum() == expected
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
