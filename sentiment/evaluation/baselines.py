"""What any model has to beat: a row for each baseline, and how it is trained.

A baseline that is added here is trained, scored, compared with and reported.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.data.corpus import Corpus
from sentiment.data.scripts import has_words, marks
from sentiment.metrics.arrays import Probabilities
from sentiment.metrics.task import task
from sentiment.models.nbsvm import SVM_PENALTIES, fit_nbsvm, log_loss

PENALTIES = (1.0, 10.0, 100.0)  # C of the regression: the best by log loss on validation
STATISTICS_PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)  # likewise, of statistics
KMERS = (1, 6)  # symbols, where texts have no words
NOMINAL, GRADES = ("multiclass", "multilabel"), ("ordinal",)  # tasks
TEXTS, FEATURES = ("text",), ("features",)  # inputs
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


@dataclass(frozen=True)
class Baseline:
    """How a baseline is called, which corpora it is for, and how it is trained.

    Attributes
    ----------
    tasks, inputs
        Those of the corpora that can use it.
    instant
        Whether training it takes no time, and nothing is said of it.
    """

    title: str
    train: Callable[[Corpus], Answers]
    tasks: tuple[str, ...]
    inputs: tuple[str, ...]
    instant: bool = False


Trained = tuple[Callable[[Sequence[Any]], Probabilities], dict[str, Any]]  # answers (B, C), what was chosen


def timed(train: Callable[[Corpus], Trained]) -> Callable[[Corpus], Answers]:
    """Let a baseline that is trained answer the test texts, and measure both."""

    @wraps(train)
    def answers(corpus: Corpus) -> Answers:
        begun = time.perf_counter()
        answer, about = train(corpus)
        trained = time.perf_counter()
        probabilities = answer(corpus.test.texts)
        times = {"train_seconds": trained - begun, "predict_seconds": time.perf_counter() - trained}
        return Answers(probabilities, about | times)

    return answers


@timed
def majority(corpus: Corpus) -> Trained:
    """Give every text the shares of the classes in training.

    Of several labels it gets the most frequent ones, as many as texts have on average, and at least one.
    """
    asked = task(corpus.task)
    shares = asked.one_hot(corpus.train.labels, len(corpus.labels)).mean(0)
    thresholds = asked.frequent(shares)
    about = {} if thresholds is None else {"thresholds": thresholds}
    return lambda texts: np.tile(shares, (len(texts), 1)), about


@timed
def tfidf_lr(corpus: Corpus) -> Trained:
    """TF-IDF of words and word pairs, or of k-mers in texts without words, + logistic regression."""
    vectorizer = _tfidf(corpus.train.texts)
    train = vectorizer.fit_transform(corpus.train.texts)
    validation = vectorizer.transform(corpus.validation.texts)
    answer, about = _regression(corpus, PENALTIES, 1000, train, validation)
    return lambda texts: answer(vectorizer.transform(texts)), about


@timed
def tfidf_ridge(corpus: Corpus) -> Trained:
    """TF-IDF as in `tfidf_lr` + ridge regression on the numbers of the grades, rounded.

    Its probabilities are of a normal distribution around its answer, with the deviation that validation
    shows; their median is the answer, rounded.
    """
    from scipy import stats
    from sklearn.linear_model import Ridge

    vectorizer = _tfidf(corpus.train.texts)
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
    about = {"C": penalty, "features": train.shape[1]}
    return lambda texts: soft(model.predict(vectorizer.transform(texts)), deviation), about


@timed
def nbsvm(corpus: Corpus) -> Trained:
    """NB-SVM (Wang & Manning 2012) on the presence of 1-, 2- and 3-grams, or of k-mers, hashed.

    For each class against the rest, a feature is scaled by its log-count ratio and a linear SVM is
    trained; its weights are then drawn towards their mean magnitude, which alone is naive Bayes. A
    softmax of the margins gives probabilities, its temperature fitted on validation; of several labels it
    is a sigmoid of each.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        n_features=BUCKETS, binary=True, norm=None, alternate_sign=False, dtype=np.float32,
        **_units(corpus.train.texts, 3, token_pattern),
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


@timed
def statistics_lr(corpus: Corpus) -> Trained:
    """Mean, deviation, least and most of each feature over time + logistic regression."""
    from sklearn.preprocessing import StandardScaler

    def table(sequences: Sequence[Any]) -> NDArray[np.float64]:  # (B, 4 F)
        return np.stack([np.concatenate([one.mean(0), one.std(0), one.min(0), one.max(0)])
                         for one in sequences]).astype(np.float64)  # fmt: skip

    train, validation = table(corpus.train.texts), table(corpus.validation.texts)
    scaler = StandardScaler().fit(train)
    train, validation = scaler.transform(train), scaler.transform(validation)
    answer, about = _regression(corpus, STATISTICS_PENALTIES, 5000, train, validation)
    return lambda sequences: answer(scaler.transform(table(sequences))), about


BASELINES = {  # in the order of a report
    "majority": Baseline("majority", majority, NOMINAL, TEXTS + FEATURES, instant=True),
    "median": Baseline("median", majority, GRADES, TEXTS + FEATURES, instant=True),
    "tfidf_lr": Baseline("TF-IDF + LR", tfidf_lr, NOMINAL + GRADES, TEXTS),
    "tfidf_ridge": Baseline("TF-IDF + ridge", tfidf_ridge, GRADES, TEXTS),
    "nbsvm": Baseline("NB-SVM", nbsvm, NOMINAL, TEXTS),
    "statistics_lr": Baseline("statistics + LR", statistics_lr, NOMINAL + GRADES, FEATURES),
}


def made_for(corpus: Corpus) -> dict[str, Baseline]:
    """Return the baselines that are made for a corpus: of texts, or of features; of classes, or grades."""
    return {
        name: baseline
        for name, baseline in BASELINES.items()
        if task(corpus.task).scored_as in baseline.tasks and corpus.input.kind in baseline.inputs
    }


def title(name: str) -> str:
    """Return what a baseline is called, also one that a report has of another version."""
    return BASELINES[name].title if name in BASELINES else name


def _tfidf(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, dtype=np.float32, **_units(texts, 2, word_pattern))


def _units(texts: Sequence[str], longest: int, pattern: Callable[[Sequence[str]], str]) -> dict[str, Any]:
    """Return what a vectorizer counts: n-grams of words up to the `longest`, or k-mers."""
    if not has_words(texts):
        return {"analyzer": "char", "ngram_range": KMERS}
    return {"token_pattern": pattern(texts), "ngram_range": (1, longest)}


def word_pattern(texts: Sequence[str]) -> str:
    """Match words of two characters or more; if there are none, whatever spaces tell apart."""
    word = rf"[\w{marks(texts)}]{{2,}}"
    return word if any(re.search(word, text) for text in texts) else r"\S+"


def token_pattern(texts: Sequence[str]) -> str:
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
