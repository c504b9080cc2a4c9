"""The settings of a run: one commented tree, read from and written to TOML.

`config_io.load` merges defaults, a TOML file and dotted overrides; an unknown key fails and names the
nearest known one. The filled settings are stored in every bundle.
"""

import pydantic

from sentiment.core.sections.base import SEEDS, Section, setting
from sentiment.core.sections.data import CorpusConfig, FeaturesConfig, TokenizerConfig
from sentiment.core.sections.model import EmbeddingConfig, ModelConfig, NGramsConfig
from sentiment.core.sections.run import DecisionConfig, ReportConfig, RuntimeConfig
from sentiment.core.sections.training import DistillationConfig, PretrainingConfig, TrainingConfig


class Config(Section):
    """All settings of a run."""

    seed: int = setting(0, "of the cuts, the weights, the order and the dropout", ge=0, le=SEEDS)
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
        for contradict, message in (*reading_rules(self), *training_rules(self)):
            if contradict:
                raise ValueError(message)
        return self


def reading_rules(config: Config) -> list[tuple[object, str]]:
    """Rules between settings of what reads a text: whether each is broken, and how to mend it."""
    return [
        (
            config.embedding.source == "pretrained" and not config.embedding.vectors,
            "embedding.source = 'pretrained' needs embedding.vectors, "
            "for instance --set embedding.vectors=glove.6B.100d",
        ),
        (
            config.embedding.vectors and config.embedding.source != "pretrained",
            f"embedding.vectors is set but embedding.source is {config.embedding.source!r}; "
            "add --set embedding.source=pretrained",
        ),
        (
            config.model.init_from is not None and config.embedding.source not in ("auto", "random"),
            f"model.init_from brings its own embeddings, but embedding.source is "
            f"{config.embedding.source!r}; add --set embedding.source=random",
        ),
        (
            config.model.init_from is not None and config.pretraining.first,
            "model.init_from and pretraining.first both bring an encoder; leave one of them out",
        ),
        (
            config.tokenizer.kmer_stride > config.tokenizer.kmer,
            f"tokenizer.kmer_stride = {config.tokenizer.kmer_stride} would skip symbols; it is at most "
            f"tokenizer.kmer, {config.tokenizer.kmer}",
        ),
        (
            config.training.reverse_complement and config.tokenizer.kind == "word",
            "training.reverse_complement is for sequences of nucleotides, which are no words; "
            "add --set tokenizer.kind=kmer",
        ),
        (
            config.model.layer_dropout and config.model.layers < 2,
            f"model.layer_dropout = {config.model.layer_dropout} needs model.layers >= 2, "
            f"not {config.model.layers}",
        ),
        (
            config.corpus.grades is not None and config.corpus.task != "ordinal",
            "corpus.grades is of ordinal labels; add --set corpus.task=ordinal",
        ),
        (
            config.tokenizer.truncation == "windows"
            and 2 * config.tokenizer.window_overlap > config.tokenizer.max_length,
            f"tokenizer.window_overlap = {config.tokenizer.window_overlap} is more than half of "
            f"tokenizer.max_length = {config.tokenizer.max_length}; lower it",
        ),
        (
            config.tokenizer.truncation == "windows" and "middle" in config.model.pooling,
            "model.pooling = 'middle' is of texts cut around what matters, and windows have no such "
            "middle; choose another, or another tokenizer.truncation",
        ),
    ]


def training_rules(config: Config) -> list[tuple[object, str]]:
    """Rules between settings of the optimisation and the decision, likewise."""
    return [
        (
            config.training.focal and config.distillation.teachers,
            "training.focal is for labels, and distillation.teachers give probabilities; "
            "leave one of them out",
        ),
        (
            config.training.class_weights == config.training.sampling == "balanced",
            "training.class_weights and training.sampling both balance the classes; leave one of them out",
        ),
        (
            config.decision.target
            and config.decision.false_positive_cost != config.decision.false_negative_cost,
            "decision.target and costs both ask for a threshold; leave one of them out",
        ),
        (
            config.training.reverse_complement and config.distillation.teachers,
            "training.reverse_complement and distillation.teachers do not go together",
        ),
        (
            not config.distillation.teachers
            and (config.distillation.ngrams or config.distillation.generations > 1),
            "distillation.ngrams and distillation.generations add teachers to others; "
            "add --set distillation.teachers=1, or more",
        ),
        (
            len(set(config.model.pooling)) < len(config.model.pooling),
            f"model.pooling names one pooling twice: {config.model.pooling}",
        ),
    ]
