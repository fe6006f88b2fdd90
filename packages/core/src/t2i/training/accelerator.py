"""Sets up Accelerate: devices, precision, trackers and processes, all checked before any work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
from accelerate.utils import DistributedType, broadcast_object_list

from t2i.errors import InvalidConfigError, TrainingError
from t2i.training.config import TrainConfig
from t2i.training.launch import launched
from t2i.training.precision import best_precision

REPLICATED = (
    DistributedType.NO,
    DistributedType.MULTI_CPU,
    DistributedType.MULTI_GPU,
    DistributedType.MULTI_XPU,
    DistributedType.MULTI_NPU,
    DistributedType.MULTI_MLU,
)
"""The set-ups that the Trainer supports: every process has complete networks."""


def make_accelerator(config: TrainConfig, run: Path, device: str | None = None) -> Accelerator:
    """Join the launched processes, with the device and precision of the settings.

    Args:
        run: the folder for trackers' files.
        device: "cpu" keeps Accelerate from using a GPU.

    Raises:
        InvalidConfigError: as `check_possible` does.
        TrainingError: Accelerate refuses, or the launcher requested sharded networks.
    """
    _, processes = launched()
    check_possible(config, device, processes)
    cpu = device == "cpu" or (_on_cpu(device) and processes > 1)  # only then does it join a group on a CPU
    launcher = os.environ.get("ACCELERATE_MIXED_PRECISION", "")  # of `accelerate launch --mixed_precision`
    precision = config.precision if config.precision != "auto" else launcher or _agreed_precision(cpu)
    try:
        accelerator = Accelerator(
            mixed_precision=precision,
            cpu=cpu,
            log_with=None if config.tracker == "none" else config.tracker,
            project_dir=run,
        )
    except ValueError as error:
        raise TrainingError(
            f"Accelerate refuses device={device!r}, precision={precision!r}, tracker={config.tracker!r}: {error} "
            f"(One process has one device and one precision; start a new process for the next run.)"
        ) from None
    if accelerator.distributed_type not in REPLICATED:
        raise TrainingError(
            f"Every process of a run holds complete networks, but the launcher requested "
            f"{accelerator.distributed_type.value}. Launch without it (accelerate launch --multi_gpu)."
        )
    if accelerator.num_processes != processes:
        raise TrainingError(
            f"{processes} processes were launched, but this one is in a group of {accelerator.num_processes}. "
            f"Add --device cpu, or launch on devices that Accelerate knows."
        )
    return accelerator


def check_possible(config: TrainConfig, device: str | None, processes: int) -> None:
    """
    Raises:
        InvalidConfigError: the tracker or the precision is not available here, or the batch is too small to share.
    """
    _check_tracker(config.tracker)
    if config.precision == "fp16" and _on_cpu(device):
        raise InvalidConfigError(
            "field 'train.precision': fp16 needs a GPU, but this run is on the CPU. Use 'no', 'bf16' or 'auto'."
        )
    parts = processes * config.accumulate
    if config.batch_size < parts:
        raise InvalidConfigError(
            f"field 'train.batch_size': {processes} processes of {config.accumulate} micro-batches need at least "
            f"{parts} pictures per step, got {config.batch_size}."
        )


@contextmanager
def deterministic_kernels(wanted: bool) -> Iterator[None]:
    """Make torch use only deterministic kernels, and fail if there is none; does nothing if not `wanted`."""
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it at its first use
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


def _agreed_precision(cpu: bool) -> str:
    """The best precision, measured by process 0 and used by every process."""
    state = PartialState(cpu=cpu)
    found = [best_precision(state.device) if state.is_main_process else ""]
    return str(broadcast_object_list(found)[0])


def _on_cpu(device: str | None) -> bool:
    return device == "cpu" or not torch.accelerator.is_available()


def _check_tracker(name: str) -> None:
    """Refuse a tracker that is not installed; Accelerate would ignore it silently."""
    here = {"none", *map(str, get_available_trackers()), *(set(LOGGER_TYPE_TO_CLASS) - _first_party())}
    if name in here:
        return
    if name in LOGGER_TYPE_TO_CLASS:
        raise InvalidConfigError(f"field 'train.tracker': {name} is not installed here. pip install {name}.")
    raise InvalidConfigError(
        f"field 'train.tracker': must be one of {', '.join(sorted({'none', *LOGGER_TYPE_TO_CLASS}))}, got {name!r}."
    )


def _first_party() -> set[str]:
    """The trackers that come with Accelerate, without those added by `register_tracker_class`."""
    return {name for name, kind in LOGGER_TYPE_TO_CLASS.items() if kind.__module__ == "accelerate.tracking"}
