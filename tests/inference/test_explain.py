"""Explanations: the right characters, weights that add up and move with the model, three renderings."""

import io
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from conftest import TINY
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_engines import SIZES
from tiny_tokenizers import KINDS, TEXTS, TOKENIZERS, trained

import sentiment
from sentiment.core.errors import UsageError
from sentiment.core.sections.model import ModelConfig
from sentiment.data.tokenizer import UNKNOWN_ID
from sentiment.inference import attribution
from sentiment.inference.attribution import integrate, leave_one_out
from sentiment.inference.explain import explain
from sentiment.inference.predictor import Predictor
from sentiment.inference.word_alignment import Words, find_words
from sentiment.models.network import Network
from sentiment.report import explanation

UNICODE = st.text(st.characters(exclude_categories=["Cs"]))
PARTS = st.sampled_from(
    ["good ", "FILM", "İ", "e\u0301", "ß", "ﬁ", "😀", "👩‍👩‍👧", "<br />", "<br>", " ", "\n", "12345", "don't",
     "https://a.example/b?c=1", "www.X.org ", "<pad>", "漢字", "Ǆ", "\u200b", "\x1c", "."]
)  # fmt: skip
MIXED = st.lists(PARTS | UNICODE, max_size=12).map("".join)


SETTINGS: list[dict] = [{}, {"max_length": 5}, {"strip_accents": True, "urls": "keep"}]
VARIANTS = {(kind, str(one)): trained(kind=kind, **one) for kind in KINDS for one in SETTINGS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", SETTINGS, ids=str)
@settings(max_examples=50)
@given(text=UNICODE | MIXED)
@example("")
@example("<br />")
@example("e\u0301 \u0301")
def test_words_are_slices_in_order_and_own_the_tokens_that_are_read(kind, variant, text):
    tokenizer = VARIANTS[kind, str(variant)]
    words = find_words(tokenizer, text)
    assert np.array_equal(words.ids, tokenizer.encode([text]).sequences[0])
    assert len(words.owners) == len(words.ids)
    assert words.owners.min() >= 0
    assert words.owners.max() < len(words.spans)
    ends = [0, *(place for span in words.spans for place in span)]
    assert ends == sorted(ends)
    assert ends[-1] <= len(text)
    if text.strip():
        assert all(begin < end for begin, end in words.spans)


WORDED = [kind for kind in KINDS if kind != "kmer"]


@pytest.mark.parametrize("kind", WORDED)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GOOD Café, e\u0301t 😀!", ["GOOD", "Café", ",", "e\u0301t", "😀!"]),
        ("film<br />good<br>a", ["film", "good", "a"]),
        ("see https://A.example/b?c=1&d and www.x.org/<br>now", ["see", "https://A.example/b?c=1&d", "and", "www.x.org/", "now"]),
        ("don't, 12345", ["don't", ",", "12345"]),
        ("İstanbul ﬁlm ß", ["İstanbul", "ﬁlm", "ß"]),
        ("a <pad> b", ["a", "<", "pad", ">", "b"]),
        (" ", [" "]),
    ],
)  # fmt: skip
def test_words_are_what_a_person_reads(kind, text, expected):
    words = find_words(TOKENIZERS[kind], text)
    assert [text[begin:end] for begin, end in words.spans] == expected
    assert set(words.owners) == set(range(len(expected)))


@pytest.mark.parametrize("kind", WORDED)
def test_words_that_truncation_cuts_off_have_no_tokens(kind):
    text = " ".join(["good film"] * 40)
    words = find_words(trained(kind=kind, max_length=10), text)
    read = sorted(set(words.owners))
    assert 0 < len(read) <= 10
    assert read[0] == 0
    assert read[-1] == len(words.spans) - 1 == 79
    assert len(words.spans) > len(read)


def random_model(**settings):
    torch.manual_seed(1)
    model = Network(3, ModelConfig(hidden_size=9, **settings), **SIZES).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.6, 0.6)
    return model


def difference(model, of, against):
    return lambda inputs: model.classify(inputs)[:, of] - model.classify(inputs)[:, against]


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("pooling", [["max", "mean"], ["last"], ["attention"]], ids=str)
@pytest.mark.parametrize("length", [1, 2, 60])
def test_weights_sum_to_the_change_of_the_logits(kind, pooling, length):
    model = random_model(kind=kind, pooling=pooling, layers=2)
    vectors = model.embedding.weight.detach()[torch.arange(length) % 50][None]
    found = integrate(difference(model, 2, 0), vectors)
    assert abs(found.weights.sum() - (found.difference - found.baseline_difference) - found.error) < 1e-9
    assert abs(found.error) <= 0.01 * max(1, abs(found.difference - found.baseline_difference))
    batch = torch.nn.utils.rnn.PackedSequence(torch.arange(length) % 50, torch.ones(length, dtype=torch.long))
    logits = model(batch)[0].tolist()
    assert found.difference == pytest.approx(logits[2] - logits[0], abs=1e-5)


