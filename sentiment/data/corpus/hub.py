"""Corpora from the Hugging Face Hub, at a known commit. The only importer of `datasets`."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from sentiment.core.errors import CorpusError, HubError, SentimentError, did_you_mean
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.strings import Say, warn
from sentiment.data.corpus.columns import find
from sentiment.data.corpus.presets import Preset
from sentiment.data.corpus.raw import Collector, RawCorpus
from sentiment.data.corpus.reading import Choice, Reading
from sentiment.data.rows import LOOK_AHEAD, Form, Row

ATTEMPTS = 5
PART = 1024  # rows
SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing"),
    "unlabelled": ("unsupervised", "unlabelled", "unlabeled"),
}
UNKNOWN = Preset("")
T = TypeVar("T")


def read_hub(
    preset: Preset,
    config: CorpusConfig,
    name: str,
    configuration: str | None,
    revision: str | None,
    like: Reading | None = None,
    say: Say = warn,
) -> RawCorpus:
    """Load a corpus from the Hub, or from the cache if HF_HUB_OFFLINE is set.

    Parameters
    ----------
    preset
        The Hub id, and what is known of the corpus.
    config
        Column and split names that come before those of the preset.
    configuration, revision
        Asked for with ``org/name:configuration@revision``.
    like
        How the corpus of a model was read, whose columns come first.
    say
        Told of attempts that failed, and of test labels that are not public.
    """
    repo = str(preset.hub_id)
    configuration = configuration or preset.config
    dataset, commit = _load(repo, configuration, revision, say)
    source = f"{repo}:{configuration}" if configuration else repo
    known = like.choice if like else None
    if preset.about:
        known = Choice((preset.text,), (preset.label,))
    raw = read_dataset(dataset, config, source, known, preset, say)
    return replace(raw, name=name, revision=commit)


def read_dataset(
    dataset: Any,
    config: CorpusConfig,
    source: str,
    known: Choice | None = None,
    preset: Preset = UNKNOWN,
    say: Say = warn,
) -> RawCorpus:
    """Read a `datasets.DatasetDict`, or a mapping of data sets; rows that were filtered out stay out.

    Parameters
    ----------
    known
        Columns that come first.
    """
    dataset = {split: _whole(data).flatten() for split, data in dataset.items()}  # review.title of structs
    roles = _roles(dataset, preset, config, source)
    first = dataset[roles["train"]]
    head = [Row("", values) for values in _table(first.take(min(len(first), LOOK_AHEAD))).to_pylist()]
    choice = find(first.column_names, head, source, config.text_column, config.label_column, known)
    labels = choice.labels
    collector = Collector.of(head, Reading(Form("hub"), choice), config, source)
    feature = first.features[labels[0]]
    names = getattr(getattr(feature, "feature", feature), "names", None)  # of the classes in a list, too
    order = None if len(labels) > 1 else preset.labels or (tuple(names) if names else None)
    for role, split in roles.items():
        rows = _rows(dataset[split], f"{source}[{split}]", choice, order)
        collector.take(role, collector.sort(rows, role, choice), roles)
    if order is not None:
        order = tuple(dict.fromkeys(map(collector.meaning.named, order)))
    splits, marked = collector.splits, collector.marked_labels()
    if "test" in splits and not splits["test"].labelled:
        # A benchmark that keeps its test labels to itself: score on its validation split instead.
        instead = (
            "validation is the test" if "validation" in splits else "the test is cut from the training texts"
        )
        say(f"{source}: the labels of its test split are not public; {instead}")
        del splits["test"]
        if "validation" in splits:
            splits["test"] = splits.pop("validation")
    return collector.corpus(source, source, order or marked)


def _roles(dataset: Any, preset: Preset, config: CorpusConfig, repo: str) -> dict[str, str]:
    """Say which of the corpus's splits plays which role."""
    roles = {}
    for role, usual in SPLITS.items():
        asked = getattr(config, role, None) or getattr(preset, role, None)
        if asked and asked not in dataset:
            raise CorpusError(
                f"{repo}: no split {asked!r}{did_you_mean(asked, dataset)}; it has: {', '.join(dataset)}"
            )
        split = asked or next((split for split in usual if split in dataset), None)
        if split:
            roles[role] = split
    if "train" not in roles:
        if len(dataset) > 1:
            raise CorpusError(
                f"{repo}: no split is named 'train'; choose one of {', '.join(dataset)} "
                "with --set corpus.train=NAME"
            )
        roles = {"train": next(iter(dataset))}
    return roles


