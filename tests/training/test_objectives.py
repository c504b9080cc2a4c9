"""Objectives: perturbations have their norm and do harm, gradients are those of the sum, runs resume."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from conftest import TINY_OPTIONS
from tiny_trainers import assert_equal, resumed, weights
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from sentiment.core.errors import UsageError
from sentiment.core.sections.model import ModelConfig
from sentiment.core.sections.training import TrainingConfig
from sentiment.data.sequences import Sequences
from sentiment.models.batches import pack, positions
from sentiment.models.network import Network
from sentiment.training import losses
from sentiment.training.trainer import Data, Examples, Trainer

CPU = torch.device("cpu")
TYPES, SIZE = 20, 6
DRY = {"word_dropout": 0.0, "embedding_dropout": 0.0, "output_dropout": 0.0}
ALL = {"adversarial": 0.7, "virtual_adversarial": 0.4, "entropy": 0.3}


def sequences(count=40, seed=0):
    rng = np.random.default_rng(seed)
    return Sequences.of([rng.integers(2, TYPES, rng.integers(1, 12)).astype(np.int32) for _ in range(count)])


def classifier(seed=0, **changes):
    torch.manual_seed(seed)
    chosen = ModelConfig(**{"hidden_size": 8, **DRY, **changes})
    model = Network(3, chosen, vocab_size=TYPES, embedding_size=SIZE)
    with torch.no_grad():  # so that predictions differ
        model.linear.weight.mul_(5)
        model.embedding.weight.mul_(5)
    return model.train()


class Case:
    """A batch with labels, and what a model makes of it."""

    def __init__(self, **changes):
        self.model = classifier(**changes)
        self.batch = pack(sequences(), np.arange(40), CPU)
        self.inputs = self.batch.inputs
        self.labels = torch.from_numpy(self.batch.rows % 3)
        self.spread = losses.spread_of(self.model.embedding.weight, torch.full((TYPES,), 1 / TYPES))
        self.slot, _ = positions(self.inputs.batch_sizes, CPU)
        self.lengths = self.batch.lengths.float()
        self.vectors = self.model.embedding(self.inputs).detach()

    def classify(self, vectors):
        return self.model.classify(PackedSequence(vectors, self.inputs.batch_sizes))

    def loss(self, logits):
        return torch.nn.functional.cross_entropy(logits, self.labels, reduction="sum")

    def norms(self, step):
        squares = (step / self.spread).square().sum(1)
        return torch.zeros(40).index_add(0, self.slot, squares).sqrt()

    def adversarial(self, norm):
        leaf = self.vectors.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self.loss(self.classify(leaf)), leaf)
        return losses.perturbation(gradient, self.spread, self.slot, 40, norm)

    def virtual(self, clean, config):
        def moved(vectors):
            return losses.divergence(clean, self.classify(vectors))

        return losses.virtual_perturbation(moved, self.vectors, self.spread, self.slot, 40, config)


def test_texts_may_come_in_any_order():
    """Packed by torch with `enforce_sorted=False`, labels and all gradients are of the same texts."""
    case, settings = Case(), TrainingConfig(**ALL | {"virtual_adversarial": 0.0})
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    texts = [sequences()[int(row)] for row in order]
    unsorted = pack_sequence([torch.from_numpy(text) for text in texts], enforce_sorted=False)
    found = []
    for inputs, labels in ((case.inputs, case.labels), (unsorted, order % 3)):

        def loss(logits, labels=labels):
            return torch.nn.functional.cross_entropy(logits, labels, reduction="sum")

        case.model.zero_grad()
        batch = replace(case.batch, inputs=inputs)
        total = losses.accumulate(case.model, batch, case.spread, settings, loss)
        found.append([total, *[value.grad.clone() for value in case.model.parameters()]])
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("norm", [0.01, 0.5, 5.0])
def test_the_adversarial_step_has_the_asked_norm_for_each_text(norm):
    case = Case()
    expected = norm * case.lengths.sqrt()
    torch.testing.assert_close(case.norms(case.adversarial(norm)), expected, rtol=1e-4, atol=0)


def test_the_adversarial_step_raises_the_loss_of_every_text_more_than_a_random_one():
    case = Case()

    def each_loss(vectors):
        with torch.no_grad():
            return torch.nn.functional.cross_entropy(case.classify(vectors), case.labels, reduction="none")

    step = case.adversarial(0.05)
    random = losses.perturbation(torch.randn_like(step), case.spread, case.slot, 40, 0.05)
    clean = each_loss(case.vectors)
    assert (each_loss(case.vectors + step) > clean).all()
    assert (each_loss(case.vectors - step) < clean).all()
    assert (each_loss(case.vectors + step) > each_loss(case.vectors + random)).all()


def test_the_virtual_step_has_its_norm_and_changes_predictions_more_than_a_random_one():
    case = Case()
    config = TrainingConfig(virtual_adversarial_norm=0.5)
    with torch.no_grad():
        clean = case.classify(case.vectors)
    step = case.virtual(clean, config)
    torch.testing.assert_close(case.norms(step), 0.5 * case.lengths.sqrt(), rtol=1e-4, atol=0)
    random = losses.perturbation(torch.randn_like(step), case.spread, case.slot, 40, 0.5)
    with torch.no_grad():
        moved, by_chance = (
            losses.divergence(clean, case.classify(case.vectors + one)) for one in (step, random)
        )
        assert losses.divergence(clean, clean) == pytest.approx(0, abs=1e-5)
    assert moved > 1.5 * by_chance > 0


def test_larger_embeddings_are_no_way_out():
    """Steps grow with the embeddings, and the spread is the standard deviation of tokens."""
    rng = np.random.default_rng(0)
    weight, counts = torch.randn(TYPES, SIZE), rng.integers(1, 9, TYPES)
    frequencies = torch.from_numpy(counts / counts.sum()).float()
    found = losses.spread_of(weight, frequencies)
    tokens = np.repeat(weight.numpy(), counts, 0)
    np.testing.assert_allclose(found.numpy(), tokens.std(0), rtol=1e-4)
    torch.testing.assert_close(losses.spread_of(3 * weight + 1, frequencies), 3 * found, rtol=1e-3, atol=0)
    slot = torch.zeros(4, dtype=torch.long)
    gradient = torch.randn(4, SIZE)
    one, two = (losses.perturbation(gradient / k, k * found, slot, 1, 5.0) for k in (1, 3))
    torch.testing.assert_close(3 * one, two)


def test_a_text_without_gradient_gets_no_step():
    step = losses.perturbation(torch.zeros(3, SIZE), torch.ones(SIZE), torch.tensor([0, 0, 1]), 2, 5.0)
    assert not step.any()
    tiny = losses.perturbation(
        torch.full((3, SIZE), 1e-25), torch.ones(SIZE), torch.tensor([0, 0, 1]), 2, 5.0
    )
    assert tiny.square().sum(1)[2].sqrt() == pytest.approx(5, rel=1e-4)


@pytest.mark.parametrize("names", [["adversarial"], ["entropy"], ["virtual_adversarial"], list(ALL)])
@pytest.mark.parametrize("labelled", [True, False])
def test_gradients_are_those_of_the_weighted_sum(names, labelled):
    case = Case()
    config = TrainingConfig(**{"adversarial": 0.0, **{name: ALL[name] for name in names}})
    torch.manual_seed(3)
    total = losses.accumulate(case.model, case.batch, case.spread, config, case.loss if labelled else None)
    found = {name: value.grad for name, value in case.model.named_parameters()}

    case.model.zero_grad()
    torch.manual_seed(3)
    vectors = case.model.embedding(case.inputs)
    logits = case.classify(vectors)
    expected = torch.zeros(())
    if labelled:
        torch.testing.assert_close(total, case.loss(logits).detach())
        expected = expected + case.loss(logits)
        if "adversarial" in names:
            expected = expected + 0.7 * case.loss(
                case.classify(vectors + case.adversarial(config.adversarial_norm))
            )
    else:
        assert total is None
    if "entropy" in names:
        p = logits.softmax(1)
        expected = expected - 0.3 * (p * p.log()).sum()
    if "virtual_adversarial" in names:
        clean = logits.detach()
        step = case.virtual(clean, config)
        after = case.classify(vectors + step)
        target = clean.softmax(1)
        expected = expected + 0.4 * (target * (target.log() - after.log_softmax(1))).sum()
    if not expected.requires_grad:  # the adversarial term needs labels
        assert names == ["adversarial"]
        assert all(value is None for value in found.values())
        return
    case.model.zero_grad()
    (expected / 40).backward()
    for name, value in case.model.named_parameters():
        torch.testing.assert_close(found[name], value.grad, rtol=1e-3, atol=1e-5, msg=name)


def test_every_pass_sees_the_same_dropout():
    """Else the divergence would be that of the dropout."""
    case = Case(output_dropout=0.5)
    config = TrainingConfig(adversarial=0.0, virtual_adversarial=1.0, virtual_adversarial_norm=1e-6)
    losses.accumulate(case.model, case.batch, case.spread, config)
    assert max(float(value.grad.abs().max()) for value in case.model.parameters()) < 1e-4


def trainer(unlabelled=True, **changes):
    torch.manual_seed(0)
    model = Network(3, ModelConfig(hidden_size=6), vocab_size=TYPES, embedding_size=SIZE)
    config = TrainingConfig(
        **{"epochs": 3, "batch_size": 16, "learning_rate": 0.01, "adversarial_norm": 1.0, **changes}
    )
    labels = np.arange(40) % 3
    further = sequences(70, 5) if unlabelled else None
    data = Data(Examples(sequences(), labels), Examples(sequences(30, 1), labels[:30]), further)
    return Trainer(model, data, config, CPU)


def final(run):
    list(run.run())
    return {name: value.clone() for name, value in run.model.state_dict().items()}


@pytest.mark.parametrize("settings", [ALL, {"adversarial": 1.0, "frozen_epochs": 1}])
@pytest.mark.parametrize("stop", [1, 4, 8])
def test_resumed_equals_uninterrupted(settings, stop, tmp_path):
    whole = final(trainer(**settings))
    assert_equal(whole, weights(resumed(partial(trainer, **settings), stop, tmp_path / "c.safetensors")))


def test_each_objective_changes_the_model_and_off_is_off():
    plain = final(trainer())
    for name, value in final(trainer(unlabelled=False)).items():
        assert torch.equal(value, plain[name]), "unlabelled texts are read without an objective for them"
    for name, weight in ALL.items():
        assert not torch.equal(final(trainer(**{name: weight}))["linear.weight"], plain["linear.weight"])
    for name in ("virtual_adversarial", "entropy"):
        with_them, without = (final(trainer(unlabelled, **{name: 1.0})) for unlabelled in (True, False))
        assert not torch.equal(with_them["linear.weight"], without["linear.weight"])


def test_entropy_makes_predictions_surer():
    def unsure(run):
        list(run.run())
        logits = run.model.eval()(pack(run.unlabelled or sequences(70, 5), np.arange(70), CPU).inputs)
        return float(losses.entropy(logits.detach()))

    assert unsure(trainer(entropy=2.0, ema=0.0)) < unsure(trainer(ema=0.0))


def test_features_have_no_embeddings_to_perturb():
    features = Sequences.of([np.ones((3, 4), np.float32)] * 9)
    data = Examples(features, np.arange(9) % 3)
    model = Network(3, ModelConfig(hidden_size=2), input_size=4)
    with pytest.raises(UsageError, match="for texts"):
        Trainer(model, Data(data, data), TrainingConfig(adversarial=1.0), CPU)


def test_the_command_trains_with_all_of_them(command, tmp_path):
    options = [f"--set=training.{name}={weight}" for name, weight in ALL.items()]
    done = command(
        "train", "sample", *TINY_OPTIONS, "--set=training.epochs=1", *options, "--out", tmp_path / "m"
    )
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "m" / "report.json").read_text())
    assert report["settings"]["training.entropy"] == 0.3
