"""The compiled steps against those in torch operations, on arrays of exactly the size that they need.

A layer's own arrays are parts of larger ones, where a step too far may go unseen; test_sanitizers.py
runs these tests with a kernel that notices.
"""

from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sentiment.models import recurrent
from sentiment.models.recurrent import native, pooling
from sentiment.models.recurrent.steps import CELLS, Pass, Steps

pytestmark = pytest.mark.skipif(recurrent.kernel() != "native", reason="no C compiler here")
all_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@pytest.fixture(autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def sizes_of(lengths):
    """How many sequences are alive at each step."""
    return torch.tensor([sum(length > step for length in lengths) for step in range(max(lengths))])


@hypothesis_settings(max_examples=60, derandomize=True)
@given(
    cell=st.sampled_from(sorted(CELLS)),
    lengths=all_lengths,
    directions=st.integers(1, 2),
    features=st.integers(1, 40),
    hidden=st.integers(1, 70),
    within=st.booleans(),
    needs_data=st.booleans(),
    threads=st.integers(1, 3),
)
def test_steps_agree(cell, lengths, directions, features, hidden, within, needs_data, threads):
    cell, sizes, compiled = CELLS[cell], sizes_of(lengths), native.load()
    rows, batch, width = sum(lengths), len(lengths), -(-hidden // compiled.lanes) * compiled.lanes
    random = torch.Generator().manual_seed(0)
    torch.set_num_threads(threads)

    def draw(*shape):
        return torch.rand(shape, generator=random) - 0.5

    data, state = draw(rows, features), draw(cell.states, directions, batch, width)
    inward = [draw(cell.gates * width, features) for _ in range(directions)]
    weights = [draw(cell.gates * width, width) for _ in range(directions)]
    bias, d_out = draw(directions, cell.slots, width), draw(rows, directions, hidden)
    for matrix in (*inward, *weights):  # units that fill up are zero
        matrix.view(cell.gates, width, -1)[:, hidden:] = 0
    for part in (*weights, bias, state):
        part[..., hidden:] = 0
    results = []
    for steps in (compiled, Steps()):
        gates, prev = draw(directions, rows, cell.slots, width), draw(cell.states, directions, rows, width)
        final, d_state = state.clone(), state.clone()
        out, d_bias = torch.empty_like(d_out), torch.zeros_like(bias)
        with patch.object(native, "SMALL", native.SMALL if within else 0):
            layer = Pass(cell, sizes, data, gates, prev, final, inward, weights, bias, out)
            steps.forward(layer)
            layer = layer._replace(state=d_state, bias=d_bias, out=d_out)
            d_data, d_inward, d_weights = steps.backward(layer, needs_data)
        results.append(
            [out, final, d_state, d_bias, *d_inward, *d_weights, *([d_data] if needs_data else [])]
        )
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=5e-4)  # sums of hundreds of numbers


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_layers_agree_on_every_nan(kind):
    """Its lowest bits are free, and the activations compute with them."""
    layer = getattr(recurrent, kind)(1, 1)
    nans = torch.arange(0x7FC00000, 0x7FC00400, dtype=torch.int32).view(torch.float32)
    packed = torch.nn.utils.rnn.pack_sequence(list(nans[:, None, None]))
    with torch.no_grad():
        assert layer(packed)[0].data.isnan().all()


@hypothesis_settings(max_examples=40, derandomize=True)
@given(lengths=all_lengths, width=st.integers(1, 70), threads=st.integers(1, 3))
def test_pooling_agrees(lengths, width, threads):
    packed = torch.nn.utils.rnn.pack_sequence(
        [torch.randn(length, width) for length in sorted(lengths, reverse=True)]
    )
    torch.set_num_threads(threads)
    results = []
    for loaded in (native.load(), None):
        data = packed.data.clone().requires_grad_()
        with patch.object(native, "load", lambda loaded=loaded: loaded):
            largest, mean = pooling.pool(packed._replace(data=data))
            (largest.sin().sum() + mean.cos().sum()).backward()
        results.append((largest, mean, data.grad))
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected)
