"""What is done to packed features in training, so that no two epochs see quite the same."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from sentiment.core.sections.data import FeaturesConfig
from sentiment.models.batches import positions


def augment(inputs: PackedSequence, config: FeaturesConfig) -> PackedSequence:
    """Return packed features (N, D) with noise, and with a stretch of steps of each sequence hidden.

    The noise is Gaussian. A hidden step has the mean of every feature, which is 0, as in SpecAugment (Park
    et al. 2019); how many are hidden is drawn evenly from none to ``time_mask`` of the sequence.
    """
    data = inputs.data
    if config.noise:
        data = data + config.noise * torch.randn_like(data)
    if config.time_mask:
        data = data.masked_fill(_hidden(inputs.batch_sizes, config.time_mask, data.device)[:, None], 0)
    return inputs._replace(data=data)


def _hidden(batch_sizes: Tensor, share: float, device: torch.device) -> Tensor:
    """Return (N,) whether a packed step is in the stretch that is drawn for its sequence."""
    slot, step = positions(batch_sizes, device)
    lengths = torch.bincount(slot)  # (B,)
    drawn = torch.rand(2, len(lengths), device=device)
    size = (drawn[0] * ((share * lengths).floor() + 1)).floor()
    start = (drawn[1] * (lengths - size + 1)).floor()
    return (step >= start[slot]) & (step < (start + size)[slot])
