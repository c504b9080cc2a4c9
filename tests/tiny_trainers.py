"""A training of a moment: which of two tokens comes first?"""

import numpy as np
import torch

from sentiment.core.sections.model import ModelConfig
from sentiment.core.sections.training import TrainingConfig
from sentiment.data.sequences import Sequences
from sentiment.models.network import Network
from sentiment.training.trainer import Data, Examples, Trainer

CPU = torch.device("cpu")


def examples(count=120, seed=0):
    """Sequences whose class is whether token 5 comes before token 6."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(7, 20, rng.integers(4, 15)) for _ in range(count)]
    labels = rng.integers(0, 2, count)
    for row, label in zip(rows, labels, strict=True):
        row[0], row[-1] = (5, 6) if label else (6, 5)
    return Examples(Sequences.of([row.astype(np.int32) for row in rows]), labels)


def trainer(seed=0, frozen_epochs=0, model=None, **changes):
    torch.manual_seed(seed)
    config = ModelConfig(
        **{"hidden_size": 8, "embedding_dropout": 0.1, "output_dropout": 0.2, **(model or {})}
    )
    classifier = Network(2, config, vocab_size=20, embedding_size=6)
    settings = TrainingConfig(**{"epochs": 4, "batch_size": 16, "learning_rate": 0.02, "ema": 0.0, **changes})
    data = Data(examples(), examples(60, 1))
    return Trainer(classifier, data, settings, CPU, seed=seed, frozen_epochs=frozen_epochs)


def resumed(made, stop, file):
    """Return a training that was stopped after some events and went on from its file, in another one."""
    first = made()
    for _ in zip(range(stop), first.run(), strict=False):
        pass
    first.save(file)
    second = made()
    torch.manual_seed(999)  # whatever happened in between
    torch.rand(7)
    second.restore(file)
    list(second.run())
    return second


def weights(done):
    return {name: value.detach().clone() for name, value in done.model.state_dict().items()}


def assert_equal(one, two):
    assert one.keys() == two.keys() != set()
    for name, value in one.items():
        assert torch.equal(value, two[name]), name
