"""The settings of a run: one commented tree, read from and written to TOML.

`load` merges defaults, a TOML file and dotted overrides; an unknown key fails and names the
nearest known one. The filled settings are stored in every bundle.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

SEEDS = 2**32 - 1  # the largest that numpy and scikit-learn take
SIZES = 2**16  # of a layer: beyond it a machine's memory ends anyway
Share = Annotated[float, Field(gt=0, lt=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
Pooling = Literal["last", "max", "mean", "attention", "middle"]


def _setting(default: Any, comment: str, **limits: Any) -> Any:
    return Field(default, description=comment, **limits)


class Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)


class CorpusConfig(Section):
    """What is loaded and how it is divided."""

    name: str = _setting("sample", "a preset, a Hub id org/name[:config][@revision], or a file")
    text_column: str | None = _setting(
        None, "column of the texts, or several that are joined as a,b, or features; found by content if unset"
    )
    label_column: str | None = _setting(
        None, "column of the labels, or several of 0 and 1 as a,b,c; found by content if unset"
    )
    label_file: str | None = _setting(None, "file of labels, one a line, beside a file of texts, one a line")
    separator: str | None = _setting(
        None, "between the fields of a line, such as ; or :: or tab; judged if unset", min_length=1
    )
    header: bool | None = _setting(
        None, "whether the first row names the columns, which else are 1, 2, 3; judged if unset"
    )
    encoding: str | None = _setting(
        None, "of files, such as cp1252 or gb18030; UTF-8 or by its mark if unset"
    )
    task: Literal["auto", "multiclass", "multilabel", "ordinal"] = _setting(
        "auto",
        "multiclass: one label a text; multilabel: any number of them, as lists or columns of 0 and 1; "
        "ordinal: one of grades in order; auto: multilabel if the labels are, else multiclass",
    )
    labels: dict[str, str] | list[str] | None = _setting(
        None,
        'other names for labels, in their order, such as {"0": "neg", "1": "pos"}, empty for '
        "what is no label; or a list: just the order",
    )
    label_separator: str | None = _setting(None, "between several labels in one cell", min_length=1)
    label_spelling: Literal["keep", "fold"] = _setting(
        "keep", "fold: labels that differ only by case, spaces, invisible or composed characters are one"
    )
    rare_classes: Literal["error", "drop", "merge"] = _setting(
        "error", "classes with too few texts: stop, leave their texts out, or make them one class, other"
    )
    unseen_labels: Literal["error", "drop"] = _setting(
        "drop", "labels of validation or test texts that no training text has: leave these texts out, or stop"
    )
    grades: list[str] | None = _setting(
        None, "ordinal only: the labels from the lowest to the highest, where their names do not say it"
    )
    train: str | None = _setting(None, "Hub split to train on, where it has an unusual name")
    validation: str | None = _setting(None, "file or Hub split; cut from the training texts if unset")
    test: str | None = _setting(None, "file or Hub split; cut from the training texts if unset")
    unlabelled: str | None = _setting(
        None, "file of further texts, for vectors, pretraining and what needs no labels; in .txt one a line"
    )
    validation_share: Share = _setting(0.1, "share of the training texts cut for validation")
    test_share: Share = _setting(0.2, "share of the texts cut for test")
    seed: int | None = _setting(None, "of the cuts; the run's seed if unset", ge=0, le=SEEDS)
    repeats: Literal["drop", "keep"] = _setting(
        "drop", "texts equal but for case and punctuation, within what is trained on or cut"
    )
    near_duplicates: Literal["keep", "drop"] = _setting(
        "keep", "training texts nearly equal to another text (MinHash)"
    )
    similarity: Share = _setting(0.8, "Jaccard similarity of word triples from which texts are near")
    invalid_rows: Literal["error", "drop"] = _setting(
        "error", "rows without a usable text or label: stop, or go on without them"
    )
    audio: Literal["log_mel", "mfcc"] = _setting(
        "log_mel", "of .wav files: the features of each 10 ms; mfcc are 13 numbers"
    )
    audio_bands: int = _setting(40, "of .wav files: mel bands", ge=13, le=512)
    audio_rate: int = _setting(
        16_000, "of .wav files: samples a second, to which others are brought", ge=1000, le=192_000
    )

    @pydantic.field_validator("labels", mode="before")
    @classmethod
    def _map(cls, value: Any) -> Any:
        """Take JSON or "neg,pos", and numbers for their names."""
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                value = [name.strip() for name in value.split(",")]
        if isinstance(value, Mapping):
            return {str(name): str(other) for name, other in value.items()}
        return [str(name) for name in value] if isinstance(value, list) else value

    @pydantic.field_validator("grades", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Take "bad,fair,good" for a list, and numbers for their names."""
        if isinstance(value, str):
            return [name.strip() for name in value.split(",")]
        return [str(name) for name in value] if isinstance(value, list) else value


