"""What any model has to beat, trained on the same texts: majority class, TF-IDF + LR, NB-SVM.

Of features instead: majority class, and a regression on statistics over time.

Each is trained once for a corpus and its division: what it says of the test texts stays in the user's
cache, under the content of the corpus, this file and the versions of the libraries.
"""

import hashlib
import json
import re
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.core import cache
from sentiment.data import scripts
from sentiment.data.corpus import Corpus
from sentiment.data.scripts import has_words, marks
from sentiment.metrics import calibration, multiclass, multilabel, ordinal
from sentiment.metrics import thresholds as thresholds_module
from sentiment.metrics.arrays import Probabilities, Thresholds
from sentiment.metrics.task import task
from sentiment.models import nbsvm as nbsvm_module
from sentiment.models.nbsvm import SVM_PENALTIES, fit_nbsvm, log_loss

PENALTIES = (1.0, 10.0, 100.0)  # C of the regression: the best by log loss on validation
STATISTICS_PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)  # likewise, of statistics
KMERS = (1, 6)  # symbols, where texts have no words
BUCKETS = 2**22  # for n-grams: without a dictionary of millions it is done in a seventh of the time


@dataclass(frozen=True)
class Answers:
    """What a baseline says of the test texts.

    Attributes
    ----------
    probabilities
        (B, C), or (B, L) where a text may have several labels.
    about
        ``train_seconds`` (vectorising and choosing C included), ``predict_seconds`` (of all test texts,
        vectorising included), and what was chosen, such as ``C``; of several labels their ``thresholds``.
    """

    probabilities: Probabilities
    about: dict[str, Any]


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
    for name, (title, train) in made_for(corpus).items():
        file = f"baseline-{name}-{key}.npz"
        answers = _read(file, (len(labels), len(corpus.labels)))
        cached = answers is not None
        if answers is None:
            if train is not majority:
                say(f"training a baseline: {title}")
            answers = train(corpus)
            _write(file, answers)
        theirs = answers.about.get("thresholds")
        result[name] = {
            **asked.scores(labels, answers.probabilities, corpus.labels, theirs),
            **answers.about,
            "cached": cached,
            "comparison": asked.compare(labels, ours, asked.decide(answers.probabilities, theirs), resamples),
        }
    return result


def majority(corpus: Corpus) -> Answers:
    """Give every text the shares of the classes in training.

    Of several labels it gets the most frequent ones, as many as texts have on average, and at least one.
    """
    begun = time.perf_counter()
    asked = task(corpus.task)
    shares = asked.one_hot(corpus.train.labels, len(corpus.labels)).mean(0)
    thresholds = asked.frequent(shares)
    about: dict[str, Any] = {} if thresholds is None else {"thresholds": thresholds}
    trained = time.perf_counter()
    probabilities = np.tile(shares, (len(corpus.test), 1))
    return Answers(probabilities, about | _seconds(begun, trained))


