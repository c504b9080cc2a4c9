"""A tokenizer of each kind, made from a few texts."""

from sentiment.core.sections.data import TokenizerConfig
from sentiment.data.tokenizer import Tokenizer

TEXTS = [
    "The film was not good at all, a waste of 120 minutes.",
    "A good film!<br /><br />Not a minute too long, see https://films.example/now please.",
    "The Café was good, the film was long and the minutes were long.",
    "Good good GOOD film, the best of 1997 and 1998 and 2 more.",
] * 3
KINDS = ["word", "bpe", "unigram", "char", "kmer"]


def trained(**settings):
    return Tokenizer.train(TEXTS, TokenizerConfig(**{"max_size": 80, **settings}))


TOKENIZERS = {kind: trained(kind=kind) for kind in KINDS}
