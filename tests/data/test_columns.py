"""Columns are found by what is in them: the shapes of well-known corpora, under their own names and without."""

import random

import pytest

from sentiment.core.errors import CorpusError
from sentiment.data.corpus.columns import find
from sentiment.data.corpus.reading import Choice
from sentiment.data.rows import Row

WORDS = [
    "the", "plot", "cast", "hotel", "soup", "was", "felt", "seemed", "clumsy", "lovely", "warm", "dreary",
    "never", "quite", "really", "bought", "waited"
]  # fmt: skip
MAKERS = {
    # a column: what its values are
    "text": lambda rng, n: " ".join(rng.choices(WORDS, k=rng.randrange(8, 40))) + f" {n}.",
    "short": lambda rng, n: " ".join(rng.choices(WORDS, k=rng.randrange(2, 6))),
    "chinese": lambda rng, n: "".join(rng.choices("电影很好音乐不错风景服务真棒", k=rng.randrange(8, 30))) + "。",
    "id": lambda rng, n: str(570306133677760513 + n * 7919),
    "code": lambda rng, n: f"B00{rng.randrange(10**6):06}X{n}",
    "index": lambda rng, n: str(n),
    "date": lambda rng, n: f"{rng.randrange(1, 13)}/{rng.randrange(1, 29)}/2015 11:{n % 60:02}",
    "long date": lambda rng, n: f"Mon Apr {rng.randrange(1, 29):02} 22:{n % 60:02}:45 PDT 2009",
    "user": lambda rng, n: f"user{rng.randrange(500)}",
    "person": lambda rng, n: rng.choice(["Anna B.", "Carl D.", "Eva F."]) + f" {n % 90}",
    "count": lambda rng, n: str(int(rng.expovariate(0.5))),
    "float": lambda rng, n: f"{rng.random():.4f}",
    "confidence": lambda rng, n: rng.choice(["1.0", "0.6837", "0.3486", "0.7"]),
    "binary": lambda rng, n: str(int(rng.random() < 0.3)),
    "stars": lambda rng, n: str(rng.randrange(1, 6)),
    "three": lambda rng, n: rng.choice(["positive", "negative", "neutral"]),
    "ham": lambda rng, n: rng.choice(["ham", "ham", "spam"]),
    "polarity": lambda rng, n: rng.choice(["0", "4"]),
    "airline": lambda rng, n: rng.choice(["United", "Delta", "US Airways", "Virgin America"]),
    "reason": lambda rng, n: rng.choice(["", "", "Late Flight", "Lost Luggage", "Bad Flight"]),
    "constant": lambda rng, n: "NO_QUERY",
    "empty": lambda rng, n: "",
    "topic": lambda rng, n: f"topic_{rng.randrange(40)}",
    "several": lambda rng, n: ",".join(sorted({str(rng.randrange(28)) for _ in range(rng.choice([1, 1, 1, 2]))})),
    "votes": lambda rng, n: rng.choice(['{"0": 3}', '{"1": 3}', '{"0": 2, "1": 1}']),
    "split": lambda rng, n: rng.choice(["train", "train", "dev", "test"]),
    "price": lambda rng, n: f"{rng.random() * 3:.2f}".replace(".", ","),
    "url": lambda rng, n: f"https://example.org/{n}",
    "country": lambda rng, n: rng.choice(["en", "de", "fr"]),
}  # fmt: skip
CORPORA = {
    # name: columns as name=kind, the text, the labels
    "SMS spam, headless": ("1=ham 2=text", "2", "1"),
    "Kaggle spam": ("v1=ham v2=text", "v2", "v1"),
    "Sentiment140, headless": ("1=polarity 2=id 3=long_date 4=constant 5=user 6=text", "6", "1"),
    "Sentiment140": ("target=polarity ids=id date=long_date flag=constant user=user text=text", "text", "target"),
    "airlines": (
        "tweet_id=id airline_sentiment=three airline_sentiment_confidence=confidence negativereason=reason "
        "negativereason_confidence=confidence airline=airline airline_sentiment_gold=empty name=user retweet_count=count "
        "text=text tweet_coord=empty tweet_created=date tweet_location=person user_timezone=country",
        "text", "airline_sentiment",
    ),
    "Amazon": (
        "Id=index ProductId=code UserId=code ProfileName=person HelpfulnessNumerator=count HelpfulnessDenominator=count "
        "Score=stars Time=id Summary=short Text=text", "Text", "Score",
    ),
    "Yelp": ("business_id=code date=date review_id=code stars=stars text=text type=constant user_id=code cool=count useful=count funny=count",
             "text", "stars"),
    "clothing": ("X=index Clothing_ID=count Age=count Title=short Review_Text=text Rating=stars Recommended_IND=binary "
                 "Positive_Feedback_Count=count Division_Name=three", "Review_Text", "Rating"),
    "AG News": ("Class_Index=stars Title=short Description=text", "Description", "Class_Index"),
    "jigsaw": ("id=code comment_text=text toxic=binary severe_toxic=binary obscene=binary threat=binary insult=binary "
               "identity_hate=binary", "comment_text", "toxic severe_toxic obscene threat insult identity_hate"),
    "emotions, one-hot": ("id=code text=text anger=binary disgust=binary fear=binary", "text", "anger disgust fear"),
    "GoEmotions, headless": ("1=text 2=several 3=code", "1", "2"),
    "votes and split, headless": ("1=code 2=binary 3=chinese 4=votes 5=split", "3", "2"),
    "banking": ("text=text category=topic", "text", "category"),
    "waimai": ("label=binary review=chinese", "review", "label"),
    "headless with tabs": ("1=text 2=binary", "1", "2"),
    "stars of apps": ("index=index comment=text n_star=stars date_time=date", "comment", "n_star"),
    "prices in German": ("id=index Preis=price Bewertung=text Klasse=ham", "Bewertung", "Klasse"),
    "headlines": ("article_link=url headline=text is_sarcastic=binary", "headline", "is_sarcastic"),
    "personality": ("type=three posts=text", "posts", "type"),
    "tweets with length": ("Unnamed:_0=index count=count hate_speech=count offensive_language=count neither=count class=stars tweet=text",
                           "tweet", "class"),
    "hotel": ("reviews.date=date reviews.rating=stars reviews.text=text reviews.title=short reviews.username=user", "reviews.text",
              "reviews.rating"),
}  # fmt: skip


