"""The layout keeps its promises: one direction of imports, light imports, true documentation."""

import ast
import re
import subprocess
import sys
import tomllib

import pytest
from conftest import ROOT

from sentiment import config

# A module imports only from those before it.
ORDER = [
    "__init__",
    "errors",
    "cache",
    "config",
    "recipes",
    "runtime",
    "rows",
    "sequences",
    "symbols",
    "writing",
    "features",
    "audio",
    "link",
    "grades",
    "corpus",
    "tokenizer",
    "words",
    "vectors",
    "batches",
    "augmentation",
    "recurrent",
    "classifier",
    "model",
    "language_model",
    "engine",
    "metrics",
    "multilabel",
    "calibration",
    "decision",
    "curves",
    "predictions",
    "paired",
    "baselines",
    "checkpoint",
    "objectives",
    "training",
    "tensorboard",
    "storage",
    "ngrams",
    "bundle",
    "shipped",
    "encoder",
    "predictor",
    "explain",
    "highlight",
    "failures",
    "report",
    "compare",
    "runs",
    "fitting",
    "pretraining",
    "teachers",
    "pipeline",
    "crossval",
    "tuning",
    "console",
    "scoring",
    "cli",
]
ONLY_IMPORTER = {"datasets": "corpus/hub.py", "torchtext": "vectors.py", "gensim": "vectors.py"}


def imports(tree: ast.AST, lazy: bool = True) -> set[str]:
    """Return the absolute modules that a module imports; without the lazy ones if asked."""
    found = set()
    nodes = ast.walk(tree) if lazy else ast.iter_child_nodes(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "sentiment":
                found |= {f"sentiment.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return found


def modules() -> dict[str, ast.AST]:
    package = ROOT / "sentiment"
    return {
        path.relative_to(package).as_posix(): ast.parse(path.read_text("utf-8"))
        for path in sorted(package.rglob("*.py"))
    }


def test_every_module_has_its_place():
    assert {name.split("/")[0].removesuffix(".py") for name in modules()} == set(ORDER)


@pytest.mark.parametrize("name", sorted(set(modules()) - {"__init__.py"}))
def test_imports_go_one_way(name):
    place = ORDER.index(name.split("/")[0].removesuffix(".py"))
    for imported in imports(modules()[name]):
        if imported.startswith("sentiment."):
            target = imported.split(".")[1]
            assert target not in ORDER or ORDER.index(target) <= place, f"{name} imports {imported}"


@pytest.mark.parametrize(("library", "owner"), ONLY_IMPORTER.items())
def test_a_library_has_one_importer(library, owner):
    users = {
        name for name, tree in modules().items() if any(i.split(".")[0] == library for i in imports(tree))
    }
    assert users == {owner}


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


def test_the_help_is_light():
    statement = (
        "import sys; sys.argv = ['sentiment', 'train', '--help']\nimport sentiment.cli\n"
        "import contextlib\nwith contextlib.suppress(SystemExit): sentiment.cli.main()"
    )
    assert not loaded_by(statement) & {"torch", "numpy", "datasets", "sklearn", "rich", "pydantic"}


def test_training_from_files_needs_no_hub():
    assert "datasets" not in loaded_by("import sentiment.pipeline, sentiment.console, sentiment.scoring")


def test_settings_survive_toml(tmp_path):
    settings = config.load(overrides={"model.layers": 2, "corpus.text_column": "a b", "training.epochs": 3})
    file = tmp_path / "config.toml"
    file.write_text(config.dumps(settings), "utf-8")
    assert config.load(file) == settings
    assert dict(config.changed(settings)) == {
        "model.layers": 2,
        "corpus.text_column": "a b",
        "training.epochs": 3,
    }


def test_every_setting_has_a_comment():
    text = config.dumps(config.Config())
    for name in config.names():
        line = next(
            line for line in text.splitlines() if re.match(rf"(# )?{name.rpartition('.')[2]} =", line)
        )
        assert "  # " in line or " # " in line[2:], name
    tomllib.loads(text)


def test_every_setting_is_read_somewhere():
    sources = "".join(
        path.read_text("utf-8") for path in (ROOT / "sentiment").rglob("*.py") if path.name != "config.py"
    )
    for name in config.names():
        leaf = name.rpartition(".")[2]
        # corpus.validation and corpus.test are read through their role's name.
        assert re.search(rf"\.{leaf}\b", sources) or leaf in {"validation", "test"}, name
