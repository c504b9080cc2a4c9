"""The recurrent layers against those of `torch.nn`, natively and in torch operations."""

import copy
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from sentiment.models import recurrent
from sentiment.models.recurrent import modules

KINDS = ["RNN", "LSTM", "GRU"]
needs_native = pytest.mark.skipif(recurrent.kernel() != "native", reason="no C compiler here")


def pair(kind, *args, dtype=torch.float32, **kwargs):
    """Our layer and torch's with equal weights."""
    ours = getattr(recurrent, kind)(*args, **kwargs).to(dtype)
    theirs = getattr(nn, kind)(*args, **kwargs).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def pack(lengths, features, dtype=torch.float32):
    ordered = lengths == sorted(lengths, reverse=True)
    return pack_sequence([torch.randn(n, features, dtype=dtype) for n in lengths], enforce_sorted=ordered)


def initial(kind, layer, batch, dtype=torch.float32, scale=1.0):
    shape = (layer.num_layers * (1 + layer.bidirectional), batch, layer.hidden_size)
    states = [scale * torch.randn(shape, dtype=dtype) for _ in range(2 if kind == "LSTM" else 1)]
    return tuple(states) if kind == "LSTM" else states[0]


def run(layer, packed, hx, passes=2):
    """Give outputs, final states and the gradients of a function of them, by name.

    The gradients are of several backward passes, which add up, and then each is changed in place.
    """
    packed = packed._replace(data=packed.data.clone().requires_grad_())
    given_states = () if hx is None else hx if isinstance(hx, tuple) else (hx,)
    given_states = tuple(h.clone().requires_grad_() for h in given_states)
    hx = None if hx is None else given_states if isinstance(hx, tuple) else given_states[0]
    random = torch.Generator().manual_seed(1)
    for _ in range(passes):
        out, final = layer(packed, hx)
        final = final if isinstance(final, tuple) else (final,)
        results = {"out": out.data, **{f"final {k}": f for k, f in enumerate(final)}}
        loss = sum(
            (r * torch.randn(r.shape, generator=random, dtype=r.dtype)).sum() for r in results.values()
        )
        loss.backward()
    leaves = {"d data": packed.data, **{f"d hx {k}": h for k, h in enumerate(given_states)}}
    leaves |= {f"d {name}": p for name, p in layer.named_parameters()}
    for place, (name, leaf) in enumerate(leaves.items()):
        results[name] = leaf.grad.add_(place)
    return results


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        tolerance = 1e-10 if expected.dtype == torch.float64 else 2e-5
        scale = max(1.0, float(expected.detach().abs().max()))
        assert ours[name].shape == expected.shape, name
        assert float((ours[name] - expected).detach().abs().max()) <= tolerance * scale, name


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from(KINDS),
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=9),
    ordered=st.booleans(),
    features=st.integers(1, 20),
    hidden=st.integers(1, 70),
    layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    bias=st.booleans(),
    relu=st.booleans(),
    given_states=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_equals_torch(
    path, kind, lengths, ordered, features, hidden, layers, bidirectional, bias, relu,
    given_states, dtype, threads, seed,
):  # fmt: skip
    torch.manual_seed(seed)
    options = {"bias": bias, "bidirectional": bidirectional, "num_layers": layers}
    if kind == "RNN" and relu:
        options["nonlinearity"] = "relu"
    ours, theirs = pair(kind, features, hidden, dtype=dtype, **options)
    packed = pack(sorted(lengths, reverse=True) if ordered else lengths, features, dtype)
    hx = initial(kind, ours, len(lengths), dtype) if given_states else None
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert_equal(run(ours, packed, hx), run(theirs, packed, hx))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("given_states", [True, False])
def test_equal_lengths_of_a_large_layer(monkeypatch, kind, batch_first, given_states):
    monkeypatch.setattr(modules, "LARGE", 7)
    ours, theirs = pair(kind, 5, 7, 2, bidirectional=True, batch_first=batch_first, dtype=torch.float64)
    packed = pack([4, 4, 4], 5, torch.float64)._replace(
        sorted_indices=torch.tensor([2, 0, 1]), unsorted_indices=torch.tensor([1, 2, 0])
    )
    hx = initial(kind, ours, 3, torch.float64) if given_states else None
    assert_equal(run(ours, packed, hx), run(theirs, packed, hx))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [[7] * 5, [1] * 4, [9], [1], [30, 3, 2, 1, 1]], ids=str)
def test_shapes_of_batches(path, kind, lengths):
    ours, theirs = pair(kind, 6, 33, 2, bidirectional=True)
    packed = pack(lengths, 6)
    hx = initial(kind, ours, len(lengths))
    assert_equal(run(ours, packed, hx), run(theirs, packed, hx))