def head(columns: str, count: int = 200, seed: int = 0) -> tuple[list[str], list[Row]]:
    """Return the names of columns, and rows."""
    rng = random.Random(seed)
    kinds = [part.split("=") for part in columns.split()]
    rows = [
        Row(f"x:{n}", {name: MAKERS[kind.replace("_", " ")](rng, n) for name, kind in kinds})
        for n in range(count)
    ]
    return [name for name, _ in kinds], rows


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CORPORA)
def test_columns_are_found_by_what_is_in_them(name, seed):
    columns, text, labels = CORPORA[name]
    names, rows = head(columns, seed=seed)
    choice = find(names, rows, "x")
    assert (choice.text, choice.labels) == ((text,), tuple(labels.split())), choice
    assert len(choice.why) >= 2  # told


@pytest.mark.parametrize(
    "name", [name for name, (columns, _, _) in CORPORA.items() if "=binary" not in columns]
)
def test_names_only_break_ties_a_text_is_found_without_any(name):
    columns, text, _ = CORPORA[name]
    kinds = [part.split("=") for part in columns.split()]
    renamed = {old: f"c{number}" for number, (old, _) in enumerate(kinds)}
    names, rows = head(" ".join(f"{renamed[old]}={kind}" for old, kind in kinds))
    assert find(names, rows, "x", labelled=False).text == (renamed[text],)


def test_what_stays_open_is_asked_with_the_likeliest_an_example_each_and_the_command():
    names, rows = head("one=text two=text three=three")
    with pytest.raises(CorpusError) as error:
        find(names, rows, "x.csv")
    message = str(error.value)
    assert all(word in message for word in ("'one' (such as: ", "'two' (such as: ", "--text-column"))
    names, rows = head("text=text colour=three size=three")
    with pytest.raises(CorpusError, match=r"'colour' \(such as: .*'size' \(such as: .*--label-column"):
        find(names, rows, "x.csv")


def test_a_column_of_labels_is_not_suggested_for_the_texts():
    names, rows = head("price=price label=ham")
    with pytest.raises(CorpusError, match="no column looks like the text; name it with --text-column"):
        find(names, rows, "x.csv")


def test_a_likely_column_that_was_left_is_told():
    names, rows = head("abstract=text story=text label=three")
    choice = find(names, rows, "x", text="story")
    assert choice.left == {}  # asked for
    names, rows = head("text=text story=text label=three sentiment=three")
    choice = find(names, rows, "x")
    assert choice.text == ("text",)
    assert choice.left == {"text": ("story",), "label": ("sentiment",)}


