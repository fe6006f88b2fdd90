"""Checkpoints of other people's code that do not fit."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

DAMAGES = ("missing", "extra", "shape", "integers", "another")


def damaged(state: Mapping[str, Tensor], name: str, how: str, another: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy of `state` in which the tensor `name` is missing or unfit, or an unknown one is added; or `another`."""
    changed = dict(state)
    match how:
        case "missing":
            del changed[name]
        case "extra":
            changed["attention.weight"] = torch.zeros(3)
        case "shape":
            changed[name] = changed[name][:-1]
        case "integers":
            changed[name] = changed[name].long()
        case "another":
            changed = dict(another)
    return changed
