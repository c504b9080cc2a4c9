"""The recurrent layers do what those of `torch.nn` do, in all that torch's own module tests ask, or say so.

The inputs are torch's own (`torch.testing._internal.common_modules`), as they are and packed.
"""

import copy
import gc
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from torch.testing._internal.common_modules import module_db

import sentiment
from sentiment.models import recurrent
from sentiment.models.recurrent import modules, native, pooling
from sentiment.models.recurrent.layer import Memory

KINDS = ["RNN", "LSTM", "GRU"]
INFO = {info.module_cls.__name__: info for info in module_db if info.module_cls in (nn.RNN, nn.LSTM, nn.GRU)}


def layers(kind, *args, dtype=torch.float32, **options):
    """Our layer and torch's with equal weights."""
    torch.manual_seed(0)
    ours = getattr(recurrent, kind)(*args, **options).to(dtype)
    theirs = getattr(nn, kind)(*args, **options).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def batch(dtype=torch.float32, features=4):
    torch.manual_seed(1)
    return pack_sequence([torch.randn(n, features, dtype=dtype) for n in (5, 3, 6)], enforce_sorted=False)


def tensors(value):
    """All tensors of nested tuples, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, PackedSequence):
        return [value.data]
    return [tensor for part in value for tensor in tensors(part)]


def assert_equal(ours, theirs):
    for mine, expected in zip(ours, theirs, strict=True):
        tolerance = 1e-10 if expected.dtype == torch.float64 else 1e-4
        scale = max(1.0, float(expected.detach().abs().max())) if expected.numel() else 1.0
        torch.testing.assert_close(mine, expected, rtol=tolerance, atol=tolerance * scale)


def fresh(value):
    """The same with leaves that take gradients."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_()
    if isinstance(value, PackedSequence):
        return value._replace(data=fresh(value.data))
    return tuple(fresh(part) for part in value)


def told(layer, arguments, given=None):
    """Outputs, and all gradients after two passes, clipping and changes in place."""
    arguments = fresh(arguments)
    given = given and {name: fresh(value) for name, value in given.items()}
    for factor in (1.0, 0.5):
        if given is None:
            results = tensors(layer(*arguments))
        else:
            results = tensors(torch.func.functional_call(layer, given, arguments))
        sum((factor * result).square().sum() + result.sum() for result in results).backward()
    leaves = [*(layer.parameters() if given is None else given.values()), *tensors(arguments)]
    first = [leaf.grad.clone() for leaf in leaves]
    nn.utils.clip_grad_norm_(leaves, 0.5)
    for number, leaf in enumerate(leaves):
        leaf.grad.mul_(1 + number)
    layer.zero_grad()
    return [*results, *first, *[leaf.grad for leaf in leaves if leaf.grad is not None]]


def as_packed(sample):
    """A packed batch of torch's unbatched sample, sequences of several lengths, with states if it has some."""
    sequence, *states = sample.args
    if isinstance(sequence, PackedSequence):
        return sequence, *states
    sequences = [sequence[:1], sequence, 0.5 - sequence]
    packed = pack_sequence(sequences, enforce_sorted=False)
    many = [torch.stack([h, -h, 2 * h], 1) for h in tensors(states)]
    return (packed, tuple(many) if len(many) == 2 else many[0]) if many else (packed,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_torchs_own_inputs(path, kind, dtype):
    """Outputs and gradients, of weights of the layer's own and of given ones."""
    if (path, dtype) == ("native", torch.float64):
        pytest.skip("the C is for float32")
    info = INFO[kind]
    extra = {} if kind == "LSTM" else {"with_packed_sequence": True}
    samples = info.module_inputs_func(
        info, device="cpu", dtype=dtype, requires_grad=False, training=True, **extra
    )
    assert len(samples) >= 16
    for sample in samples:
        ours, theirs = layers(kind, dtype=dtype, **sample.constructor_input.kwargs)
        assert repr(ours) == repr(theirs)
        given = {name: 0.5 - value for name, value in ours.state_dict().items()}
        for arguments in (sample.forward_input.args, as_packed(sample.forward_input)):
            assert_equal(told(ours, arguments), told(theirs, arguments))
            assert_equal(told(ours, arguments, given), told(theirs, arguments, given))
            assert_equal(tensors(ours.eval()(*arguments)), tensors(theirs.eval()(*arguments)))
            ours.train(), theirs.train()


@pytest.mark.parametrize("kind", KINDS)
def test_torchs_own_wrong_inputs(kind):
    info = INFO[kind]
    samples = info.module_error_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=False
    )
    assert samples
    for sample in samples:
        constructor, arguments = sample.module_error_input.constructor_input, ()
        if sample.module_error_input.forward_input is not None:
            arguments = sample.module_error_input.forward_input.args
        messages = []
        for module in (recurrent, nn):
            with pytest.raises(sample.error_type, match=sample.error_regex) as error:
                getattr(module, kind)(*constructor.args, **constructor.kwargs)(*arguments)
            messages.append(str(error.value))
        assert messages[0] == messages[1]


