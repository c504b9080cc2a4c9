"""The embedding matrix: given vectors where there are some, the rest of the same spread."""

import gzip

import gensim.models
import numpy as np
import pyarrow as pa
import pytest

from sentiment.core.errors import CorpusError, HubError, UsageError
from sentiment.core.sections.model import EmbeddingConfig
from sentiment.data.sequences import Sequences
from sentiment.models import embeddings

VOCABULARY = ["<pad>", "<unk>", "good", "film", "rare"]
IDS = Sequences.of([[2, 3, 2, 3], [2, 4, 3]])
TEXT = "good 1 2 3\nfilm 4 5 6\nother 7 8 9\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def build(source="pretrained", **settings):
    config = EmbeddingConfig(source=source, **settings)
    return embeddings.build(VOCABULARY, IDS, [], config, seed=0)


@pytest.mark.parametrize("name", ["v.txt", "v.txt.gz", "v.txt.zst", "header.vec"])
def test_a_file_of_every_kind(tmp_path, name):
    path, content = tmp_path / name, TEXT.encode()
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(content))
    elif name.endswith(".zst"):
        with pa.output_stream(str(path), compression="zstd") as out:
            out.write(content)
    else:
        path.write_bytes(b"3 3\n" * name.startswith("header") + content)
    for _ in range(2):  # the second time from the cache
        made = build(vectors=str(path))
        assert made.matrix[2:4].tolist() == [[1, 2, 3], [4, 5, 6]]
        assert made.matrix[0].tolist() == [0, 0, 0]
        assert made.types == pytest.approx(2 / 3)
        assert made.tokens == pytest.approx(6 / 7)


def test_two_files_of_one_name_are_told_apart(tmp_path):
    for folder, text in (("a", TEXT), ("b", "good 9 9 9 9\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "v.txt").write_text(text)
    assert build(vectors=str(tmp_path / "a" / "v.txt")).matrix.shape[1] == 3
    assert build(vectors=str(tmp_path / "b" / "v.txt")).matrix.shape[1] == 4


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("good 1 2 3\nfilm 1 2\n", "dimensions"),
        ("good a b c\n", "no usable"),
        ("", "no usable"),
        ("x 1 2 3\n", "none of the"),
    ],
)
def test_unusable_files_are_refused(tmp_path, content, word):
    (tmp_path / "v.txt").write_text(content)
    with pytest.raises(CorpusError, match=word):
        build(vectors=str(tmp_path / "v.txt"))


def test_an_unknown_name_and_a_missing_file():
    with pytest.raises(UsageError, match=r"did you mean 'glove\.6B\.100d'"):
        build(vectors="glove6b100d")
    with pytest.raises(UsageError, match="no file"):
        build(vectors="nowhere/v.txt")


def test_a_failed_download_says_what_to_do(monkeypatch):
    import torchtext.vocab

    def refuse(*_, **__):
        raise OSError("offline")

    def urlretrieve(*_, **__):
        raise embeddings.urllib.error.URLError("offline")

    monkeypatch.setattr(torchtext.vocab, "urlretrieve", urlretrieve)
    with pytest.raises(HubError, match=r"--set embedding\.vectors=FILE"):
        build(vectors="glove.6B.50d")


def test_certificates_are_still_checked_afterwards(tmp_path):
    import ssl

    (tmp_path / "v.txt").write_text(TEXT)
    before = ssl._create_default_https_context
    build(vectors=str(tmp_path / "v.txt"))
    assert ssl._create_default_https_context is before


def test_random_vectors_follow_the_seed():
    one, two = build("random", size=5), build("random", size=5)
    assert np.array_equal(one.matrix, two.matrix)
    assert one.matrix.shape == (5, 5)


