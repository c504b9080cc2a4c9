"""Text classification with embeddings and packed LSTMs.

import sentiment

classifier = sentiment.train("sample")
print(classifier.report["verdict"])
print(classifier.predict(["Not bad at all, I would go again."])[0])
classifier = sentiment.load("artifacts/sample-…")
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentiment.classifier import SequenceClassifier
    from sentiment.predictor import Predictor

__all__ = ["SequenceClassifier", "__version__", "load", "train"]


def __getattr__(name: str) -> Any:
    if name == "__version__":  # looking it up takes longer than importing this module
        from importlib import metadata

        return metadata.version("sentiment")
    if name == "SequenceClassifier":  # brings torch
        from sentiment.classifier import SequenceClassifier

        return SequenceClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def train(
    corpus: str | None = None,
    *,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    recipe: str | None = None,
) -> "Predictor":
    """Train a classifier and store it.

    Parameters
    ----------
    corpus
        A preset, a Hub id ``org/name[:config][@revision]`` or a file; "sample" if left out.
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
    from sentiment import config, pipeline, recipes

    base = recipes.read(recipe).settings if recipe is not None else None
    overrides = dict(settings or {})
    if corpus is not None:
        overrides["corpus.name"] = corpus
    return pipeline.train(config.load(None, overrides, base), Path(out) if out else None)


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
    from sentiment import bundle, shipped
    from sentiment.predictor import Predictor

    return Predictor(bundle.load(shipped.find(folder)), device)