# ---- weights from elsewhere ----------------------------------------------------------------------


class LowRank(nn.Module):
    """A LoRA: the weight and a product of two thin matrices."""

    def __init__(self, weight):
        super().__init__()
        self.left = nn.Parameter(torch.linspace(-1, 1, len(weight))[:, None].to(weight.dtype))
        self.right = nn.Parameter(torch.linspace(1, 2, weight.shape[1])[None].to(weight.dtype))

    def forward(self, weight):
        return weight + self.left @ self.right


@pytest.mark.parametrize(
    "change",
    [
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        parametrizations.orthogonal,
        lambda layer, name: parametrize.register_parametrization(layer, name, LowRank(getattr(layer, name))),
        nn.utils.weight_norm,
    ],
    ids=["weight_norm", "spectral_norm", "orthogonal", "LoRA", "old weight_norm"],
)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated")
def test_parametrized_weights(path, kind, training, change):
    found = []
    for layer in layers(kind, 4, 6, 2, bidirectional=True):
        torch.manual_seed(2)
        changed = change(layer, "weight_hh_l1_reverse").train(training)
        with torch.no_grad():
            for value in changed.parameters():
                value.add_(0.1 * torch.arange(value.numel()).view(value.shape) / value.numel())
        changed(batch())[0].data.square().sum().backward()
        found.append([changed(batch())[0].data, *[value.grad for value in changed.parameters()]])
    assert all(gradient is not None for gradient in found[1])
    assert_equal(*found)


def test_dropped_weights_of_a_parametrized_layer(monkeypatch):
    """Where torch.nn runs it collects the weights anew, which must not undo the dropout."""
    layer = parametrizations.weight_norm(recurrent.LSTM(4, 6), "weight_hh_l0")
    layer.weight_dropout = 0.5
    found = []
    for here in (True, False):
        if not here:
            monkeypatch.setattr(modules, "is_eager", lambda: False)
        torch.manual_seed(0)
        found.append([layer(batch())[0].data])
    assert_equal(*found)
    assert not torch.allclose(layer.eval()(batch())[0].data, found[0][0])


def test_weights_that_do_not_lie_in_a_row(path):
    """Slices of a larger matrix, transposed or repeated, as hypernetworks give them."""
    ours, theirs = layers("LSTM", 4, 16, bidirectional=True)
    given = {}
    for name, value in ours.state_dict().items():
        wide = torch.randn(value.shape[-1] + 1, len(value) + 2)
        given[name] = wide.t()[: len(value), : value.shape[-1]] if value.dim() > 1 else wide[0, 1:-1]
    assert not any(value.is_contiguous() for name, value in given.items() if "weight" in name)
    found = [torch.func.functional_call(layer, given, (batch(),))[0].data for layer in (ours, theirs)]
    assert_equal([found[0]], [found[1]])


# ---- derivatives ---------------------------------------------------------------------------------


