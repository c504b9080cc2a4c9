"""Scalars for TensorBoard: what the history says, also when a run goes on; refused early without the extra."""

import numpy as np
import pytest
import torch

from sentiment.core.errors import UsageError
from sentiment.core.sections.model import ModelConfig
from sentiment.core.sections.training import TrainingConfig
from sentiment.data.sequences import Sequences
from sentiment.models.network import Network
from sentiment.training import tensorboard
from sentiment.training.events import Epoch
from sentiment.training.trainer import Data, Examples, Trainer


def fresh() -> Trainer:
    generator = np.random.default_rng(0)
    torch.manual_seed(0)
    examples = Examples(
        Sequences.of([generator.integers(0, 20, 5).astype(np.int32) for _ in range(96)]),
        generator.integers(0, 2, 96),
    )
    model = Network(2, ModelConfig(hidden_size=4), vocab_size=20, embedding_size=4)
    config = TrainingConfig(epochs=3, batch_size=4)  # 24 updates an epoch
    return Trainer(model, Data(examples, examples), config, torch.device("cpu"))


def log(trainer, folder, stop=None):
    """Train with scalars, up to an update if asked to."""
    with tensorboard.scalars(folder, trainer) as scalars:
        for event in trainer.run():
            (scalars.epoch if isinstance(event, Epoch) else scalars.step)(event, trainer)
            if trainer.updates == stop:
                return


def read(folder):
    """Return {name: {step: value}}."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / tensorboard.FOLDER))
    found.Reload()
    return {
        name: {event.step: event.value for event in found.Scalars(name)} for name in found.Tags()["scalars"]
    }


def test_scalars_are_those_of_the_history(tmp_path):
    trainer = fresh()
    log(trainer, tmp_path)
    found = read(tmp_path)
    assert list(found["train/loss"]) == [10, 20, 24, 30, 40, 48, 50, 60, 70, 72]
    for number, record in enumerate(trainer.history, start=1):
        step = 24 * number
        for name, value in record["validation"].items():
            assert found[f"validation/{name}"][step] == pytest.approx(value, rel=1e-5)
        assert found["train/epoch_loss"][step] == pytest.approx(record["loss"], rel=1e-5)
        assert found["train/learning_rate"][step] == pytest.approx(record["learning_rate"], rel=1e-5)
    # The losses between two scalars are means: weighted by their updates they are that of the epoch.
    losses = found["train/loss"]
    first = (10 * losses[10] + 10 * losses[20] + 4 * losses[24]) / 24
    assert first == pytest.approx(trainer.history[0]["loss"], rel=1e-5)
    third = (2 * losses[50] + 10 * losses[60] + 10 * losses[70] + 2 * losses[72]) / 24
    assert third == pytest.approx(trainer.history[2]["loss"], rel=1e-5)
    assert min(found["train/tokens_per_second"].values()) > 0


@pytest.mark.parametrize("lost", [0, 7])
def test_a_run_that_goes_on_has_the_scalars_of_one_that_never_stopped(tmp_path, lost):
    log(fresh(), tmp_path / "whole")
    cut = fresh()
    log(cut, tmp_path / "cut", stop=40)
    cut.save(tmp_path / "checkpoint")
    if lost:  # what came after the checkpoint
        log(cut, tmp_path / "cut", stop=40 + lost)
    again = fresh()
    again.restore(tmp_path / "checkpoint")
    log(again, tmp_path / "cut")
    whole, joined = read(tmp_path / "whole"), read(tmp_path / "cut")
    for found in (whole, joined):
        del found["train/tokens_per_second"]
    assert joined == whole


def test_without_the_extra_it_is_refused_with_the_command(monkeypatch):
    tensorboard.check()
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'sentiment\[tensorboard\]'"):
        tensorboard.check()
