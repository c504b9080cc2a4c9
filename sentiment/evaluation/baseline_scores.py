"""A model against the baselines that are made for its corpus.

Each is trained once for a corpus and its division: what it says of the test texts stays in the user's
cache, under the content of the corpus, the code that trains it and the versions of the libraries.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from sentiment.core import cache
from sentiment.data import scripts
from sentiment.data.corpus import Corpus
from sentiment.evaluation import baselines
from sentiment.evaluation.baselines import Answers, made_for
from sentiment.metrics import calibration
from sentiment.metrics.arrays import Probabilities, Thresholds
from sentiment.metrics.task import task
from sentiment.models import nbsvm


def run(
    corpus: Corpus,
    probabilities: Probabilities,
    resamples: int = 1000,
    say: Callable[[str], None] = lambda _: None,
    thresholds: Thresholds = None,
) -> dict[str, Any]:
    """Train and score the baselines, and compare a model with each.

    Parameters
    ----------
    corpus
        Trained on ``train``, chosen by ``validation``, scored on ``test``.
    probabilities
        (B, C), or (B, L), of the model, on the test texts.
    resamples
        Of the bootstrap behind the intervals of the differences.
    say
        Told of a baseline before it is trained, which can take a minute.
    thresholds
        Of the model's decision, where a text may have several labels. Those of the baselines are found as
        the model's are.

    Returns
    -------
    dict
        By name: the same scores as the model's, `Answers.about`, ``cached`` (whether it was trained
        before, and the seconds are of that time), and the ``comparison``, model − baseline.
    """
    asked, labels = task(corpus.task), corpus.test.labels
    ours = asked.decide(probabilities, thresholds)
    key, result = _key(corpus), {}
    for name, baseline in made_for(corpus).items():
        file = f"baseline-{name}-{key}.npz"
        answers = kept(file, (len(labels), len(corpus.labels)))
        cached = answers is not None
        if answers is None:
            if not baseline.instant:
                say(f"training a baseline: {baseline.title}")
            answers = baseline.train(corpus)
            keep(file, answers)
        theirs = answers.about.get("thresholds")
        result[name] = {
            **asked.scores(labels, answers.probabilities, corpus.labels, theirs),
            **answers.about,
            "cached": cached,
            "comparison": asked.compare(labels, ours, asked.decide(answers.probabilities, theirs), resamples),
        }
    return result


def _key(corpus: Corpus) -> str:
    """Return what tells apart all that a baseline's answers depend on."""
    versions = [metadata.version(name) for name in ("numpy", "scipy", "scikit-learn")]
    files = [Path(str(module.__file__)) for module in (baselines, nbsvm, scripts)]
    files += sorted(Path(str(calibration.__file__)).parent.glob("*.py"))  # all of the metrics
    code = [file.read_bytes() for file in files]
    parts = [corpus.fingerprint().encode(), *code, *(version.encode() for version in versions)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def kept(file: str, shape: tuple[int, int]) -> Answers | None:
    """Return what the cache holds, or None if it holds nothing or nothing usable."""
    try:
        with np.load(cache.place(file), allow_pickle=False) as content:
            probabilities, about = content["probabilities"], json.loads(str(content["about"]))
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None
    return Answers(probabilities, about) if probabilities.shape == shape else None


def keep(file: str, answers: Answers) -> None:
    """Keep answers, in one step; a cache that cannot be written to is no reason to fail."""
    try:
        with cache.made(cache.place(file)) as written:
            np.savez(written, probabilities=answers.probabilities, about=json.dumps(answers.about))
    except OSError:
        return