def as_function(layer):
    """The layer as a function of its data, states and weights, which reach it."""
    names = [name for name, _ in layer.named_parameters()]
    packed, several = batch(torch.float64, 2), layer.mode == "LSTM"

    def function(data, *rest):
        states, weights = rest[: 1 + several], rest[1 + several :]
        arguments = (packed._replace(data=data), states if several else states[0])
        out, final = torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), arguments)
        return out.data, *tensors(final)

    shape = (layer.num_layers * (1 + layer.bidirectional), 3, layer.hidden_size)
    states = [torch.randn(shape, dtype=torch.float64) for _ in range(1 + several)]
    return function, [fresh(t) for t in (packed.data, *states, *layer.parameters())]


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2, "bias": False}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_by_finite_differences(kind, options):
    function, inputs = as_function(getattr(recurrent, kind)(2, 3, **options).double())
    for wanted in torch.autograd.grad(sum(o.sum() for o in function(*inputs)), inputs):
        assert wanted.any()  # an input that does not reach the layer would pass gradcheck
    assert torch.autograd.gradcheck(function, inputs, fast_mode=bool(options))


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2, "bias": False}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives_by_finite_differences(kind, options):
    function, inputs = as_function(getattr(recurrent, kind)(2, 2, **options).double())
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=bool(options))


def penalty(layer):
    """The gradients of a gradient penalty on a linear loss."""
    packed = fresh(batch())
    (gradient,) = torch.autograd.grad(layer(packed)[0].data.sum(), packed.data, create_graph=True)
    gradient.square().sum().backward()
    found = [packed.data.grad, *[value.grad for value in layer.parameters()]]
    layer.zero_grad()
    return [torch.zeros(1) if one is None else one for one in found]  # final biases have none


def forward_mode(layer):
    packed = batch()
    with torch.no_grad(), forward_ad.dual_level():
        dual = forward_ad.make_dual(packed.data, torch.ones_like(packed.data))
        return [forward_ad.unpack_dual(layer(packed._replace(data=dual))[0].data).tangent]


def forward_mode_of_weights(layer):
    with torch.no_grad(), forward_ad.dual_level():
        duals = {
            name: forward_ad.make_dual(value, torch.ones_like(value))
            for name, value in layer.named_parameters()
        }
        out = torch.func.functional_call(layer, duals, (batch(),))[0].data
        return [forward_ad.unpack_dual(out).tangent]


def many_gradients(layer):
    packed = fresh(batch())
    out = layer(packed)[0].data
    many = torch.stack([torch.ones_like(out), out.detach()])
    inputs = [packed.data, *layer.parameters()]
    return list(torch.autograd.grad(out, inputs, many, is_grads_batched=True))


def changed_in_place(layer):
    packed = fresh(batch())
    out, final = layer(packed)
    data = nn.functional.relu(out.data.mul_(2), inplace=True)
    (data.sum() + sum(h.add_(1).square().sum() for h in tensors(final))).backward()
    return [data, packed.data.grad, *[value.grad for value in layer.parameters()]]


def gradients_through_shared_weights(layer):
    """Data that are made of the weights: their part of the second derivative counts once."""
    weight = fresh(layer.weight_ih_l0.detach())
    packed = batch()
    given = {**dict(layer.named_parameters()), "weight_ih_l0": weight}
    data = packed.data * weight.sum()
    out = torch.func.functional_call(layer, given, (packed._replace(data=data),))[0].data
    (gradient,) = torch.autograd.grad(out.square().sum(), weight, create_graph=True)
    return [gradient, *torch.autograd.grad(gradient.square().sum(), weight)]


@pytest.mark.parametrize(
    "asked",
    [
        penalty,
        forward_mode,
        forward_mode_of_weights,
        many_gradients,
        changed_in_place,
        gradients_through_shared_weights,
    ],
)
@pytest.mark.parametrize("hidden", [6, 16])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_asked_as_torch_is(path, kind, hidden, asked):
    ours, theirs = layers(kind, 4, hidden, 2, bidirectional=True)
    expected = asked(theirs)
    assert all(torch.isfinite(one).all() for one in expected)
    assert any(one.any() for one in expected)
    assert_equal(asked(ours), expected)


@pytest.mark.parametrize(
    "asked",
    [
        lambda f, data: torch.func.grad(lambda d: f(d).sum())(data),
        lambda f, data: torch.func.jvp(f, (data,), (data,)),
        lambda f, data: torch.func.vmap(lambda scale: f(scale * data))(torch.ones(2)),
    ],
    ids=["grad", "jvp", "vmap"],
)
@pytest.mark.filterwarnings("ignore:matching against an empty string")
def test_transforms_of_functions_say_what_to_use_instead(asked):
    packed = batch()
    for module in (nn, recurrent):
        layer = module.LSTM(4, 6)
        error = {nn: "", recurrent: r"torch\.autograd"}[module]
        with pytest.raises(RuntimeError, match=error):  # torch.nn fails as well
            asked(lambda data, layer=layer: layer(packed._replace(data=data))[0].data, packed.data)


