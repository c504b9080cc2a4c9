"""What users hold on to stays as it is: Python names, verbs, options, settings, exit codes, files, keys.

`surface.json` lists them. A change to it is a change for users; write it anew with

    PYTHONPATH=. .venv/bin/python tests/test_surface.py > /tmp/surface.json && mv /tmp/surface.json tests/surface.json
"""

import inspect
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import sentiment
from sentiment import cli
from sentiment.core import config, config_io, errors

STORED = Path(__file__).with_name("surface.json")
SMALL = {
    "training.epochs": 1, "training.adversarial": 0.0, "model.hidden_size": 4, "embedding.source": "random",
    "embedding.size": 4, "pretraining.epochs": 1, "ngrams.longest": 1, "report.bootstrap": 100,
    "runtime.device": "cpu", "corpus.name": "sample",
}  # fmt: skip


def signature(function: Any) -> str:
    """Return the parameters of a function with their defaults; how types are printed varies with Python."""
    whole = inspect.signature(function)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in whole.parameters.values()]
    return str(whole.replace(parameters=bare, return_annotation=whole.empty))


def python(predictor: Any) -> dict[str, str]:
    """Return the signature of every public function and method, and the names of other public members."""
    names = {f"sentiment.{name}": signature(getattr(sentiment, name)) for name in ("train", "load")}
    for home in (sentiment, sentiment.recurrent):
        names |= {f"{home.__name__.rpartition('.')[2]}.__all__": ", ".join(sorted(home.__all__))}
    layers = [getattr(sentiment.recurrent, name) for name in sorted(sentiment.recurrent.__all__)]
    names |= {layer.__name__: signature(layer) for layer in (sentiment.SequenceClassifier, *layers)}
    prediction = predictor.predict(["so good"])[0]
    for item in (sentiment.SequenceClassifier, *layers, type(predictor), type(prediction)):
        for name, member in vars(item).items() if inspect.isclass(item) else ():
            if not name.startswith("_"):
                names[f"{item.__name__}.{name}"] = (
                    signature(member) if inspect.isfunction(member) else "field"
                )
    return names | {f"{type(predictor).__name__}.{name}": "field" for name in vars(predictor)}


def verbs() -> dict[str, dict[str, str]]:
    """Return the options and arguments of every verb, in the order of its help."""
    import click

    group = click.Context(cli.cli)
    commands = {name: cli.cli.get_command(group, name) for name in cli.cli.list_commands(group)}
    return {
        name: {
            "/".join((*option.opts, *option.secondary_opts)): describe(option) for option in command.params
        }
        for name, command in commands.items()
    }


def describe(option: Any) -> str:
    """Return the type and default of an option, and whether it is required or may be repeated."""
    content = option.to_info_dict()
    kind = content["type"]
    shown = {
        key: value for key, value in kind.items() if key not in ("param_type", "name") and value is not None
    }
    shown |= {key: content[key] for key in ("required", "multiple", "is_flag") if content.get(key)}
    if content.get("default") is not None:
        shown["default"] = content["default"]
    if option.metavar:
        shown["metavar"] = option.metavar
    if option.nargs != 1:
        shown["nargs"] = option.nargs
    return f"{kind['name']} {shown}"


def settings() -> dict[str, Any]:
    """Return the default of every setting, in the order of the tree."""
    defaults = config.Config().model_dump(mode="json")
    found = {}
    for name in config_io.names():
        section, _, leaf = name.rpartition(".")
        found[name] = (defaults[section] if section else defaults)[leaf]
    return found


def exit_codes() -> dict[str, int]:
    """Return the exit code of every exception that is raised on purpose, and those that the help lists."""
    raised = {
        name: error.exit_code
        for name, error in vars(errors).items()
        if inspect.isclass(error) and issubclass(error, errors.SentimentError)
    }
    epilog = cli.cli.epilog or ""
    return raised | {text: int(code) for code, text in re.findall(r"^  (\d+) +(.*)$", epilog, re.MULTILINE)}


def outcomes(predictor: Any, folder: Path) -> dict[str, list[str]]:
    """Return the files that runs leave behind, and the keys of what they report."""
    encoder, table = folder / "encoder", folder / "scores.csv"
    table.write_text("label,p_a,p_b\na,0.9,0.1\nb,0.2,0.8\na,0.6,0.4\nb,0.7,0.3\n")
    options = [f"--set={name}={str(value).lower()}" for name, value in SMALL.items()]
    manifest = json.loads((predictor.bundle.folder / "manifest.json").read_text("utf-8"))
    pretrained = printed("pretrain", *options, "--out", encoder)
    return {
        "files of a model": sorted(path.name for path in predictor.bundle.folder.iterdir()),
        "files of an encoder": sorted(path.name for path in encoder.iterdir()),
        "manifest": list(manifest),
        "report": list(predictor.report),
        "report of predictions": list(printed("report", "--predictions", table, "--json")),
        "report of pretraining": list(pretrained),
    }


def printed(*arguments: str | Path) -> dict[str, Any]:
    """Run a verb and return the JSON that it prints."""
    command = [sys.executable, "-m", "sentiment.cli", *map(str, arguments)]
    content: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return content


def surface(folder: Path) -> dict[str, Any]:
    """Return everything, as JSON has it."""
    predictor = sentiment.train(out=folder / "model", settings=SMALL)
    parts = {
        "python": python(predictor),
        "verbs": verbs(),
        "settings": settings(),
        "exit codes": exit_codes(),
        "outcomes": outcomes(predictor, folder),
    }
    content: dict[str, Any] = json.loads(json.dumps(parts))
    return content


@pytest.fixture(scope="module")
def now(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return surface(tmp_path_factory.mktemp("surface"))


@pytest.mark.parametrize("part", ["python", "verbs", "settings", "exit codes", "outcomes"])
def test_the_surface_is_as_it_is_listed(now, part):
    stored = json.loads(STORED.read_text("utf-8"))[part]
    assert now[part] == stored
    assert list(now[part]) == list(stored), "another order"
    if part == "verbs":
        assert {verb: list(options) for verb, options in now[part].items()} == {
            verb: list(options) for verb, options in stored.items()
        }, "another order of options"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        json.dump(surface(Path(scratch)), sys.stdout, indent=1, ensure_ascii=False)
