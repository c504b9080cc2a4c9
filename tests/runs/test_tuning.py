"""The search: it never loses to its start, never sees the test texts, and goes on as if it had not stopped."""

import json
import math
import shlex
import signal
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from conftest import TINY
from scipy import stats

from sentiment.core import config, config_io, recipes
from sentiment.core.errors import Interrupted, SentimentError, UsageError
from sentiment.runs import tuning
from sentiment.runs.tuning import outcome, space, trial
from sentiment.runs.tuning.space import SPACE, Between, OneOf
from sentiment.training.events import Listener

WORDS = {"x": ["good", "fine", "great", "lovely", "nice"], "y": ["bad", "poor", "awful", "boring", "weak"]}
FIXED = TINY | {"embedding.source": "random", "tokenizer.min_frequency": 1, "training.batch_size": 16}
OPTIONS = [f"--set={name}={str(value).lower()}" for name, value in FIXED.items()]
DECIDED = ("settings", "state", "validation", "epochs")  # of a trial: what does not depend on the clock


def write_csv(path, count, seed=0, flipped=False):
    """Write short texts whose class is not always told by their words."""
    generator = np.random.default_rng(seed)
    lines = ["text,label"]
    for number in range(count):
        label = "xy"[number % 2]
        told = label if generator.random() < 0.8 else "xy"[generator.integers(2)]
        words = generator.choice(WORDS[told] + WORDS["xy"[generator.integers(2)]], 4)
        lines.append(f"{' '.join(words)} no{seed}n{number},{'yx'[number % 2] if flipped else label}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("corpus") / "rows.csv", 240)


def settings_of(corpus, **changes):
    return config_io.load(overrides=FIXED | {"corpus.name": str(corpus)} | changes)


def search(corpus, out, trials=10, listener=None, **changes):
    return tuning.tune(settings_of(corpus, **changes), FIXED, trials=trials, out=out, listener=listener)


@pytest.fixture(scope="module")
def finished(corpus, tmp_path_factory):
    """The result of a search, and its folder."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return search(corpus, out), out


def decided(trials):
    """What the trials that count were, and how they went."""
    return [{key: one[key] for key in DECIDED} for one in trials if one["state"] != "stopped"]


class StopAt(Listener):
    """Ask to stop, as Ctrl-C does, at a certain epoch of a search."""

    def __init__(self, epoch):
        self.left = epoch

    def epoch(self, *_):
        self.left -= 1
        if not self.left:
            signal.raise_signal(signal.SIGINT)


def test_the_table_is_of_settings_that_can_be_set():
    assert set(SPACE) <= set(config_io.names())
    start = config.Config()
    for name, part in SPACE.items():
        tries = [part.low, part.high] if isinstance(part, Between) else part.values
        for value in tries:
            changed = space.changed(start, {name: value})
            assert space.start(changed, {name: part}) == {name: part.encode(value)}


def test_a_start_out_of_range_is_in_the_space_and_conditions_follow_what_is_given():
    given = config_io.load(overrides={"training.learning_rate": 0.05, "model.pooling": ["last"]})
    free = space.free(given, [])
    assert free["training.learning_rate"].high == 0.05
    assert ["last"] in free["model.pooling"].values
    names = {name for name, part in free.items() if part.when(given)}
    assert not names & {"training.epochs", "training.encoder_rate", "embedding.skipgram_epochs"}
    begun = config_io.load(overrides={"model.init_from": "somewhere", "training.epochs": 3})
    names = {name for name, part in space.free(begun, []).items() if part.when(begun)}
    assert {"training.encoder_rate", "training.epochs"} <= names
    assert not {name for name in names if name.startswith(("tokenizer.", "embedding."))}
    vectors = config_io.load(overrides={"embedding.source": "pretrained", "embedding.vectors": "a.txt"})
    names = {name for name, part in space.free(vectors, ["model"]).items() if part.when(vectors)}
    assert not {name for name in names if name.startswith(("embedding.", "model."))}


def test_the_first_trial_is_the_start_and_the_best_is_no_worse(finished, corpus):
    result, out = finished
    first, best = result["first"], result["best"]
    assert first["trial"] == 1
    start = space.start(settings_of(corpus), {name: SPACE[name] for name in first["settings"]})
    assert {name: SPACE[name].encode(value) for name, value in first["settings"].items()} == start
    ended = [one for one in result["trials"] if one["state"] == "finished"]
    key = lambda one: (one["validation"]["mcc"], -one["validation"]["log_loss"])  # noqa: E731
    assert key(best) == max(map(key, ended)) > key(first)
    assert result["gain"] == best["validation"]["mcc"] - first["validation"]["mcc"]
    assert [json.loads(line) for line in (out / "trials.jsonl").read_text("utf-8").splitlines()] == (
        result["trials"]
    )
    assert len({json.dumps(one["settings"]) for one in result["trials"]}) == 10


def test_what_is_fixed_stays_and_what_is_searched_is_in_the_space(finished):
    result, out = finished
    for one in result["trials"]:
        assert not set(FIXED) & set(one["settings"])
        for name, value in one["settings"].items():
            part = SPACE[name]
            assert part.low <= value <= part.high if isinstance(part, Between) else value in part.values
    recipe = recipes.read(str(out / "recipe.toml"))
    assert recipe.settings["model"]["hidden_size"] == TINY["model.hidden_size"]


def test_the_caution_tells_the_luck_of_the_best_of_many(finished):
    result, _ = finished
    ended = sum(one["state"] == "finished" for one in result["trials"])
    low, high = result["best"]["interval"]
    assert result["standard_error"] == pytest.approx((high - low) / 3.92, rel=1e-3)
    generator = np.random.default_rng(0)
    expected = generator.standard_normal((20_000, ended)).max(1).mean()
    assert result["luck"] / result["standard_error"] == pytest.approx(expected, rel=0.05)
    assert f"best of {ended} equally good trials" in result["caution"]
    assert "optimistic" in result["caution"]
    assert stats.norm.ppf(0.975) * result["standard_error"] < 0.5


def test_the_importance_is_that_of_what_mattered_once_trials_are_enough():
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0))
    for number in range(40):
        found = outcome.importance(study, outcome.rows(study), "mcc")
        assert (found is not None) == (number >= outcome.ENOUGH)
        trial = study.ask()
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        trial.set_user_attr("validation", {"mcc": x, "log_loss": y})
        study.tell(trial, x)
    found = outcome.importance(study, outcome.rows(study), "mcc")
    assert found["x"] > 2 * found["y"]
    assert sum(found.values()) == pytest.approx(1)


def test_the_recipe_trains_to_the_scores_of_its_trial(finished, command, tmp_path):
    result, out = finished
    words = shlex.split(result["command"])
    assert words[:2] == ["sentiment", "train"]
    assert str(out / "recipe.toml") in words
    model = tmp_path / "model"
    done = command(*words[1:], "--out", model, "--set=report.baselines=false", "--set=report.bootstrap=100")
    assert done.code == 0, done.err
    history = [json.loads(line) for line in (model / "history.jsonl").read_text("utf-8").splitlines()]
    [kept] = [one for one in history if one["best"]][-1:]
    assert kept["validation"] == pytest.approx(result["best"]["validation"], abs=1e-6)


@pytest.mark.slow
def test_a_stopped_search_goes_on_and_ends_like_one_that_was_not(finished, corpus, tmp_path):
    out = tmp_path / "cut"
    with pytest.raises(Interrupted, match=f"sentiment tune --resume --out {out}"):
        search(corpus, out, listener=StopAt(5))  # within the third trial
    rows = [json.loads(line) for line in (out / "trials.jsonl").read_text("utf-8").splitlines()]
    assert [one["state"] for one in rows] == ["finished", "finished", "stopped"]
    assert recipes.read(str(out / "recipe.toml")).settings
    trial.open_study(out).ask()  # a process that was killed leaves a trial that is running
    with (out / "study.journal").open("a") as file:
        file.write('{"op_code')  # and may have been writing
    result = tuning.resume(out)
    assert decided(result["trials"]) == decided(finished[0]["trials"])
    assert [one["state"] for one in result["trials"]].count("stopped") == 2
    assert result["trials"][4]["settings"] == rows[2]["settings"], "the stopped one is tried again"
    assert result["best"]["validation"] == finished[0]["best"]["validation"]


def test_the_budget_ends_a_trial_and_more_can_be_given(corpus, tmp_path, monkeypatch):
    """By a clock that goes on a second with each update."""
    clock = [0.0]
    for module in (tuning, trial):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    class Clock(Listener):
        def step(self, *_):
            clock[0] += 1

    out = tmp_path / "run"
    fixed = [*FIXED, "training", "model"]
    settings = settings_of(corpus)
    updates = 2 * math.ceil(173 / 16)  # of a trial: two epochs
    result = tuning.tune(settings, fixed, budget=2.75 * updates, out=out, listener=Clock())
    assert [one["state"] for one in result["trials"]] == ["finished", "finished", "stopped"]
    assert result["seconds"] == math.ceil(2.75 * updates)
    assert result["trials"][2]["why"] == "the budget ended in epoch 2 of 2"
    assert tuning.resume(out, Clock())["trials"] == result["trials"]
    more = tuning.resume(out, Clock(), budget=1.5 * updates)
    assert [one["state"] for one in more["trials"][3:]] == ["finished", "stopped"]
    assert more["trials"][3]["settings"] == result["trials"][2]["settings"]
    assert more["seconds"] == math.ceil(2.75 * updates) + math.ceil(1.5 * updates)
    assert len(decided(tuning.resume(out, Clock(), trials=2)["trials"])) == 5


def test_a_budget_that_is_too_short_says_how_to_go_on(corpus, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(SentimentError, match=r"before the first trial did; .*--resume") as caught:
        tuning.tune(settings_of(corpus), FIXED, budget=1e-9, out=out)
    assert caught.value.exit_code == 1
    assert tuning.resume(out, trials=1)["best"]["trial"] == 1


def test_the_test_texts_are_not_looked_at(tmp_path, monkeypatch):
    """Other test texts, of the opposite labels, change nothing; none comes to what trains."""
    seen = []
    prepare = trial.prepare
    monkeypatch.setattr(trial, "prepare", lambda r, c, *rest: seen.append(c) or prepare(r, c, *rest))
    train, results = write_csv(tmp_path / "train.csv", 120), []
    for name, seed, flipped in (("one", 1, False), ("two", 2, True)):
        test = write_csv(tmp_path / f"{name}.csv", 40, seed, flipped)
        results.append(search(train, tmp_path / name, trials=4, **{"corpus.test": str(test)}))
    assert decided(results[0]["trials"]) == decided(results[1]["trials"])
    assert seen
    assert all(len(one.test) == 0 and len(one.validation) for one in seen)
    assert results[0]["corpus"]["fingerprint"] != results[1]["corpus"]["fingerprint"]


@pytest.mark.slow
def test_hopeless_trials_are_pruned(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(
        space, "SPACE", {"training.learning_rate": OneOf((0.01, 1e-7)), "model.word_dropout": Between(0, 0.1)}
    )
    result = search(corpus, tmp_path / "run", 10, **{"training.epochs": 6, "training.learning_rate": 0.01})
    pruned = [one for one in result["trials"] if one["state"] == "pruned"]
    assert any(one["settings"]["training.learning_rate"] == 1e-7 for one in pruned)
    assert all(one["epochs"] < 6 and "pruned after epoch" in one["why"] for one in pruned)
    assert result["best"]["settings"]["training.learning_rate"] == 0.01


def test_settings_that_cannot_be_trained_with_cost_a_trial_not_the_search(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(space, "SPACE", {"tokenizer.min_frequency": OneOf((1, 10**6))})
    settings = settings_of(corpus)
    result = tuning.tune(settings, trials=6, out=tmp_path / "run")
    [why] = {one["why"] for one in result["trials"] if one["state"] == "pruned"}
    assert "lower tokenizer.min_frequency" in why
    assert result["best"] == result["first"]
    assert "No trial did better" in result["caution"]
    settings = settings_of(corpus, **{"tokenizer.min_frequency": 10**6})
    with pytest.raises(SentimentError, match=r"lower tokenizer\.min_frequency"):
        tuning.tune(settings, trials=6, out=tmp_path / "other")
    assert not (tmp_path / "other").exists(), "a search whose start is an error leaves nothing behind"


def test_the_command_searches_skipgram_vectors_too_and_prints_both_ways(command, corpus, tmp_path):
    out = tmp_path / "run"
    options = [one for one in OPTIONS if "embedding.source" not in one]
    done = command("tune", corpus, "--trials", "6", "--out", out, "--json", "--seed", "3", *options)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    sources = [one["settings"]["embedding.source"] for one in result["trials"]]
    assert "skipgram" in sources
    assert len(set(sources)) > 1
    for source, one in zip(sources, result["trials"], strict=True):
        assert ("embedding.skipgram_epochs" in one["settings"]) == (source == "skipgram")
    assert len(list((out / "tokenizers").iterdir())) <= len(SPACE["tokenizer.max_size"].values)
    shown = command("tune", "--resume", "--out", out)
    assert shown.code == 0
    assert "is finished" in shown.err
    assert "the starting settings" in shown.out
    assert f"{result['best']['validation']['mcc']:.4f}" in shown.out
    assert "--set=seed=3" in result["command"]
    assert "were not looked at" in " ".join(shown.out.split())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sample_spm"], 3, "did you mean 'sample_spam'"),
        (["sample_spam", "--budget", "30"], 2, "write it as 90s, 30m or 2h"),
        (["sample_spam", "--budget", "soon"], 2, "write it as 90s, 30m or 2h"),
        (["sample_spam", "--budget", "0m"], 2, "write it as 90s, 30m or 2h"),
        (["sample_spam", "--budget", "²h"], 2, "write it as 90s, 30m or 2h"),
        (["sample_spam", "--trials", "0"], 2, "--trials"),
        (["sample_spam", "--set", "decision.target=precision(eggs) >= 0.9"], 2, "eggs"),
        (["sample_spam", *(f"--set={name}={{}}" for name in ("tokenizer", "embedding", "model", "training"))],
         2, "fixes every setting"),
        (["--resume"], 2, "no search to resume"),
        (["sample_spam", "--resume", "--set=training.ema=0"], 2, "leave out --set, --corpus"),
    ],
)  # fmt: skip
def test_errors_say_what_and_leave_nothing_behind(command, tmp_path, arguments, code, words):
    out = tmp_path / "run"
    done = command("tune", *arguments, "--out", out)
    assert (done.code, done.out) == (code, ""), done.err
    assert words in done.err
    assert not out.exists()


def test_a_place_that_is_taken_or_empty_is_refused(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("tune", "sample_spam", "--out", tmp_path)
    assert (done.code, "is there already" in done.err) == (2, True)
    assert "no search under artifacts" in command("tune", "--resume").err


def test_a_corpus_or_a_study_that_has_changed_is_not_gone_on_with(command, tmp_path):
    file = write_csv(tmp_path / "rows.csv", 60)
    out = tmp_path / "run"
    assert command("tune", file, "--trials", "1", "--out", out, *OPTIONS).code == 0
    write_csv(file, 60, seed=5)
    done = command("tune", "--resume", "--trials", "1", "--out", out)
    assert (done.code, "has changed" in done.err) == (3, True)
    (out / "study.journal").write_text("{}\n" * 3)
    done = command("tune", "--resume", "--trials", "1", "--out", out)
    assert (done.code, "not a readable study" in done.err) == (4, True)


def test_a_space_of_another_version_is_not_gone_on_with(command, corpus, tmp_path, monkeypatch):
    out = tmp_path / "run"
    search(corpus, out, 1)
    monkeypatch.setattr(space, "SPACE", {"training.ema": OneOf((0.0, 0.5))})
    done = command("tune", "--resume", "--trials", "1", "--out", out)
    assert (done.code, "another version" in done.err) == (4, True)


def test_without_the_extra_the_way_to_it_is_told(command, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "find_spec", lambda name: None)
    for arguments in (["sample_spam"], ["--resume"]):
        done = command("tune", *arguments, "--out", tmp_path / "run")
        assert (done.code, "pip install 'sentiment[tune]'" in done.err) == (2, True)
    with pytest.raises(UsageError):
        tuning.check()


@pytest.mark.parametrize("changes", [{"pretraining.first": True}, {"distillation.teachers": 2}])
def test_a_search_is_of_single_trainings(changes, tmp_path):
    with pytest.raises(UsageError, match="leave out"):
        tuning.tune(config_io.load(None, {**TINY, **changes}), trials=1, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
