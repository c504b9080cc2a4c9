"""RNN, LSTM and GRU for packed sequences on a CPU, in time linear in the number of tokens.

The classes take the place of those in `torch.nn`: same arguments, parameters and results. A packed
sequence on the CPU, float32 or float64, runs here, step by step over the sequences still alive; any
other input (padded tensors, other devices, projections), and all that is not plain execution (autocast,
compilation, tracing, forward-mode derivatives), runs in `torch.nn`.
The loop over the steps is C (``kernel.c``, built on first use) for float32 where there is
a compiler, and torch operations otherwise.
"""

from sentiment.models.recurrent.modules import GRU, LSTM, RNN, as_torch
from sentiment.models.recurrent.native import kernel, kernel_reason

__all__ = ["GRU", "LSTM", "RNN", "as_torch", "kernel", "kernel_reason"]
