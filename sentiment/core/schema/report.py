"""The report of a model: ``report.json``."""

from typing import NotRequired, TypedDict, final

from sentiment.core.schema.corpus import Audit, CorpusFacts, CorpusIdentity
from sentiment.core.schema.scores import (
    Baseline,
    Calibration,
    Curves,
    DecisionFacts,
    Interval,
    PartScore,
    Scores,
    TestScores,
)

SCHEMA = 2


class TokenStatistics(TypedDict):
    """How a split looks to the model; rates and shares are means over the texts."""

    characters: float  # of a token
    tokens: int
    median_length: float
    truncated: float
    in_windows: float
    unknown_rate: float


class TokenizerFacts(TypedDict):
    kind: str
    types: int
    train: TokenStatistics
    test: TokenStatistics


class EncoderTexts(TypedDict):
    training: int
    unlabelled: int
    pieces: int
    tokens: int
    types: int


class EncoderFacts(TypedDict):
    sha256: str
    passes: int
    corpus: CorpusIdentity
    texts: EncoderTexts
    left_out: dict[str, int]


class EmbeddingFacts(TypedDict):
    source: str
    vectors: str | None
    size: int
    types_covered: NotRequired[float]
    tokens_covered: NotRequired[float]
    encoder: NotRequired[EncoderFacts]


class ModelFacts(TypedDict):
    """The settings of the model, and how many numbers it has."""

    parameters: int
    kind: str
    hidden_size: int
    layers: int
    bidirectional: bool
    pooling: list[str]
    word_dropout: float
    embedding_dropout: float
    spatial_dropout: float
    weight_dropout: float
    layer_dropout: float
    output_dropout: float
    storage: str
    init_from: str | None


class TrainingFacts(TypedDict):
    seconds: float
    tokens_per_second: float
    device: str
    kernel: NotRequired[str]  # of a CPU
    kernel_reason: NotRequired[str]
    epochs: int
    best_epoch: int
    metric: str
    updates: int
    adversarial: float
    padding: float
    validation: Scores
    seed: int


class EpochRecord(TypedDict):
    """A line of ``history.jsonl``."""

    epoch: int
    loss: float
    learning_rate: float
    validation: Scores
    best: bool
    tokens: int
    tokens_per_second: float
    padding: float
    seconds: float


@final
class Word(TypedDict):
    start: int
    end: int
    text: str
    weight: float


class Quoted(TypedDict):
    """A text of the corpus, if it may be quoted, with the words that spoke for the answer."""

    text: NotRequired[str]
    truncated_text: NotRequired[bool]
    words: NotRequired[list[Word]]
    agreement: float | None


@final
class Mistake(Quoted):
    row: int
    label: str
    predicted: str
    probability: float


@final
class WrongLabels(Quoted):
    """Of a text that may have several labels; ``label`` is the worst of the wrong ones."""

    row: int
    labels: list[str]
    predicted: list[str]
    loss: float
    label: str
    given: bool
    probability: float


class Slice(PartScore):
    slice: str
    value: str
    difference: float
    p: float
    q: float


class Suspect(TypedDict):
    """A label that the model contradicts."""

    split: str
    row: int
    text: NotRequired[str]
    label: str
    suggested: str
    quality: float


class Failures(TypedDict):
    slices: list[Slice]
    mistakes: list[Mistake | WrongLabels]
    suspects: list[Suspect]
    suspect_count: int


class NGramsValidation(TypedDict):
    recurrent: Scores
    ngrams: Scores
    both: Scores


class NGramsFacts(TypedDict):
    share: float
    longest: NotRequired[int]
    gap: NotRequired[int]
    ending: NotRequired[int]
    count: NotRequired[int]
    C: NotRequired[float]
    validation: NotRequired[NGramsValidation]


class NGramsTeacher(Scores):
    share: float


class TeachersTest(TypedDict):
    each: list[Scores]
    mean: Scores


class Generation(TeachersTest):
    """Teachers, and the mean of their predictions, on validation."""

    ngrams: NotRequired[NGramsTeacher]
    all: NotRequired[Scores]
    seconds: float
    test: NotRequired[TeachersTest]


class Teachers(TypedDict):
    generations: list[Generation]


class ScoredParts(TypedDict):
    """What follows from labels and probabilities."""

    task: str
    test: TestScores
    intervals: dict[str, Interval | None]
    calibration: NotRequired[Calibration]  # as all that follows, in the report of an older version
    curves: NotRequired[Curves]
    decision: NotRequired[DecisionFacts]
    baselines: NotRequired[dict[str, Baseline]]
    failures: NotRequired[Failures]
    ngrams: NotRequired[NGramsFacts]
    teachers: NotRequired[Teachers]
    audit: NotRequired[Audit]


class Report(ScoredParts):
    """All of it; of predictions in a file the parts about a model are not there."""

    verdict: str
    schema: int
    created: str
    corpus: CorpusFacts
    tokenizer: NotRequired[TokenizerFacts]
    embedding: NotRequired[EmbeddingFacts]
    model: NotRequired[ModelFacts]
    training: NotRequired[TrainingFacts]
    history: NotRequired[list[EpochRecord]]
    timing: NotRequired[dict[str, float]]
    settings: NotRequired[dict[str, object]]
    versions: NotRequired[dict[str, str]]
