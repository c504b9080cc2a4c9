"""The models that come with the package, and which model a command means.

An installed package has them inside; a source checkout has them among its artifacts.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sentiment.core import files
from sentiment.core.errors import BundleError, did_you_mean, listed
from sentiment.inference import bundle

NAMES = ("imdb", "sms_spam")  # the first answers where no other model is
PACKAGE = Path(__file__).parents[1]
ROOTS = (PACKAGE / "shipped", PACKAGE.parent / "artifacts")


def folders() -> dict[str, Path]:
    """Return the folders of the shipped models, by name."""
    places = [(name, root / name) for name in NAMES for root in reversed(ROOTS)]
    return {name: folder for name, folder in places if (folder / bundle.MANIFEST).is_file()}


def find(model: str | Path) -> Path:
    """Return the folder that is meant: one that is there, else the shipped model of that name.

    Raises
    ------
    BundleError
        If it is a mere name, and neither.
    """
    path, known = Path(model), folders()
    if path.exists():
        return path
    if str(path) in known:
        return known[str(path)]
    if known and len(path.parts) == 1 and not files.partial(path).exists():
        raise BundleError(
            f"{path}: no such folder, and no model of that name comes with the package"
            f"{did_you_mean(str(path), known)}; there are: {listed(known)}"
        )
    return path  # what is wrong with it, its reader says


def default() -> tuple[Path, str]:
    """Return the folder of the model that answers if none is named, and what to call it.

    It is the one under ``artifacts`` that was trained last, else the first of the shipped ones, which do
    not count as trained wherever they lie.

    Raises
    ------
    BundleError
        If there is none.
    """
    known = folders()
    try:
        folder = bundle.newest(
            files.ARTIFACTS, {(path / bundle.MANIFEST).read_bytes() for path in known.values()}
        )
    except BundleError:
        if not known:
            raise
        name, folder = next(iter(known.items()))
        return folder, f"{name}, which comes with the package"
    return folder, str(folder)


def described() -> Iterator[dict[str, Any]]:
    """Yield of each shipped model: name, folder, bytes, labels, corpus, data (who made it), verdict, test.

    The last two are those of its report.
    """
    from sentiment.data.corpus.presets import PRESETS

    for name, folder in folders().items():
        with bundle.readable(folder):
            report = json.loads((folder / "report.json").read_text("utf-8"))
            corpus = report["corpus"]
            yield {
                "name": name,
                "folder": str(folder),
                "bytes": sum(path.stat().st_size for path in folder.iterdir()),
                "labels": corpus["labels"],
                "corpus": {key: corpus[key] for key in ("source", "revision")},
                "data": PRESETS[corpus["name"]].about if corpus["name"] in PRESETS else corpus["source"],
                "verdict": report["verdict"],
                "test": {key: report["test"][key] for key in report["intervals"]},
                "intervals": report["intervals"],
            }
