"""Cut a corpus into folds for cross-validation, so that no text stands in two of them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sentiment.core.errors import CorpusError
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.strings import Say, warn
from sentiment.data.corpus.checks import check_labels, check_rows
from sentiment.data.corpus.labels import Label, names_in
from sentiment.data.corpus.raw import RawCorpus, RawSplit
from sentiment.data.corpus.sides import Texts, numbered, stratify
from sentiment.data.corpus.source import read_corpus


def read_pool(config: CorpusConfig, say: Say = warn) -> RawCorpus:
    """Read the texts that are cross-validated, as the split ``train``.

    They are the training and validation texts, without those that are in the corpus's own test split,
    which is left for a last, single scoring. Repeats are left out, too, unless they are to be kept. Each
    text has an id: the corpus's own, or its place in the source.
    """
    raw, _ = check_rows(read_corpus(config, say=say), config, say)
    seen = {raw.input.key(text) for text in raw.splits.get("test", RawSplit()).texts}
    pool = RawSplit()
    for role in ("train", "validation"):
        split = raw.splits.get(role, RawSplit())
        rows = []
        for row, text in enumerate(split.texts):
            key = raw.input.key(text)
            if key not in seen and split.labels[row] is not None:
                rows.append(row)
                if config.repeats == "drop":
                    seen.add(key)
        pool.extend(replace(split.take(rows), invalid=[], encoding=None))
    own = [str(identity) for identity in pool.ids if identity is not None]
    pool.ids = own if len(set(own)) == len(pool.texts) else list(pool.places)
    splits = {"train": pool, "unlabelled": raw.splits.get("unlabelled", RawSplit())}
    check_labels(raw, {"train": pool} if pool.texts else {}, config)
    return replace(raw, splits=splits)


def cut(pool: RawCorpus, folds: int, seed: int) -> list[RawCorpus]:
    """Divide a pool into folds, each of which is the test split once and among the training texts else.

    Stratified by label; texts that are equal but for case and punctuation are in one fold.

    Raises
    ------
    CorpusError
        If a class has too few different texts to be on every side of every fold.
    """
    texts = Texts.of(pool.splits["train"], pool)
    first = texts.first  # the groups of equal texts are labelled as their first ones are
    labels = [label for row in first.values() if (label := texts.split.labels[row]) is not None]
    noun, needed = (
        pool.nouns[0],
        max(folds, 4 if folds == 2 else 3),
    )  # of two folds, one has to hold training and validation
    for name, count in sorted(Counter(name for label in labels for name in names_in(label)).items()):
        if count < needed:
            raise CorpusError(
                f"{pool.source}: the {noun} {name!r} has {count} different texts, and {needed} are "
                f"needed for {folds} folds; add texts, leave the {noun} out, or take fewer --folds"
            )
    groups = np.array(list(first), object)
    result = []
    for chosen in _dealt(labels, folds, seed, pool.several):
        train, test = texts.divided(set(groups[chosen]))
        result.append(replace(pool, splits=pool.splits | {"train": train.split, "test": test.split}))
    return result


def _dealt(labels: list[Label], folds: int, seed: int, several: bool) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each fold."""
    if several:
        names = sorted({name for label in labels for name in label})
        has = numbered(labels, names, several)
        wanted, sizes = np.tile(has.sum(0) / folds, (folds, 1)), np.full(folds, len(has) / folds)
        sides = stratify(has, wanted, sizes, np.random.default_rng(seed))
        yield from (np.flatnonzero(sides == fold) for fold in range(folds))
        return
    from sklearn.model_selection import StratifiedKFold

    dealt = StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels)
    yield from (chosen for _, chosen in dealt)
