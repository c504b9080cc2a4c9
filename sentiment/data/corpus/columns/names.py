"""What the name of a column says: it breaks ties between columns whose values look alike."""

import re

TEXT_COLUMNS = (
    "text", "sentence", "review", "review_text", "reviewtext", "comment_text", "content", "message", "sms",
    "comment", "body", "tweet", "document", "post", "statement", "utterance", "question", "query", "sequence",
    "headline", "title", "data", "article", "abstract", "phrase", "transcript", "description", "selftext",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "labels", "sentiment", "class", "target", "polarity", "rating", "stars", "star", "score",
    "grade", "category", "intent", "topic", "emotion", "spam", "is_spam", "cats", "overall", "tag", "tags",
    "status", "type", "annotation", "y",
)  # fmt: skip
TEXT_WORDS = {word for name in TEXT_COLUMNS for word in name.split("_")} - {"title", "headline", "data"}
LABEL_WORDS = {*LABEL_COLUMNS, "star", "emotions", "classes", "classification", "rate"} - {
    "y", "type", "status", "overall",
}  # fmt: skip
NO_LABEL = {  # words for what is neither a text nor its label
    "id", "ids", "idx", "index", "uid", "confidence", "gold", "count", "date", "time", "timestamp",
    "created", "updated", "reason", "negativereason", "location", "timezone", "coord", "user", "username",
    "name", "author", "url", "link", "source", "lang", "language", "split", "set", "subset", "fold",
    "partition", "votes", "annotator", "annotators", "worker", "helpful", "helpfulness",
    "helpfulnessnumerator", "helpfulnessdenominator", "useful", "funny", "cool", "length", "len", "age",
    "price", "year", "month", "day", "hour", "number", "num", "likes", "retweets", "replies", "verified",
    "weight", "address", "nationality", "email", "phone", "prob", "probability", "flag",
    "country", "city", "gender", "clothing", "asin", "answer",
    "comments",
}  # fmt: skip
SPLIT_COLUMNS = {"split", "set", "subset", "partition", "fold", "usage", "dataset_split", "data_split"}
SPLIT_NAMES = {
    "train": "train", "training": "train", "dev": "validation", "val": "validation", "valid": "validation",
    "validation": "validation", "development": "validation", "test": "test", "testing": "test", "eval":
    "validation",
}  # fmt: skip
PAIRS = re.compile(r"(?i)(premise|hypothesis)|(?:sentence|text|question|sent|s|q)[ _]?([12ab])")
TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
KNOWN = 1.35  # weight of a column with a usual name of texts


def tokens(name: str) -> set[str]:
    """Return the words of a name: those of Review Text, review_text and reviewText are equal."""
    return {word.lower() for word in TOKEN.findall(name)}


def text_weight(name: str) -> float:
    """Return the weight that the name of a column gives to its score as a text."""
    if name.casefold() in TEXT_COLUMNS[:15]:
        return KNOWN
    words = tokens(name)
    if words & (NO_LABEL - {"comments", "answer", "source", "name"}) and not words & TEXT_WORDS:
        return 0.8
    if name.casefold() in ("title", "headline", "summary", "subject") or name.casefold() in LABEL_COLUMNS:
        return 0.9
    return 1.2 if words & TEXT_WORDS else 1.0


def label_rank(name: str) -> int:
    """Return how much a name speaks for labels: 3 a usual name, 2 a usual word, 1 nothing, 0 against."""
    folded = name.casefold().strip()
    words = tokens(name)
    against = words & NO_LABEL
    if folded in LABEL_COLUMNS:
        return 3
    if words & LABEL_WORDS and not against - {"index", "name", "flag", "number"}:
        return 2
    return 0 if against else 1


def usual_place(name: str) -> int:
    """Return the place of the first usual name of labels in a name, by which equal ranks are ordered."""
    words = {name.casefold().strip(), *tokens(name)}
    return next((place for place, known in enumerate(LABEL_COLUMNS) if known in words), len(LABEL_COLUMNS))