def tfidf_lr(corpus: Corpus) -> Answers:
    """TF-IDF of words and word pairs, or of k-mers in texts without words, + logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    begun = time.perf_counter()
    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **_units(corpus.train.texts, 2, _word))
    train = vectorizer.fit_transform(corpus.train.texts)
    validation = vectorizer.transform(corpus.validation.texts)
    answer, about = _regression(corpus, PENALTIES, 1000, train, validation)
    trained = time.perf_counter()
    return Answers(answer(vectorizer.transform(corpus.test.texts)), about | _seconds(begun, trained))


def tfidf_ridge(corpus: Corpus) -> Answers:
    """TF-IDF as in `tfidf_lr` + ridge regression on the numbers of the grades, rounded.

    Its probabilities are of a normal distribution around its answer, with the deviation that validation
    shows; their median is the answer, rounded.
    """
    from scipy import stats
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge

    begun = time.perf_counter()
    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **_units(corpus.train.texts, 2, _word))
    train = vectorizer.fit_transform(corpus.train.texts)
    validation = vectorizer.transform(corpus.validation.texts)
    edges = np.arange(len(corpus.labels) - 1) + 0.5

    def soft(answers: NDArray[np.float64], deviation: float) -> Probabilities:
        below = stats.norm.cdf(edges, answers[:, None], deviation)
        return np.asarray(np.diff(below, axis=1, prepend=0, append=1))

    candidates = {}
    for penalty in PENALTIES:
        model = Ridge(1 / penalty, solver="sparse_cg").fit(train, corpus.train.labels)
        answers = model.predict(validation)
        deviation = float(np.sqrt(((answers - corpus.validation.labels) ** 2).mean()))
        candidates[penalty] = (_loss(corpus, soft(answers, deviation)), model, deviation)
    penalty = min(candidates, key=lambda one: candidates[one][0])
    _, model, deviation = candidates[penalty]
    trained = time.perf_counter()
    probabilities = soft(model.predict(vectorizer.transform(corpus.test.texts)), deviation)
    return Answers(probabilities, {"C": penalty, "features": train.shape[1], **_seconds(begun, trained)})


def nbsvm(corpus: Corpus) -> Answers:
    """NB-SVM, see `train_nbsvm`."""
    begun = time.perf_counter()
    answer, about = train_nbsvm(corpus)
    trained = time.perf_counter()
    return Answers(answer(corpus.test.texts), about | _seconds(begun, trained))


def train_nbsvm(corpus: Corpus) -> tuple[Callable[[Sequence[str]], Probabilities], dict[str, Any]]:
    """Train NB-SVM (Wang & Manning 2012) on the presence of 1-, 2- and 3-grams, or of k-mers, hashed.

    For each class against the rest, a feature is scaled by its log-count ratio and a linear SVM is
    trained; its weights are then drawn towards their mean magnitude, which alone is naive Bayes. A
    softmax of the margins gives probabilities, its temperature fitted on validation; of several labels it
    is a sigmoid of each.

    Returns
    -------
    tuple
        What gives texts probabilities (B, C), and what was chosen.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        n_features=BUCKETS, binary=True, norm=None, alternate_sign=False, dtype=np.float32,
        **_units(corpus.train.texts, 3, _token),
    )  # fmt: skip
    train = vectorizer.transform(corpus.train.texts)
    used = np.flatnonzero(np.bincount(train.indices, minlength=train.shape[1]))
    train, validation = train[:, used], vectorizer.transform(corpus.validation.texts)[:, used]
    found = fit_nbsvm(
        train, validation, corpus.train.labels, corpus.validation.labels, len(corpus.labels),
        task(corpus.task), SVM_PENALTIES,
    )  # fmt: skip

    def answer(texts: Sequence[str]) -> Probabilities:
        return found.probabilities(vectorizer.transform(texts)[:, used], task(corpus.task))

    about = {"C": found.penalty, "svm_share": found.share, "features": len(used)}
    return answer, about | _thresholds(corpus, answer(corpus.validation.texts))


def statistics_lr(corpus: Corpus) -> Answers:
    """Mean, deviation, least and most of each feature over time + logistic regression."""
    from sklearn.preprocessing import StandardScaler

    def table(sequences: list[Any]) -> NDArray[np.float64]:  # (B, 4 F)
        return np.stack([np.concatenate([one.mean(0), one.std(0), one.min(0), one.max(0)])
                         for one in sequences]).astype(np.float64)  # fmt: skip

    begun = time.perf_counter()
    train, validation = table(corpus.train.texts), table(corpus.validation.texts)
    scaler = StandardScaler().fit(train)
    train, validation = scaler.transform(train), scaler.transform(validation)
    answer, about = _regression(corpus, STATISTICS_PENALTIES, 5000, train, validation)
    trained = time.perf_counter()
    return Answers(answer(scaler.transform(table(corpus.test.texts))), about | _seconds(begun, trained))


BASELINES: dict[str, tuple[str, Callable[[Corpus], Answers]]] = {
    "majority": ("majority class", majority),
    "median": ("median grade", majority),
    "tfidf_lr": ("TF-IDF + LR", tfidf_lr),
    "tfidf_ridge": ("TF-IDF + ridge", tfidf_ridge),
    "nbsvm": ("NB-SVM", nbsvm),
    "statistics_lr": ("statistics + LR", statistics_lr),
}