def test_second_derivatives_of_pooling():
    """The compiled pooling against the same in torch operations."""
    found = []
    for here in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not here:
                patch.setattr(native, "load", lambda: None)
            packed = fresh(batch())
            largest, mean = pooling.pool(packed._replace(data=packed.data**3))
            total = (largest * mean).sum()
            (gradient,) = torch.autograd.grad(total, packed.data, create_graph=True)
            gradient.square().sum().backward()
            many = torch.eye(2)[:, :, None, None] * torch.ones(3, 4)
            packed_again = fresh(batch())
            both = torch.stack(pooling.pool(packed_again))
            batched = torch.autograd.grad(both, packed_again.data, many, is_grads_batched=True)
            found.append([gradient, packed.data.grad, *batched])
    assert_equal(*found)


# ---- what compiles, traces, copies -----------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_scripted_traced_compiled(kind):
    class Net(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x: torch.Tensor, lengths: torch.Tensor):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return self.layer(packed)[0].data

    example = (torch.randn(3, 5, 4), torch.tensor([5, 2, 4]))
    other = (torch.randn(2, 7, 4), torch.tensor([3, 7]))
    ours, theirs = (Net(layer).eval() for layer in layers(kind, 4, 6, 2, bidirectional=True))
    for compiled in (
        torch.jit.script(recurrent.as_torch(ours)),
        torch.jit.trace(ours, example),
        torch.compile(ours, backend="eager"),
    ):
        for arguments in (example, other):
            assert_equal([compiled(*arguments)], [theirs(*arguments)])
    with pytest.raises(RuntimeError, match="as_torch"):
        torch.jit.script(ours)
    assert type(ours.layer) is getattr(recurrent, kind)


@pytest.mark.filterwarnings("ignore:The tensor attributes")
def test_exported():
    ours, theirs = layers("LSTM", 4, 6)
    padded = torch.randn(5, 2, 4)
    exported = torch.export.export(ours, (padded,)).module()
    assert_equal(tensors(exported(padded)), tensors(theirs(padded)))
    with pytest.raises(RuntimeError, match=r"torch\.compile"):
        torch.export.export(ours, (batch(),))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:torch.quantize")
def test_quantised(kind):
    ours, theirs = (nn.Sequential(layer) for layer in layers(kind, 4, 6))
    quantise = torch.ao.quantization.quantize_dynamic
    expected = quantise(theirs, {getattr(nn, kind)}, dtype=torch.qint8)(batch())[0].data
    found = quantise(recurrent.as_torch(ours), {getattr(nn, kind)}, dtype=torch.qint8)(batch())[0].data
    assert torch.equal(found, expected)
    with pytest.warns(UserWarning, match="as_torch"):
        quantise(ours, {getattr(nn, kind)}, dtype=torch.qint8)


def test_torchs_twin_shares_the_parameters():
    ours = nn.ModuleDict({"a": nn.ModuleList([recurrent.GRU(4, 6)]), "b": nn.Linear(2, 2)})
    twin = recurrent.as_torch(ours)
    assert type(twin["a"][0]) is nn.GRU
    assert type(ours["a"][0]) is recurrent.GRU
    assert [name for name, _ in twin.named_parameters()] == [name for name, _ in ours.named_parameters()]
    assert all(a is b for a, b in zip(twin.parameters(), ours.parameters(), strict=True))
    ours["a"][0].weight_dropout = 0.5
    with pytest.raises(ValueError, match="weight dropout"):
        recurrent.as_torch(ours)
    recurrent.as_torch(ours.eval())
    with pytest.raises(ValueError, match="remove_parametrizations"):
        recurrent.as_torch(parametrizations.weight_norm(recurrent.GRU(4, 6), "weight_hh_l0"))


