"""What turns the outputs of the last layer into logits."""

import torch
from torch import Tensor
from torch.nn import functional


def cumulative(outputs: Tensor) -> Tensor:
    """Return log-probabilities (B, C) of grades in order, for outputs (B, C - 1): a cumulative link.

    A grade of k or less has the probability σ(t_k), with thresholds t that rise by construction: the first
    output is t_1, and each other one gives, by its softplus, the step to the next. This is the model of
    McCullagh (1980), but for odds that need not be proportional: a text has a score, and a spread too.
    """
    outputs = outputs.float()
    first, steps = outputs[:, :1], outputs[:, 1:]
    thresholds = torch.cat([first, functional.softplus(steps)], 1).cumsum(1)  # (B, C - 1)
    below, above = functional.logsigmoid(thresholds), functional.logsigmoid(-thresholds)
    # σ(b) - σ(a) = σ(b) σ(-a) (1 - exp(a - b)), the last of which is σ of the output: nothing cancels.
    between = functional.logsigmoid(steps)  # (B, C - 2)
    pad = functional.pad
    return pad(below, (0, 1)) + pad(above, (1, 0)) + pad(between, (1, 1))
