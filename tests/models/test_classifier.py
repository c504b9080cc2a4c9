"""The smallest classifier: what a tutorial writes by hand in `torch.nn`, and the order of the caller."""

import copy
import re

import pytest
import torch
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_sequence

import sentiment
from sentiment.core.sections.model import ModelConfig
from sentiment.models.network import Network, in_parts, joined, reread

CELLS = ["rnn", "lstm", "gru"]
POOLINGS = ["last", "max", "mean", "attention", "middle"]
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def by_hand(model, cell, sequence):
    """The logits of one sequence (T, F), by `torch.nn` and without packing."""
    layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](4, 5, 2, bidirectional=model.bidirectional)
    layer.load_state_dict(model.recurrence.state_dict())
    out, state = layer.to(sequence.dtype)(sequence)
    hidden = state[0] if cell == "lstm" else state
    pooled = {
        "last": torch.cat(list(hidden[-2 if model.bidirectional else -1 :])),
        "max": out.amax(0),
        "mean": out.mean(0),
        "middle": out[len(out) // 2],
    }
    if model.attention is not None:
        pooled["attention"] = (model.attention(out).softmax(0) * out).sum(0)
    return model.linear(torch.cat([pooled[name] for name in model.pooling]))


@settings(max_examples=25)
@given(
    cell=st.sampled_from(CELLS),
    pooling=st.one_of(st.sampled_from(POOLINGS), st.lists(st.sampled_from(POOLINGS), min_size=1, max_size=3)),
    bidirectional=st.booleans(),
    lengths=LENGTHS,
    seed=st.integers(0, 99),
)
def test_each_sequence_gets_its_own_logits(cell, pooling, bidirectional, lengths, seed):
    """Padded with numbers that must not be read, packed in any order, and alone: in the caller's order."""
    torch.manual_seed(seed)
    model = sentiment.SequenceClassifier(
        4, 5, 3, cell=cell, num_layers=2, bidirectional=bidirectional, pooling=pooling
    ).double()
    sequences = [torch.randn(n, 4, dtype=torch.float64) for n in lengths]
    expected = torch.stack([by_hand(model, cell, sequence) for sequence in sequences])
    padded = pad_sequence(sequences, batch_first=True, padding_value=1e6)
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    for found in (
        model(padded, torch.tensor(lengths)),
        model(padded, lengths),
        model(pack_sequence(sequences, enforce_sorted=False)),
        model(pack_padded_sequence(padded, torch.tensor(lengths), batch_first=True, enforce_sorted=False)),
        torch.cat([model(sequence[None]) for sequence in sequences]),
    ):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(model(pack_sequence([sequences[row] for row in order])), expected[order])


@pytest.mark.parametrize("cell", CELLS)
def test_the_loop_of_a_tutorial(cell):
    """It learns the labels that it is given, of sequences in any order."""
    torch.manual_seed(0)
    sequences = [torch.randn(n, 10) for n in (3, 7, 5, 2, 6, 4, 9, 8)]
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    model = sentiment.SequenceClassifier(input_size=10, hidden_size=20, num_classes=3, cell=cell)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    packed = pack_sequence(sequences, enforce_sorted=False)
    for _ in range(120):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(packed), labels)
        loss.backward()
        optimizer.step()
    alone = torch.cat([model(sequence[None]) for sequence in sequences]).argmax(1)
    assert torch.equal(alone, labels)
    assert loss.item() < 0.1


