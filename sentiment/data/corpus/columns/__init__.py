"""Which column is the text and which the label: told by their values; names only break ties."""

from sentiment.data.corpus.columns.asked import NoColumn, find_column, listed_columns
from sentiment.data.corpus.columns.choosing import find
from sentiment.data.corpus.columns.names import SPLIT_NAMES
from sentiment.data.corpus.columns.outcome import Unclear

__all__ = ["SPLIT_NAMES", "NoColumn", "Unclear", "find", "find_column", "listed_columns"]
