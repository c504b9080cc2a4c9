"""Each score has one row, which tells the truth about it."""

import numpy as np
import pytest

from sentiment.core.config_io import load
from sentiment.core.errors import UsageError
from sentiment.metrics.catalogue import ALL, SCORES, checked, choices, signed
from sentiment.metrics.task import task as task_of


def judged(task, share):
    """Return the scores of answers that are right with this probability, of three classes or labels."""
    labels = np.tile(np.eye(3, dtype=np.int64), (40, 1))
    wrong = np.random.default_rng(0).random(len(labels)) > share
    probabilities = np.where(wrong[:, None], np.roll(labels, 1, 1), labels) * 0.7 + 0.1
    kind = task_of(task)
    return kind.quick_scores(labels.argmax(1) if kind.exclusive else labels, probabilities)


@pytest.mark.parametrize("task", ALL)
def test_a_task_has_the_scores_that_the_catalogue_says(task):
    assert set(judged(task, 0.9)) == {name for name, score in SCORES.items() if task in score.tasks}


@pytest.mark.parametrize("task", ALL)
def test_better_answers_have_better_scores(task):
    good, bad = judged(task, 0.9), judged(task, 0.6)
    for name, value in good.items():
        assert signed(name, value) > signed(name, bad[name]), name


@pytest.mark.parametrize("task", ALL)
def test_training_can_choose_by_scores_of_its_task_only(task):
    assert set(choices(task)) > {"log_loss"}
    for name in choices(task):
        assert task in SCORES[name].tasks
        assert checked(load(None, {"training.metric": name})).training.metric == name


def test_a_metric_that_no_task_has_is_refused_at_once():
    with pytest.raises(UsageError, match=r"^setting training.metric: input should be 'auto', .*'macro_f1'"):
        checked(load(None, {"training.metric": "f1"}))
