"""Text classification with embeddings and packed LSTMs.

import sentiment

classifier = sentiment.train("sample")
print(classifier.report["verdict"])
print(classifier.predict(["Not bad at all, I would go again."])[0])
classifier = sentiment.train(texts=["so good", …], labels=["pos", …])
classifier = sentiment.load("artifacts/sample-…")
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentiment.inference.predictor import Predictor
    from sentiment.models.classifier import SequenceClassifier

__all__ = ["SequenceClassifier", "__version__", "load", "recurrent", "train"]


def __getattr__(name: str) -> Any:
    if name == "__version__":  # looking it up takes longer than importing this module
        from importlib import metadata

        return metadata.version("sentiment")
    if name == "recurrent":  # it and the next bring torch
        import sentiment.recurrent

        return sentiment.recurrent
    if name == "SequenceClassifier":
        from sentiment.models.classifier import SequenceClassifier

        return SequenceClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def train(
    corpus: Any = None,
    *,
    texts: Iterable[Any] | None = None,
    labels: Iterable[Any] | None = None,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    recipe: str | None = None,
) -> "Predictor":
    """Train a classifier and store it.

    What was guessed of the corpus, or left out of it, is a warning of the logger ``sentiment`` of Python's
    logging, which comes on stderr unless the program routes or silences it.

    Parameters
    ----------
    corpus
        A preset, a Hub id ``org/name[:config][@revision]``, or a path; or a pandas or polars DataFrame, a
        ``datasets.Dataset`` or DatasetDict, or rows (dictionaries, or pairs of text and label), or such by
        split in a dictionary; "sample" if left out.
    texts, labels
        Instead of a corpus: texts, and for each its label, or a list of labels.
    out
        Folder of the bundle, which must not be there yet; ``artifacts/<corpus>-<time>`` if left out.
    settings
        By dotted names, such as ``{"training.epochs": 3, "seed": 1}``.
    recipe
        What they change: a name that ``sentiment recipes`` lists, or a TOML file.

    Returns
    -------
    Predictor
        With ``predict(texts)``, and the ``report`` on its test texts.
    """
    from sentiment.core import config_io, recipes
    from sentiment.core.errors import UsageError
    from sentiment.core.threads import spin_briefly

    spin_briefly()
    from sentiment.metrics.catalogue import checked
    from sentiment.runs import train

    base = None
    if recipe is not None:
        base = recipes.read(recipe).settings
        checked(config_io.parse(base), where=f"{recipe}: ")
    overrides = dict(settings or {})
    place = Path(out) if out else None
    if texts is not None or labels is not None:
        from sentiment.data.corpus.memory import pairs

        if corpus is not None:
            raise UsageError("give a corpus, or texts and labels, not both")
        corpus = pairs(texts, labels)
    if corpus is None or isinstance(corpus, str | Path):
        if corpus is not None:
            overrides["corpus.name"] = str(corpus)
        return train.train(checked(config_io.load(None, overrides, base)), place)
    from sentiment.data.corpus.memory import MEMORY, read_memory

    overrides["corpus.name"] = MEMORY
    loaded = checked(config_io.load(None, overrides, base))
    return train.train(loaded, place, corpus=read_memory(corpus, loaded.corpus))


def load(folder: str | Path, device: str = "cpu") -> "Predictor":
    """Load a bundle and verify it.

    Parameters
    ----------
    folder
        Its folder, or the name of a model that comes with the package, which ``sentiment models`` lists.

    Raises
    ------
    BundleError
        If it is not whole, or not as it was written.
    """
    from sentiment.core.threads import spin_briefly

    spin_briefly()
    from sentiment.inference import builtin, bundle
    from sentiment.inference.predictor import Predictor

    return Predictor(bundle.load(builtin.find(folder)), device)
