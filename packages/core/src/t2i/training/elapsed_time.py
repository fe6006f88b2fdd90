"""A run's training time in seconds, by device."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path

import torch

CPU_INFO = Path("/proc/cpuinfo")


class Spent:
    """Seconds of training by device, summed over a run's resumes; they do not affect the training."""

    def __init__(self, device: str) -> None:
        """
        Args:
            device: name of the device used from now on, see `device_name`.
        """
        self._device = device
        self.go_on({})

    def go_on(self, before: Mapping[str, float]) -> None:
        """Count from now, on top of what was spent before."""
        self._before, self._since = dict(before), time.monotonic()

    def read(self) -> dict[str, float]:
        """Seconds by device, to the millisecond."""
        seconds = self._before.get(self._device, 0.0) + time.monotonic() - self._since
        return self._before | {self._device: round(seconds, 3)}


def device_name(device: torch.device, processes: int = 1) -> str:
    """The name of a run's hardware: "NVIDIA H100, 2 processes", or "AMD EPYC 7B13, 8 threads".

    Args:
        device: the device of one process.
        processes: number of processes that share each step; threads are counted per process.
    """
    if device.type == "cpu":
        threads = torch.get_num_threads()
        parts = [_cpu_model(), f"{threads} thread{'s' if threads > 1 else ''}"]
    else:
        parts = [torch.cuda.get_device_name(device) if device.type == "cuda" else device.type]
    return ", ".join([*parts, f"{processes} processes"] if processes > 1 else parts)


def _cpu_model() -> str:
    """The CPU's name from /proc/cpuinfo on Linux; elsewhere from Python, such as "arm"."""
    found = re.search(r"^model name\s*:\s*(.+)$", CPU_INFO.read_text(), re.MULTILINE) if CPU_INFO.is_file() else None
    return found[1].strip() if found else platform.processor() or platform.machine() or "a CPU"
