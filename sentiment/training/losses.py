"""Losses of labels: the cross-entropy, also focal (Lin et al. 2017), with weights of classes.

Shapes: B texts, C classes or labels.
"""

import torch
from torch import Tensor, nn

from sentiment.models.heads import HEADS
from sentiment.training.adversarial import SURE


class CrossEntropy(nn.Module):
    """The cross-entropy of each text, times the weight of its own class, summed over the texts.

    The probabilities that it is least for are those of the target, smoothed or not, whatever the weights.
    (`torch.nn.CrossEntropyLoss` weighs each class's share of a target instead, so that with smoothing every
    text speaks for the rare class: pytorch#104776. Of labels without smoothing both are the same.)

    Of several labels each is a question of its own, of two sides; the result is the mean over them.

    Parameters
    ----------
    task
        What a label is, see `sentiment.metrics.task`.
    weights
        (C,) of the classes; of several labels (L, 2), where a text has one not, and where it has. A target
        of probabilities weighs what its classes do in the mean. 1 by default.
    label_smoothing
        Share of a label given to all classes, or both sides of a label, alike.
    gamma
        Each loss is also taken times (1 - p) ** gamma, with p the probability of its label: what the model
        is sure and right about weighs less (Lin et al. 2017).
    """

    weights: Tensor | None

    def __init__(
        self,
        task: str = "multiclass",
        weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        gamma: float = 0.0,
    ) -> None:
        super().__init__()
        self.head, self.label_smoothing, self.gamma = HEADS[task], label_smoothing, gamma
        self.register_buffer("weights", weights)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the sum for logits (B, C), and classes (B,) or probabilities of them (B, C).

        Of several labels, logits (B, L) and labels (B, L) of 0 and 1, or their probabilities.
        """
        log_p = self.head.log_probabilities(input)  # (B, questions, answers), and so is the rest
        target = self.head.answers(target, log_p)
        goal = target * (1 - self.label_smoothing) + self.label_smoothing / target.shape[2]
        losses = -(goal * log_p).sum(2)  # (B, questions)
        if self.weights is not None:
            losses = losses * (self.weights * target).sum(2)
        if self.gamma:
            wrong = -torch.expm1((target * log_p).sum(2))  # 1 - p, exact near 0
            losses = losses * wrong.clamp_min(SURE) ** self.gamma
        return losses.mean(1).sum()
