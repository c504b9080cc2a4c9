"""The NumPy engine says what torch says, and does without it."""

import itertools

import numpy as np
import pytest
import torch

from sentiment.config import ModelConfig
from sentiment.engine import NumpyClassifier, shapes
from sentiment.model import SequenceClassifier, infer
from sentiment.sequences import Sequences

SIZES = {"vocab_size": 50, "embedding_size": 7, "input_size": None}
POOLINGS = (["last"], ["max"], ["mean"], ["attention"], ["mean", "last", "attention", "max"])


def pair(labels: int = 3, **settings) -> tuple[SequenceClassifier, NumpyClassifier]:
    """Return one model in both forms, with random weights that do not stay near 0."""
    torch.manual_seed(0)
    model = SequenceClassifier(labels, ModelConfig(**settings), **SIZES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-2 * model.config.hidden_size**-0.5, 2 * model.config.hidden_size**-0.5)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in weights.items()} == shapes(model.config, labels, **SIZES)
    return model, NumpyClassifier(model.config, weights)


def random_sequences(*lengths: int) -> Sequences:
    generator = np.random.default_rng(len(lengths))
    return Sequences.of([generator.integers(0, 50, length).astype(np.int32) for length in lengths])


@pytest.mark.parametrize(
    ("kind", "bidirectional", "layers", "pooling"),
    list(itertools.product(("lstm", "gru", "rnn"), (False, True), (1, 2, 3), POOLINGS)),
    ids=str,
)
def test_numpy_says_what_torch_says(kind, bidirectional, layers, pooling):
    model, numpy_model = pair(
        kind=kind, bidirectional=bidirectional, layers=layers, pooling=pooling, hidden_size=9
    )
    sequences = random_sequences(1, 30, 2, 1, 90, 7)
    expected = infer(model, sequences, torch.device("cpu"))
    assert expected.std(0).min() > 1e-3  # else there is nothing to compare
    np.testing.assert_allclose(numpy_model.probabilities(sequences), expected, atol=2e-6, rtol=0)


def test_long_texts_agree_too():
    model, numpy_model = pair(labels=2, hidden_size=64, pooling=["last", "mean"])
    sequences = random_sequences(2000, 400)
    expected = infer(model, sequences, torch.device("cpu"))
    np.testing.assert_allclose(numpy_model.probabilities(sequences), expected, atol=1e-5, rtol=0)


def test_a_text_is_the_same_to_the_bit_in_any_company():
    _, numpy_model = pair()
    sequences = random_sequences(3, 50, 1, 20)
    together = numpy_model.probabilities(sequences)
    for row in range(4):
        assert np.array_equal(
            together[row : row + 1], numpy_model.probabilities(Sequences.of([sequences[row]]))
        )
    assert numpy_model.probabilities(Sequences.of([])).shape == (0, 3)
