"""The loop: interrupted and resumed equals uninterrupted, bit for bit on a CPU."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from conftest import in_torch
from tiny_trainers import CPU, assert_equal, examples, resumed, trainer, weights

from sentiment.core.errors import SentimentError
from sentiment.core.sections.model import ModelConfig
from sentiment.core.sections.training import TrainingConfig
from sentiment.data.sequences import Sequences
from sentiment.models.network import Network
from sentiment.training import trainer as trainer_module
from sentiment.training.events import Epoch, Step
from sentiment.training.loop import schedule
from sentiment.training.trainer import Data, Examples, Trainer

NO_DROPOUT = {"word_dropout": 0.0, "embedding_dropout": 0.0, "output_dropout": 0.0}


@pytest.mark.parametrize(
    "settings", [{}, {"ema": 0.9, "schedule": "linear"}, {"frozen_epochs": 2, "patience": 3}]
)
@pytest.mark.parametrize("stop", [1, 9, 16])
def test_resumed_equals_uninterrupted(settings, stop, tmp_path):
    whole = trainer(**settings)
    events = list(whole.run())
    assert sum(isinstance(event, Epoch) for event in events) == 4

    second = resumed(partial(trainer, **settings), stop, tmp_path / "c.safetensors")
    assert_equal(weights(whole), weights(second))
    for one, two in zip(whole.history, second.history, strict=True):
        for key in ("epoch", "loss", "validation", "best", "learning_rate", "tokens"):
            assert one[key] == two[key], key


def test_the_same_seed_gives_the_same_model_and_another_does_not():
    made = []
    for seed in (0, 0, 1):
        run = trainer(seed)
        list(run.run())
        made.append(weights(run))
    assert_equal(made[0], made[1])
    assert not torch.equal(made[0]["linear.weight"], made[2]["linear.weight"])


@pytest.mark.parametrize(
    "kind", ["lstm", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("gru", "rnn"))]
)
def test_order_is_learned(kind):
    run = trainer(model={"kind": kind, "pooling": ["last"], **NO_DROPOUT}, epochs=25)
    list(run.run())
    assert max(record["validation"]["accuracy"] for record in run.history) > 0.95


def test_the_best_epoch_is_kept():
    run = trainer(epochs=6, metric="log_loss")
    seen = {}
    for event in run.run():
        if isinstance(event, Epoch):
            seen[event.record["epoch"]] = weights(run)
    best = min(run.history, key=lambda record: record["validation"]["log_loss"])
    assert [record for record in run.history if record["best"]][-1] is best
    assert_equal(weights(run), seen[best["epoch"]])


def test_patience_stops():
    run = trainer(epochs=50, patience=2, learning_rate=1e-9)  # learns nothing
    list(run.run())
    best = [record["epoch"] for record in run.history if record["best"]][-1]
    assert len(run.history) == best + 2 < 50


def test_frozen_vectors_stay_and_later_move():
    run = trainer(frozen_epochs=2, epochs=3)
    start = run.model.embedding.weight.detach().clone()
    for event in run.run():
        if isinstance(event, Epoch):
            moved = not torch.equal(start, run.model.embedding.weight)
            assert moved == (event.record["epoch"] == 3)
    frozen = trainer(frozen_epochs=-1, epochs=2)
    start = frozen.model.embedding.weight.detach().clone()
    list(frozen.run())
    assert torch.equal(start, frozen.model.embedding.weight)


def test_a_frozen_recurrence_stays_and_later_moves():
    run = trainer(frozen_epochs=2, epochs=3)
    run.config.frozen_epochs = 1  # the embedding thaws an epoch later
    parts = {"recurrence.weight_hh_l0": 2, "embedding.weight": 3, "linear.weight": 1}
    start = weights(run)
    for event in run.run():
        if isinstance(event, Epoch) and event.record["epoch"] < 3:
            for name, first in parts.items():
                moved = not torch.equal(start[name], run.model.state_dict()[name])
                assert moved == (event.record["epoch"] >= first), (name, event.record["epoch"])


def test_the_encoder_has_its_share_of_the_rate():
    """The first step of AdamW is the learning rate, whatever the gradient."""
    run = trainer(encoder_rate=0.25, weight_decay=0.0, schedule="constant", epochs=1, clip_norm=0.0)
    start = weights(run)
    next(run.run())
    moved = {name: (value - start[name]).abs().max().item() for name, value in weights(run).items()}
    assert moved["linear.weight"] == pytest.approx(0.02, rel=1e-2)
    assert moved["recurrence.weight_hh_l0"] == pytest.approx(0.005, rel=1e-2)
    assert moved["embedding.weight"] == pytest.approx(0.005, rel=1e-2)


def test_the_average_is_that_of_the_formula():
    run = trainer(ema=0.5, epochs=1)
    average = {name: value.detach().clone() for name, value in run.model.named_parameters()}
    for event in run.run():
        if isinstance(event, Step):
            decay = min(0.5, (1 + run.updates) / (10 + run.updates))
            for name, value in run.model.named_parameters():
                average[name] = decay * average[name] + (1 - decay) * value.detach()
    for name, value in run.model.named_parameters():
        torch.testing.assert_close(value.detach(), average[name])


def test_the_loss_of_an_epoch_is_the_mean_over_texts():
    """Not the mean of batch means: the last batch is short."""
    run = trainer(epochs=1, batch_size=50, learning_rate=1e-12, schedule="constant", model=NO_DROPOUT)
    list(run.run())
    scored = trainer(model=NO_DROPOUT)
    from sentiment.metrics.task import MULTICLASS

    data = examples()
    expected = MULTICLASS.quick_scores(data.labels, in_torch(scored.model, data.sequences, CPU))["log_loss"]
    assert run.history[0]["loss"] == pytest.approx(expected, abs=1e-6)


def test_balanced_weights_and_smoothing_change_the_loss():
    losses = set()
    for changes in ({}, {"class_weights": "balanced"}, {"label_smoothing": 0.2}):
        run = trainer(epochs=1, **changes)
        list(run.run())
        losses.add(run.history[0]["loss"])
    assert len(losses) == 3


@pytest.mark.parametrize("name", ["one_cycle", "linear", "cosine", "constant"])
def test_schedules_stay_within_their_range(name):
    values = [schedule(name, progress) for progress in np.linspace(0, 1, 101)]
    assert max(values) == pytest.approx(1)
    assert min(values) >= -1e-12
    if name != "constant":
        assert values[-1] == pytest.approx(0)


def test_auto_epochs_are_bounded():
    for count, expected in ((120, 30), (4800, 10), (10**6, 4)):
        data = Examples(Sequences(np.ones(count, np.int32), np.arange(count + 1)), np.arange(count) % 2)
        classifier = Network(2, ModelConfig(hidden_size=2), vocab_size=3, embedding_size=2)
        assert Trainer(classifier, Data(data, examples(9)), TrainingConfig(), CPU).epochs == expected


def test_divergence_is_an_error_not_a_model():
    run = trainer()
    with torch.no_grad():
        run.model.linear.weight.fill_(float("inf"))
    with pytest.raises(SentimentError, match="learning_rate"):
        list(run.run())


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    run = trainer()
    path.write_bytes(b"no")
    with pytest.raises(SentimentError, match="start again"):
        run.restore(path)
    trainer(model={"hidden_size": 9}).save(path)
    with pytest.raises(SentimentError, match="start again"):
        run.restore(path)
    assert not list(tmp_path.glob("*.tmp"))
    json.dumps(run.history)


def test_adversarial_steps_are_taken_by_default_where_there_are_few_tokens(monkeypatch):
    def trained(**changes):
        made = trainer(**changes)
        list(made.run())  # at once: dropout draws from torch's own generator
        return made.config.adversarial, weights(made)

    few, stepped = trained()
    monkeypatch.setattr(trainer_module, "ADVERSARIAL_TOKENS", int(examples().sequences.lengths.sum()) - 1)
    many, plain = trained()
    assert (few, many) == (1.0, 0.0)
    assert_equal(plain, trained(adversarial=0.0)[1])
    assert_equal(stepped, trained(adversarial=1.0)[1])
    assert any(not torch.equal(value, plain[name]) for name, value in stepped.items())