def _whole(data: Any) -> Any:
    """Return a data set that is at hand: one that is streamed is read to its end."""
    if hasattr(data, "data"):
        return data
    import datasets

    return datasets.Dataset.from_list(list(data), features=data.features)


def _table(data: Any) -> Any:
    """Return the rows of a data set as a table of Arrow: those that were selected, in their order."""
    return data.with_format("arrow")[:]


def _rows(data: Any, where: str, choice: Choice, order: tuple[str, ...] | None) -> Iterator[Row]:
    """Yield the rows of a split; classes that are given by number get their names from `order`."""
    table = _table(data)

    def column(name: str | None) -> list[Any]:
        return table.column(name).to_pylist() if name in table.column_names else [None] * len(table)

    labels = choice.labels
    columns = {name: column(name) for name in labels}
    if order is not None:
        columns = {name: _named(values, order, where) for name, values in columns.items()}
    texts = zip(*(_values(table.column(name)) for name in choice.text), strict=True)
    ids, splits = column("id"), column(choice.split)
    both = zip(texts, ids, splits, *columns.values(), strict=True)
    for number, (parts, identity, split, *values) in enumerate(both):
        cells = dict(zip(labels, values, strict=True)) | dict(zip(choice.text, parts, strict=True))
        more = {} if choice.split is None else {choice.split: split}
        yield Row(f"{where}:{number}", cells | more | {"id": identity})


def _named(values: list[Any], order: tuple[str, ...], where: str) -> list[Any]:
    """Return the names of classes that are all given by number, single or in lists; else what is given."""
    given = [value for value in values if value is not None]
    numbers = [number for value in given for number in (value if isinstance(value, list) else [value])]
    if not all(isinstance(number, int) for number in numbers):
        return values
    if numbers and max(numbers) >= len(order):
        raise CorpusError(
            f"{where}: label {max(numbers)} is beyond the {len(order)} known: {', '.join(order)}"
        )

    def name(value: Any) -> Any:
        if isinstance(value, list):
            return [name(item) for item in value]
        return order[value] if value is not None and value >= 0 else None

    return [name(value) for value in values]


def _values(column: Any) -> Iterator[Any]:
    """Yield what a column of Arrow holds, a part at a time: features are much larger as Python's lists."""
    for chunk in column.chunks:
        for start in range(0, len(chunk), PART):
            yield from chunk.slice(start, PART).to_pylist()


def _load(repo: str, configuration: str | None, revision: str | None, say: Say) -> tuple[Any, str]:
    """Return the dataset's splits and the commit they are of."""
    import datasets
    import huggingface_hub

    offline = huggingface_hub.is_offline_mode()
    if offline:
        asked = _cached_commit(repo, revision) if revision else None
    else:
        api = huggingface_hub.HfApi()
        wanted = f"{repo}@{revision}" if revision else repo
        asked = _retried(wanted, lambda: api.dataset_info(repo, revision=revision, timeout=30).sha, say)
    try:
        with _bars_for_people():
            loaded = _retried(
                repo,
                lambda: datasets.load_dataset(repo, configuration, revision=asked),
                say,
                1 if offline else ATTEMPTS,
            )
    except HubError as error:
        if offline:
            raise HubError(
                f"{repo}: HF_HUB_OFFLINE is set and the corpus is not in the cache; "
                "load it once without HF_HUB_OFFLINE"
            ) from error
        raise
    # The cache keeps each commit in a folder of that name; offline it may hold another one.
    files = next(iter(loaded.values())).cache_files
    commit = Path(files[0]["filename"]).parent.name if files else (asked or "")
    if asked and commit != asked and not (offline and commit.startswith(asked)):
        raise CorpusError(
            f"{repo}: asked for revision {revision or asked}, but the cache holds commit {commit}; "
            + ("go online once to load the one asked for, or " if offline else "")
            + f"ask for {repo}@{commit}"
        )
    return loaded, commit