class TokenizerConfig(Section):
    """How a text becomes token ids."""

    kind: Literal["word", "bpe", "unigram", "char", "kmer"] = _setting(
        "word", "what a token is; kmer: each kmer symbols in a row, such as ATG, TGC and GCA in ATGCA"
    )
    kmer: int = _setting(3, "kmer only: symbols of a token", ge=1, le=1000)
    kmer_stride: int = _setting(1, "kmer only: symbols from one token to the next", ge=1, le=1000)
    lowercase: bool = _setting(True, "fold the case")
    strip_accents: bool = _setting(False, "é becomes e")
    strip_html: bool = _setting(True, "<br /> becomes a space")
    numbers: Literal["keep", "shape"] = _setting(
        "shape", "shape: digits of numbers of three or more digits become 0 (1997 -> 0000)"
    )
    urls: Literal["keep", "mask"] = _setting("mask", "mask: every URL becomes one token")
    min_frequency: int = _setting(
        2,
        "drop rarer types (word, char, kmer) or merges (bpe); unigram prunes by likelihood instead",
        ge=1,
    )
    max_size: int = _setting(30_000, "most types in the vocabulary", ge=3, le=2**31 - 1)
    max_length: int = _setting(600, "tokens kept of a text, or in a window", ge=1, le=2**31 - 1)
    truncation: Literal["head", "tail", "head+tail", "windows"] = _setting(
        "head+tail",
        "which tokens of a longer text are kept; head+tail keeps half of each, windows reads all, max_length "
        "at a time",
    )
    window_overlap: int = _setting(50, "windows only: tokens that a window shares with the next", ge=0)


class FeaturesConfig(Section):
    """How a sequence of feature vectors becomes what a model reads; of a corpus of texts nothing is used."""

    deltas: Literal[0, 1, 2] = _setting(
        1, "slopes over time beside each feature: 1, or also those of the slopes: 2"
    )
    max_length: int = _setting(1000, "steps kept of a sequence", ge=1, le=2**31 - 1)
    truncation: Literal["head", "tail", "head+tail"] = _setting(
        "head+tail", "which steps of a longer one are kept; head+tail keeps half of each"
    )
    noise: float = _setting(
        0.4, "in training: deviation of what is added to each number, in deviations of its feature", ge=0
    )
    time_mask: Dropout = _setting(
        0.0, "in training: longest stretch of steps that is hidden, as a share of a sequence; 0: off"
    )

    @property
    def augments(self) -> bool:
        """Whether training changes the sequences that it is given."""
        return self.noise > 0 or self.time_mask > 0


class EmbeddingConfig(Section):
    """The vectors of the vocabulary."""

    source: Literal["auto", "english", "random", "pretrained", "skipgram"] = _setting(
        "auto",
        "how they begin; english: vectors of film reviews that come with the package; skipgram trains them "
        "on all texts but test; auto: english where these have most of the tokens, else random",
    )
    vectors: str | None = _setting(
        None,
        "pretrained only: a name such as glove.6B.100d (downloaded), or a file (.gz, .zst too)",
    )
    size: int = _setting(
        100, "numbers in a vector; english (100) and pretrained vectors bring their own", ge=1, le=SIZES
    )
    frozen_epochs: int = _setting(
        0, "epochs before the vectors are tuned too; -1: they are never tuned", ge=-1
    )
    skipgram_epochs: int = _setting(5, "skipgram only: passes over the texts", ge=1)


