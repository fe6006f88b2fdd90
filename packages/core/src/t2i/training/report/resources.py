"""What a run takes of its machine: memory and disk."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch


def resources(run: Path, device: torch.device) -> dict[str, str]:
    """The peak memory of this process so far, that of its GPU if it uses one, and the size of the run folder."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    found = {"peak memory": _shown(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)}
    if device.type == "cuda":
        found["peak memory of the GPU"] = _shown(torch.cuda.max_memory_allocated(device))
    return found | {"on disk": _shown(sum(file.stat().st_size for file in run.rglob("*") if file.is_file()))}


def _shown(count: int) -> str:
    """123456789 as "118 MiB"."""
    mebibytes = count / 2**20
    return f"{mebibytes:,.0f} MiB" if mebibytes < 10_000 else f"{mebibytes / 1024:,.1f} GiB"
