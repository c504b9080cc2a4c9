"""What `predict` and its like take: texts in turn, of any library; and what they refuse, with the way out."""

from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sentiment.inference.explain import explain

TEXTS = ["Loved every minute of it.", "A waste of time and money."]
COLUMNS = {"text": TEXTS, "label": ["positive", "negative"]}


class OfPolars:
    """A table as polars has it, where it matters: iterating gives columns."""

    columns = ["text", "label"]  # noqa: RUF012

    def __iter__(self):
        return iter([TEXTS, COLUMNS["label"]])


TABLES = {
    "pandas": pd.DataFrame(COLUMNS),
    "polars": OfPolars(),
    "datasets": datasets.Dataset.from_dict(COLUMNS),
    "datasets, a stream": datasets.Dataset.from_dict(COLUMNS).to_iterable_dataset(),
    "Arrow": pa.table(COLUMNS),
    "Arrow, a batch": pa.record_batch(COLUMNS),
    "NumPy": np.array(list(zip(*COLUMNS.values(), strict=True)), [("text", "U40"), ("label", "U10")]),
    "a dictionary": COLUMNS,
    "a record": {"text": TEXTS[0], "label": "positive"},
}
ONE = {
    "a string": TEXTS[0],
    "bytes": TEXTS[0].encode(),
    "a bytearray": bytearray(b"good"),
    "a path": Path("texts.txt"),
    "nothing": None,
    "a number": 3,
    "an array of one": np.array(TEXTS[0]),
    "a thing": SimpleNamespace(),
}
MANY = {
    "a list": TEXTS,
    "a tuple": tuple(TEXTS),
    "an iterator": None,
    "pandas": pd.Series(TEXTS, index=[7, 3]),
    "pandas, its strings": pd.Series(TEXTS, dtype="string"),
    "pandas, an index": pd.Index(TEXTS),
    "NumPy": np.array(TEXTS),
    "NumPy, objects": np.array(TEXTS, object),
    "datasets": datasets.Dataset.from_dict(COLUMNS)["text"],
    "keys": dict.fromkeys(TEXTS).keys(),
    "values": dict(enumerate(TEXTS)).values(),
}
MISSING = {
    "pandas": pd.Series([*TEXTS, None]),
    "pandas, its strings": pd.Series([*TEXTS, None], dtype="string"),
    "NumPy": np.array([*TEXTS, np.nan], object),
    "none": [*TEXTS, None],
    "bytes": [*TEXTS, b"good"],
    "a dictionary": [*TEXTS, {"text": "good"}],
    "a list": [*TEXTS, TEXTS],
}
VERBS = {
    "predict": lambda predictor, texts: predictor.predict(texts),
    "probabilities": lambda predictor, texts: predictor.probabilities(texts),
    "explain": explain,
}
each_verb = pytest.mark.parametrize("verb", VERBS)


@pytest.mark.parametrize("kind", ["pandas", "datasets", "datasets, a stream", "Arrow", "Arrow, a batch"])
def test_a_table_is_classified_by_its_column_of_texts(tiny, kind):
    assert tiny.predict(TABLES[kind]) == tiny.predict(TEXTS)


@each_verb
@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_not_its_column_names(tiny, verb, kind):
    if verb == "predict" and kind.startswith(("pandas", "datasets", "Arrow")):
        return  # classified, as above
    with pytest.raises(
        ValueError, match=r"not \w+; pass one of its columns, such as table\['text'\]"
    ) as told:
        VERBS[verb](tiny, TABLES[kind])
    assert "(it has 'text', 'label')" in str(told.value)


def test_the_columns_that_are_there_are_told(tiny):
    with pytest.raises(ValueError, match=r"table\['body'\] \(it has 'body', 3\)"):
        explain(tiny, pd.DataFrame({"body": TEXTS, 3: TEXTS}))
    with pytest.raises(ValueError, match="it has none"):
        explain(tiny, pd.DataFrame())
    with pytest.raises(ValueError, match="and 10 more"):
        tiny.predict(dict.fromkeys(map(str, range(30))))


@each_verb
@pytest.mark.parametrize("kind", ONE)
def test_one_text_is_not_its_letters(tiny, verb, kind):
    with pytest.raises(ValueError, match=r"takes a list of texts, not \w+; for one text pass \[text\]"):
        VERBS[verb](tiny, ONE[kind])


@each_verb
def test_a_set_has_no_order(tiny, verb):
    with pytest.raises(ValueError, match="no order; pass list"):
        VERBS[verb](tiny, set(TEXTS))


@pytest.mark.parametrize("kind", MANY)
def test_texts_in_turn_are_taken_from_any_library(tiny, kind):
    given = iter(TEXTS) if kind == "an iterator" else MANY[kind]
    assert tiny.predict(given) == tiny.predict(TEXTS)


@pytest.mark.parametrize("verb", ["predict", "explain"])
@pytest.mark.parametrize("kind", MISSING)
def test_a_bad_text_among_others_has_its_number(tiny, verb, kind):
    with pytest.raises(ValueError, match=r"^text 2: the text is (missing|.*of type \w+, not a string)"):
        VERBS[verb](tiny, MISSING[kind])