class ModelConfig(Section):
    """The classifier: embedding, recurrence, pooling, linear layer."""

    kind: Literal["lstm", "gru", "rnn"] = _setting("lstm", "recurrent cell")
    hidden_size: int = _setting(128, "units of a direction", ge=1, le=SIZES)
    layers: int = _setting(1, "recurrent layers", ge=1, le=100)
    bidirectional: bool = _setting(True, "also read from the end")
    pooling: list[Pooling] = _setting(
        ["max", "mean"],
        "over time; several are concatenated; middle: the step there, of texts cut around what matters",
        min_length=1,
    )
    word_dropout: Dropout = _setting(0.1, "share of word types dropped whole, a step")
    embedding_dropout: Dropout = _setting(0.3, "share of single embedding numbers dropped")
    spatial_dropout: Dropout = _setting(0.0, "share of embedding dimensions dropped, a text")
    weight_dropout: Dropout = _setting(0.0, "share of recurrent weights dropped, a step")
    layer_dropout: Dropout = _setting(0.0, "between recurrent layers; needs layers >= 2")
    output_dropout: Dropout = _setting(0.5, "before the linear layer")
    storage: Literal["fp32", "fp16", "int8"] = _setting(
        "fp32", "of the weights on disk; fp16 and int8 round them after training, before anything is scored"
    )
    init_from: str | None = _setting(
        None, "folder of sentiment pretrain, whose tokenizer, embedding and recurrence are begun from"
    )


class NGramsConfig(Section):
    """A linear model beside the recurrence, which knows turns of phrase by heart."""

    longest: int = _setting(
        3,
        "tokens in a row that it looks for, in whole texts; validation says how much it counts; 0: the "
        "recurrence alone",
        ge=0, le=10,
    )  # fmt: skip
    gap: int = _setting(0, "pairs too that have so many tokens or fewer between them", ge=0, le=10)
    ending: int = _setting(
        60,
        "those of the last so many tokens count once more, as others; 0, or of texts hardly longer: none",
        ge=0,
    )


class PretrainingConfig(Section):
    """What `sentiment pretrain` learns to predict; clipping and weight decay are those of training."""

    first: bool = _setting(False, "train does it too, before the rest, and begins from it")
    epochs: Epochs = _setting(2, "passes over the texts")
    horizon: int = _setting(
        10, "predict one of so many next tokens, and previous ones; 1: the next one, a language model",
        ge=1, le=1000,
    )  # fmt: skip
    subsample: float = _setting(
        1e-4,
        "types more frequent than this share of all tokens are predicted more seldom; 0: none",
        ge=0,
        le=1,
    )
    dropout: Dropout = _setting(0.1, "of embedding numbers and outputs, instead of the model's")
    piece: int = _setting(200, "tokens; of a longer text each piece is read for itself", ge=2)
    batch_size: int = _setting(64, "most pieces in a batch", ge=1)
    batch_tokens: int = _setting(12_800, "most tokens in a batch, padding counted", ge=1)
    learning_rate: float = _setting(2e-3, "the highest of a one_cycle schedule", gt=0, le=1000)
    negatives: int = _setting(
        256, "types that the softmax is taken over, on average, sampled by frequency; 0: all", ge=0
    )
    tied: bool = _setting(False, "predict with the embeddings themselves")


class DistillationConfig(Section):
    """Teachers, whose mean prediction the model learns from."""

    teachers: int = _setting(
        0, "models trained first, with the same settings and other seeds; 0: none, the model has labels only",
        ge=0, le=100,
    )  # fmt: skip
    generations: int = _setting(
        1, "of teachers: those of the second learn from the first, and so on, then the model", ge=1, le=100
    )
    ngrams: bool = _setting(False, "n-grams teach too, with the share that serves validation best")
    weight: float = _setting(
        0.5, "share of the teachers in what a labelled text teaches; its label has the rest", ge=0, le=1
    )
    unlabelled: bool = _setting(True, "learn from the teachers' predictions of unlabelled texts too")


