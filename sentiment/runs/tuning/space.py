"""What `sentiment tune` searches: a table of settings, and how a trial takes its values from it."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sentiment.core import config_io
from sentiment.core.config import Config
from sentiment.core.errors import UsageError

if TYPE_CHECKING:
    from optuna import Trial


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, by its logarithm if `log`; searched where `when` holds."""

    low: float
    high: float
    log: bool = False
    when: Callable[[Config], bool] = lambda _: True

    def around(self, start: Any) -> "Between":
        """Widen the range to the starting value."""
        return replace(self, low=min(self.low, start), high=max(self.high, start))

    def encode(self, value: Any) -> Any:
        """Return a value as a study stores it."""
        return value

    def suggest(self, trial: "Trial", name: str, start: Any) -> Any:
        """Return the value to try, rounded to three digits unless it is the starting one."""
        value = trial.suggest_float(name, self.low, self.high, log=self.log)
        return start if value == start else float(f"{value:.3g}")


@dataclass(frozen=True)
class OneOf:
    """One of some values; sizes are among them, so that trials share token ids and vectors."""

    values: tuple[Any, ...]
    when: Callable[[Config], bool] = lambda _: True

    def around(self, start: Any) -> "OneOf":
        """Add the starting value, if it is not among the values."""
        return self if start in self.values else replace(self, values=(*self.values, start))

    def encode(self, value: Any) -> str:
        """Return a value as a study stores it, which takes no lists."""
        return json.dumps(value)

    def suggest(self, trial: "Trial", name: str, start: Any) -> Any:
        """Return the value to try."""
        return json.loads(trial.suggest_categorical(name, [self.encode(value) for value in self.values]))


Space = dict[str, Between | OneOf]


def _anew(settings: Config) -> bool:
    return settings.model.init_from is None  # else the encoder brings tokenizer, vectors and sizes


def _own_vectors(settings: Config) -> bool:
    return _anew(settings) and settings.embedding.source != "pretrained"


# In this order: a condition sees the values chosen before it. Where it does not hold, the starting one stays.
SPACE: Space = {
    "tokenizer.min_frequency": OneOf((1, 2, 5), lambda s: _anew(s) and s.tokenizer.kind != "unigram"),
    "tokenizer.max_size": OneOf((10_000, 30_000, 60_000), lambda s: _anew(s) and s.tokenizer.kind != "char"),
    "embedding.source": OneOf(("auto", "random", "skipgram"), _own_vectors),
    "embedding.skipgram_epochs": OneOf((5, 15), lambda s: s.embedding.source == "skipgram"),
    "embedding.size": OneOf((50, 100, 200), _own_vectors),
    "model.hidden_size": OneOf((64, 128, 192, 256), _anew),
    "model.pooling": OneOf((["max", "mean"], ["max"], ["mean"], ["attention"], ["max", "mean", "last"])),
    "training.adversarial": OneOf((0.0, 1.0)),
    "model.word_dropout": Between(0.0, 0.3),
    "model.embedding_dropout": Between(0.0, 0.6),
    "model.output_dropout": Between(0.1, 0.7),
    "training.epochs": OneOf((2, 3, 4, 6, 8, 12), lambda s: s.training.epochs != "auto"),
    "training.batch_size": OneOf((16, 32, 64)),
    "training.learning_rate": Between(5e-4, 1e-2, log=True),
    "training.encoder_rate": Between(0.03, 1.0, log=True, when=lambda s: not _anew(s)),
    "training.weight_decay": OneOf((0.0, 0.001, 0.01, 0.1)),
    "training.ema": OneOf((0.0, 0.99, 0.999)),
}


def free(settings: Config, fixed: Collection[str]) -> Space:
    """Return the settings that are searched, with ranges that include the starting values.

    Parameters
    ----------
    fixed
        Dotted names, or sections, that stay as they are.

    Raises
    ------
    UsageError
        If nothing is left to search.
    """
    space = {
        name: part.around(_value(settings, name))
        for name, part in SPACE.items()
        if not {name, name.partition(".")[0]} & set(fixed)
    }
    if not any(part.when(settings) for part in space.values()):
        raise UsageError("--set fixes every setting that is searched; leave one of them out")
    return space


def described(space: Space) -> dict[str, list[Any]]:
    """Return the space for JSON: of a range its two ends, else all values."""
    return {
        name: [part.low, part.high] if isinstance(part, Between) else list(part.values)
        for name, part in space.items()
    }


def start(settings: Config, space: Space) -> dict[str, Any]:
    """Return the starting values as a study stores them."""
    return {name: part.encode(_value(settings, name)) for name, part in space.items()}


def suggested(trial: "Trial", settings: Config, space: Space) -> dict[str, Any]:
    """Return the values that a trial is to try, by dotted name; those whose condition fails are not there."""
    tried: dict[str, Any] = {}
    for name, part in space.items():
        if part.when(changed(settings, tried)):
            tried[name] = part.suggest(trial, name, _value(settings, name))
    return tried


def changed(settings: Config, values: dict[str, Any]) -> Config:
    """Return the settings with other values."""
    tree = settings.model_dump()
    for name, value in values.items():
        section, _, leaf = name.partition(".")
        tree[section][leaf] = value
    return config_io.parse(tree)


def _value(settings: Config, name: str) -> Any:
    section, _, leaf = name.partition(".")
    return getattr(getattr(settings, section), leaf)