@pytest.mark.parametrize("kind", KINDS)
def test_more_rows_and_columns_than_a_tile(path, kind):
    ours, theirs = pair(kind, 10, 300, bidirectional=True)
    packed = pack(list(range(1, 24)), 10)
    assert_equal(run(ours, packed, None), run(theirs, packed, None))


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2, "bias": False}])
@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck(kind, options):
    layer = getattr(recurrent, kind)(2, 3, **options).double()
    packed = pack([3, 1, 2], 2, torch.float64)
    hx = initial(kind, layer, 3, torch.float64)
    states = hx if kind == "LSTM" else (hx,)
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def function(data, *rest):
        states, weights = rest[: len(hx)] if kind == "LSTM" else rest[0], rest[-len(names) :]
        arguments = (packed._replace(data=data), states)
        out, final = torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), arguments)
        return out.data, *(final if kind == "LSTM" else (final,))

    inputs = (packed.data, *states, *(p.detach() for p in parameters))
    assert torch.autograd.gradcheck(function, [t.clone().requires_grad_() for t in inputs])


@pytest.mark.parametrize("kind", KINDS)
def test_state_dict_and_initialisation(kind):
    torch.manual_seed(3)
    ours = getattr(recurrent, kind)(4, 5, 2, bidirectional=True)
    torch.manual_seed(3)
    theirs = getattr(nn, kind)(4, 5, 2, bidirectional=True)
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("scale", [1e2, 1e10, 3e38])
@pytest.mark.parametrize("kind", KINDS)
def test_large_values(path, kind, scale):
    ours, theirs = pair(kind, 4, 20, bidirectional=True)
    packed = pack([5, 3, 4], 4)
    packed = packed._replace(data=scale * packed.data.clamp(-1, 1))
    with torch.no_grad():
        (ours, _), (theirs, _) = ours(packed), theirs(packed)
    assert torch.isfinite(ours.data).all()
    torch.testing.assert_close(ours.data, theirs.data, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_stays_nan(path, kind):
    layer = getattr(recurrent, kind)(4, 20)
    packed = pack([5, 3], 4)
    packed.data[0] = float("nan")
    with torch.no_grad():
        out, _ = nn.utils.rnn.pad_packed_sequence(layer(packed)[0])
    assert out[:, 0].isnan().all()
    assert not out[:, 1].isnan().any()


@needs_native
def test_accuracy_of_activations():
    """Sequences of length 1 and weights of 0 or 1 let the bare functions be seen."""
    x = torch.cat([torch.linspace(-30, 30, 4001), torch.logspace(-30, 0, 500)])[:, None]
    layer = recurrent.RNN(1, 1, bias=False)
    nn.init.ones_(layer.weight_ih_l0)
    with torch.no_grad():
        tanh = layer(pack_sequence(list(x[:, None])))[0].data
    torch.testing.assert_close(tanh.double(), x.double().tanh(), rtol=5e-7, atol=0)
    gru = recurrent.GRU(1, 1, bias=False)
    for weight in gru.parameters():
        nn.init.zeros_(weight)
    gru.weight_ih_l0.data[1] = -1.0  # n = 0, so that h = z h_0 = sigmoid(-x)
    with torch.no_grad():
        z = gru(pack_sequence(list(x[:, None])), torch.ones(1, len(x), 1))[0].data
    torch.testing.assert_close(z.double(), (-x.double()).sigmoid(), rtol=5e-7, atol=0)


def test_dropout_between_layers(path):
    layer = recurrent.LSTM(4, 6, 2, dropout=0.5)
    packed = pack([5, 2], 4)
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(layer(packed)[0].data)
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    layer.eval()
    assert torch.equal(layer(packed)[0].data, layer(packed)[0].data)


@pytest.mark.parametrize("kind", KINDS)
def test_no_grad_inference_mode_and_training_agree(path, kind):
    layer = getattr(recurrent, kind)(4, 20, 2, bidirectional=True)
    packed = pack([6, 1, 3], 4)
    with torch.inference_mode():
        first = layer(packed)[0].data
    with torch.no_grad():
        second = layer(packed)[0].data
    third = layer(packed)[0].data
    third.sum().backward()
    assert torch.equal(first, second)
    assert torch.equal(second, third.detach())
    assert third.requires_grad
    assert not second.requires_grad


def test_retained_graph(path):
    layer = recurrent.LSTM(4, 20)
    out = layer(pack([6, 1, 3], 4))[0].data.square().sum()
    first = torch.autograd.grad(out, layer.parameters(), retain_graph=True)
    layer(pack([6, 1, 3], 4))[0].data.sum().backward()  # takes the memory of the first pass
    for a, b in zip(first, torch.autograd.grad(out, layer.parameters()), strict=True):
        assert torch.equal(a, b)


def test_two_graphs_at_once(path):
    ours, theirs = pair("GRU", 4, 20)
    a, b = pack([6, 1, 3], 4), pack([2, 8], 4)
    for layer in (ours, theirs):
        (layer(a)[0].data.sum() * layer(b)[0].data.sum()).backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-4)