class TrainingConfig(Section):
    """The optimisation."""

    epochs: Epochs | Literal["auto"] = _setting(
        "auto", "auto: as many as make about 1500 updates, from 4 to 30"
    )
    batch_size: int = _setting(
        32, "most texts in a batch; of few sequences of features fewer, from 8, for 30 updates an epoch", ge=1
    )
    batch_tokens: int = _setting(12_800, "most tokens in a batch, padding counted", ge=1)
    learning_rate: float = _setting(2e-3, "the highest of the schedule", gt=0, le=1000)
    schedule: Literal["one_cycle", "linear", "cosine", "constant"] = _setting(
        "one_cycle", "of the learning rate; one_cycle warms up over a quarter, then a cosine to 0"
    )
    encoder_rate: float = _setting(
        1.0, "learning rate of embedding and recurrence, as a share of that of the rest", gt=0, le=1000
    )
    frozen_epochs: int = _setting(
        0, "epochs before the recurrence is tuned too, as embedding.frozen_epochs; -1: never", ge=-1
    )
    weight_decay: float = _setting(0.01, "of AdamW", ge=0)
    clip_norm: float = _setting(1.0, "largest gradient norm; 0 is no limit", ge=0)
    label_smoothing: Dropout = _setting(0.0, "share of a label given to all classes alike")
    adversarial: Annotated[float, Field(ge=0)] | Literal["auto"] = _setting(
        "auto",
        "weight of the loss under the worst small step of the embeddings, for twice the time; 0: off; "
        "auto: 1 up to two million training tokens, which is where it helps",
    )
    adversarial_norm: float = _setting(
        0.3, "length of that step a token, in normalised embeddings (root mean square over a text)", gt=0
    )
    virtual_adversarial: float = _setting(
        0.0, "weight of the change of a prediction by such a step, also of unlabelled texts; 0: off", ge=0
    )
    virtual_adversarial_norm: float = _setting(0.3, "length of that step, likewise", gt=0)
    virtual_adversarial_step: float = _setting(0.1, "length of the random step that finds it", gt=0)
    entropy: float = _setting(
        0.0, "weight of the predictions' entropy, also of unlabelled texts; 0: off", ge=0
    )
    reverse_complement: bool = _setting(
        False, "DNA or RNA: in each epoch read half of the texts, by lot, as the other strand"
    )
    class_weights: Literal["none", "balanced"] = _setting(
        "none", "balanced: a text weighs in inverse proportion to the frequency of its class"
    )
    sampling: Literal["natural", "balanced"] = _setting(
        "natural", "balanced: an epoch, of the same length, has as many texts of each class"
    )
    focal: float = _setting(
        0.0, "exponent of 1 - p, by which a text weighs less the surer its label is; 0: off", ge=0, le=100
    )
    max_windows: int = _setting(
        16, "most windows of a text in a training step, drawn anew each time; bounds its memory", ge=1
    )
    ema: Dropout = _setting(0.99, "decay of a moving average of the weights, used instead of them; 0: off")
    # Any word here, as scores are known further up: `metrics.catalogue.checked` says no.
    metric: str = _setting(
        "auto",
        "on validation: chooses the epoch that is kept, ties by log_loss; auto: mcc, or micro_f1 where a "
        "text may have several labels, or quadratic_kappa of grades",
    )
    patience: int = _setting(0, "epochs without a better metric before stopping; 0: never stop", ge=0)
    checkpoint_minutes: float = _setting(5.0, "between checkpoints within an epoch", gt=0)
    tensorboard: bool = _setting(
        False, "also write scalars for TensorBoard; needs pip install 'sentiment[tensorboard]'"
    )


class RuntimeConfig(Section):
    """The machine."""

    device: Literal["auto", "cpu", "cuda", "mps"] = _setting("auto", "auto: cuda, else mps, else cpu")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = _setting(
        "auto", "of the recurrence and matrix products; auto: bf16 on a GPU that has it"
    )
    threads: int = _setting(0, "CPU threads; 0: as torch finds", ge=0)
    deterministic: bool = _setting(False, "refuse operations that differ from run to run")


class DecisionConfig(Section):
    """What is made of the probabilities; fitted on the validation texts."""

    temperature: bool = _setting(True, "divide the logits by a fitted number, so that probabilities hold")
    positive: str | None = _setting(
        None, "of two classes, the label that rates and costs are about; the second if unset"
    )
    target: str | None = _setting(
        None, "two classes: a rate to reach, as precision(spam) >= 0.995 or blocked(ham) <= 0.2 %"
    )
    false_positive_cost: float = _setting(
        1.0, "two classes: of taking a text for positive by mistake, against the next", gt=0
    )
    false_negative_cost: float = _setting(1.0, "two classes: of missing a positive text", gt=0)
    unsure: float = _setting(0.0, "share of the texts, the least sure, that is left to a person", ge=0, lt=1)


