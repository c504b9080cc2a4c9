"""RNN, LSTM and GRU as modules that take the place of those in `torch.nn`."""

from __future__ import annotations

import copy
import itertools
import warnings
import weakref
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence

from sentiment.models.recurrent import layer, native
from sentiment.models.recurrent.checks import are_plain, check_sizes, check_transforms, is_eager
from sentiment.models.recurrent.steps import CELLS, Steps

# Units from which the weights no longer fit the caches and torch.nn's products are as good or better;
# it takes over where all sequences are of one length, so that it computes no padding.
LARGE = 512

# Work memory by layer, for as long as the layer lives; no part of it, so neither stored nor copied with it.
_spare: weakref.WeakKeyDictionary[nn.Module, layer.Memory] = weakref.WeakKeyDictionary()


class _Packed(nn.RNNBase):
    """The forward pass that the three layers share; mixed in before a class of `torch.nn`.

    Attributes
    ----------
    weight_dropout : float
        Share of the recurrent weights that a training step does without, the same ones at all time steps
        (Merity et al. 2018).
    """

    weight_dropout = 0.0

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Run all layers.

        Parameters
        ----------
        input : PackedSequence or Tensor
            The sequences, features last.
        hx : Tensor or (Tensor, Tensor), optional
            Initial h, for the LSTM (h, c), each (num_layers * D, B, hidden_size) with D directions
            and B sequences; zeros by default.

        Returns
        -------
        output : PackedSequence or Tensor
            Hidden states of the last layer, D * hidden_size features.
        h_n : Tensor or (Tensor, Tensor)
            Final states, shaped as `hx`.

        Raises
        ------
        RuntimeError
            If shapes disagree, or a packed sequence is not consistent.
        """
        self._update_flat_weights()  # those that functional_call or a parametrization gives, as torch.nn does
        weights: list[Any] = self._flat_weights
        if self.training and self.weight_dropout:
            weights = [
                F.dropout(weight, self.weight_dropout) if name.startswith("weight_hh") else weight
                for name, weight in zip(self._flat_weights_names, weights, strict=True)
            ]
        return self._run(input, hx, weights)

    def _run(self, input: Any, hx: Any, weights: list[Any]) -> tuple[Any, Any]:
        if isinstance(input, PackedSequence):
            check_transforms()
        if not _runs_here(self, input, hx, weights):
            return self._run_torch(input, hx, weights)
        data, sizes, order, original_order = input
        self.check_input(data, sizes)
        sizes = check_sizes(sizes, len(data))
        cell, directions = CELLS[self.mode], 2 if self.bidirectional else 1
        if hx is None:
            zeros = data.new_zeros(self.num_layers * directions, int(sizes[0]), self.hidden_size)
            hx = (zeros, zeros) if cell.states == 2 else zeros
        else:
            hx = self.permute_hidden(hx, order)
        self.check_forward_args(data, hx, sizes)
        h_n: Any
        if self.hidden_size >= LARGE and sizes[0] == sizes[-1]:  # all of the same length
            dense: Any = data.view(len(sizes), -1, data.shape[1])
            dense, h_n = self._run_torch(dense.transpose(0, 1) if self.batch_first else dense, hx, weights)
            data = (dense.transpose(0, 1) if self.batch_first else dense).flatten(0, 1)
            h_n = self.permute_hidden(h_n, original_order)
            return PackedSequence(data, input.batch_sizes, order, original_order), h_n
        states = torch.stack(hx if cell.states == 2 else (hx,))  # (S, num_layers * D, B, H)
        memory = _spare.setdefault(self, layer.Memory())
        steps = (data.dtype == torch.float32 and native.load()) or Steps()
        plan = layer.Plan(steps, memory, cell, sizes)

        finals = []
        each = 4 if self.bias else 2
        grouped = [[*weights[i : i + each], *[None] * (4 - each)] for i in range(0, len(weights), each)]
        for number in range(self.num_layers):
            if number:
                data = F.dropout(data, self.dropout, self.training)
            here = slice(number * directions, (number + 1) * directions)
            tensors = (data, states[:, here], *itertools.chain(*grouped[here]))
            if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
                data, final = layer.Recurrence.apply(plan, *tensors)
            else:
                data, final, work = layer.forward(plan, *tensors)
                memory.give_back(work)
            finals.append(final)
        last = torch.cat(finals, 1)
        h_n = (last[0], last[1]) if cell.states == 2 else last[0]
        h_n = self.permute_hidden(h_n, original_order)
        return PackedSequence(data, input.batch_sizes, order, original_order), h_n

    def _run_torch(self, input: Any, hx: Any, weights: list[Any]) -> tuple[Any, Any]:
        if weights is self._flat_weights:
            return super().forward(input, hx)  # type: ignore[no-any-return]
        # A layer of its own for this step, since other threads may use this one meanwhile.
        kind = getattr(nn, self.mode.partition("_")[0])
        twin = kind.__new__(kind)
        given = dict(zip(self._flat_weights_names, weights, strict=True))
        refs = list(map(weakref.ref, weights))
        own = {"_parameters": {}, "_flat_weights": weights, "_flat_weight_refs": refs}
        twin.__dict__ = self.__dict__ | own | given
        with warnings.catch_warnings():  # cuDNN's, that they do not lie in one piece of memory
            warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous")
            return twin.forward(input, hx)  # type: ignore[no-any-return]

    def __prepare_scriptable__(self) -> nn.Module:
        """Refuse `torch.jit.script`, which would put what it can compile into the model itself."""
        raise RuntimeError(
            f"sentiment.recurrent.{type(self).__name__} cannot be scripted; script "
            "sentiment.recurrent.as_torch(model), which shares its parameters"
        )

    @property
    def qconfig(self) -> None:
        """What `torch.ao.quantization` would do with this layer: nothing."""
        return

    @qconfig.setter
    def qconfig(self, _: object) -> None:
        warnings.warn(
            f"sentiment.recurrent.{type(self).__name__} is not quantised and stays as it is: torch goes by "
            "the exact class; quantise sentiment.recurrent.as_torch(model) instead",
            stacklevel=2,
        )

    @qconfig.deleter
    def qconfig(self) -> None:
        return


class RNN(_Packed, nn.RNN):
    """`torch.nn.RNN`, in linear time for packed sequences on the CPU."""


class LSTM(_Packed, nn.LSTM):
    """`torch.nn.LSTM`, in linear time for packed sequences on the CPU."""


class GRU(_Packed, nn.GRU):
    """`torch.nn.GRU`, in linear time for packed sequences on the CPU."""


def as_torch(module: nn.Module) -> nn.Module:
    """Return a copy of a module with layers of `torch.nn` for those of this package.

    For what goes by the exact class: quantisation, scripting, exporters. The copy shares its parameters
    with the module.

    Raises
    ------
    ValueError
        If a layer has parametrizations, is of a class of its own, or has weight dropout in training, which
        `torch.nn` lacks.
    """
    if isinstance(module, _Packed) and parametrize.is_parametrized(module):
        raise ValueError(
            "a layer with parametrizations has no twin in torch.nn; first call "
            "torch.nn.utils.parametrize.remove_parametrizations"
        )
    twin = copy.copy(module)
    twin._parameters, twin._buffers = module._parameters.copy(), module._buffers.copy()
    twin._modules = {
        name: None if child is None else as_torch(child) for name, child in module._modules.items()
    }
    if isinstance(twin, nn.RNNBase):
        twin._flat_weights = list(twin._flat_weights)
    if not isinstance(module, _Packed):
        return twin
    if type(module) not in (RNN, LSTM, GRU):
        raise ValueError(f"{type(module).__name__} is a class of its own, and torch.nn has none like it")
    if module.training and module.weight_dropout:
        raise ValueError(
            f"torch.nn.{type(module).__name__} has no weight dropout, and this layer has "
            f"{module.weight_dropout}; set weight_dropout = 0, or call eval() first"
        )
    twin.__class__ = getattr(nn, module.mode.partition("_")[0])
    return twin


def _runs_here(module: nn.RNNBase, input: object, hx: Any, weights: list[Any]) -> bool:
    """Say whether this package runs the layer; all that it does not, `torch.nn` does."""
    if not isinstance(input, PackedSequence) or module.proj_size or not is_eager():
        return False
    states = () if hx is None else (hx,) if isinstance(hx, Tensor) else hx
    dtype = input.data.dtype
    tensors = (input.data, *states, *weights)
    return dtype in (torch.float32, torch.float64) and are_plain(tensors, dtype)
