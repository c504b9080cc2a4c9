"""Labelled texts: from the Hub or from files, divided so that no text stands on two sides."""

from sentiment.corpus.presets import PRESETS, Preset
from sentiment.corpus.raw import RawCorpus, RawSplit
from sentiment.corpus.source import read_corpus
from sentiment.corpus.splits import Corpus, Split, divide, load_corpus, load_for_scoring

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