def test_copies_and_dtypes(path):
    layer = recurrent.LSTM(4, 6)
    packed = pack([5, 2], 4)
    assert torch.equal(copy.deepcopy(layer)(packed)[0].data, layer(packed)[0].data)
    double = copy.deepcopy(layer).to(torch.float64)(packed.to(torch.float64))[0]
    assert double.data.dtype == torch.float64
    torch.testing.assert_close(double.data.float(), layer(packed)[0].data)


def test_all_else_is_torch():
    padded = torch.randn(3, 2, 4)
    ours, theirs = pair("LSTM", 4, 6)
    assert torch.equal(ours(padded)[0], theirs(padded)[0])
    ours, theirs = pair("LSTM", 4, 6, proj_size=3)
    packed = pack([3, 2], 4)
    assert torch.equal(ours(packed)[0].data, theirs(packed)[0].data)
    assert recurrent.GRU(4, 6, device="meta")(packed.to("meta"))[0].data.shape == (5, 6)
    with torch.autocast("cpu"):
        ours, theirs = pair("GRU", 4, 6)
        assert torch.equal(ours(packed)[0].data, theirs(packed)[0].data)


def test_errors_are_those_of_torch():
    packed = pack([3, 2], 4)
    for wrong in (torch.zeros(1, 3, 6), torch.zeros(1, 2, 5), torch.zeros(1, 2, 6).double()):
        messages = []
        for layer in pair("GRU", 4, 6):
            with pytest.raises((RuntimeError, ValueError)) as error:
                layer(packed, wrong)
            messages.append(str(error.value))
        assert messages[0] == messages[1]
    with pytest.raises(RuntimeError, match=r"input\.size"):
        recurrent.GRU(5, 6)(packed)


def test_inputs_are_not_written_to(path):
    layer = recurrent.LSTM(4, 16)
    packed, hx = pack([3, 2], 4), (torch.zeros(1, 2, 16), torch.zeros(1, 2, 16))
    data = packed.data.clone()
    out, (h, _) = layer(packed, hx)
    upstream = torch.ones_like(h)
    torch.autograd.backward([h], [upstream])
    assert torch.equal(packed.data, data)
    assert not hx[0].any()
    assert (upstream == 1).all()
    assert isinstance(out, PackedSequence)


@pytest.mark.parametrize("mode", ["on", "off"])
def test_flushing_of_denormals_is_restored(mode):
    """In a process of its own: training switches flushing on for the rest of this one."""
    code = """
import torch
from sentiment import recurrent
from torch.nn.utils.rnn import pack_sequence
layer = recurrent.LSTM(4, 16, bidirectional=True)
layer(pack_sequence([torch.randn(3, 4), torch.randn(2, 4)]))[0].data.sum().backward()
assert (torch.full((100_000,), 1e-40) * 1.0 > 0).all()  # in every thread
"""
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"SENTIMENT_KERNEL": mode}, check=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["here", "in torch.nn"])
@pytest.mark.parametrize("bias", [True, False])
def test_dropped_weights_are_as_if_they_were_zero(kind, where, bias, monkeypatch):
    """Also of their gradients, and the layer has all its weights again afterwards."""
    if where == "in torch.nn":  # as on a GPU
        monkeypatch.setattr(modules, "is_eager", lambda: False)
    ours, theirs = pair(kind, 3, 8, 2, bias=bias, bidirectional=True, dtype=torch.float64)
    packed = pack([5, 3, 2], 3, torch.float64)
    before = copy.deepcopy(ours.state_dict())
    ours.weight_dropout = 0.4
    torch.manual_seed(7)
    found = run(ours, packed, None, passes=1)
    torch.manual_seed(7)
    masks = {
        name: nn.functional.dropout(torch.ones_like(weight), 0.4)
        for name, weight in ours.named_parameters()
        if name.startswith("weight_hh")
    }
    assert all(0 < float((mask == 0).double().mean()) < 1 for mask in masks.values())
    with torch.no_grad():
        for name, mask in masks.items():
            getattr(theirs, name).mul_(mask)
    expected = run(theirs, packed, None, passes=1)
    for name, mask in masks.items():
        place = list(expected).index(f"d {name}") - list(expected).index("d data")
        expected[f"d {name}"] = (expected[f"d {name}"] - place) * mask + place  # `run` added it
    assert_equal(found, expected)
    ours.eval().zero_grad()
    assert_equal(run(ours, packed, None), run(pair_of(ours), packed, None))
    for name, value in ours.state_dict().items():
        assert torch.equal(value, before[name])


def pair_of(ours):
    """Torch's layer with the same weights."""
    theirs = getattr(nn, type(ours).__name__)(3, 8, 2, bias=ours.bias, bidirectional=True).double().eval()
    theirs.load_state_dict(ours.state_dict())
    return theirs