def test_the_path_is_refined_where_it_is_steep(monkeypatch):
    model = random_model(pooling=["max"])
    vectors = 300 * model.embedding.weight.detach()[torch.arange(40)][None]
    found = integrate(difference(model, 0, 1), vectors)
    assert found.steps > attribution.POINTS
    assert abs(found.error) <= 0.01 * max(1, abs(found.difference - found.baseline_difference))
    monkeypatch.setattr(attribution, "MOST_SEGMENTS", 1)
    coarse = integrate(difference(model, 0, 1), vectors)
    assert coarse.steps == attribution.POINTS
    assert abs(coarse.error) > abs(found.error)  # and is told


def test_leaving_a_word_out_is_the_model_on_the_other_tokens():
    model = random_model()
    tokens = np.array([5, 6, 7, 8], np.int32), np.array([0, 1, 1, 2])
    words = Words("abc", [(0, 1), (1, 2), (2, 3)], *tokens, *tokens)
    drops = leave_one_out(model, words, 1, 2, lambda whole: whole)

    def between(ids):
        packed = torch.nn.utils.rnn.PackedSequence(torch.tensor(ids), torch.ones(len(ids), dtype=torch.long))
        logits = model(packed)[0].tolist()
        return logits[1] - logits[2]

    expected = [between([5, 6, 7, 8]) - between(ids) for ids in ([6, 7, 8], [5, 8], [5, 6, 7])]
    assert drops == pytest.approx(expected, abs=1e-5)


def test_of_a_model_that_reads_a_place_the_other_words_keep_theirs():
    model = random_model(pooling=["middle"])
    tokens = np.array([5, 6, 7], np.int32), np.array([0, 1, 2])
    words = Words("abc", [(0, 1), (1, 2), (2, 3)], *tokens, *tokens)
    texts = [[5, 6, 7], [UNKNOWN_ID, 6, 7], [5, UNKNOWN_ID, 7], [5, 6, UNKNOWN_ID]]
    packed = torch.nn.utils.rnn.PackedSequence(torch.tensor(texts).T.flatten(), torch.tensor([4, 4, 4]))
    logits = model(packed)
    expected = (logits[0] - logits[1:])[:, 1] - (logits[0] - logits[1:])[:, 2]
    assert leave_one_out(model, words, 1, 2, lambda sequences: sequences) == pytest.approx(
        expected.tolist(), abs=1e-5
    )


WORDS = [
    "the", "of", "and", "to", "in", "it", "was", "for", "on", "with", "that", "this", "as", "are", "you",
    "not"
]  # fmt: skip


@pytest.fixture(scope="module", params=["word", "bpe", "char"])
def toy(request, tmp_path_factory):
    """A model of texts in which one word decides."""
    folder = tmp_path_factory.mktemp("toy")
    generator = np.random.default_rng(0)
    with (folder / "toy.jsonl").open("w") as file:
        for row in range(400):
            words = list(generator.choice(WORDS, 7))
            words[generator.integers(7)] = "zqzq" if row % 2 else "but"
            file.write(json.dumps({"text": " ".join(words), "label": "yes" if row % 2 else "no"}) + "\n")
    changed = TINY | {
        "training.epochs": 12, "tokenizer.kind": request.param, "model.hidden_size": 16,
        "embedding.size": 16, "training.learning_rate": 0.01, "training.batch_size": 16,
    }  # fmt: skip
    predictor = sentiment.train(str(folder / "toy.jsonl"), out=folder / "model", settings=changed)
    assert predictor.report["test"]["accuracy"] > 0.95
    return predictor


def test_the_word_that_decides_is_on_top_and_leaving_it_out_agrees(toy):
    texts = [
        "it was zqzq for you and the of",
        "ZQZQ you are for it on in with",
        "that as not it was on in zqzq",
    ]
    for text, found in zip(texts, explain(toy, texts), strict=True):
        assert (found.label, found.explained, found.against) == ("yes", "yes", "no")
        [best] = found.strongest(1, favour=True)
        assert best.text.lower() == text[best.start : best.end].lower() == "zqzq"
        assert best.leave_one_out == max(word.leave_one_out for word in found.words) > 0
        [other] = explain(toy, [text], label="no")
        for mine, theirs in zip(found.words, other.words, strict=True):
            assert mine.weight == pytest.approx(-theirs.weight, abs=0.02 + 0.02 * abs(mine.weight))


