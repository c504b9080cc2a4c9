"""How texts are written: in words with spaces between them, or without, as Chinese, Thai and DNA are."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

# Scripts without spaces between words: Thai, Lao, Tibetan, Myanmar, Khmer, kana, Bopomofo, Han.
UNSPACED = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
IS_UNSPACED = re.compile(f"[{UNSPACED}]")
LONGEST = 20  # letters of the longest word; a longer run is a sequence of symbols
LONG_WORD = 12.0  # characters of a word and its punctuation, on average, that no language has
LOOKED_AT = 2000  # texts that tell how a corpus is written


def marks(texts: Iterable[str]) -> str:
    """Return the combining marks in texts: accents, vowel signs and points.

    In Hindi, Thai, Hebrew and Arabic they are parts of words, but Python's ``\\w`` does not match them.
    """
    chars: set[str] = set()
    for text in texts:
        if not text.isascii():
            chars |= set(text)
    return "".join(sorted(char for char in chars if is_mark(char)))


def is_mark(char: str) -> bool:
    """Say whether a character is a combining mark, other than a variation selector (as of emoji)."""
    return unicodedata.category(char)[0] == "M" and not "\ufe00" <= char <= "\ufe0f"


def has_words(texts: Sequence[str]) -> bool:
    """Say whether most letters are in words with spaces between."""
    some = texts[:: max(1, len(texts) // LOOKED_AT)]
    word = re.compile(rf"[\w{marks(some)}]+")
    letters = others = 0
    for text in some:
        for run in word.findall(text):
            letters += len(run)
            others += (
                len(run) if len(run) > LONGEST else 0 if run.isascii() else len(IS_UNSPACED.findall(run))
            )
    return 2 * others <= letters


def long_words(kind: str, length: float) -> str | None:
    """Say what to do if the tokens of a kind have so many characters, on average, that they are no words."""
    if kind != "word" or length <= LONG_WORD:
        return None
    return (
        f"A token has {length:.0f} characters on average: these texts have no spaces between words, and the "
        "model hardly meets a token twice. Use --set tokenizer.kind=unigram (or char; kmer for sequences "
        "of symbols)."
    )
