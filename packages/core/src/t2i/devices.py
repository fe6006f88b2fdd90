"""Choose and check the device to compute on."""

from __future__ import annotations

import torch

from t2i.arguments import shown
from t2i.errors import InvalidInputError


def check_device(device: str | None) -> torch.device:
    """The device called `device`; by default this machine's accelerator, or the CPU.

    Raises:
        InvalidInputError: this machine has no such device.
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if device is None:
        return accelerator or torch.device("cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError):
        chosen = None
    if chosen is None or (chosen.type != "cpu" and (accelerator is None or chosen.type != accelerator.type)):
        here = " or ".join(["cpu", *([accelerator.type] if accelerator else [])])
        raise InvalidInputError(f"The device must be {here} on this machine, got {shown(device)}.")
    return chosen
