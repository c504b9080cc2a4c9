"""The cache: private or none, and what it keeps has its name in one step."""

import os
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from sentiment.core import cache
from sentiment.core.sections.data import TokenizerConfig
from sentiment.core.sections.model import EmbeddingConfig
from sentiment.data import tokenizer
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import Tokenizer
from sentiment.evaluation import baseline_scores
from sentiment.evaluation.baselines import Answers
from sentiment.models import embeddings

posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners and modes here")


@pytest.fixture
def above(tmp_path, monkeypatch):
    """The folder that the cache is in."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(params=[0, 0o002, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


@posix
def test_what_is_made_is_private_whatever_the_umask(above, umask):
    assert cache.folder() == above / "sentiment"
    assert cache.folder().stat().st_mode & 0o777 & ~0o700 == 0
    with cache.made(cache.place("file")) as written:
        written.write_text("content")
    with cache.made(cache.place("folder")) as written:
        written.mkdir()
    assert cache.place("file").read_text() == "content"
    assert cache.place("folder").is_dir()


@posix
def test_a_relative_folder_is_ignored(tmp_path, monkeypatch):
    """It would be one of whoever made the current folder, such as a repository that was cloned."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", ".cache")
    assert cache.folder() == tmp_path / "home" / ".cache" / "sentiment"
    assert not (tmp_path / ".cache").exists()


def open_to_group(above):
    (above / "sentiment").chmod(0o770)


def open_to_all(above):
    (above / "sentiment").chmod(0o707)


def replaceable(above):
    above.chmod(0o777)


def a_file(above):
    (above / "sentiment").rmdir()
    (above / "sentiment").touch()


def loose_link(above):
    (above / "elsewhere").mkdir()
    (above / "elsewhere").chmod(0o777)
    (above / "sentiment").rmdir()
    (above / "sentiment").symlink_to(above / "elsewhere")


@posix
@pytest.mark.parametrize("change", [open_to_group, open_to_all, replaceable, a_file, loose_link])
def test_a_folder_that_is_not_private_is_refused(above, change):
    cache.folder()
    change(above)
    with pytest.raises(OSError, match=r"sentiment|elsewhere"):
        cache.folder()


@posix
def test_a_folder_of_another_user_is_refused(above, monkeypatch):
    cache.folder()
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(PermissionError, match="belongs to another user"):
        cache.folder()


@posix
def test_a_folder_within_that_of_another_user_is_refused(above, monkeypatch):
    above.mkdir()
    (above / "sentiment").mkdir(0o700)
    status = os.stat_result((0o40755, 0, 0, 1, os.geteuid() + 1, 0, 0, 0, 0, 0))
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **how: status if path == above else stat(path, **how))
    with pytest.raises(PermissionError, match="others can replace"):
        cache.folder()


@posix
def test_a_sticky_folder_above_and_a_link_of_ones_own_are_fine(above):
    cache.folder()
    above.chmod(0o1777)
    assert cache.folder() == above / "sentiment"
    (above / "mine").mkdir(0o700)
    (above / "sentiment").rmdir()
    (above / "sentiment").symlink_to(above / "mine")
    assert cache.folder() == above / "mine"


def test_without_a_home_there_is_none(monkeypatch, tmp_path):
    """Least of all in the system's temporary folder, where everybody can make one."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(Path, "home", Mock(side_effect=RuntimeError("Could not determine home directory.")))
    with pytest.raises(OSError, match="no home folder"):
        cache.folder()
    assert not list(tmp_path.iterdir())


def test_a_system_without_owners_has_a_cache(above, monkeypatch):
    monkeypatch.delattr(os, "geteuid", raising=False)
    cache.folder()
    above.chmod(0o777)
    (above / "sentiment").chmod(0o777)
    cache.place("file").touch()
    cache.place("file").chmod(0o666)
    assert cache.place("file").exists()


@posix
def test_what_others_may_write_to_is_refused(above):
    file = cache.place("file")
    file.touch()
    file.chmod(0o664)
    with pytest.raises(PermissionError, match=r"others may write to .*file; chmod go-w"):
        cache.place("file")
    file.chmod(0o644)
    assert cache.place("file") == file
    cache.place("link").symlink_to(file)
    with pytest.raises(PermissionError, match="is a link"):
        cache.place("link")


# ---- who keeps things there: poisoned, each would be believed -----------------------------------

TEXTS = ["good film", "bad film", "good plot"] * 4


def ids(monkeypatch):
    monkeypatch.setattr(tokenizer, "WORTH_KEEPING", 10)
    return Tokenizer.train(TEXTS, TokenizerConfig()).encode_kept(TEXTS).sequences.values.tolist()


def skipgram(monkeypatch):
    monkeypatch.setattr(embeddings, "WORTH_KEEPING", 0)
    config = EmbeddingConfig(source="skipgram", size=4, skipgram_epochs=1)
    vocabulary, texts = ["<pad>", "<unk>", "a", "b"], Sequences.of([[2, 3, 2]] * 20)
    return embeddings.build(vocabulary, texts, [], config, seed=0).matrix.tolist()


def file_of_vectors(monkeypatch):
    file = cache.tempfile.mkdtemp() + "/v.txt"
    Path(file).write_text("good 1 2 3\n")
    config = EmbeddingConfig(source="pretrained", vectors=file)
    vocabulary = ["<pad>", "<unk>", "good"]
    return embeddings.build(vocabulary, Sequences.of([[2]]), [], config, seed=0).matrix[2].tolist()


def baseline(monkeypatch):
    if (found := baseline_scores.kept("b.npz", (1, 2))) is None:
        found = Answers(np.array([[0.25, 0.75]]), {})
        baseline_scores.keep("b.npz", found)
    return found.probabilities.tolist()


POISON = {
    ids: lambda folder: np.save(next(folder.glob("ids-*/values.npy")), np.zeros(24, np.uint16)),
    skipgram: lambda folder: np.save(next(folder.glob("skipgram-*")), np.full((4, 4), 9, np.float32)),
    file_of_vectors: lambda folder: next(folder.glob("vectors/*.pt")).write_bytes(b"poison"),
    baseline: lambda folder: np.savez(folder / "b.npz", probabilities=np.eye(2)[:1], about="{}"),
}


@posix
@pytest.mark.parametrize("made", POISON, ids=lambda made: made.__name__)
def test_nothing_is_read_from_a_folder_that_is_not_private(made, above, monkeypatch, tmp_path):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "temporary"))
    expected = made(monkeypatch)
    folder = above / "sentiment"
    POISON[made](folder)
    before = sorted(folder.rglob("*"))
    folder.chmod(0o777)
    assert made(monkeypatch) == expected
    assert sorted(folder.rglob("*")) == before
    assert not [path for path in (tmp_path / "temporary").rglob("*") if path.suffix == ".pt"]
