"""Labelled texts: from the Hub or from files, divided so that no text stands on two sides."""

from sentiment.data.corpus.presets import PRESETS, Preset
from sentiment.data.corpus.raw import RawCorpus, RawSplit
from sentiment.data.corpus.source import read_corpus
from sentiment.data.corpus.splits import Corpus, Split, divide, load_corpus, load_for_scoring

__all__ = [
    "PRESETS",
    "Corpus",
    "Preset",
    "RawCorpus",
    "RawSplit",
    "Split",
    "divide",
    "load_corpus",
    "load_for_scoring",
    "read_corpus",
]
