"""Cut a corpus into folds for cross-validation, so that no text stands in two of them; stratification."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sentiment.core.errors import CorpusError
from sentiment.core.notices import Say, warn
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus.checks import check_labels, check_rows
from sentiment.data.corpus.labels import Label, names_in
from sentiment.data.corpus.raw import RawCorpus, RawSplit
from sentiment.data.corpus.source import read_corpus


def read_pool(config: CorpusConfig, say: Say = warn) -> RawCorpus:
    """Read the texts that are cross-validated, as the split ``train``.

    They are the training and validation texts. The corpus's own test split is left for a last, single
    scoring: it is not used, and texts that are in it leave, but for case and punctuation; so do repeats,
    unless they are to be kept. Each text has an id: the corpus's own, or its place in the source.
    """
    raw, _ = check_rows(read_corpus(config, say=say), config, say)
    seen = {raw.input.key(text) for text in raw.splits.get("test", RawSplit()).texts}
    pool = RawSplit()
    for role in ("train", "validation"):
        split = raw.splits.get(role, RawSplit())
        for row, text in enumerate(split.texts):
            key = raw.input.key(text)
            if key not in seen and split.labels[row] is not None:
                for column in ("texts", "labels", "places", "ids"):
                    getattr(pool, column).append(getattr(split, column)[row])
                if config.repeats == "drop":
                    seen.add(key)
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
    split = pool.splits["train"]
    keys = [pool.input.key(text) for text in split.texts]
    first: dict[str, int] = {}  # of each group of equal texts, which are labelled as the first one is
    for row, key in enumerate(keys):
        first.setdefault(key, row)
    labels = [label for row in first.values() if (label := split.labels[row]) is not None]
    needed = max(folds, 4 if folds == 2 else 3)  # of two folds, one has to hold training and validation
    what = "label" if pool.task == "multilabel" else "class"
    for name, count in sorted(Counter(name for label in labels for name in names_in(label)).items()):
        if count < needed:
            raise CorpusError(
                f"{pool.source}: the {what} {name!r} has {count} different texts, and {needed} are needed "
                f"for {folds} folds; add texts, leave the {what} out, or take fewer --folds"
            )
    groups = np.array(list(first), object)
    result = []
    for chosen in _dealt(labels, folds, seed, several=pool.task == "multilabel"):
        tested = set(groups[chosen])
        sides: dict[str, list[int]] = {"train": [], "test": []}
        for row, key in enumerate(keys):
            sides["test" if key in tested else "train"].append(row)
        parts = {role: _take(split, rows) for role, rows in sides.items()}
        result.append(replace(pool, splits=pool.splits | parts))
    return result


def _dealt(labels: list[Label], folds: int, seed: int, several: bool) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each fold."""
    if several:
        names = sorted({name for label in labels for name in label})
        has = np.array([[name in label for name in names] for label in labels], np.int64)
        wanted, sizes = np.tile(has.sum(0) / folds, (folds, 1)), np.full(folds, len(has) / folds)
        sides = stratify(has, wanted, sizes, np.random.default_rng(seed))
        yield from (np.flatnonzero(sides == fold) for fold in range(folds))
        return
    from sklearn.model_selection import StratifiedKFold

    dealt = StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels)
    yield from (chosen for _, chosen in dealt)


def _take(split: RawSplit, rows: list[int]) -> RawSplit:
    texts, places = ([column[row] for row in rows] for column in (split.texts, split.places))
    return RawSplit(texts, [split.labels[row] for row in rows], places, [split.ids[row] for row in rows])


def stratify(
    labels: NDArray[np.int64],
    wanted: NDArray[np.float64],
    sizes: NDArray[np.float64],
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Deal texts by iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011).

    The rarest label among the remaining texts goes first. Each text with it goes to the side that still wants
    most texts with this label; ties go to the side that wants most texts, and then by lot.

    Parameters
    ----------
    labels
        (B, L) of 0 and 1.
    wanted
        (S, L) texts with each label that each side wants.
    sizes
        (S,) texts that each side wants.

    Returns
    -------
    array
        (B,) the side of each text.
    """
    wanted, sizes = wanted.astype(np.float64), sizes.astype(np.float64)  # what is still wanted
    order = generator.permutation(len(labels))  # ties between texts are broken by lot
    sides = np.full(len(labels), -1)

    def deal(rows: NDArray[np.int64], wishes: NDArray[np.float64]) -> None:
        for row in rows:
            best = np.flatnonzero(wishes == wishes.max())
            best = best[sizes[best] == sizes[best].max()]
            side = best[0] if len(best) == 1 else generator.choice(best)
            sides[row] = side
            wanted[side] -= labels[row]
            sizes[side] -= 1

    remaining = labels.sum(0)
    while remaining.any():
        rarest = int(np.where(remaining > 0, remaining, len(labels) + 1).argmin())
        rows = order[(labels[order, rarest] == 1) & (sides[order] < 0)]
        deal(rows, wanted[:, rarest])
        remaining = remaining - labels[rows].sum(0)
    deal(order[sides[order] < 0], sizes)  # those without a label
    return sides
