"""Settings of the optimisation, of what comes before it, and of teachers."""

from typing import Annotated, Literal

from pydantic import Field

from sentiment.core.sections import Dropout, Epochs, Section, setting


class PretrainingConfig(Section):
    """What `sentiment pretrain` learns to predict; clipping and weight decay are those of training."""

    first: bool = setting(False, "train does it too, before the rest, and begins from it")
    epochs: Epochs = setting(2, "passes over the texts")
    horizon: int = setting(
        10, "predict one of so many next tokens, and previous ones; 1: the next one, a language model",
        ge=1, le=1000
    )  # fmt: skip
    subsample: float = setting(
        1e-4,
        "types more frequent than this share of all tokens are predicted more seldom; 0: none",
        ge=0,
        le=1,
    )
    dropout: Dropout = setting(0.1, "of embedding numbers and outputs, instead of the model's")
    piece: int = setting(200, "tokens; of a longer text each piece is read for itself", ge=2)
    batch_size: int = setting(64, "most pieces in a batch", ge=1)
    batch_tokens: int = setting(12_800, "most tokens in a batch, padding counted", ge=1)
    learning_rate: float = setting(2e-3, "the highest of a one_cycle schedule", gt=0, le=1000)
    negatives: int = setting(
        256, "types that the softmax is taken over, on average, sampled by frequency; 0: all", ge=0
    )
    tied: bool = setting(False, "predict with the embeddings themselves")


class DistillationConfig(Section):
    """Teachers, whose mean prediction the model learns from."""

    teachers: int = setting(
        0, "models trained first, with the same settings and other seeds; 0: none, the model has labels only",
        ge=0, le=100
    )  # fmt: skip
    generations: int = setting(
        1, "of teachers: those of the second learn from the first, and so on, then the model", ge=1, le=100
    )
    ngrams: bool = setting(False, "n-grams teach too, with the share that serves validation best")
    weight: float = setting(
        0.5, "share of the teachers in what a labelled text teaches; its label has the rest", ge=0, le=1
    )
    unlabelled: bool = setting(True, "learn from the teachers' predictions of unlabelled texts too")


class TrainingConfig(Section):
    """The optimisation."""

    epochs: Epochs | Literal["auto"] = setting(
        "auto", "auto: as many as make about 1500 updates, from 4 to 30"
    )
    batch_size: int = setting(
        32, "most texts in a batch; of few sequences of features fewer, from 8, for 30 updates an epoch", ge=1
    )
    batch_tokens: int = setting(12_800, "most tokens in a batch, padding counted", ge=1)
    learning_rate: float = setting(2e-3, "the highest of the schedule", gt=0, le=1000)
    schedule: Literal["one_cycle", "linear", "cosine", "constant"] = setting(
        "one_cycle", "of the learning rate; one_cycle warms up over a quarter, then a cosine to 0"
    )
    encoder_rate: float = setting(
        1.0, "learning rate of embedding and recurrence, as a share of that of the rest", gt=0, le=1000
    )
    frozen_epochs: int = setting(
        0, "epochs before the recurrence is tuned too, as embedding.frozen_epochs; -1: never", ge=-1
    )
    weight_decay: float = setting(0.01, "of AdamW", ge=0)
    clip_norm: float = setting(1.0, "largest gradient norm; 0 is no limit", ge=0)
    label_smoothing: Dropout = setting(0.0, "share of a label given to all classes alike")
    adversarial: Annotated[float, Field(ge=0)] | Literal["auto"] = setting(
        "auto",
        "weight of the loss under the worst small step of the embeddings, for twice the time; 0: off; "
        "auto: 1 up to two million training tokens, which is where it helps",
    )
    adversarial_norm: float = setting(
        0.3, "length of that step a token, in normalised embeddings (root mean square over a text)", gt=0
    )
    virtual_adversarial: float = setting(
        0.0, "weight of the change of a prediction by such a step, also of unlabelled texts; 0: off", ge=0
    )
    virtual_adversarial_norm: float = setting(0.3, "length of that step, likewise", gt=0)
    virtual_adversarial_step: float = setting(0.1, "length of the random step that finds it", gt=0)
    entropy: float = setting(
        0.0, "weight of the predictions' entropy, also of unlabelled texts; 0: off", ge=0
    )
    reverse_complement: bool = setting(
        False, "DNA or RNA: in each epoch read half of the texts, by lot, as the other strand"
    )
    class_weights: Literal["none", "balanced"] = setting(
        "none", "balanced: a text weighs in inverse proportion to the frequency of its class"
    )
    sampling: Literal["natural", "balanced"] = setting(
        "natural", "balanced: an epoch, of the same length, has as many texts of each class"
    )
    focal: float = setting(
        0.0, "exponent of 1 - p, by which a text weighs less the surer its label is; 0: off", ge=0, le=100
    )
    max_windows: int = setting(
        16, "most windows of a text in a training step, drawn anew each time; bounds its memory", ge=1
    )
    ema: Dropout = setting(0.99, "decay of a moving average of the weights, used instead of them; 0: off")
    # Any word here, as scores are known further up: `metrics.catalogue.checked` says no.
    metric: str = setting(
        "auto",
        "on validation: chooses the epoch that is kept, ties by log_loss; auto: mcc, or micro_f1 where a "
        "text may have several labels, or quadratic_kappa of grades",
    )
    patience: int = setting(0, "epochs without a better metric before stopping; 0: never stop", ge=0)
    checkpoint_minutes: float = setting(5.0, "between checkpoints within an epoch", gt=0)
    tensorboard: bool = setting(
        False, "also write scalars for TensorBoard; needs pip install 'sentiment[tensorboard]'"
    )
