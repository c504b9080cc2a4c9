"""Recipes: all of them load, and what stands above one wins."""

import json
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT, TINY_OPTIONS

import sentiment
from sentiment.core import config, config_io, recipes
from sentiment.core.errors import UsageError
from sentiment.runs import train


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_loads_and_says_what_it_is(name):
    recipe = recipes.read(name)
    assert recipe.about
    assert recipe.costs
    assert recipe.reaches
    assert recipe.command.startswith("sentiment ")
    assert f"--recipe {name}" in recipe.command
    loaded = config_io.load(base=recipe.settings)
    assert loaded != config.Config()
    assert config_io.parse(loaded.model_dump()) == loaded


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_runs_small(name, tmp_path):
    small = {
        "model.hidden_size": 8, "embedding.size": 8, "pretraining.epochs": 1, "pretraining.negatives": 50,
        "training.epochs": 1, "report.bootstrap": 100, "runtime.device": "cpu", "corpus.name": "sample",
    }  # fmt: skip
    settings = config_io.load(None, small, recipes.read(name).settings)
    predictor = train.train(settings, tmp_path / "made")
    assert predictor.bundle.config == settings
    source = "encoder" if settings.pretraining.first else settings.embedding.source
    assert predictor.report["embedding"]["source"] == source
    # One epoch of 8 units learns next to nothing; n-grams do. Without them it must not be surely wrong.
    test = predictor.report["test"]
    assert test["roc_auc"] > 0.7 if settings.ngrams.longest else test["log_loss"] < 0.7


def test_above_the_defaults_stand_recipe_then_file_then_overrides(tmp_path):
    file, mine = tmp_path / "more.toml", tmp_path / "mine.toml"
    mine.write_text("[model]\nhidden_size = 7\nlayers = 2\nlayer_dropout = 0.1\n[training]\nepochs = 9\n")
    file.write_text("[model]\nlayers = 3\n[training]\nepochs = 8\n")
    base = recipes.read(str(mine)).settings
    loaded = config_io.load(file, {"training.epochs": 6}, base)
    model = loaded.model
    assert (model.hidden_size, model.layers, model.layer_dropout) == (7, 3, 0.1)
    assert loaded.training.epochs == 6
    assert model.kind == config.Config().model.kind
    assert base == recipes.read(str(mine)).settings, "merging changed the recipe"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[model]\nhiden_size = 7\n", "hidden_size"),
        ("[recipe]\nabuot = 'x'\n", "other keys"),
        ("recipe = 3\n", "other keys"),
        ("[model\n", "not valid TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path, content, says):
    file = tmp_path / "mine.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=says):
        recipes.read(str(file))


def test_an_unknown_recipe_is_met_with_the_nearest(command):
    done = command("train", "sample", "--recipe", "quik")
    assert done.code == 2
    assert "did you mean 'quick'?" in done.err


def test_the_list_names_every_recipe(command):
    done = command("recipes")
    assert done.code == 0
    for name in recipes.names():
        assert recipes.read(name).about in done.out
    listed = json.loads(command("recipes", "--json").out)
    assert [one["name"] for one in listed] == recipes.names()


def test_a_recipe_trains_and_its_settings_are_in_the_model(command, tmp_path):
    out = tmp_path / "model"
    done = command("train", "sample", "--recipe", "quick", *TINY_OPTIONS, "--out", out)
    assert done.code == 0, done.err
    loaded = sentiment.load(out).bundle
    assert loaded.config.embedding.source == "skipgram"
    assert loaded.config.model.hidden_size == 8
    assert loaded.report["settings"]["embedding.source"] == "skipgram"


def test_resume_takes_no_recipe(command):
    done = command("train", "--resume", "--recipe", "quick")
    assert done.code == 2
    assert "leave out --recipe" in done.err


@pytest.mark.slow
def test_recipes_are_in_the_wheel(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, ROOT]
    if subprocess.run(build, check=False).returncode:
        pytest.skip("a wheel cannot be built here")
    [wheel] = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".toml")}
    assert held == {f"sentiment/core/recipes/{name}.toml" for name in recipes.names()} | {
        f"sentiment/shipped/{name}/config.toml" for name in ("imdb", "sms_spam")
    }
