"""Batches and the model: packing is a property, not an option."""

import numpy as np
import pytest
import torch
from conftest import in_torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from sentiment.core.sections.model import ModelConfig
from sentiment.data.sequences import Sequences
from sentiment.models.batches import buckets, pack, padding
from sentiment.models.network import Network

CPU = torch.device("cpu")
ALL = ["last", "max", "mean", "attention", "middle"]
LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=40)


def ids(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return Sequences.of([rng.integers(1, 20, n).astype(np.int32) for n in lengths])


def model(labels=3, **changes):
    torch.manual_seed(0)
    config = ModelConfig(**{"hidden_size": 6, "pooling": ALL, **changes})
    return Network(labels, config, vocab_size=20, embedding_size=5)


@given(LENGTHS, st.integers(1, 8), st.integers(1, 60), st.one_of(st.none(), st.integers(0, 9)))
def test_buckets_hold_every_row_once_within_the_limits(lengths, size, tokens, seed):
    lengths = np.array(lengths)
    generator = None if seed is None else np.random.default_rng(seed)
    batches = buckets(lengths, size, tokens, generator)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    for rows in batches:
        assert len(rows) <= size
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= tokens
    assert 0 <= padding(batches, lengths) < 1


def test_buckets_are_random_and_yet_waste_little():
    lengths = np.random.default_rng(0).lognormal(5, 0.7, 5000).astype(np.int64).clip(1, 400)
    first, second = (buckets(lengths, 32, 10**6, np.random.default_rng(seed)) for seed in (0, 1))
    assert padding(first, lengths) < 0.05
    assert {tuple(rows) for rows in first} != {tuple(rows) for rows in second}
    means = [lengths[rows].mean() for rows in first]
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.2  # long and short batches mixed


@given(LENGTHS)
def test_packing_is_that_of_torch(lengths):
    sequences = ids(lengths)
    batch = pack(sequences, np.arange(len(lengths)), CPU)
    resident = pack(sequences, np.arange(len(lengths)), CPU, torch.from_numpy(sequences.values))
    assert torch.equal(resident.inputs.data, batch.inputs.data)
    expected = pack_sequence([torch.from_numpy(sequences[row]) for row in batch.rows])
    assert torch.equal(batch.inputs.data, expected.data)
    assert torch.equal(batch.inputs.batch_sizes, expected.batch_sizes)
    assert batch.lengths.tolist() == sorted(lengths, reverse=True)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("bidirectional", [True, False])
@settings(max_examples=10)
@given(lengths=LENGTHS)
def test_a_text_is_scored_alike_in_every_company(kind, bidirectional, lengths):
    classifier = model(kind=kind, bidirectional=bidirectional, layers=2)
    sequences = ids(lengths)
    together = in_torch(classifier, sequences, CPU)
    alone = [in_torch(classifier, Sequences.of([sequences[row]]), CPU)[0] for row in range(len(lengths))]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(together.sum(1), 1)


def test_poolings_are_those_of_a_plain_loop():
    classifier = model().double().eval()
    sequences = ids([7, 3, 1, 5])
    batch = pack(sequences, np.arange(4), CPU)
    logits = classifier(batch.inputs)
    for place, row in enumerate(batch.rows):
        embedded = classifier.embedding.weight[torch.from_numpy(sequences[row]).long()]
        reference = nn.LSTM(5, 6, bidirectional=True).double()
        reference.load_state_dict(classifier.recurrence.state_dict())
        out, (last, _) = reference(embedded)
        weights = classifier.attention(out).softmax(0)
        pooled = [
            torch.cat([last[0], last[1]]),
            out.amax(0),
            out.mean(0),
            (weights * out).sum(0),
            out[len(out) // 2],
        ]
        torch.testing.assert_close(classifier.linear(torch.cat(pooled)), logits[place], atol=1e-10, rtol=1e-8)


def test_gradients_are_those_of_a_padded_reference():
    """All parameters, float64, unidirectional with the mean of the valid steps."""
    classifier = model(pooling=["mean"], bidirectional=False).double()
    classifier.eval()
    sequences = ids([9, 4, 4, 2])
    batch = pack(sequences, np.arange(4), CPU)
    classifier(batch.inputs).square().sum().backward()
    ours = {name: value.grad.clone() for name, value in classifier.named_parameters()}
    classifier.zero_grad()
    reference = nn.LSTM(5, 6, batch_first=True).double()
    reference.load_state_dict(classifier.recurrence.state_dict())
    total = 0
    for row in batch.rows:  # one at a time, so that nothing is padded
        out, _ = reference(classifier.embedding.weight[torch.from_numpy(sequences[row]).long()][None])
        total = total + classifier.linear(out.mean(1)).square().sum()
    total.backward()
    theirs = {name: value.grad for name, value in classifier.named_parameters() if value.grad is not None}
    theirs |= {f"recurrence.{name}": value.grad for name, value in reference.named_parameters()}
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], atol=1e-10, rtol=1e-8)


def test_feature_vectors_take_the_place_of_ids():
    classifier = Network(2, ModelConfig(hidden_size=4), input_size=3)
    features = Sequences.of([np.ones((n, 3), np.float32) * n for n in (5, 2)])
    assert in_torch(classifier, features, CPU).shape == (2, 2)
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(steps, 3\)"):
        classifier(pack_sequence([torch.ones(2, 4)]))


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ({"vocab_size": 9, "embedding_size": 4, "vectors": torch.zeros(9, 5)}, r"\(9, 5\).*\(9, 4\)"),
        ({"vocab_size": 9, "input_size": 3}, "9.*3"),
        ({}, "None.*None"),
        ({"vocab_size": 9}, "9.*None"),
        ({"input_size": 3, "embedding_size": 4}, "3"),
    ],
)
def test_wrong_sizes_fail_at_construction_with_the_numbers(arguments, numbers):
    with pytest.raises(ValueError, match=numbers):
        Network(2, ModelConfig(), **arguments)
    with pytest.raises(ValueError, match="1"):
        Network(1, ModelConfig(), input_size=3)


@pytest.mark.parametrize("name", ["word_dropout", "embedding_dropout", "spatial_dropout", "output_dropout"])
def test_every_dropout_drops_in_training_only(name):
    classifier = model(**{"word_dropout": 0.0, "embedding_dropout": 0.0, "output_dropout": 0.0, name: 0.5})
    batch = pack(ids([6, 4]), np.arange(2), CPU)
    classifier.train()
    assert not torch.equal(classifier(batch.inputs), classifier(batch.inputs))
    classifier.eval()
    assert torch.equal(classifier(batch.inputs), classifier(batch.inputs))


def test_dropouts_drop_what_they_say():
    config = ModelConfig(word_dropout=0.5, embedding_dropout=0.0)
    embedding = Network(2, config, vocab_size=20, embedding_size=5).embedding.train()
    inputs = pack_sequence([torch.tensor([3, 4, 3, 5, 6, 7, 3]), torch.tensor([3, 4])])
    dropped = {i: {bool(row.any()) for row in embedding(inputs)[inputs.data == i]} for i in (3, 4)}
    assert all(len(states) == 1 for states in dropped.values())  # a type is there everywhere or nowhere
    embedding.config = ModelConfig(spatial_dropout=0.5, word_dropout=0.0, embedding_dropout=0.0)
    data = embedding(inputs) != 0
    first = data[torch.tensor([0, 2, 4, 5, 6, 7, 8])]  # the steps of the first text
    assert (first == first[0]).all()
