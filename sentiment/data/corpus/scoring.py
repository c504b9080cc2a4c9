"""A corpus that is only scored, by a model that was trained on another."""

import json
from typing import Any

from sentiment.core.errors import CorpusError, listed
from sentiment.core.notices import Say, warn
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus.checks import SHOWN, check_rows
from sentiment.data.corpus.labels import folded, names_in
from sentiment.data.corpus.raw import RawSplit
from sentiment.data.corpus.reading import Reading
from sentiment.data.corpus.source import read_corpus
from sentiment.data.corpus.splits import Split, Texts
from sentiment.data.inputs import Input


def load_for_scoring(
    config: CorpusConfig,
    labels: tuple[str, ...],
    takes: Input,
    like: Reading | None = None,
    say: Say = warn,
) -> tuple[dict[str, Any], Split]:
    """Read what a corpus offers to score a model of known `labels` on: its test split, or all of it.

    Parameters
    ----------
    takes
        What the model takes.
    like
        How the corpus of the model was read; its columns come first.

    Returns
    -------
    dict, Split
        What the report says of the corpus, and the texts.

    Raises
    ------
    CorpusError
        If it has labels that the model does not know, or other features.
    """
    raw, left_out = check_rows(read_corpus(config, like, say), config, say)
    role = "test" if raw.splits.get("test", RawSplit()).texts else "train"
    split = raw.splits[role]
    if split.texts and raw.input != takes:
        raise CorpusError(f"{raw.source}: it has {raw.input}, but the model is of {takes}")
    if not split.labelled:
        raise CorpusError(f"{raw.source} ({role}): none of its {len(split.texts)} texts has a label")
    unknown = sorted({name for label in split.labels for name in names_in(label)} - set(labels))
    if unknown:
        alike = {folded(label): label for label in labels}
        names = {name: alike.get(folded(name), "…") for name in unknown[:SHOWN]}
        raise CorpusError(
            f"{raw.source}: the model knows the labels {listed(labels)}, but not "
            f"{listed(unknown)}; train on this corpus, or say for each which of the model's it is: --set "
            f"'corpus.labels={json.dumps(names, ensure_ascii=False)}'"
        )
    about = {
        "name": raw.name,
        "source": raw.source,
        "revision": raw.revision,
        "sizes": {"test": len(split.texts)},
        "scored_split": role,
        "labels": list(labels),
        "left_out": {"invalid rows": left_out} if left_out else {},
        "reading": raw.reading.as_dict() if raw.reading is not None else None,
    }
    return about, Texts.of(split, labels, raw).split()