class ReportConfig(Section):
    """The evaluation after training."""

    baselines: bool = _setting(True, "also score the majority class, TF-IDF + logistic regression and NB-SVM")
    texts: bool = _setting(
        True, "quote texts of the corpus; false: mistakes and suspects only by their rows, no examples"
    )
    bootstrap: int = _setting(1000, "resamples behind the 95 % intervals", ge=100)


class Config(Section):
    """All settings of a run."""

    seed: int = _setting(0, "of the cuts, the weights, the order and the dropout", ge=0, le=SEEDS)
    corpus: CorpusConfig = CorpusConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    features: FeaturesConfig = FeaturesConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    model: ModelConfig = ModelConfig()
    ngrams: NGramsConfig = NGramsConfig()
    pretraining: PretrainingConfig = PretrainingConfig()
    distillation: DistillationConfig = DistillationConfig()
    training: TrainingConfig = TrainingConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    decision: DecisionConfig = DecisionConfig()
    report: ReportConfig = ReportConfig()

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Config":
        if self.embedding.source == "pretrained" and not self.embedding.vectors:
            raise ValueError(
                "embedding.source = 'pretrained' needs embedding.vectors, "
                "for instance --set embedding.vectors=glove.6B.100d"
            )
        if self.embedding.vectors and self.embedding.source != "pretrained":
            raise ValueError(
                f"embedding.vectors is set but embedding.source is {self.embedding.source!r}; "
                "add --set embedding.source=pretrained"
            )
        if self.model.init_from is not None and self.embedding.source not in ("auto", "random"):
            raise ValueError(
                f"model.init_from brings its own embeddings, but embedding.source is "
                f"{self.embedding.source!r}; add --set embedding.source=random"
            )
        if self.model.init_from is not None and self.pretraining.first:
            raise ValueError(
                "model.init_from and pretraining.first both bring an encoder; leave one of them out"
            )
        if self.tokenizer.kmer_stride > self.tokenizer.kmer:
            raise ValueError(
                f"tokenizer.kmer_stride = {self.tokenizer.kmer_stride} would skip symbols; it is at most "
                f"tokenizer.kmer, {self.tokenizer.kmer}"
            )
        if self.training.reverse_complement and self.tokenizer.kind == "word":
            raise ValueError(
                "training.reverse_complement is for sequences of nucleotides, which are no words; "
                "add --set tokenizer.kind=kmer"
            )
        if self.model.layer_dropout and self.model.layers < 2:
            raise ValueError(
                f"model.layer_dropout = {self.model.layer_dropout} needs model.layers >= 2, "
                f"not {self.model.layers}"
            )
        if self.corpus.grades is not None and self.corpus.task != "ordinal":
            raise ValueError("corpus.grades is of ordinal labels; add --set corpus.task=ordinal")
        tokenizer, training = self.tokenizer, self.training
        if tokenizer.truncation == "windows" and 2 * tokenizer.window_overlap > tokenizer.max_length:
            raise ValueError(
                f"tokenizer.window_overlap = {tokenizer.window_overlap} is more than half of "
                f"tokenizer.max_length = {tokenizer.max_length}; lower it"
            )
        if tokenizer.truncation == "windows" and "middle" in self.model.pooling:
            raise ValueError(
                "model.pooling = 'middle' is of texts cut around what matters, and windows have no such "
                "middle; choose another, or another tokenizer.truncation"
            )
        if training.focal and self.distillation.teachers:
            raise ValueError(
                "training.focal is for labels, and distillation.teachers give probabilities; "
                "leave one of them out"
            )
        if training.class_weights == training.sampling == "balanced":
            raise ValueError(
                "training.class_weights and training.sampling both balance the classes; leave one of them out"
            )
        if self.decision.target and self.decision.false_positive_cost != self.decision.false_negative_cost:
            raise ValueError("decision.target and costs both ask for a threshold; leave one of them out")
        if self.training.reverse_complement and self.distillation.teachers:
            raise ValueError("training.reverse_complement and distillation.teachers do not go together")
        if not self.distillation.teachers and (self.distillation.ngrams or self.distillation.generations > 1):
            raise ValueError(
                "distillation.ngrams and distillation.generations add teachers to others; "
                "add --set distillation.teachers=1, or more"
            )
        if len(set(self.model.pooling)) < len(self.model.pooling):
            raise ValueError(f"model.pooling names one pooling twice: {self.model.pooling}")
        return self
