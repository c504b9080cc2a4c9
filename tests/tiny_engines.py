"""A model of random weights, in torch and in NumPy."""

import torch

from sentiment.core.sections.model import ModelConfig
from sentiment.models.network import Network
from sentiment.models.numpy_engine import NumpyClassifier, shapes

SIZES = {"vocab_size": 50, "embedding_size": 7, "input_size": None}


def pair(labels: int = 3, **settings) -> tuple[Network, NumpyClassifier]:
    """Return one model in both forms, with random weights that do not stay near 0."""
    torch.manual_seed(0)
    model = Network(labels, ModelConfig(**settings), **SIZES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-2 * model.config.hidden_size**-0.5, 2 * model.config.hidden_size**-0.5)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in weights.items()} == shapes(model.config, labels, **SIZES)
    return model, NumpyClassifier(model.config, weights)
