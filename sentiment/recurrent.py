"""Packed RNN, LSTM and GRU."""

from torch import nn

RNN, LSTM, GRU = nn.RNN, nn.LSTM, nn.GRU
