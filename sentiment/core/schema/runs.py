"""The manifest of a bundle, and the results of comparing, cross-validating and tuning."""

from typing import NotRequired, TypedDict

from sentiment.core.schema.corpus import CorpusIdentity, ReadingFacts
from sentiment.core.schema.scores import Comparison, Interval, Scores


class Sizes(TypedDict):
    """Of what a model reads."""

    vocab_size: int | None
    embedding_size: int | None
    input_size: int | None


class Manifest(TypedDict):
    """``manifest.json``: what has to be known of a model before its weights are read."""

    schema: int
    created: str
    kind: str
    task: str
    labels: list[str]
    model: Sizes
    corpus: CorpusIdentity
    reading: NotRequired[ReadingFacts]
    ngrams: NotRequired[bool]
    versions: dict[str, str]
    files: dict[str, str]  # with their SHA-256


class ComparedModel(Scores):
    model: str
    interval: Interval
    ece: float
    parameters: int | None
    train_seconds: float | None
    device: str | None
    comparison: Comparison | None  # with the best, which has none


class ComparedCorpus(TypedDict):
    name: str | None
    source: str | None
    revision: str | None
    test_fingerprint: str | None
    texts: int
    labels: list[str]


class ComparedModels(TypedDict):
    """The result of ``sentiment compare``; ``score`` is what the models are ordered by."""

    corpus: ComparedCorpus
    score: str
    models: list[ComparedModel]


class Spread(TypedDict):
    mean: float | None
    std: float | None
    values: list[float | None]


class MeanDifference(TypedDict):
    mean: float
    interval: Interval | None
    p: float | None


class CrossvalModel(TypedDict):
    scores: dict[str, Spread]


class CrossvalBaseline(CrossvalModel):
    differences: dict[str, MeanDifference]


class CrossvalCorpus(CorpusIdentity):
    texts: int


class CrossvalRun(TypedDict):
    seed: int
    fold: int
    folder: str
    sizes: dict[str, int]
    seconds: float
    epochs: int
    device: str


class Crossval(TypedDict):
    """``crossval.json``."""

    schema: int
    created: str
    corpus: CrossvalCorpus
    folds: int
    seeds: int
    model: CrossvalModel
    baselines: dict[str, CrossvalBaseline]
    test: str
    runs: list[CrossvalRun]
    settings: dict[str, object]
    versions: dict[str, str]


class Trial(TypedDict):
    """What is not known of a trial that was cut short is None."""

    trial: int
    state: str
    settings: dict[str, object] | None
    validation: Scores | None
    interval: Interval | None
    epochs: int | None
    seconds: float | None
    why: str | None


class TunedCorpus(CorpusIdentity):
    sizes: dict[str, int]


class Tuning(TypedDict):
    """``tuning.json``."""

    schema: int
    created: str
    corpus: TunedCorpus
    device: str
    seconds: float
    fixed: object
    space: object
    seed: int
    metric: str
    counts: dict[str, int]
    best: Trial
    first: Trial
    gain: float
    standard_error: float | None
    luck: float | None
    importance: dict[str, float] | None
    recipe: str
    command: str
    trials: list[Trial]
    versions: dict[str, str]
    caution: str
