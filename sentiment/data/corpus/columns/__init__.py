"""Which column is the text and which the label: told by their values; names only break ties."""

from sentiment.data.corpus.columns.asked import NoColumn, Unclear, listed_columns
from sentiment.data.corpus.columns.choosing import find
from sentiment.data.corpus.columns.profile import SPLIT_NAMES

__all__ = ["SPLIT_NAMES", "NoColumn", "Unclear", "find", "listed_columns"]
