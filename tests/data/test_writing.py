"""Languages and scripts: what a word is, and that training, explanations and reports hold for all."""

import json
import re
import unicodedata
from itertools import product

import pytest
from conftest import TINY

import sentiment
from sentiment.core.sections.data import CorpusConfig, TokenizerConfig
from sentiment.core.strings import LEFTWARD, isolated, quoted
from sentiment.data.corpus import load_corpus
from sentiment.data.corpus.audit import audit
from sentiment.data.identity import normalise
from sentiment.data.scripts import has_words, marks
from sentiment.data.tokenizer import Tokenizer
from sentiment.evaluation import baselines
from sentiment.inference.explain import explain
from sentiment.inference.word_alignment import find_words
from sentiment.report import html
from sentiment.report.explanation import page, render
from sentiment.report.renderers import card

# Subjects, then what is good and what is bad of them.
SAMPLE = {
    "Chinese": (
        ["这家饭店", "昨天的电影", "他的新书", "车站旁的旅馆", "早上的咖啡", "这部手机"],
        ["非常好，我很喜欢。", "让人满意，值得推荐！", "真是太棒了。", "比想象的更好。"],
        ["非常差，我不喜欢。", "让人失望，不要再来！", "真是太糟了。", "比想象的更坏。"],
    ),
    "Thai": (
        ["ร้านนี้", "หนังเมื่อวาน", "หนังสือเล่มใหม่", "ห้องพัก", "กาแฟตอนเช้า", "โทรศัพท์เครื่องนี้"],
        ["ดีมากและน่าประทับใจ", "ยอดเยี่ยมจริงๆ", "คุ้มค่ามาก", "ชอบที่สุดเลย"],
        ["แย่มากและน่าผิดหวัง", "ไม่ดีเลยจริงๆ", "เสียเงินเปล่า", "เบื่อที่สุดเลย"],
    ),
    "Arabic": (
        ["المطعم", "الفيلم", "الكتاب", "الفندق", "المقهى", "الهاتف"],
        ["رائعٌ جدًّا", "ممتاز وجميل", "أعجبني كثيرا", "يستحق الزيارة"],
        ["سيّئٌ جدًّا", "ممل وقبيح", "لم يعجبني أبدا", "خيبة كبيرة"],
    ),
    "Hebrew": (
        ["המסעדה", "הסרט", "הספר", "המלון", "בית הקפה", "הטלפון"],
        ["נהדר ומומלץ", "מצוין, אהבתי", "טוב מאוד", "יפה ונעים"],
        ["נורא ומאכזב", "גרוע, לא אהבתי", "רע מאוד", "מכוער ומשעמם"],
    ),
    "Hindi": (
        ["यह रेस्तराँ", "कल की फ़िल्म", "नई किताब", "होटल का कमरा", "सुबह की चाय", "यह फ़ोन"],
        ["बहुत अच्छी लगी", "शानदार और सुंदर है", "मुझे पसंद आया", "सबसे बढ़िया है"],
        ["बहुत बुरी लगी", "बेकार और महँगा है", "मुझे नापसंद आया", "सबसे घटिया है"],
    ),
}
LABELS = ("خوب", "בָּד")  # good and bad, written from the right


def texts(language):
    """Yield texts and labels; of some pairs no text is made, so that the rest is no grid."""
    subjects, good, bad = SAMPLE[language]
    between = "" if language in ("Chinese", "Thai") else " "
    for label, side in zip(LABELS, (good, bad), strict=True):
        yield from ((subject + between + said, label) for subject, said in product(subjects, side))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("languages") / "languages.jsonl"
    rows = [{"text": text, "label": label} for language in SAMPLE for text, label in texts(language)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="module", params=["char", "unigram"])
def trained(request, file, tmp_path_factory):
    settings = TINY | {
        "tokenizer.kind": request.param, "tokenizer.max_size": 400, "training.epochs": 12, "model.hidden_size": 24,
        "embedding.size": 24, "training.learning_rate": 0.01, "training.batch_size": 8,
    }  # fmt: skip
    return sentiment.train(str(file), out=tmp_path_factory.mktemp("runs") / "model", settings=settings)


def test_a_model_of_all_languages_explains_the_right_characters(trained):
    assert trained.report["test"]["accuracy"] > 0.85
    carried = {True: 0.0, False: 0.0}
    for language, (subjects, good, bad) in SAMPLE.items():
        rows = [(subjects[0], good[0], 0), (subjects[1], bad[1], 1)]
        between = "" if language in ("Chinese", "Thai") else " "
        for subject, said, side in rows:
            text = subject + between + said
            [found] = explain(trained, [text], LABELS[side])
            places = [place for word in found.words for place in (word.start, word.end)]
            assert places == sorted(places)
            shown = "".join(text[word.start : word.end] for word in found.words)
            assert "".join(shown.split()) == "".join(text.split())
            for word in found.words:  # no vowel sign or accent stands alone
                assert word.text == text[word.start : word.end]
                assert unicodedata.category(word.text[0])[0] != "M"
            assert len(found.words) > 2
            for word in found.words:
                carried[word.start >= len(subject)] += word.weight
    assert carried[True] > carried[False]  # what is said decides, not of what


