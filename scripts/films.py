"""Divide IMDB's training reviews so that no film is on both sides: a test to develop on.

    python scripts/films.py films
    sentiment train films/train.jsonl --test films/test.jsonl --set corpus.unlabelled=films/unlabelled.txt

A validation part that is cut at random is about the films that the training texts are about, names included,
and overstates every model by a point or more; the corpus's own test part, of other films, is scored once, by
the final model. The corpus does not say which film a review is about, but its rows do: they are in the order
of the names of the files that they were in, "0_3.txt", "10000_4.txt", "10001_4.txt" …, and reviews with
neighbouring numbers are of one film (measured: reviews 1, 5 and 20 numbers apart have names in common by a
TF-IDF cosine of 0.17, 0.08 and 0.01; strangers 0.002). Runs of 200 numbers go to the test part, and training
reviews whose names are like those of one of them leave.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus import read_corpus

RUN, RUNS = 200, 6  # reviews of a run, and runs of each label
ALIKE = 0.6  # cosine of the names


def main() -> None:
    """Write train.jsonl, test.jsonl and unlabelled.txt into the folder that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    corpus = read_corpus(CorpusConfig(name="imdb"))
    split = corpus.splits["train"]
    texts, labels = split.texts, np.array(split.labels)
    names = TfidfVectorizer(token_pattern=r"\b[A-Z][a-z]+\b", lowercase=False, min_df=2, max_df=0.02)
    table = names.fit_transform(texts)
    generator, held_out = np.random.default_rng(7), []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        by_number = rows[np.argsort(np.array(sorted(map(str, range(len(rows)))), int))]
        for run in generator.choice(len(rows) // RUN, RUNS, replace=False):
            held_out.extend(by_number[run * RUN : (run + 1) * RUN])
    rest = np.setdiff1d(np.arange(len(texts)), held_out)
    alike = (table[rest] @ table[held_out].T).max(1).toarray().ravel()
    folder.mkdir(parents=True)
    for name, rows in (("train", rest[alike <= ALIKE]), ("test", held_out)):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps({"text": texts[row], "label": labels[row]}) + "\n")
        print(f"{folder / name}.jsonl: {len(rows):,} reviews")
    lines = (" ".join(text.split()) for text in corpus.splits["unlabelled"].texts)
    (folder / "unlabelled.txt").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