def test_the_weights_are_those_of_the_model(toy):
    [found] = explain(toy, ["it was zqzq for you"])
    [prediction] = toy.predict([found.text])
    assert (found.label, found.probability) == (prediction.label, prediction.probability)
    logs = {name: np.log(value) for name, value in prediction.probabilities.items()}
    assert found.difference == pytest.approx(logs["yes"] - logs["no"], abs=1e-4)
    change = found.difference - found.baseline_difference
    assert sum(one.weight for one in found.words) == pytest.approx(
        change + found.completeness_error, abs=1e-6
    )
    assert abs(found.completeness_error) <= 0.01 * max(1, abs(change))
    assert -1 <= found.agreement <= 1


class Marked(HTMLParser):
    """Collect the text of the articles, and the weights."""

    def __init__(self):
        super().__init__()
        self.text, self.weights, self.inside = "", [], False

    def handle_starttag(self, tag, attrs):
        self.inside = self.inside or dict(attrs).get("class") == "text"
        if "data-weight" in dict(attrs):
            self.weights.append(dict(attrs)["data-weight"])

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "p"

    def handle_data(self, data):
        self.text += data if self.inside else ""


HOSTILE = 'good <script>alert("x")</script> &amp; [red]not[/red] \x1b[31m waste'


def test_json_html_and_terminal_say_the_same(command, tiny, tmp_path):
    folder, page = tiny.bundle.folder, tmp_path / "why.html"
    data = command("explain", HOSTILE, "--model", folder, "--json")
    assert data.code == 0, data.err
    found = json.loads(data.out)
    assert set(found) >= {"text", "label", "probability", "class", "words", "completeness_error"}
    for word in found["words"]:
        assert set(word) == {"start", "end", "text", "weight", "leave_one_out"}
        assert found["text"][word["start"] : word["end"]] == word["text"]

    done = command("explain", HOSTILE, "--model", folder, "--html", page)
    assert (done.code, done.out) == (0, "")
    content = page.read_text("utf-8")
    parser = Marked()
    parser.feed(content)
    assert parser.text.replace("\n", "") == HOSTILE
    assert parser.weights == [f"{word['weight']:+.3f}" for word in found["words"]]
    assert not re.search(r"<script|https?://|<link|<img", content)

    shown = command("explain", HOSTILE, "--model", folder).out
    assert "\x1b" not in shown
    assert "[red]not[/red]" in shown
    strongest = max(found["words"], key=lambda word: abs(word["weight"]))
    for key in ("weight", "leave_one_out"):
        assert f"{strongest[key]:+.3f}" in shown
    assert found["label"] in shown


def test_an_unsure_decision_is_told_as_predict_tells_it(tiny):
    band = replace(tiny.bundle.decision, unsure={"low": 0.0, "high": 1.0, "share": 0.9})
    doubtful = Predictor(replace(tiny.bundle, decision=band))
    (one,), (sure,) = explain(doubtful, ["fine"]), explain(tiny, ["fine"])
    assert (one.unsure, sure.unsure) == (True, False)
    assert f"unsure, rather {one.label}" in explanation.page([one])
    assert "unsure" not in explanation.page([sure])


def test_a_long_text_shows_what_was_not_read(tiny):
    text = "start " + "middle of it " * 400 + "end"
    [found] = explain(tiny, [text])
    assert found.truncated
    weights = [word.weight for word in found.words]
    assert weights[0] is not None
    assert weights[-1] is not None
    cut = [word for word in found.words if word.weight is None]
    assert len(cut) == len(found.words) - 600
    assert all(word.leave_one_out is None for word in cut)
    assert explanation.page([found]).count('<span class="cut" title') == len(cut)
    assert "".join(piece for piece, _ in explanation.segments(found)) == text


def test_texts_come_from_stdin_too(command, tiny, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one good\ntwo bad\n")))
    done = command("explain", "-", "--json", "--model", tiny.bundle.folder)
    assert [json.loads(line)["text"] for line in done.out.splitlines()] == ["one good", "two bad"]


def test_what_cannot_be_explained_is_refused(command, tiny):
    folder = tiny.bundle.folder
    for arguments, code, message in (
        (["a text", "--class", "postive"], 2, "did you mean 'positive'"),
        (["a text", " "], 2, "text 1: the text is empty"),
        (["a text", "--json", "--html", "x.html"], 2, "not both"),
        (["a text", "--html", "no/such/place.html"], 6, "--html no/such/place.html: there is no folder"),
    ):
        done = command("explain", "--model", folder, *arguments)
        assert (done.code, message in done.err) == (code, True), done.err
        assert len(done.err.splitlines()) == 1
    with pytest.raises(UsageError, match="the model knows"):
        explain(tiny, ["a text"], label="?")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_a_gpu_says_the_same(tiny):
    texts = [TEXTS[0], "short", "long text " * 100]
    for ours, theirs in zip(
        explain(tiny, texts), explain(sentiment.load(tiny.bundle.folder, device="cuda"), texts), strict=True
    ):
        assert [one.weight for one in ours.words] == pytest.approx(
            [one.weight for one in theirs.words], abs=1e-3
        )