def test_batches_of_no_rows():
    ours, theirs = layers("LSTM", 4, 6)
    empty = torch.zeros(5, 0, 4)
    assert_equal(tensors(ours(empty)), tensors(theirs(empty)))
    assert sentiment.SequenceClassifier(4, 6, 3)(empty.transpose(0, 1)).shape == (0, 3)


def test_pickled_and_copied_after_use(path):
    layer = recurrent.LSTM(4, 6)
    layer(batch())[0].data.sum().backward()
    expected = [layer(batch())[0].data]
    for twin in (copy.deepcopy(layer), copy.copy(layer), pickle.loads(pickle.dumps(layer))):
        assert_equal([twin(batch())[0].data], expected)
    assert len(pickle.dumps(layer)) < 10_000  # none of the work memory


def test_work_memory_goes_with_its_layer(path):
    def memories():
        return sum(type(thing) is Memory for thing in gc.get_objects())

    gc.collect()
    before = memories()
    layer = recurrent.LSTM(4, 6)
    layer(batch())[0].data.sum().backward()
    assert memories() == before + 1
    del layer
    assert memories() == before


# ---- what is not consistent -----------------------------------------------------------------------

WRONG = {
    "int32": torch.tensor([3, 2, 1], dtype=torch.int32),
    "float": torch.tensor([3.0, 2.0, 1.0]),
    "growing": torch.tensor([1, 2, 3]),
    "growing late": torch.tensor([2, 1, 2, 1]),
    "more than rows": torch.tensor([3, 2, 2]),
    "fewer than rows": torch.tensor([3, 2]),
    "negative": torch.tensor([3, 4, -1]),
    "zero": torch.tensor([3, 3, 0]),
    "none": torch.tensor([], dtype=torch.int64),
    "a matrix": torch.tensor([[3, 2, 1]]),
    "overflow": torch.tensor([2**62, 2**62, 2**62, 2**62, 6]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("sizes", WRONG.values(), ids=WRONG)
def test_packed_sequences_that_are_not_consistent(path, sizes, dtype):
    packed = PackedSequence(torch.randn(6, 4, dtype=dtype), sizes)
    for read in (recurrent.LSTM(4, 16, dtype=dtype), sentiment.SequenceClassifier(4, 16, 2).to(dtype)):
        with pytest.raises(RuntimeError, match="batch_sizes"):
            read(packed)
    if dtype == torch.float32 and path == "native":
        with pytest.raises(RuntimeError, match="batch_sizes"):
            pooling.pool(packed)


def test_sizes_that_lie_apart_are_read_as_they_are(path):
    sizes = torch.tensor([3, 9, 2, 9, 1, 9])[::2]
    data = torch.randn(6, 4)
    ours, theirs = layers("GRU", 4, 16)
    expected = theirs(PackedSequence(data, sizes.contiguous()))[0].data
    assert_equal([ours(PackedSequence(data, sizes))[0].data], [expected])


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 3e38])
@pytest.mark.parametrize(
    ("features", "hidden"), [(4, 6), (4, 16), (4, 33), (2**17, 6)]
)  # at last beyond `SMALL`
@pytest.mark.parametrize("kind", KINDS)
def test_infinite_features(path, kind, hidden, value, features):
    """Gates saturate as torch's do, in outputs and gradients, and no other sequence is touched."""
    found = []
    for layer in layers(kind, features, hidden, bidirectional=True):
        packed = batch(features=features)
        packed.data[4, 2] = value
        packed = fresh(packed)
        out = layer(packed)[0].data
        out.sum().backward()
        found.append([out, packed.data.grad, layer.bias_hh_l0.grad, layer.weight_hh_l0.grad])
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-3, atol=1e-4, equal_nan=True)
    assert torch.isfinite(found[0][0]).all()


