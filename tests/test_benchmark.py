"""The benchmark runs from end to end, and its figures follow from its times."""

import json
import math
import subprocess
import sys
from statistics import median
from typing import Any

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow
CPU_PARTS = ["step", "long", "growth", "equal", "epoch", "predict", "encode", "peers"]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What a quick run wrote, and what it printed."""
    file = tmp_path_factory.mktemp("benchmark") / "benchmark.json"
    script, size = ROOT / "scripts" / "benchmark.py", ["--quick", "--lengths", "synthetic"]
    command = [sys.executable, str(script), *size, "--json", str(file), "--only", *CPU_PARTS]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text("utf-8")), done.stdout


def rows(outcome: tuple[dict[str, Any], str], part: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in outcome[0]["rows"] if row["part"] == part}


@pytest.mark.parametrize("part", CPU_PARTS)
def test_every_figure_is_finite_or_skipped_for_a_reason(outcome, part):
    found = rows(outcome, part)
    assert found
    for row in found.values():
        if row["value"] is None:
            assert row["note"].startswith("skipped: ")
        else:
            assert math.isfinite(row["value"])
            assert row["value"] > 0 or row["unit"] == "%"


def test_every_promise_has_its_bar(outcome):
    bars = {(row["part"], row["bar"]) for row in outcome[0]["rows"] if "bar" in row}
    assert bars == {
        ("step", ">= 5.5x"), ("step", ">= 1.5x"), ("step", ">= 50.0%"),
        ("long", ">= 150x"), ("growth", "<= 1.2x"), ("equal", ">= 0.9x"), ("epoch", ">= 85.0%"),
        ("predict", ">= 3x"), ("predict", "<= 1 ms"), ("predict", "<= 10 ms"),
        ("predict", "<= 0.7 s"), ("predict", "<= 0.3 s"),
        ("encode", ">= 2x"), ("encode", ">= 100.0%"),
    }  # fmt: skip


def test_a_verdict_follows_from_figure_and_bar(outcome):
    for row in outcome[0]["rows"]:
        if "bar" in row:
            sign, bar = row["bar"].split()[:2]
            number = float(bar.rstrip("x%")) / (100 if bar.endswith("%") else 1)
            assert row["pass"] == (row["value"] >= number if sign == ">=" else row["value"] <= number)


@pytest.mark.parametrize(
    ("part", "name", "slower"),
    [
        ("step", "ours / nn.LSTM packed", "nn.LSTM packed"),
        ("long", "ours / nn.LSTM padded", "nn.LSTM padded"),
        ("predict", "ours / tutorial", "tutorial"),
        ("encode", "ours / Split", "Split"),
    ],
)
def test_a_ratio_is_of_medians(outcome, part, name, slower):
    found = rows(outcome, part)
    expected = median(found[slower]["seconds"]) / median(found["ours"]["seconds"])
    assert found[name]["value"] == pytest.approx(expected)


def test_both_tokenizers_agree(outcome):
    assert rows(outcome, "encode")["equal tokens, ASCII texts"]["value"] == 1


def test_the_run_says_where_and_on_what(outcome):
    assert {"cpu", "cores", "threads", "kernel", "kernel_reason", "torch", "omp", "gpu"} <= set(
        outcome[0]["machine"]
    )
    assert outcome[0]["settings"] == {"quick": True, "rounds": 2, "texts": "synthetic"}


def test_the_table_has_every_row(outcome):
    lines = [line for line in outcome[1].splitlines() if line.startswith("| ")]
    assert len(lines) == 1 + len(outcome[0]["rows"])
