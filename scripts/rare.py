"""What weights, focal loss and balanced sampling bring when the positive class is rare.

    python scripts/rare.py sms_spam                         # spam as frequent as it is
    python scripts/rare.py sms_spam --share 0.01            # 1 % of the training texts

Of the training texts of the second class, so many are left out at random that it has the asked share;
validation and test texts stay as they are. Each way is trained with each seed, and what the reports say
is averaged. stdout gets the table, as Markdown; `recall` and `false alarms` are those of the decision
whose threshold is fitted on the validation texts for --target.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sentiment.core import config_io
from sentiment.data.corpus import Corpus, Split, load_corpus
from sentiment.runs import train

WAYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "class weights": {"training.class_weights": "balanced"},
    "balanced sampling": {"training.sampling": "balanced"},
    "focal loss, gamma 2": {"training.focal": 2.0},
}
COLUMNS = ("MCC", "average precision", "recall", "false alarms", "ECE", "log loss")


def main() -> None:
    """Train all ways with all seeds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("corpus", help="of two classes")
    parser.add_argument("--share", type=float, help="of the second class in training; as it is if left out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--target", default="blocked(ham) <= 0.2 %")
    options = parser.parse_args()
    print(f"| | {' | '.join(COLUMNS)} |", "| --- |" + " ---: |" * len(COLUMNS), sep="\n", flush=True)
    for way, changes in WAYS.items():
        rows = [measured(options, seed, changes) for seed in range(options.seeds)]
        print(f"| {way} | {' | '.join(f'{value:.3f}' for value in np.mean(rows, 0))} |", flush=True)


def measured(options: argparse.Namespace, seed: int, changes: dict[str, Any]) -> list[float]:
    """Train once; return the numbers of a row."""
    common = {"corpus.name": options.corpus, "seed": seed, "decision.target": options.target}
    settings = config_io.load(overrides={**common, "report.baselines": False, **changes})
    corpus = load_corpus(settings.corpus, seed)
    if options.share is not None:
        corpus = replace(corpus, train=rarer(corpus, options.share, seed))
    with tempfile.TemporaryDirectory() as folder:
        report = train.train(settings, Path(folder, "model"), corpus=corpus).report
    rates, positive = report["decision"]["test"], report["decision"]["positive"]
    return [
        report["test"]["mcc"],
        report["curves"]["pr"][positive]["average_precision"],
        rates["recall"]["value"],
        rates["false_positive_rate"]["value"],
        report["calibration"]["ece"],
        report["test"]["log_loss"],
    ]


def rarer(corpus: Corpus, share: float, seed: int) -> Split:
    """Leave out training texts of the second class until it has this share."""
    labels = corpus.train.labels
    others, own = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    count = min(len(own), round(len(others) * share / (1 - share)))
    few = np.random.default_rng(seed).choice(own, count, replace=False)
    rows = np.sort(np.concatenate([others, few]))
    return Split([corpus.train.texts[row] for row in rows], labels[rows])


if __name__ == "__main__":
    main()