def test_columns_of_training_come_first_and_are_told_to_be_missing():
    names, rows = head("id=index review=short text=text label=three stars=stars")
    like = Choice(("review",), ("stars",))
    choice = find(names, rows, "x", like=like)
    assert (choice.text, choice.labels) == (("review",), ("stars",))
    other = find(names, rows, "x", like=Choice(("body",), ("mood",)))
    assert (other.text, other.labels) == (("text",), ("label",))
    assert "the text column of training, 'body', is not there" in other.why[0]
    assert "the label column of training, 'mood', is not there" in other.why[1]


@pytest.mark.parametrize(
    "names", ["sentence1 sentence2", "premise hypothesis", "question1 question2", "text_a text_b"]
)
def test_pairs_of_sentences_are_joined_and_told(names):
    first, second = names.split()
    columns, rows = head(f"{first}=text {second}=text label=three")
    choice = find(columns, rows, "x")
    assert choice.text == (first, second)
    assert "joined" in choice.why[0]


def test_several_text_columns_can_be_asked_for():
    columns, rows = head("title=short body=text label=three")
    assert find(columns, rows, "x", text="title, body").text == ("title", "body")
    with pytest.raises(CorpusError, match="did you mean 'body'"):
        find(columns, rows, "x", text="title,bdy")
    with pytest.raises(CorpusError, match="named twice"):
        find(columns, rows, "x", text="body,body")


def test_columns_without_a_header_are_numbers_and_no_name_is_suggested():
    columns, rows = head("1=ham 2=text")
    with pytest.raises(CorpusError, match="it has no header, so they are numbers; the columns are: '1', '2'"):
        find(columns, rows, "x", text="text")


def test_exclusive_columns_of_0_and_1_are_classes():
    rng = random.Random(0)
    rows = []
    for number in range(50):
        mark = rng.randrange(2)
        rows.append(Row("x", {"text": MAKERS["text"](rng, number), "label_neg": 1 - mark, "label_pos": mark}))
    choice = find(["text", "label_neg", "label_pos"], rows, "x")
    assert (choice.labels, choice.one_hot) == (("label_neg", "label_pos"), True)


@pytest.mark.parametrize("flags", ["is_retweet=binary has_image=binary", "weekend=binary holiday=binary"])
@pytest.mark.parametrize("outcome", ["outcome", "mood"])
def test_flags_are_no_labels_where_another_column_may_be_one(flags, outcome):
    names, rows = head(f"id=index text=text {flags} {outcome}=three")
    with pytest.raises(CorpusError, match=rf"no column is surely the label; the likeliest: '{outcome}'"):
        find(names, rows, "x")
    assert find(names, rows, "x", label=outcome).labels == (outcome,)


def test_a_number_beside_columns_of_0_and_1_is_told():
    names, rows = head("text=text joy=binary anger=binary level=stars")
    choice = find(names, rows, "x")
    assert choice.labels == ("joy", "anger")
    assert choice.left == {"label": ("level",)}


def test_texts_without_spaces_may_have_numbers():
    rng = random.Random(0)
    rows = [
        Row(
            "x",
            {
                "a": "".join(rng.choices("电影很好音乐不错风景服务真棒2024", k=30)) + str(n),
                "b": "好坏"[n % 2],
            },
        )
        for n in range(60)
    ]
    choice = find(["a", "b"], rows, "x")
    assert (choice.text, choice.labels) == (("a",), ("b",))


@pytest.mark.parametrize(
    ("columns", "label"),
    [
        ("text=text product_category=topic star_rating=stars", "star_rating"),
        ("text=text category=three rating=stars", "rating"),
        ("text=text emotion_target=reason emotion_there=three", "emotion_there"),  # the first has gaps
    ],
)
def test_of_two_columns_named_as_labels_the_likelier_is_taken_and_the_other_told(columns, label):
    names, rows = head(columns)
    choice = find(names, rows, "x")
    assert choice.labels == (label,)
    assert choice.left["label"] == tuple(name for name in names if name not in ("text", label))


def test_a_title_that_was_left_is_told():
    names, rows = head("Title=short Description=text label=stars")
    choice = find(names, rows, "x")
    assert choice.text == ("Description",)
    assert choice.left["text"] == ("Title",)


def test_an_address_is_no_text_where_reviews_repeat():
    rng = random.Random(0)
    rows = [
        Row("x", {"Hotel_Address": f"{n} Long Street near the old park in Vienna",
                  "Review": f"{MAKERS['text'](rng, n % 40)}", "Score": str(n % 5)})
        for n in range(120)
    ]  # fmt: skip
    rows = [
        row._replace(values=row.values | {"Review": rows[n % 40].values["Review"]})
        for n, row in enumerate(rows)
    ]
    assert find(["Hotel_Address", "Review", "Score"], rows, "x").text == ("Review",)