@contextmanager
def _bars_for_people() -> Iterator[None]:
    """Show no progress bars of `datasets` for a while, unless somebody can see them."""
    import datasets

    quiet = not sys.stderr.isatty() and not datasets.are_progress_bars_disabled()
    if quiet:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if quiet:
            datasets.enable_progress_bars()


def _cached_commit(repo: str, revision: str) -> str:
    """Return the commit that a revision meant when it was last looked up online."""
    from huggingface_hub import constants

    if re.fullmatch("[0-9a-f]{7,40}", revision):
        return revision
    reference = Path(constants.HF_HUB_CACHE) / f"datasets--{repo.replace('/', '--')}" / "refs" / revision
    if not reference.is_file():
        raise HubError(
            f"{repo}: HF_HUB_OFFLINE is set and revision {revision!r} was never looked up; "
            "load it once without HF_HUB_OFFLINE"
        )
    return reference.read_text().strip()


def _retried(repo: str, call: Callable[[], T], say: Say, attempts: int = ATTEMPTS) -> T:
    """Call, and call again after a failure that may pass, with growing pauses."""
    for attempt in range(1, attempts + 1):
        try:
            return call()
        except Exception as error:
            final = _final_error(repo, error)
            if final is not None:
                raise final from error
            if attempt == attempts:
                raise HubError(
                    f"{repo}: the Hub cannot be reached ({_first_line(error)}); try again later, "
                    "check HF_ENDPOINT, or use a copy in the cache with HF_HUB_OFFLINE=1"
                ) from error
            pause = 2.0 ** (attempt - 1)
            say(
                f"{repo}: no answer from the Hub ({_first_line(error)}); "
                f"again in {pause:.0f} s ({attempt + 1} of {attempts})"
            )
            time.sleep(pause)
    raise AssertionError("unreachable")


def _final_error(repo: str, error: Exception) -> SentimentError | None:
    """Return what to raise for an error that trying again will not mend."""
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub import errors

    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(error, errors.GatedRepoError) or status in (401, 403):
        return HubError(
            f"{repo}: the Hub refuses it (gated or private); accept its terms on its page, "
            "then log in with: hf auth login"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return CorpusError(f"{repo}: the Hub has no such revision")
    if isinstance(error, errors.RepositoryNotFoundError | DatasetNotFoundError):
        return CorpusError(
            f"{repo}: no such corpus on the Hub, or a private one (hf auth login); nor is there such a file "
            "or folder"
        )
    if isinstance(error, errors.HFValidationError):
        return CorpusError(f"{repo}: no valid Hub id: {_first_line(error)}")
    if isinstance(error, json.JSONDecodeError):  # some other server's page
        return None
    if isinstance(error, ValueError | RuntimeError) and not isinstance(error, OSError):
        message = " ".join(str(error).split())
        hint = ""
        if "script" in message.lower():  # of code, which is not run
            hint = f"; its data may be there as Parquet: {repo.partition('@')[0]}@refs/convert/parquet"
        elif match := re.search(
            r"among the available configs: \[([^\]]*)\]|Config name is missing.*?\[([^\]]*)\]", message
        ):
            first = (match[1] or match[2]).split(",")[0].strip(" '\"")
            hint = f"; name one of them, such as {repo.partition('@')[0]}:{first}"
        return CorpusError(f"{repo}: cannot be loaded: {message}{hint}")
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
