"""`t2i train --processes N`: the same command in N processes, started and ended by Accelerate's launcher."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence

LAUNCHERS = (
    ("RANK", "WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
)
STOP_SECONDS = 600  # for the current step and its checkpoint after Ctrl-C; torch's own default is 30


def launched() -> tuple[int, int]:
    """This process's index and the number of processes, from torch's or MPI's launcher; (0, 1) without one."""
    for rank, size in LAUNCHERS:
        if os.environ.get(size):
            return int(os.environ.get(rank) or 0), int(os.environ[size])
    return 0, 1


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run `t2i *arguments` in `processes` processes of this machine; Ctrl-C reaches them all.

    Returns:
        The exit code: 0, that of the first process that failed, or 130 after Ctrl-C.
    """
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    threads = max(1, (os.cpu_count() or 1) // processes)
    options = {
        "--num_processes": processes,
        "--num_machines": 1,
        "--num_cpu_threads_per_process": os.environ.get("OMP_NUM_THREADS") or threads,
        "--main_process_port": 0,  # any free one
        "--mixed_precision": "no",  # every process reads train.precision itself
        "--dynamo_backend": "no",
    }
    given = [str(part) for option in options.items() for part in option]
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(STOP_SECONDS))
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # the processes print their own errors
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            launch_command(launch_command_parser().parse_args(["--multi_gpu", *given, "-m", "t2i", *arguments]))
        except SignalException:
            return 130
        except ChildFailedError as error:
            _, first = error.get_first_failure()
            return first.exitcode if first.exitcode > 0 else 1
    return 0