def made_for(corpus: Corpus) -> dict[str, tuple[str, Callable[[Corpus], Answers]]]:
    """Return the baselines that are made for a corpus: of texts, or of features; of classes, or grades."""
    other_kind = {"statistics_lr"} if corpus.input.written else {"tfidf_lr", "tfidf_ridge", "nbsvm"}
    fits = set(task(corpus.task).baselines) - other_kind
    return {name: both for name, both in BASELINES.items() if name in fits}


def _units(texts: Sequence[str], longest: int, pattern: Callable[[Sequence[str]], str]) -> dict[str, Any]:
    """Return what a vectorizer counts: n-grams of words up to the `longest`, or k-mers."""
    if not has_words(texts):
        return {"analyzer": "char", "ngram_range": KMERS}
    return {"token_pattern": pattern(texts), "ngram_range": (1, longest)}


def _word(texts: Sequence[str]) -> str:
    """Match words of two characters or more; if there are none, whatever spaces tell apart."""
    word = rf"[\w{marks(texts)}]{{2,}}"
    return word if any(re.search(word, text) for text in texts) else r"\S+"


def _token(texts: Sequence[str]) -> str:
    """Match words and single signs: an exclamation mark says something too."""
    word = rf"\w{marks(texts)}"
    return rf"[{word}]+|[^{word}\s]"


def _regression(
    corpus: Corpus, penalties: Sequence[float], most: int, train: Any, validation: Any
) -> tuple[Callable[[Any], Probabilities], dict[str, Any]]:
    """Train logistic regressions on tables, of each label for itself if a text may have several.

    Returns
    -------
    tuple
        What gives a table probabilities, with the C that is best on validation; and what was chosen.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    candidates = {}
    for penalty in penalties:
        model = LogisticRegression(C=penalty, max_iter=most)
        if not task(corpus.task).exclusive:
            model = OneVsRestClassifier(model)
        model.fit(train, corpus.train.labels)
        candidates[penalty] = (_loss(corpus, _probabilities(model, validation)), model)
    penalty = min(candidates, key=lambda one: candidates[one][0])
    model = candidates[penalty][1]
    about = {"C": penalty, "features": train.shape[1]}
    return partial(_probabilities, model), about | _thresholds(corpus, _probabilities(model, validation))


def _loss(corpus: Corpus, probabilities: Probabilities) -> float:
    return log_loss(corpus.validation.labels, probabilities, task(corpus.task))


def _thresholds(corpus: Corpus, validation: Probabilities) -> dict[str, Any]:
    """Return what a baseline chooses from probabilities of several labels of the validation texts."""
    fitted = task(corpus.task).fit_thresholds(corpus.validation.labels, validation)
    return {} if fitted is None else {"thresholds": list(fitted)}


def _probabilities(model: Any, features: Any) -> Probabilities:
    probabilities: Probabilities = model.predict_proba(features).astype(np.float64)
    if not getattr(model, "multilabel_", False):
        probabilities /= probabilities.sum(1, keepdims=True)  # float32 rows miss 1 by rounding
    return probabilities


def _seconds(begun: float, trained: float) -> dict[str, float]:
    return {"train_seconds": trained - begun, "predict_seconds": time.perf_counter() - trained}


def _key(corpus: Corpus) -> str:
    """Return what tells apart all that a baseline's answers depend on."""
    versions = [metadata.version(name) for name in ("numpy", "scipy", "scikit-learn")]
    modules = (calibration, scripts, multiclass, multilabel, ordinal, thresholds_module, nbsvm_module)
    code = [Path(file).read_bytes() for file in (__file__, *(str(module.__file__) for module in modules))]
    parts = [corpus.fingerprint().encode(), *code, *(version.encode() for version in versions)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def _read(file: str, shape: tuple[int, int]) -> Answers | None:
    """Return what the cache holds, or None if it holds nothing or nothing usable."""
    try:
        with np.load(cache.place(file), allow_pickle=False) as content:
            probabilities, about = content["probabilities"], json.loads(str(content["about"]))
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None
    return Answers(probabilities, about) if probabilities.shape == shape else None


def _write(file: str, answers: Answers) -> None:
    """Keep it, in one step; a cache that cannot be written to is no reason to fail."""
    try:
        with cache.made(cache.place(file)) as written:
            np.savez(written, probabilities=answers.probabilities, about=json.dumps(answers.about))
    except OSError:
        return
