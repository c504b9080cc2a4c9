"""The layout keeps its promises: light imports, true documentation. Its layers are in .importlinter."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT

from sentiment.core import config, config_io

SETTING = re.compile(r"^(?:# )?(\w+) =.*?  ?# (.*)$", re.MULTILINE)  # in TOML: its name and comment
READ = re.compile(r'error: "(\w+)" has no attribute "(\w+)"')


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.split()
    )


def test_importing_the_package_is_light():
    assert not loaded_by("import sentiment") & {"torch", "numpy", "datasets", "sklearn", "rich", "pydantic"}


@pytest.mark.parametrize(
    "statement", ["import sentiment; LSTM = sentiment.recurrent.LSTM", "from sentiment.recurrent import LSTM"]
)
def test_the_layers_have_the_name_that_users_know(statement):
    code = f"{statement}; from sentiment.models import recurrent; assert LSTM is recurrent.LSTM"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_help_is_light():
    statement = (
        "import sys; sys.argv = ['sentiment', 'train', '--help']\nimport sentiment.cli\n"
        "import contextlib\nwith contextlib.suppress(SystemExit): sentiment.cli.main()"
    )
    assert not loaded_by(statement) & {"torch", "numpy", "datasets", "sklearn", "rich", "pydantic"}


@pytest.mark.parametrize(
    ("before", "count"),
    [("", "5000"), ("import torch", None), ("import os; os.environ['GOMP_SPINCOUNT'] = '7'", "7")],
)
def test_threads_spin_briefly_where_that_can_still_be_said(before, count):
    code = f"""
import contextlib, os
{before}
import sentiment, sentiment.core.errors
with contextlib.suppress(sentiment.core.errors.SentimentError):
    sentiment.load("nowhere")
print(os.environ.get("GOMP_SPINCOUNT"))
"""
    clean = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean, check=True)
    assert done.stdout == f"{count}\n"


def test_training_from_files_needs_no_hub():
    assert "datasets" not in loaded_by(
        "import sentiment.runs.train, sentiment.cli.progress, sentiment.cli.predict_io"
    )


def test_settings_survive_toml(tmp_path):
    settings = config_io.load(
        overrides={"model.layers": 2, "corpus.text_column": "a b", "training.epochs": 3}
    )
    file = tmp_path / "config.toml"
    file.write_text(config_io.dumps(settings), "utf-8")
    assert config_io.load(file) == settings
    assert dict(config_io.changed(settings)) == {
        "model.layers": 2,
        "corpus.text_column": "a b",
        "training.epochs": 3,
    }


def test_every_setting_stands_in_toml_with_its_comment():
    sections = config_io.dumps(config.Config()).split("\n[")
    lines = {}
    for section in sections:
        head, _, body = section.partition("]\n") if section is not sections[0] else ("", "", section)
        lines |= {f"{head}.{key}".lstrip("."): comment for key, comment in SETTING.findall(body)}
    tomllib.loads(config_io.dumps(config.Config()))
    assert set(lines) == set(config_io.names())
    for name, comment in lines.items():
        section, _, leaf = name.rpartition(".")
        holder = getattr(config.Config(), section) if section else config.Config()
        assert comment == type(holder).model_fields[leaf].description
        assert len(comment.split()) > 1, f"{name}: {comment!r} says nothing"


def reads(folder: Path) -> set[str]:
    """Return the settings that the package reads, by the types that mypy finds.

    In a copy no section has any setting, and so each read of one is an error.
    """
    shutil.copytree(ROOT / "sentiment", folder / "sentiment", ignore=shutil.ignore_patterns("__pycache__"))
    for file in [folder / "sentiment/core/config.py", *(folder / "sentiment/core/sections").glob("*.py")]:
        tree = ast.parse(file.read_text("utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
                node.body = [ast.Pass(), *(item for item in node.body if item not in fields)]
                # A section stays in Config: what is in it is read through it.
                node.body += [item for item in fields if not is_setting(item)]
        file.write_text(ast.unparse(tree), "utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", "--cache-dir", "cache"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    homes = {type(value).__name__: f"{name}." for name, value in config.Config() if name != "seed"}
    found = set()
    for line in said.splitlines():
        if (error := READ.search(line)) and not line.startswith("sentiment/core/config"):
            found.add(homes.get(error[1], "") + error[2])
    return found


def is_setting(field: ast.AnnAssign) -> bool:
    """Whether a field of a class is a setting, not a section."""
    return isinstance(field.value, ast.Call) and ast.unparse(field.value.func) == "setting"


@pytest.mark.slow
def test_every_setting_is_read_somewhere(tmp_path):
    # The files of validation and test are read by the name of their role.
    assert set(config_io.names()) - reads(tmp_path) == {"corpus.validation", "corpus.test"}


MODULE, FUNCTION = 350, 80  # most lines
LONGER: dict[str, str] = {}  # what has more, with the reason


def too_long() -> set[str]:
    """Return the modules and functions of the package that have too many lines."""
    found = set()
    for file in (ROOT / "sentiment").rglob("*.py"):
        text, name = file.read_text("utf-8"), file.relative_to(ROOT / "sentiment").as_posix()
        if len(text.splitlines()) > MODULE:
            found.add(name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= FUNCTION:
                found.add(f"{name}: {node.name}")
    return found


def test_what_is_long_has_a_reason():
    assert too_long() == set(LONGER)


def private_names() -> set[str]:
    """Return the names that the package begins with an underscore: they are its own business."""
    names = set()
    for file in (ROOT / "sentiment").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Name(name, ast.Store()):
                    names.add(name)
                case ast.Attribute(ast.Name("self"), name, ast.Store()):
                    names.add(name)
    return {name for name in names if name.startswith("_") and not name.endswith("_")}


def names_used(tree: ast.AST) -> set[str]:
    """Return what a test imports, reads of another object or, as a patch, names in a string."""
    used = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.alias(name=name):
                used.add(name)
            case ast.Call(func, arguments) if ast.unparse(func).endswith("attr"):
                used |= {item.value.rpartition(".")[2] for item in arguments if is_text(item)}
    return used


def is_text(node: ast.AST) -> bool:
    """Whether a node is a string."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_no_test_names_what_is_private():
    private = private_names()
    used = {
        f"{file.name}: {name}"
        for file in (ROOT / "tests").rglob("*.py")
        for name in names_used(ast.parse(file.read_text("utf-8"))) & private
    }
    assert not used


def test_the_picture_of_the_layers_is_that_of_today():
    sys.path.insert(0, str(ROOT / "scripts"))
    import architecture

    assert (ROOT / "artifacts" / "layers.svg").read_text("utf-8") == architecture.draw(ROOT)
