"""What is said of a corpus: where it is from, how it was read, what an audit found."""

from typing import NotRequired, TypedDict


class ReadingFacts(TypedDict):
    """How a file was read."""

    text: list[str]
    labels: list[str]
    split_column: str | None
    width: int | None
    why: list[str]
    left: dict[str, list[str]]
    format: str
    encoding: str | None
    separator: str | None
    split: str
    quote: str
    escape: bool
    spaces: bool
    header: bool
    columns: list[str]
    notes: list[str]
    odd_labels: list[str]


class Source(TypedDict):
    name: str
    source: str
    revision: str | None


class CorpusIdentity(Source):
    fingerprint: str
    test_fingerprint: NotRequired[str]  # not of an encoder


class CorpusFacts(Source):
    """The part ``corpus`` of a report."""

    fingerprint: NotRequired[str]
    test_fingerprint: NotRequired[str]
    sizes: dict[str, int]
    labels: list[str]
    cut: NotRequired[list[str]]  # roles that were cut from training by the seed
    left_out: NotRequired[dict[str, int]]  # texts, by the reason
    scored_split: NotRequired[str]
    reading: NotRequired[ReadingFacts | None]
    trained_on: NotRequired[str]  # if that is another corpus
    accuracy_with_unseen_labels: NotRequired[float]


Lengths = TypedDict("Lengths", {"least": int, "median": int, "95th percentile": int, "most": int})


class UnusableRows(TypedDict):
    count: int
    examples: NotRequired[list[str]]


class Oddity(TypedDict):
    count: int
    example: NotRequired[str]


class AuditSplit(TypedDict):
    texts: int
    labels: dict[str, int]
    cardinality: NotRequired[float]
    label_sets: NotRequired[int]
    unit: str
    words: Lengths
    unusable_rows: UnusableRows
    scripts: dict[str, int]
    oddities: dict[str, Oddity]


Repeat = TypedDict("Repeat", {"of": str, "in": str, "exact": int, "normalised": int})
NearRepeat = TypedDict("NearRepeat", {"of": str, "in": str, "count": int})


class Conflict(TypedDict):
    text: str
    labels: list[str]


class Conflicts(TypedDict):
    """Equal texts with different labels."""

    count: int
    examples: NotRequired[list[Conflict]]


class NearDuplicates(TypedDict):
    similarity: float
    count: int
    by_splits: list[NearRepeat]
    examples: NotRequired[list[list[str]]]


class Leak(TypedDict):
    """A token, a beginning or an ending that tells a label."""

    kind: str
    token: str
    label: str
    count: int
    share: float
    lift: float


class Audit(TypedDict):
    """Without examples where a report may not quote texts."""

    kind: str
    task: str
    corpus: Source
    reading: NotRequired[ReadingFacts | None]
    labels: NotRequired[list[str]]
    splits: dict[str, AuditSplit]
    repeats: list[Repeat]
    conflicts: Conflicts
    near_duplicates: NearDuplicates | None
    leakage: list[Leak]
    refused: NotRequired[str]
