"""Real corpora through the Hub's protocol, with the real client. The endpoint is read at import, hence processes."""

import json
import subprocess
import sys

import pytest
from conftest import TINY_OPTIONS, hub_environment, run_process

pytestmark = pytest.mark.slow
DESCRIBE = """
import json, sys
from sentiment.data.corpus import load_corpus
corpus = load_corpus(sys.argv[1])
print(json.dumps({"sizes": corpus.sizes, "labels": corpus.labels, "left_out": corpus.left_out,
                  "cut": corpus.cut, "revision": corpus.revision, "fingerprint": corpus.fingerprint()}))
"""


def describe(name, environment):
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE, name], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def online(mirror, tmp_path_factory):
    return hub_environment(mirror, tmp_path_factory.mktemp("hub"))


def test_imdb_is_the_original_split_without_its_leaks(online):
    imdb = describe("imdb", online)
    assert imdb["sizes"]["test"] == 25_000
    assert imdb["left_out"]["training texts in test"] == 123
    assert imdb["left_out"]["unlabelled texts in test"] >= 266
    assert imdb["cut"] == ["validation"]
    assert imdb["labels"] == ["negative", "positive"]


def test_sms_spam_loses_its_repeats(online):
    spam = describe("sms_spam", online)
    assert spam["left_out"] == {"repeated training texts": 443}
    assert sum(spam["sizes"].values()) == 5_574 - 443
    assert spam["labels"] == ["ham", "spam"]


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("sst2", ["negative", "positive"]),
        ("mirror/ag_news_subset", ["World", "Sports", "Business", "Sci/Tech"]),
        ("mirror/dna_splice", ["EI", "IE", "N"]),
    ],
)
def test_other_corpora_are_understood_without_settings(online, name, labels):
    found = describe(name, online)
    assert found["labels"] == labels
    assert all(found["sizes"][role] for role in ("train", "validation", "test"))


def test_the_second_time_works_offline_at_the_same_commit(online, tmp_path):
    first = describe("sms_spam", online)
    offline = online | {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert describe("sms_spam", offline) == first
    assert describe(f"ucirvine/sms_spam@{first['revision'][:12]}", offline) == first
    done = run_process("train", "sms_spam", *TINY_OPTIONS, "--out", tmp_path / "spam", env=offline)
    assert done.code == 0, done.err
    manifest = json.loads((tmp_path / "spam" / "manifest.json").read_text())
    assert manifest["corpus"]["revision"] == first["revision"]
    again = run_process("report", tmp_path / "spam", "--json", env=offline)
    assert (
        json.loads(again.out)["test"] == json.loads((tmp_path / "spam" / "report.json").read_text())["test"]
    )
