"""Shipped models: found by name, here and in a wheel, and the answer when no other model is there."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

import sentiment
from sentiment.core import files as core_files
from sentiment.core.errors import BundleError
from sentiment.inference import builtin, bundle

HERE = list(builtin.folders().items())  # those of this checkout, if they are there yet


@pytest.fixture
def place(tiny, tmp_path, monkeypatch):
    """An empty folder to work in, and two models that come with the package."""
    root = tmp_path / "package" / "shipped"
    for name in builtin.NAMES:
        shutil.copytree(tiny.bundle.folder, root / name)
    remake(root / "sms_spam", created="another day")
    monkeypatch.setattr(builtin, "ROOTS", (tmp_path / "none", root))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return root


def remake(folder, **changes):
    """Give a copy a manifest of its own, as another training would."""
    manifest = json.loads((folder / bundle.MANIFEST).read_text())
    core_files.write_json(folder / bundle.MANIFEST, manifest | changes)
    return folder


def test_a_name_is_a_folder_or_a_shipped_model(place):
    assert builtin.find("imdb") == place / "imdb"
    assert builtin.find(Path("sms_spam")) == place / "sms_spam"
    Path("imdb").mkdir()
    assert builtin.find("imdb") == Path("imdb")
    assert builtin.find("artifacts/mine") == Path("artifacts/mine")  # its reader says that it is not there
    Path("begun.partial").mkdir()
    assert builtin.find("begun") == Path("begun")
    with pytest.raises(BundleError, match=r"imbd.*did you mean 'imdb'.*there are: imdb, sms_spam"):
        builtin.find("imbd")


def test_a_place_in_the_package_comes_before_the_checkout(place, monkeypatch):
    own = shutil.copytree(place / "imdb", place.with_name("own") / "imdb")
    monkeypatch.setattr(builtin, "ROOTS", (own.parent, place))
    assert builtin.folders() == {"imdb": own, "sms_spam": place / "sms_spam"}


def test_the_shipped_model_answers_until_one_is_trained(place, tiny):
    assert builtin.default() == (place / "imdb", "imdb, which comes with the package")
    shutil.copytree(place / "sms_spam", "artifacts/sms_spam")  # as in a checkout: newest, but not trained
    assert builtin.default()[0] == place / "imdb"
    remake(Path(shutil.copytree(tiny.bundle.folder, "artifacts/mine")), created="today")
    os.utime("artifacts/mine/manifest.json", (0, 0))
    assert builtin.default() == (Path("artifacts/mine"), "artifacts/mine")


def test_without_any_model_the_error_says_how_to_train_one(place, command, monkeypatch):
    monkeypatch.setattr(builtin, "ROOTS", ())
    for verb in ("predict", "explain"):
        done = command(verb, "x")
        assert (done.code, done.out) == (4, "")
        assert "no model under artifacts; train one with: sentiment train" in done.err
    assert "no such folder" in command("predict", "x", "--model", "imdb").err
    done = command("models")
    assert (done.code, done.out) == (0, "")
    assert "sentiment train" in done.err
    assert command("models", "--json").out == "[]\n"


def test_every_verb_takes_a_name(place, command, tiny):
    unasked = command("predict", "Loved it.")
    assert unasked.err == "model: imdb, which comes with the package\n"
    named = command("predict", "Loved it.", "--model", "imdb")
    assert (named.code, named.err) == (0, "")
    assert named.out == unasked.out
    for verb in (
        ("explain", "Loved it.", "--json"),
        ("explain", "Loved it.", "--json", "--model", "sms_spam"),
    ):
        assert json.loads(command(*verb).out)["text"] == "Loved it."
    told = json.loads(command("report", "imdb", "--json").out)
    assert told["test"] == tiny.report["test"]
    compared = json.loads(command("compare", "imdb", "sms_spam", "--json").out)
    assert [Path(one["model"]).name for one in compared["models"]] == ["imdb", "sms_spam"]
    assert sentiment.load("imdb").predict(["x"]) == tiny.predict(["x"])
    for verb in (
        ("predict", "x", "--model", "nope"),
        ("explain", "x", "--model", "nope"),
        ("report", "nope"),
    ):
        done = command(*verb)
        assert (done.code, done.out) == (4, "")
        assert "there are: imdb, sms_spam" in done.err


def test_the_list_says_what_the_reports_say(place, command, tiny):
    shown, found = command("models").out, json.loads(command("models", "--json").out)
    assert [one["name"] for one in found] == list(builtin.NAMES)
    for one in found:
        assert re.search(rf"^{one['name']} .*negative, positive.* MB$", shown, re.MULTILINE)
        assert one["test"]["accuracy"] == tiny.report["test"]["accuracy"]
        assert one["intervals"] == tiny.report["intervals"]
        assert one["bytes"] == sum(path.stat().st_size for path in (place / one["name"]).iterdir())
        assert (Path(one["folder"]) / "report.html").is_file()
    assert shown.count(tiny.report["verdict"]) == 2


def test_the_wheel_takes_the_models_by_these_names():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(build["only-include"]) == {"sentiment", *(f"artifacts/{name}" for name in builtin.NAMES)}
    assert builtin.ROOTS == (ROOT / "sentiment" / "shipped", ROOT / "artifacts")


@pytest.mark.parametrize(("name", "folder"), HERE, ids=[name for name, _ in HERE])
def test_a_shipped_model_is_small_whole_and_without_texts(name, folder):
    loaded = bundle.load(folder)
    assert loaded.config.corpus.name.partition("@")[0] == name
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 10e6
    assert not loaded.config.report.texts
    found = loaded.report["failures"]
    assert not any("text" in one for one in [*found["mistakes"], *found["suspects"]])


@pytest.mark.slow
def test_an_installed_wheel_answers_by_itself(tiny, tmp_path):
    source, wheels, site = tmp_path / "source", tmp_path / "wheels", tmp_path / "site"
    shutil.copytree(ROOT / "sentiment", source / "sentiment", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, source)
    for name in (*builtin.NAMES, "mine"):
        shutil.copytree(tiny.bundle.folder, source / "artifacts" / name)
    pip = [sys.executable, "-m", "pip", "-q"]
    if subprocess.run([*pip, "wheel", "--no-deps", "-w", wheels, source], check=False).returncode:
        pytest.skip("a wheel cannot be built here")
    [wheel] = wheels.glob("*.whl")
    held = {
        name.removeprefix("sentiment/shipped/")
        for name in zipfile.ZipFile(wheel).namelist()
        if "/shipped/" in name
    }
    files = [path.name for path in tiny.bundle.folder.iterdir()]
    assert held == {f"{name}/{file}" for name in builtin.NAMES for file in files}
    subprocess.run([*pip, "install", "--no-deps", "--target", site, wheel], check=True)
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "sentiment.cli", "predict", "Loved it."],
        cwd=tmp_path / "empty",
        env=os.environ
        | {"PYTHONPATH": str(site), "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "model: imdb, which comes with the package\n"
    assert done.stdout.split("\t")[0] == tiny.predict(["Loved it."])[0].label
