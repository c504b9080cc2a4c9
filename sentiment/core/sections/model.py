"""Settings of the model."""

from typing import Literal

from sentiment.core.sections import SIZES, Dropout, Section, setting

Pooling = Literal["last", "max", "mean", "attention", "middle"]


class EmbeddingConfig(Section):
    """The vectors of the vocabulary."""

    source: Literal["auto", "english", "random", "pretrained", "skipgram"] = setting(
        "auto",
        "how they begin; english: vectors of film reviews that come with the package; skipgram trains them "
        "on all texts but test; auto: english where these have most of the tokens, else random",
    )
    vectors: str | None = setting(
        None, "pretrained only: a name such as glove.6B.100d (downloaded), or a file (.gz, .zst too)"
    )
    size: int = setting(
        100, "numbers in a vector; english (100) and pretrained vectors bring their own", ge=1, le=SIZES
    )
    frozen_epochs: int = setting(
        0, "epochs before the vectors are tuned too; -1: they are never tuned", ge=-1
    )
    skipgram_epochs: int = setting(5, "skipgram only: passes over the texts", ge=1)


class ModelConfig(Section):
    """The classifier: embedding, recurrence, pooling, linear layer."""

    kind: Literal["lstm", "gru", "rnn"] = setting("lstm", "recurrent cell")
    hidden_size: int = setting(128, "units of a direction", ge=1, le=SIZES)
    layers: int = setting(1, "recurrent layers", ge=1, le=100)
    bidirectional: bool = setting(True, "also read from the end")
    pooling: list[Pooling] = setting(
        ["max", "mean"],
        "over time; several are concatenated; middle: the step there, of texts cut around what matters",
        min_length=1,
    )
    word_dropout: Dropout = setting(0.1, "share of word types dropped whole, a step")
    embedding_dropout: Dropout = setting(0.3, "share of single embedding numbers dropped")
    spatial_dropout: Dropout = setting(0.0, "share of embedding dimensions dropped, a text")
    weight_dropout: Dropout = setting(0.0, "share of recurrent weights dropped, a step")
    layer_dropout: Dropout = setting(0.0, "between recurrent layers; needs layers >= 2")
    output_dropout: Dropout = setting(0.5, "before the linear layer")
    storage: Literal["fp32", "fp16", "int8"] = setting(
        "fp32", "of the weights on disk; fp16 and int8 round them after training, before anything is scored"
    )
    init_from: str | None = setting(
        None, "folder of sentiment pretrain, whose tokenizer, embedding and recurrence are begun from"
    )


class NGramsConfig(Section):
    """A linear model beside the recurrence, which knows turns of phrase by heart."""

    longest: int = setting(
        3,
        "tokens in a row that it looks for, in whole texts; validation says how much it counts; 0: the "
        "recurrence alone",
        ge=0, le=10
    )  # fmt: skip
    gap: int = setting(0, "pairs too that have so many tokens or fewer between them", ge=0, le=10)
    ending: int = setting(
        60,
        "those of the last so many tokens count once more, as others; 0, or of texts hardly longer: none",
        ge=0,
    )
