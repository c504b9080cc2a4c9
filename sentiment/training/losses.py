"""The losses of a classifier: the cross-entropy, and beside it adversarial, virtual adversarial, entropy.

The latter are those of Miyato et al. 2017 and Sachan et al. 2019. Perturbations are of embeddings normalised
by the frequencies of the types: each dimension is measured in its standard deviation, so that larger
embeddings are no way out. The model itself stays as it is.

Shapes: B texts, N tokens of all (packed), V types, E numbers in an embedding, C classes or labels.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from sentiment.core.sections.training import TrainingConfig
from sentiment.models.batches import Batch, positions
from sentiment.models.heads import HEADS, Head
from sentiment.models.network import Network

SURE = 1e-7  # of 1 - p: below it, its power of less than 1 is too steep
TINY = 1e-30  # a gradient of 0 has no direction, and stays 0


class CrossEntropy(nn.Module):
    """The cross-entropy of each text, times the weight of its own class, summed over the texts.

    The probabilities that it is least for are those of the target, smoothed or not, whatever the weights.
    (`torch.nn.CrossEntropyLoss` weighs each class's share of a target instead, so that with smoothing every
    text speaks for the rare class: pytorch#104776. Of labels without smoothing both are the same.)

    Of several labels each is a question of its own, of two sides; the result is the mean over them.

    Parameters
    ----------
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


def wanted(config: TrainingConfig) -> bool:
    """Say whether any loss is on beside the cross-entropy."""
    return bool(config.adversarial or on_unlabelled(config))


def on_unlabelled(config: TrainingConfig) -> bool:
    """Say whether a loss is on that needs no labels."""
    return bool(config.virtual_adversarial or config.entropy)


def accumulate(
    model: Network,
    batch: Batch,
    spread: Tensor,
    config: TrainingConfig,
    loss: Callable[[Tensor], Tensor] | None = None,
    *,
    scale: Callable[[Tensor], Tensor] = lambda total: total,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Tensor | None:
    """Add the gradients of all losses of a batch, means over its texts, to those of the parameters.

    There are no second derivatives: a perturbation is a constant, found by a gradient of the first order.
    The model is in training mode, which cuDNN's backward needs; every pass sees the same dropout.

    Parameters
    ----------
    batch
        Of ids.
    spread
        (E,), of `spread_of`.
    loss
        Takes logits (B, C) to their summed cross-entropy; None for unlabelled texts.
    scale, autocast
        Of the gradients, and of the passes, for training in half precision.

    Returns
    -------
    Tensor or None
        The summed cross-entropy of the labelled texts, without gradient.
    """
    assert model.embedding is not None
    assert config.adversarial != "auto"
    inputs, counts, texts = batch.inputs, batch.counts, len(batch.rows)
    with autocast():
        embedded = model.embedding(inputs)  # (N, E)
    # Gradients of all passes meet in this leaf, and go into the embedding once.
    leaf = embedded.detach().float().requires_grad_()
    slot, _ = positions(inputs.batch_sizes, leaf.device)  # (N,) window, then text, of each token
    if inputs.sorted_indices is not None:
        slot = inputs.sorted_indices[slot]
    if counts is not None:
        slot = torch.arange(texts, device=leaf.device).repeat_interleave(counts)[slot]
    noise = _NoiseState(leaf.device)

    def classify(vectors: Tensor) -> Tensor:
        with noise.replayed(), autocast():
            return model.classify(inputs._replace(data=vectors), counts).float()

    def backward(total: Tensor, weight: float, again: bool = False) -> None:
        torch.autograd.backward(scale(total * (weight / texts)), retain_graph=again)

    with torch.set_grad_enabled(loss is not None or config.entropy > 0):
        logits = classify(leaf)
    clean = logits.detach()
    total = gradient = None
    if loss is not None:
        total = loss(logits)
        backward(total, 1.0, again=config.entropy > 0)
        gradient = leaf.grad
    if config.adversarial and loss is not None and gradient is not None:
        step = perturbation(gradient, spread, slot, texts, config.adversarial_norm)
        backward(loss(classify(leaf + step)), config.adversarial)
    if config.entropy:
        backward(entropy(logits, model.head), config.entropy)
    if config.virtual_adversarial:

        def moved(vectors: Tensor) -> Tensor:
            return divergence(clean, classify(vectors), model.head)

        step = virtual_perturbation(lambda v: scale(moved(v)), leaf.detach(), spread, slot, texts, config)
        backward(moved(leaf + step), config.virtual_adversarial)
    if embedded.requires_grad and leaf.grad is not None:
        embedded.backward(leaf.grad.to(embedded.dtype))
    return None if total is None else total.detach()


def perturbation(gradient: Tensor, spread: Tensor, slot: Tensor, texts: int, norm: float) -> Tensor:
    """Return the step (N, E) of each text that raises a loss most, to the first order.

    Parameters
    ----------
    gradient
        (N, E), of the loss by the embeddings.
    spread
        (E,) units in which a step is measured.
    slot
        (N,) text of each row.
    norm
        Length of the step in these units, the root mean square over the tokens of a text: a short text
        bears a shorter step than a long one. (The papers give all texts the same, 5, which for their 400
        tokens is 0.25.)
    """
    lengths = slot.bincount(minlength=texts).to(gradient.dtype)
    return spread * _scaled(gradient * spread, slot, norm * lengths.sqrt())


def virtual_perturbation(
    moved: Callable[[Tensor], Tensor],
    vectors: Tensor,
    spread: Tensor,
    slot: Tensor,
    texts: int,
    config: TrainingConfig,
) -> Tensor:
    """Return the step (N, E) of each text that changes its prediction most, by one power step.

    The gradient of the divergence a little way in a random direction, by finite difference, has most of
    the direction in which it grows fastest.

    Parameters
    ----------
    moved
        Takes vectors (N, E) to the summed divergence of their predictions from those without a step.
    """
    random = _scaled(
        torch.randn_like(vectors), slot, vectors.new_full((texts,), config.virtual_adversarial_step)
    )
    step = (spread * random).requires_grad_()
    (gradient,) = torch.autograd.grad(moved(vectors + step), step)
    return perturbation(gradient, spread, slot, texts, config.virtual_adversarial_norm)


def divergence(clean: Tensor, logits: Tensor, head: Head = HEADS["multiclass"]) -> Tensor:
    """Return the summed Kullback-Leibler divergence of predictions from clean ones, logits (B, C) both.

    Of several labels it is the mean over them, and so is the entropy.
    """
    before, after = head.log_probabilities(clean), head.log_probabilities(logits)
    return (before.exp() * (before - after)).sum(-1).mean(1).sum()


def entropy(logits: Tensor, head: Head = HEADS["multiclass"]) -> Tensor:
    """Return the summed entropy of predictions, from logits (B, C)."""
    log_probabilities = head.log_probabilities(logits)
    return -(log_probabilities.exp() * log_probabilities).sum(-1).mean(1).sum()


def spread_of(weight: Tensor, frequencies: Tensor) -> Tensor:
    """Return the standard deviation (E,) of embeddings (V, E), types weighing by their frequencies (V,)."""
    weight = weight.detach()
    mean = frequencies @ weight
    return (frequencies @ weight.square() - mean.square()).clamp_min(0).sqrt()


def _scaled(direction: Tensor, slot: Tensor, norms: Tensor) -> Tensor:
    """Give the rows (N, E) of each text together the asked norm, of (B,)."""
    texts = len(norms)
    # Gradients of short texts can be so small that their squares vanish; the largest number goes first.
    largest = direction.abs().amax(1)
    peak = largest.new_zeros(texts).scatter_reduce(0, slot, largest, "amax").clamp_min(TINY)
    direction = direction / peak[slot, None]
    squares = direction.new_zeros(texts).index_add(0, slot, direction.square().sum(1))
    return direction * (norms / squares.sqrt().clamp_min(TINY))[slot, None]


class _NoiseState:
    """The random state at a moment, from which every pass draws its dropout anew."""

    def __init__(self, device: torch.device) -> None:
        self.devices = [device] if device.type == "cuda" else []
        self.states = [torch.get_rng_state(), *map(torch.cuda.get_rng_state, self.devices)]
        self.used = False

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """Go back to it for a while; the first time is where the run's random numbers go on from."""
        if not self.used:
            self.used = True
            yield
            return
        with torch.random.fork_rng(self.devices):
            torch.set_rng_state(self.states[0])
            for device, state in zip(self.devices, self.states[1:], strict=True):
                torch.cuda.set_rng_state(state, device)
            yield