def test_skipgram_puts_words_of_one_company_together():
    rng = np.random.default_rng(0)
    rows = [rng.integers(2 + 100 * (i % 2), 102 + 100 * (i % 2), 20).tolist() for i in range(1000)]
    vocabulary = ["<pad>", "<unk>", *(f"w{i}" for i in range(200))]
    config = EmbeddingConfig(source="skipgram", size=10, skipgram_epochs=3)
    made = [embeddings.build(vocabulary, Sequences.of(rows), [], config, seed=0) for _ in range(2)]
    assert np.array_equal(made[0].matrix, made[1].matrix)
    unit = made[0].matrix[2:] / np.linalg.norm(made[0].matrix[2:], axis=1, keepdims=True)
    likeness = unit @ unit.T
    assert likeness[:100, :100].mean() > likeness[:100, 100:].mean() + 0.3
    assert made[0].types == made[0].tokens == 1


def test_trained_vectors_come_from_the_cache_if_all_they_depend_on_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config = EmbeddingConfig(source="skipgram", size=5, skipgram_epochs=1)
    vocabulary = ["<pad>", "<unk>", "a", "b", "c", "never"]
    texts = Sequences.of([[2, 3, 4, 2], [3, 3, 4]] * 20)
    few = embeddings.build(vocabulary, texts, [], config, 0).matrix
    assert not list(tmp_path.rglob("*.npy")), "a cache for what is made in a moment"
    monkeypatch.setattr(embeddings, "WORTH_KEEPING", 0)
    first = embeddings.build(vocabulary, texts, [], config, 0).matrix
    trained = []
    train = gensim.models.Word2Vec
    monkeypatch.setattr(
        gensim.models, "Word2Vec", lambda *texts, **options: trained.append(1) or train(*texts, **options)
    )
    again = embeddings.build(vocabulary, texts, [], config, 0).matrix
    assert not trained
    np.testing.assert_array_equal(few, first)
    np.testing.assert_array_equal(first, again)
    other = Sequences.of([[2, 3, 4, 2], [3, 3, 4]] * 21)
    for changed in (
        (vocabulary, other, [], config, 0),
        (vocabulary, texts, [other], config, 0),
        (vocabulary, texts, [], config, 1),
        (vocabulary, texts, [], config.model_copy(update={"skipgram_epochs": 2}), 0),
    ):
        before = len(trained)
        embeddings.build(*changed)
        assert len(trained) == before + 1
    for file in tmp_path.rglob("*.npy"):
        file.write_bytes(b"torn")
    np.testing.assert_array_equal(embeddings.build(vocabulary, texts, [], config, 0).matrix, first)


def english(words, **changes):
    vocabulary = ["<pad>", "<unk>", *words]
    texts = Sequences.of([list(range(2, len(vocabulary)))])
    return embeddings.build(vocabulary, texts, [], EmbeddingConfig(**changes), 0)


def test_by_default_vectors_of_the_package_serve_texts_whose_words_they_have():
    found = english(["good", "Bad", "film", "zzzqqq"])
    assert (found.source, found.types) == ("english", 0.75)
    stored = english(["bad", "film", "good"])
    np.testing.assert_array_equal(found.matrix[[2, 3, 4]], stored.matrix[[4, 2, 3]])
    near = stored.matrix[2:] / np.linalg.norm(stored.matrix[2:], axis=1, keepdims=True)
    assert near[0] @ near[2] > 0.2, "good and bad are used alike"


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (["zzzqqq", "qqqzzz", "film"], {}),  # most tokens have none
        (["good", "film"], {"size": 99}),
        (["good", "film"], {"source": "random"}),
    ],
)
def test_else_they_are_random(words, changes):
    found = english(words, **changes)
    assert found.source == "random"
    assert found.matrix.shape == (2 + len(words), changes.get("size", 100))
    assert abs(found.matrix[2:].std() - embeddings.SPREAD) < 0.03


def test_vectors_of_the_package_can_be_asked_for():
    assert english(["film", *(f"zz{number}qq" for number in range(9))], source="english").source == "english"
    with pytest.raises(CorpusError, match="english: none of the"):
        english(["zzzqqq"], source="english")
