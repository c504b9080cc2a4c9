"""`LSTM`, `GRU` and `RNN`, in the place of those of torch.nn; their engines are in `sentiment.models`."""

from sentiment.models.recurrent import GRU, LSTM, RNN, as_torch, kernel, kernel_reason

__all__ = ["GRU", "LSTM", "RNN", "as_torch", "kernel", "kernel_reason"]
