"""The division of IMDB by films."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, hub_environment


@pytest.mark.slow
def test_no_review_of_a_film_is_on_both_sides(mirror: str, tmp_path: Path) -> None:
    out = tmp_path / "films"
    script = [sys.executable, str(ROOT / "scripts" / "films.py"), str(out)]
    subprocess.run(script, check=True, env=hub_environment(mirror, tmp_path / "hub"))
    parts = {
        name: [json.loads(line) for line in (out / f"{name}.jsonl").read_text("utf-8").splitlines()]
        for name in ("train", "test")
    }
    train, test = ({row["text"] for row in parts[name]} for name in ("train", "test"))
    assert len(parts["test"]) == 2400
    assert len(parts["train"]) > 20_000
    assert not train & test
    for rows in parts.values():
        positive = sum(row["label"] == "positive" for row in rows) / len(rows)
        assert 0.4 < positive < 0.6
    lines = (out / "unlabelled.txt").read_text("utf-8").splitlines()
    assert len(lines) == 50_000
