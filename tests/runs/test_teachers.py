"""Teachers: what they teach, that it is theirs, that no test text plays a part, that a run goes on."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from conftest import TINY

from sentiment.core import config_io
from sentiment.core.errors import Interrupted, UsageError
from sentiment.data.corpus import Split, load_corpus
from sentiment.metrics.calibration import fit_temperature
from sentiment.metrics.task import MULTICLASS
from sentiment.models import ngrams
from sentiment.models.network import infer
from sentiment.models.ngrams import Counted, Patterns, second_opinion
from sentiment.runs import distillation, train
from sentiment.runs.folder import Run
from sentiment.runs.prepare import prepare
from sentiment.training.events import Listener
from sentiment.training.trainer import Examples

CPU = torch.device("cpu")
FURTHER = ["what a lovely evening", "call now to claim the prize", "a dull and tiresome film"] * 5


def settings(**changes):
    return config_io.load(None, {**TINY, "corpus.name": "sample", "distillation.teachers": 2, **changes})


def sample(further=FURTHER):
    return replace(load_corpus(settings().corpus, 0), unlabelled=list(further))


def run_in(folder, chosen):
    run = Run(train.TRAIN, chosen, folder)
    run.working.mkdir(parents=True)
    return run


def taught(folder, corpus=None, **changes):
    run = run_in(folder / "run", settings(**changes))
    ready = prepare(run, corpus or sample())
    parts = distillation.texts(run.settings, ready)
    counted = partial(ngrams.count, run.settings.ngrams, parts, ready.validation)
    return distillation.teach(run, ready, parts, counted)


def test_targets_are_labels_and_the_mean_of_the_teachers(tmp_path):
    corpus = sample()
    whole, about = taught(tmp_path / "1", corpus, **{"distillation.weight": 1.0})
    half, _ = taught(tmp_path / "2", corpus, **{"distillation.weight": 0.25})
    count = len(corpus.train)
    labels = np.eye(2)[corpus.train.labels]
    np.testing.assert_allclose(half.targets[:count], 0.75 * labels + 0.25 * whole.targets[:count], atol=1e-6)
    np.testing.assert_array_equal(half.targets[count:], whole.targets[count:])
    np.testing.assert_allclose(whole.targets.sum(1), 1, atol=1e-6)
    assert len(whole.targets) == len(whole.sequences) == len(whole.labels) == count + len(FURTHER)
    (first,) = about["generations"]
    assert len(first["each"]) == 2
    assert first["each"][0] != first["each"][1], "teachers of different seeds are the same"
    assert first["mean"]["log_loss"] <= max(one["log_loss"] for one in first["each"])


def test_without_unlabelled_texts_only_the_training_texts_teach(tmp_path):
    corpus = sample()
    examples, _ = taught(tmp_path / "1", corpus, **{"distillation.unlabelled": False})
    assert len(examples.sequences) == len(corpus.train)
    examples, _ = taught(tmp_path / "2", sample(further=[]))
    assert len(examples.sequences) == len(corpus.train)


def test_ngrams_get_the_share_that_serves_validation_best(tmp_path):
    corpus = sample()
    alone, before = taught(tmp_path / "1", corpus, **{"distillation.weight": 1.0})
    mixed, about = taught(tmp_path / "2", corpus, **{"distillation.weight": 1.0, "distillation.ngrams": True})
    (before,), (about,) = before["generations"], about["generations"]
    assert about["all"]["log_loss"] <= before["mean"]["log_loss"] == about["mean"]["log_loss"]
    ready = prepare(run_in(tmp_path / "3", settings()), corpus)
    counted = Counted(Patterns(3), mixed.sequences, ready.validation.sequences)
    _, linear = second_opinion(corpus, counted, alone.labels)  # of unlabelled texts what the recurrence says
    share = about["ngrams"]["share"]
    np.testing.assert_allclose(mixed.targets, (1 - share) * alone.targets + share * linear, atol=1e-6)


def test_ngrams_speak_only_of_texts_that_they_did_not_learn_from(tmp_path):
    corpus = sample()
    ready = prepare(run_in(tmp_path / "3", settings()), corpus)
    texts, labels = ready.train.sequences, corpus.train.labels
    counted = Counted(Patterns(3), texts, ready.validation.sequences)
    _, said = second_opinion(corpus, counted, labels)
    for row in (0, 7):  # another label of a text changes what is said of others, never of itself
        changed = labels.copy()
        changed[row] = 1 - labels[row]
        _, now = second_opinion(corpus, counted, changed)
        np.testing.assert_array_equal(now[row], said[row])
        assert (now != said).any()


def test_a_generation_learns_from_the_one_before(tmp_path):
    corpus = sample()
    first, _ = taught(tmp_path / "1", corpus, **{"distillation.teachers": 1})
    both, about = taught(
        tmp_path / "2", corpus, **{"distillation.teachers": 1, "distillation.generations": 2}
    )
    ready = prepare(run_in(tmp_path / "3", settings()), corpus)
    trainer = ready.trainer(settings(seed=2), CPU, first)  # the teacher of the first has seed 1
    list(trainer.run())
    trainer.model.load_state_dict(trainer.best)
    held_out, own = (infer(trainer.model, part, CPU) for part in (ready.validation.sequences, both.sequences))
    own = MULTICLASS.probabilities(own / fit_temperature(corpus.validation.labels, held_out, MULTICLASS))
    np.testing.assert_allclose(both.targets[len(corpus.train) :], own[len(corpus.train) :], atol=1e-5)
    assert len(about["generations"]) == 2


def test_no_test_text_plays_a_part(tmp_path):
    corpus = sample()
    poisoned = replace(corpus, test=Split(["zzz"] * 4, np.array([0, 1, 0, 1])))
    one, _ = taught(tmp_path / "1", corpus, **{"distillation.ngrams": True})
    two, _ = taught(tmp_path / "2", poisoned, **{"distillation.ngrams": True})
    np.testing.assert_array_equal(one.targets, two.targets)


def test_training_on_one_hot_targets_is_training_on_labels(tmp_path):
    mine = settings(**{"distillation.teachers": 0})
    ready = prepare(run_in(tmp_path / "run", mine), sample())
    labels = ready.corpus.train.labels
    one_hot = Examples(ready.train.sequences, labels, np.eye(2, dtype=np.float32)[labels])
    ends = []
    for examples in (None, one_hot):  # one after another: both draw from torch's own generator
        trainer = ready.trainer(mine, CPU, examples)
        list(trainer.run())
        ends.append(trainer.model)
    for one, two in zip(*(model.parameters() for model in ends), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


class StopAt(Listener):
    """Interrupt when the epochs of all models together are so many."""

    def __init__(self, epochs):
        self.left = epochs

    def epoch(self, event, trainer):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize(
    "epochs", [1, 3, 6, 9], ids=["first teacher", "second teacher", "second generation", "the model itself"]
)
def test_an_interrupted_run_goes_on_to_the_same_model(tmp_path, epochs):
    asked = settings(**{"distillation.ngrams": True, "distillation.generations": 2})
    whole = train.train(asked, tmp_path / "whole", corpus=sample())
    with pytest.raises(Interrupted, match="go on with"):
        train.train(asked, tmp_path / "cut", StopAt(epochs), corpus=sample())
    assert (tmp_path / "cut.partial").is_dir()
    resumed = train.resume(tmp_path / "cut", corpus=sample())
    for name, weights in whole.bundle.weights.items():
        np.testing.assert_array_equal(weights, resumed.bundle.weights[name])
    assert whole.report["teachers"].keys() == resumed.report["teachers"].keys()
    for one, two in zip(*(made.report["teachers"]["generations"] for made in (whole, resumed)), strict=True):
        assert one | {"seconds": 0} == two | {"seconds": 0}
    for folder in ("whole", "cut"):
        assert not (tmp_path / folder / distillation.FOLDER).exists()


@pytest.mark.slow
def test_the_report_shows_teachers_and_pupil(command, tmp_path):
    done = command(
        "train", "sample", "--out", tmp_path / "made", *(f"--set={k}={str(v).lower()}" for k, v in TINY.items()),
        "--set=distillation.teachers=1", "--set=distillation.ngrams=true", "--set=distillation.generations=2",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "Teachers" in done.out
    assert "teacher 2.1" in done.out


@pytest.mark.parametrize("alone", [{"distillation.ngrams": True}, {"distillation.generations": 2}])
def test_ngrams_and_generations_without_teachers_are_refused(alone):
    with pytest.raises(UsageError, match=r"distillation\.teachers"):
        settings(**{"distillation.teachers": 0, **alone})
