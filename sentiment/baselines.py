"""What any model has to beat, trained on the same texts: the majority class, TF-IDF + regression."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentiment.corpus import Corpus
from sentiment.metrics import quick_scores, scores

PENALTIES = (1.0, 10.0, 100.0)  # C of the regression: the best by log loss on validation


def baselines(corpus: Corpus) -> dict[str, Any]:
    """Train and score the baselines.

    Returns
    -------
    dict
        The same scores as the model's for ``majority`` and ``tfidf_lr``, and the seconds of training.
    """
    return {"majority": majority(corpus), "tfidf_lr": tfidf_lr(corpus)}


def majority(corpus: Corpus) -> dict[str, Any]:
    """Give every text the shares of the classes in training."""
    shares = np.bincount(corpus.train.labels, minlength=len(corpus.labels)) / len(corpus.train)
    probabilities = np.tile(shares, (len(corpus.test), 1))
    return scores(corpus.test.labels, probabilities, corpus.labels)


def tfidf_lr(corpus: Corpus) -> dict[str, Any]:
    """TF-IDF of words and word pairs + logistic regression; its penalty is chosen on validation."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    begun = time.perf_counter()
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)
    train = vectorizer.fit_transform(corpus.train.texts)
    validation = vectorizer.transform(corpus.validation.texts)
    candidates = {}
    for penalty in PENALTIES:
        model = LogisticRegression(C=penalty, max_iter=1000).fit(train, corpus.train.labels)
        loss = quick_scores(corpus.validation.labels, _probabilities(model, validation))["log_loss"]
        candidates[penalty] = (loss, model)
    penalty = min(candidates, key=lambda one: candidates[one][0])  # type: ignore[arg-type,return-value]
    seconds = time.perf_counter() - begun
    probabilities = _probabilities(candidates[penalty][1], vectorizer.transform(corpus.test.texts))
    result = scores(corpus.test.labels, probabilities, corpus.labels)
    return result | {"C": penalty, "features": train.shape[1], "seconds": seconds}


def _probabilities(model: Any, features: Any) -> NDArray[np.float64]:
    probabilities: NDArray[np.float64] = model.predict_proba(features).astype(np.float64)
    probabilities /= probabilities.sum(1, keepdims=True)  # float32 rows miss 1 by rounding
    return probabilities
