"""The sections of the settings, a file for each group of rooms that read them; here what all are made of."""

from typing import Annotated, Any

import pydantic
from pydantic import Field

SEEDS = 2**32 - 1  # the largest that numpy and scikit-learn take
SIZES = 2**16  # of a layer: beyond it a machine's memory ends anyway
Share = Annotated[float, Field(gt=0, lt=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]


def setting(default: Any, comment: str, **limits: Any) -> Any:
    """Declare a setting, with the comment that stands beside it in TOML and the limits of its value."""
    return Field(default, description=comment, **limits)


class Section(pydantic.BaseModel):
    """Settings that belong together; an unknown name or value is refused, on assignment too."""

    model_config = pydantic.ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)
