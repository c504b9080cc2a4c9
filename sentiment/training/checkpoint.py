"""The state of an unfinished training in one file, without pickle: tensors, counters, random numbers."""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from sentiment.core import files
from sentiment.core.errors import SentimentError

Groups = dict[str, dict[str, Tensor]]


def save(
    path: Path,
    groups: Groups,
    counters: dict[str, Any],
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    device: torch.device,
) -> None:
    """Write a checkpoint, atomically: everything that the rest of the run depends on.

    Parameters
    ----------
    groups
        Tensors by name, in groups by name; the weights are the group ``model``.
    counters
        What JSON can hold.
    """
    tensors = {"torch_rng": torch.get_rng_state()}
    if device.type == "cuda":
        tensors["cuda_rng"] = torch.cuda.get_rng_state(device)
    states = {f"optimizer.{index}": state for index, state in optimizer.state_dict()["state"].items()}
    for group, values in (groups | states).items():
        tensors |= {f"{group}/{name}": value.detach() for name, value in values.items()}
    metadata = {"counters": json.dumps(counters), "scaler": json.dumps(scaler.state_dict())}
    content = {name: value.contiguous().cpu() for name, value in tensors.items()}
    with files.replacing(path) as temporary:
        safetensors.torch.save_file(content, temporary, metadata)


def restore(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    device: torch.device,
) -> tuple[Groups, dict[str, Any]]:
    """Go back to a checkpoint, the random state too; return its groups and counters.

    Raises
    ------
    SentimentError
        If it cannot be read, or is of another model.
    """
    groups: Groups = {}
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata()
        for name, value in tensors.items():
            group, _, leaf = name.rpartition("/")
            groups.setdefault(group, {})[leaf] = value
        model.load_state_dict(groups["model"])
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        raise SentimentError(f"{path}: not a checkpoint of this run: {error}; start again") from error
    states = optimizer.state_dict()
    states["state"] = {
        int(group.partition(".")[2]): values
        for group, values in groups.items()
        if group.startswith("optimizer.")
    }
    optimizer.load_state_dict(states)
    scaler.load_state_dict(json.loads(metadata["scaler"]))
    torch.set_rng_state(groups[""]["torch_rng"])
    if "cuda_rng" in groups[""] and device.type == "cuda":
        torch.cuda.set_rng_state(groups[""]["cuda_rng"], device)
    return groups, json.loads(metadata["counters"])