def test_a_report_isolates_what_is_written_from_the_right(trained):
    report = trained.report
    found = explain(trained, ["הספר טוב מאוד (10)"])
    shown = page(found)
    assert '<p class="text" dir="auto">' in shown
    assert f"\u2068{found[0].label}\u2069 (" in shown
    assert "\u2068" not in str(render(found[0]))
    markdown, whole = card(report), html.page(report)
    for label in LABELS:
        assert f"\u2068{label}\u2069" in markdown
        assert f"\u2068{label}\u2069" in whole
    for line in markdown.splitlines():
        assert line.count("\u2068") == line.count("\u2069")
    assert all(cell.startswith(" ") for cell in markdown.split("|")[1:2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain 12", "plain 12"), ("a שלום 12", "a \u2068שלום\u2069 12"), ("שלום, עולם: 3", "\u2068שלום, עולם\u2069: 3"), ("é漢", "é漢")],
)  # fmt: skip
def test_runs_from_the_right_are_enclosed(text, expected):
    assert isolated(text) == expected
    assert quoted(text) == (f"\u2068{text}\u2069" if LEFTWARD.search(text) else text)


def words_of(kind, text, sample):
    found = Tokenizer.train(sample, TokenizerConfig(kind=kind, min_frequency=1, max_size=200))
    return [text[begin:end] for begin, end in find_words(found, text).spans]


def test_characters_of_chinese_are_words_and_what_is_spaced_stays_whole():
    text = "我看了Film两次。"
    expected = ["我", "看", "了", "Film", "两", "次", "。"]
    assert words_of("word", text, [text]) == expected
    assert words_of("char", text, [text]) == expected
    tokenizer = Tokenizer.train([text, "हिन्दी शब्द"], TokenizerConfig(min_frequency=1))
    assert {"我", "film", "हिन्दी", "शब्द"} <= set(tokenizer.vocabulary)


def test_emoji_of_several_signs_are_one_word():
    text = "a 👩‍👩‍👧 b 👍🏽 c ❤️ e\u0301"
    assert words_of("char", text, [text]) == ["a", "👩‍👩‍👧", "b", "👍🏽", "c", "❤️", "e\u0301"]


def test_which_texts_have_words():
    for language in SAMPLE:
        sample = [text for text, _ in texts(language)]
        assert has_words(sample) == (language not in ("Chinese", "Thai")), language
    assert has_words(["A plain text, see https://example.example/" + 30 * "x", "another"])
    assert not has_words(["ACGT" * 15, "TTGA" * 15])
    assert has_words([])
    assert has_words(["12", "!!!"])


def test_vowel_signs_tell_texts_apart():
    assert normalise("กิน") != normalise("กัน")
    assert normalise("ab!  C") == normalise("AB c?")
    assert normalise("❤\ufe0f good") == normalise("❤ good")
    assert set(marks(["हिन्दी", "plain"])) == set("ि्ी")
    assert marks(["plain"]) == ""


def test_baselines_count_whole_words_of_hindi_and_characters_of_thai(file, tmp_path):
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for language, least in (("Hindi", 0.8), ("Thai", 0.8)):
        own = {text for text, _ in texts(language)}
        path = tmp_path / f"{language}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows if row["text"] in own), "utf-8")
        corpus = load_corpus(str(path))
        for train in (baselines.tfidf_lr, baselines.nbsvm):
            answers = train(corpus)
            assert (answers.probabilities.argmax(1) == corpus.test.labels).mean() >= least, language
    pattern = baselines.word_pattern([text for text, _ in texts("Hindi")])
    assert re.findall(pattern, "नई किताब") == ["नई", "किताब"]


def test_words_that_are_none_are_told_with_the_way_out(command, file, tmp_path):
    own = [{"text": text, "label": label} for text, label in texts("Thai")]
    path = tmp_path / "thai.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in own), "utf-8")
    options = [f"--set={name}={str(value).lower()}" for name, value in TINY.items()]
    done = command("train", path, "--out", tmp_path / "m", "--set=tokenizer.min_frequency=1", *options)
    assert done.code == 0, done.err
    told = "--set tokenizer.kind=unigram"
    assert told in " ".join(done.err.split())
    assert told in (tmp_path / "m" / "README.md").read_text("utf-8")
    done = command("train", "sample_spam", "--out", tmp_path / "n", *options)
    assert told not in " ".join(done.err.split())
    found = audit(CorpusConfig(name=str(path)))["splits"]["train"]
    assert (found["unit"], found["oddities"]) == ("character", {})
