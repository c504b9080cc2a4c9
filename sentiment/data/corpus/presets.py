"""The corpora that have a short name."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

SENTIMENT = ("negative", "positive")


@dataclass(frozen=True)
class Preset:
    """Where a known corpus is, and which part of it is which.

    A split that is None is found by its usual name, or cut from the training texts. `labels` renames
    the classes, in the order of their numbers, so that corpora of one task can be scored by one model.
    """

    about: str
    hub_id: str | None = None
    config: str | None = None
    file: str | None = None
    text: str = "text"
    label: str = "label"
    labels: tuple[str, ...] | None = None
    validation: str | None = None
    test: str | None = None
    size: str = ""

    @property
    def needs(self) -> str:
        """What has to be there before it can be loaded."""
        return "nothing: in the package" if self.file else f"the Hub: {self.hub_id}"

    def path(self) -> Path:
        """Path of a corpus that is in the package."""
        return Path(str(resources.files("sentiment") / "assets" / str(self.file)))


PRESETS = {
    "sample": Preset(
        "short reviews written for this project, to try it without a network; no benchmark",
        file="sample.jsonl",
        size="900",
    ),
    "sample_spam": Preset(
        "messages written for this project, ham and spam; no benchmark",
        file="sample_spam.jsonl",
        size="600",
    ),
    "imdb": Preset(
        "film reviews (Maas et al. 2011), with 50,000 unlabelled ones",
        "stanfordnlp/imdb",
        labels=SENTIMENT,
        size="25,000 + 25,000 test",
    ),
    "sms_spam": Preset(
        "phone messages, 13 % spam (Almeida et al. 2011; CC BY 4.0)",
        "ucirvine/sms_spam",
        text="sms",
        labels=("ham", "spam"),
        size="5,574",
    ),
    "sst2": Preset(
        "phrases of film reviews (Socher et al. 2013)",
        "stanfordnlp/sst2",
        text="sentence",
        labels=SENTIMENT,
        size="67,349 + 872 + 1,821 test",
    ),
    "rotten_tomatoes": Preset(
        "sentences of film reviews (Pang and Lee 2005)",
        "cornell-movie-review-data/rotten_tomatoes",
        labels=SENTIMENT,
        size="8,530 + 1,066 + 1,066 test",
    ),
    "ag_news": Preset(
        "news in four topics (Zhang et al. 2015)",
        "fancyzhx/ag_news",
        labels=("world", "sports", "business", "technology"),
        size="120,000 + 7,600 test",
    ),
    "dna_splice": Preset(
        "60 bases of DNA around a border of exon and intron (EI), the reverse (IE) or none (N; UCI)",
        "mirror/dna_splice",
        text="sequence",
        size="3,190",
    ),
    "yelp_polarity": Preset(
        "reviews of businesses, two classes (Zhang et al. 2015)",
        "fancyzhx/yelp_polarity",
        labels=SENTIMENT,
        size="560,000 + 38,000 test",
    ),
    "emotion": Preset(
        "short messages in six emotions (Saravia et al. 2018)",
        "dair-ai/emotion",
        config="split",
        size="16,000 + 2,000 + 2,000 test",
    ),
    "tweet_sentiment": Preset(
        "short messages, three classes (Rosenthal et al. 2017)",
        "cardiffnlp/tweet_eval",
        config="sentiment",
        size="45,615 + 2,000 + 12,284 test",
    ),
    "japanese_vowels": Preset(
        "features of a vowel spoken by one of nine speakers (Kudo et al. 1999)",
        "mirror/japanese_vowels",
        text="features",
        size="270 + 370 test",
    ),
}
