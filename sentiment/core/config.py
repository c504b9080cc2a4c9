"""The settings of a run: one commented tree, read from and written to TOML.

`config_io.load` merges defaults, a TOML file and dotted overrides; an unknown key fails and names the
nearest known one. The filled settings are stored in every bundle.
"""

from collections.abc import Iterator

import pydantic

from sentiment.core.sections import SEEDS, Section, setting
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
        if faults := [*reading_faults(self), *training_faults(self)]:
            raise ValueError(faults[0])
        return self


def reading_faults(config: Config) -> Iterator[str]:
    """Yield a message for each contradiction between settings of corpus, tokenizer and model."""
    embedding, model, tokenizer = config.embedding, config.model, config.tokenizer
    if embedding.source == "pretrained" and not embedding.vectors:
        yield (
            "embedding.source = 'pretrained' needs embedding.vectors, "
            "for instance --set embedding.vectors=glove.6B.100d"
        )
    if embedding.vectors and embedding.source != "pretrained":
        yield (
            f"embedding.vectors is set but embedding.source is {embedding.source!r}; "
            "add --set embedding.source=pretrained"
        )
    if model.init_from is not None and embedding.source not in ("auto", "random"):
        yield (
            f"model.init_from brings its own embeddings, but embedding.source is "
            f"{embedding.source!r}; add --set embedding.source=random"
        )
    if model.init_from is not None and config.pretraining.first:
        yield "model.init_from and pretraining.first both bring an encoder; leave one of them out"
    if tokenizer.kmer_stride > tokenizer.kmer:
        yield (
            f"tokenizer.kmer_stride = {tokenizer.kmer_stride} would skip symbols; it is at most "
            f"tokenizer.kmer, {tokenizer.kmer}"
        )
    if config.training.reverse_complement and tokenizer.kind == "word":
        yield (
            "training.reverse_complement is for sequences of nucleotides, which are no words; "
            "add --set tokenizer.kind=kmer"
        )
    if model.layer_dropout and model.layers < 2:
        yield f"model.layer_dropout = {model.layer_dropout} needs model.layers >= 2, not {model.layers}"
    if config.corpus.grades is not None and config.corpus.task != "ordinal":
        yield "corpus.grades is of ordinal labels; add --set corpus.task=ordinal"
    if tokenizer.truncation == "windows" and 2 * tokenizer.window_overlap > tokenizer.max_length:
        yield (
            f"tokenizer.window_overlap = {tokenizer.window_overlap} is more than half of "
            f"tokenizer.max_length = {tokenizer.max_length}; lower it"
        )
    if tokenizer.truncation == "windows" and "middle" in model.pooling:
        yield (
            "model.pooling = 'middle' is of texts cut around what matters, and windows have no such "
            "middle; choose another, or another tokenizer.truncation"
        )


def training_faults(config: Config) -> Iterator[str]:
    """Yield a message for each contradiction between settings of training and decision."""
    distillation, training, decision = config.distillation, config.training, config.decision
    if training.focal and distillation.teachers:
        yield (
            "training.focal is for labels, and distillation.teachers give probabilities; "
            "leave one of them out"
        )
    if training.class_weights == training.sampling == "balanced":
        yield "training.class_weights and training.sampling both balance the classes; leave one of them out"
    if decision.target and decision.false_positive_cost != decision.false_negative_cost:
        yield "decision.target and costs both ask for a threshold; leave one of them out"
    if training.reverse_complement and distillation.teachers:
        yield "training.reverse_complement and distillation.teachers do not go together"
    if not distillation.teachers and (distillation.ngrams or distillation.generations > 1):
        yield (
            "distillation.ngrams and distillation.generations add teachers to others; "
            "add --set distillation.teachers=1, or more"
        )
    if len(set(config.model.pooling)) < len(config.model.pooling):
        yield f"model.pooling names one pooling twice: {config.model.pooling}"