@pytest.mark.parametrize("hidden", [6, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_infinite_gradients(path, kind, hidden):
    """As after an overflow: infinite stays infinite, and is NaN only where it is in torch."""
    found = []
    for layer in layers(kind, 4, hidden):
        with torch.no_grad():  # positive, or infinity less itself hides the difference
            for value in layer.parameters():
                value.abs_()
        packed = fresh(batch())
        out = layer(packed)[0].data
        upstream = torch.ones_like(out)
        upstream[-1, 2] = float("inf")
        out.backward(upstream)
        found.append([packed.data.grad, layer.bias_hh_l0.grad])
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-3, atol=1e-4, equal_nan=True)
    assert found[1][0].isinf().any() or kind != "RNN"


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_the_gradients_of_both_biases_lie_apart(path, kind):
    for hidden in (16, 6):
        layer = getattr(recurrent, kind)(4, hidden, 2, bidirectional=True)
        layer(batch())[0].data.sum().backward()
        places = [value.grad.untyped_storage().data_ptr() for value in layer.parameters() if value.dim() == 1]
        assert len(set(places)) == len(places)


def test_nothing_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = recurrent.LSTM(4, 6, 2, bidirectional=True)
        layer(batch())[0].data.sum().backward()
        layer.eval()(batch())


# ---- what others may do meanwhile -----------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_threads_share_a_layer_with_dropped_weights(kind, monkeypatch):
    """None sees the weights that another has dropped, here or in torch.nn, and all are there afterwards."""
    for here in (True, False):
        if not here:
            monkeypatch.setattr(modules, "is_eager", lambda: False)
        ours, theirs = layers(kind, 4, 6)
        ours.weight_dropout = 0.5
        packed = batch()

        def train(layer=ours, packed=packed):
            for _ in range(30):
                layer(packed)[0].data.sum().backward()

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(train) for _ in range(4)]:
                done.result()
        assert_equal([ours.eval()(packed)[0].data], [theirs(packed)[0].data])


def test_torchs_twin_has_weights_of_its_own():
    ours = recurrent.LSTM(4, 6)
    expected = ours(batch())[0].data
    twin = recurrent.as_torch(ours)
    twin.load_state_dict({name: 2 * value for name, value in twin.state_dict().items()}, assign=True)
    assert torch.equal(ours(batch())[0].data, expected)
    ours.weight_hh_l0 = nn.Parameter(torch.zeros(24, 6))
    twin(batch())[0].data.sum().backward()
    assert twin.weight_hh_l0.grad.any()

    class Own(recurrent.LSTM):
        pass

    with pytest.raises(ValueError, match="Own"):
        recurrent.as_torch(Own(4, 6))


@pytest.mark.parametrize(
    "read", [lambda layer, packed: layer(packed)[0].data, lambda _, packed: pooling.pool(packed)[0]]
)
def test_sizes_that_change_before_the_backward_pass(path, read):
    """As of a buffer that is used again."""
    found = []
    for change in (False, True):
        torch.manual_seed(0)
        layer, packed = recurrent.LSTM(4, 16), fresh(batch())
        out = read(layer, packed)
        if change:
            packed.batch_sizes.numpy()[:] = 100_000
        out.sum().backward()
        found.append([packed.data.grad])
    assert_equal(*found)


def test_upstream_gradients_without_memory(path):
    packed = fresh(batch())
    for out in (recurrent.GRU(4, 16)(packed)[0].data, pooling.pool(packed)[0]):
        out.backward(torch._efficientzerotensor(out.shape))
    assert not packed.data.grad.any()


def test_saved_tensors_that_come_back_otherwise(path):
    """Hooks that store in half precision: torch's error, as of torch.nn, not foreign memory."""

    def halved(tensor):
        return tensor.half() if tensor.is_floating_point() else tensor.int()

    for layer in layers("LSTM", 4, 16):
        with torch.autograd.graph.saved_tensors_hooks(halved, lambda tensor: tensor):
            out = layer(batch())[0].data
        with pytest.raises(RuntimeError):
            out.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_gradients_of_relu_that_are_no_numbers(path, dtype):
    ours, theirs = layers("RNN", 4, 6, nonlinearity="relu", dtype=dtype)
    for upstream, value in ((float("inf"), 1.0), (1.0, float("nan"))):
        found = []
        for layer in (ours, theirs):
            packed = batch(dtype)
            packed.data[-1, 0] = value
            packed = fresh(packed)
            out = layer(packed)[0].data
            out.backward(torch.full_like(out, upstream) * (torch.arange(len(out)) == len(out) - 1)[:, None])
            found.append(packed.data.grad)
        torch.testing.assert_close(*found, equal_nan=True, rtol=1e-4, atol=1e-4)