def test_the_loop_of_the_readme():
    """As it stands there; its loss falls."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)
    (block,) = [block for block in blocks if "SequenceClassifier(" in block]
    torch.manual_seed(0)
    found = {}
    exec(block, found)
    logits = found["model"](found["inputs"], found["lengths"])
    assert logits.shape == (5, 3)
    assert nn.functional.cross_entropy(logits, found["labels"]).item() < 1.05


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_classifier_of_a_run_keeps_the_order_too(pooling):
    torch.manual_seed(0)
    config = ModelConfig(hidden_size=6, pooling=[pooling])
    model = Network(3, config, vocab_size=20, embedding_size=5).eval()
    texts = [torch.randint(1, 20, (n,)) for n in (2, 5, 3)]
    alone = torch.cat([model(pack_sequence([text])) for text in texts])
    torch.testing.assert_close(model(pack_sequence(texts, enforce_sorted=False)), alone)
    torch.testing.assert_close(model(pad_sequence(texts, batch_first=True), [2, 5, 3]), alone)
    if pooling == "middle":  # has no windows
        return
    windows = [torch.cat([texts[0], texts[0]])[:2], texts[0], texts[1], texts[2]]  # two of the first text
    counted = model(pack_sequence(windows, enforce_sorted=False), counts=torch.tensor([2, 1, 1]))
    torch.testing.assert_close(counted[1:], alone[1:])


def test_ids_have_an_embedding():
    model = sentiment.SequenceClassifier(5, 6, 2, embedding=nn.Embedding(20, 5), pooling="mean")
    ids = torch.randint(0, 20, (3, 7))
    plain = sentiment.SequenceClassifier(5, 6, 2, pooling="mean")
    plain.load_state_dict(model.state_dict(), strict=False)
    torch.testing.assert_close(model(ids, [7, 1, 4]), plain(model.embedding(ids), [7, 1, 4]))


def test_dropouts_drop_in_training_only():
    for name in ("layer_dropout", "output_dropout", "weight_dropout"):
        model = sentiment.SequenceClassifier(4, 6, 2, num_layers=2, **{name: 0.5})
        inputs = torch.randn(3, 5, 4)
        assert not torch.equal(model(inputs), model(inputs))
        assert torch.equal(model.eval()(inputs), model(inputs))


@pytest.mark.parametrize(
    ("inputs", "lengths", "message"),
    [
        (torch.zeros(2, 3, 5), None, r"\(.*5\).*4"),
        (torch.zeros(2, 3, 4), [3], "2 whole numbers"),
        (torch.zeros(2, 3, 4), [3.0, 1.0], "whole numbers"),
        (torch.zeros(2, 3, 4), [3, 0], "sequence 1 is 0.*1 to 3"),
        (torch.zeros(2, 3, 4), torch.tensor([4, 3]), "sequence 0 is 4"),
        (torch.zeros(2, 0, 4), None, "one step"),
        (torch.zeros(4), None, r"\(4,\)"),
        (pack_sequence([torch.zeros(2, 4)]), [2], "leave out lengths"),
        (torch.zeros(0, 3, 4), [3], "0 whole numbers"),
        (torch.zeros(0, 3, 5), None, "5.*4"),
        ([[1.0]], None, "list"),
    ],
)
def test_wrong_inputs_are_named(inputs, lengths, message):
    with pytest.raises(ValueError, match=message):
        sentiment.SequenceClassifier(4, 6, 2)(inputs, lengths)


def test_unknown_names_are_answered_with_the_known():
    with pytest.raises(ValueError, match="rnn, lstm, gru"):
        sentiment.SequenceClassifier(4, 6, 2, cell="mamba")
    with pytest.raises(ValueError, match="no order"):
        sentiment.SequenceClassifier(4, 6, 2, pooling={"max", "last"})
    for wrong in ("first", [], ["max", "first"]):
        with pytest.raises(ValueError, match="last, max"):
            sentiment.SequenceClassifier(4, 6, 2, pooling=wrong)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
def test_compiled_and_traced():
    inputs, other = (torch.randn(5, 7, 4), [7, 3, 2, 1, 1]), (torch.randn(4, 9, 4), [2, 9, 4, 5])
    inputs, other = ((data, torch.tensor(lengths)) for data, lengths in (inputs, other))
    for pooling in POOLINGS:
        model = sentiment.SequenceClassifier(4, 6, 2, pooling=pooling, bidirectional=True).eval()
        compiled = torch.compile(model, backend="eager")
        for arguments in (inputs, other):
            torch.testing.assert_close(compiled(*arguments), model(*arguments))
        if pooling == "last":
            traced = torch.jit.trace(model, inputs)
            torch.testing.assert_close(traced(*other), model(*other))
        else:
            with pytest.raises(RuntimeError, match=r"torch\.compile"):
                torch.jit.trace(model, inputs)
        with pytest.raises(RuntimeError, match=r"torch\.compile"):
            torch.jit.script(model)


@pytest.mark.filterwarnings("ignore:The tensor attributes")
@pytest.mark.parametrize("pooling", POOLINGS)
def test_sequences_of_one_length_are_exported_and_transformed(pooling):
    model = sentiment.SequenceClassifier(4, 6, 2, pooling=pooling, bidirectional=True).eval()
    inputs = torch.randn(3, 5, 4)
    expected = model(inputs)
    exported = torch.export.export(model, (inputs,)).module()
    torch.testing.assert_close(exported(inputs), expected)
    double, data = (
        copy.deepcopy(model).double(),
        inputs.double(),
    )  # torch has no forward mode for float32 here
    _, tangent = torch.func.jvp(double, (data,), (data,))
    step = 1e-6
    expected = (double((1 + step) * data) - double((1 - step) * data)) / (2 * step)
    torch.testing.assert_close(tangent, expected, rtol=1e-5, atol=1e-6)
    for refused in (
        lambda: torch.export.export(model, (inputs, torch.tensor([5, 2, 3]))),
        lambda: torch.func.grad(lambda x: model(x, torch.tensor([5, 2, 3])).sum())(inputs),
    ):
        with pytest.raises(RuntimeError, match="without lengths"):
            refused()


def test_no_rows_have_gradients_of_zero():
    model = sentiment.SequenceClassifier(4, 6, 2, pooling=["max", "attention"])
    model(torch.zeros(0, 5, 4)).sum().backward()
    assert all(value.grad is not None and not value.grad.any() for value in model.parameters())


@pytest.mark.parametrize("integers", [torch.uint16, torch.int8, torch.int64])
def test_lengths_are_any_integers(integers):
    model, inputs = sentiment.SequenceClassifier(4, 6, 2), torch.randn(3, 5, 4)
    lengths = torch.tensor([5, 1, 3]).to(integers)
    torch.testing.assert_close(model(inputs, lengths), model(inputs, [5, 1, 3]))


def test_reread_keeps_the_order_too():
    """What is pooled twice, or of parts of a batch, is of the sequences as they were given."""
    torch.manual_seed(0)
    model = Network(2, ModelConfig(hidden_size=6, pooling=["max"]), input_size=4).eval()
    mixed = pack_sequence([torch.randn(n, 4) for n in (2, 5, 3)], enforce_sorted=False)
    torch.testing.assert_close(reread(model, mixed)["max"], model.read(mixed)["max"])
    alike = [torch.randn(3, 4) for _ in range(4)]
    order = torch.tensor([2, 0, 3, 1])
    packed = pack_sequence([alike[row] for row in order])._replace(
        sorted_indices=order, unsorted_indices=order.argsort()
    )
    parts = joined([model.read(part) for part in in_parts(packed, 6)])
    torch.testing.assert_close(parts["max"], model.read(packed)["max"])
    torch.testing.assert_close(parts["max"], model.read(pack_sequence(alike))["max"])
