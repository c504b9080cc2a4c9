"""Cut a corpus into folds for cross-validation, so that no text stands in two of them."""

import numpy as np

from sentiment.config import CorpusConfig
from sentiment.corpus.raw import RawCorpus, RawSplit
from sentiment.corpus.source import read_corpus
from sentiment.corpus.splits import check_labels, check_rows, normalise
from sentiment.errors import CorpusError


def read_pool(config: CorpusConfig) -> RawCorpus:
    """Read the texts that are cross-validated, as the only split.

    They are the training and validation texts. The corpus's own test split is left for a last, single
    scoring: it is not used, and texts that are in it leave, but for case and punctuation. So do repeats,
    unless they are to be kept.
    """
    raw = read_corpus(config)
    check_rows(raw, config)
    seen = {normalise(text) for text in raw.splits.get("test", RawSplit()).texts}
    pool = RawSplit()
    for role in ("train", "validation"):
        split = raw.splits.get(role, RawSplit())
        for text, label, place in zip(split.texts, split.labels, split.places, strict=True):
            key = normalise(text)
            if key not in seen:
                _append(pool, text, label, place)
                if config.repeats == "drop":
                    seen.add(key)
    splits = {"train": pool, "unlabelled": raw.splits.get("unlabelled", RawSplit())}
    return RawCorpus(raw.name, raw.source, raw.revision, splits, raw.label_order)
