"""The layout keeps its promises: light imports, true documentation. Its layers are in .importlinter."""

import re
import subprocess
import sys
import tomllib

from conftest import ROOT

from sentiment.core import config, config_io


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


def test_every_setting_has_a_comment():
    text = config_io.dumps(config.Config())
    for name in config_io.names():
        line = next(
            line for line in text.splitlines() if re.match(rf"(# )?{name.rpartition('.')[2]} =", line)
        )
        assert "  # " in line or " # " in line[2:], name
    tomllib.loads(text)


def test_every_setting_is_read_somewhere():
    sources = "".join(
        path.read_text("utf-8") for path in (ROOT / "sentiment").rglob("*.py") if "core" not in path.parts
    )
    for name in config_io.names():
        leaf = name.rpartition(".")[2]
        # corpus.validation and corpus.test are read through their role's name.
        assert re.search(rf"\.{leaf}\b", sources) or leaf in {"validation", "test"}, name
