"""Starts Ray on this machine, reachable by nobody else, or connects to a cluster that already runs."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from types import ModuleType

from t2i.display import brief
from t2i.errors import EngineError, InvalidInputError
from t2i_ray.engine import RayEngine

LOOPBACK = "127.0.0.1"
MOST_WORKERS = 1024  # on one machine
STORE_BYTES = 2**28  # of shared memory, for results above 100 kB that wait to be read
PREFIX = "t2i-ray-"  # of Ray's own files; its sockets must have short paths


def open_local(reference: str) -> RayEngine:
    """Processes of this machine.

    Ray listens on the loopback address alone and asks for a token that only this process and its workers know.

    Args:
        reference: the number of workers; "" for one for each GPU, or for each core if there is none.

    Raises:
        InvalidInputError: it is not a number from 1 to MOST_WORKERS.
        EngineError: Ray cannot start.
    """
    if reference and not (reference.isdecimal() and 1 <= int(reference) <= MOST_WORKERS):
        raise InvalidInputError(f"local takes a number of workers, 1 to {MOST_WORKERS}, got {reference!r}. Try local:2")
    os.environ.update(_PRIVATE)
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    ray = _ray()
    if ray.is_initialized():  # by whoever uses t2i as a library
        return RayEngine(_workers(ray, reference), gpus=_has_gpus(ray), owned=False)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    files = _start(ray, max(cores, int(reference or 1)))
    workers = _workers(ray, reference)
    engine = RayEngine(workers, gpus=_has_gpus(ray), cpus=max(1, cores // workers), files=files)
    if (address := ray.util.get_node_ip_address()) != LOOPBACK:
        engine.close()
        raise EngineError(
            f"Ray must listen on {LOOPBACK} alone, but listens on {address}: this process imported ray before t2i. "
            f"Open the engine before you import ray."
        )
    return engine


def _start(ray: ModuleType, cores: int) -> Path:
    """Start Ray on this machine; returns the folder of its files.

    Raises:
        EngineError: it does not start.
    """
    files = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        ray.init(
            address="local",
            num_cpus=cores,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=str(files / "r"),  # which Ray opens to everybody, but nobody else can enter `files`
        )
    except BaseException as error:
        shutil.rmtree(files, ignore_errors=True)
        if not isinstance(error, Exception):
            raise
        raise EngineError(
            f"Ray cannot start on this machine: {brief(error).rstrip('.')}. It gives itself 30 s; a busy machine may "
            f"need more: try again later."
        ) from None
    return files


def open_cluster(reference: str) -> RayEngine:
    """The workers of a Ray cluster: one for each of its GPUs, or for each core if it has none.

    Args:
        reference: "" for the cluster of this machine, "host:port" for that of a cluster's head, from one of its
            machines, or "//host:port" for ray://host:port, from any machine.

    Raises:
        EngineError: there is no such cluster, or it does not answer.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    address = f"ray:{reference}" if reference.startswith("//") else reference or "auto"
    ray = _ray()
    if ray.is_initialized():
        return RayEngine(_workers(ray, ""), gpus=_has_gpus(ray), owned=False)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except Exception as error:
        client = ". For ray://, also install t2i-ray[client]." if reference.startswith("//") else ""
        raise EngineError(
            f"There is no Ray cluster at {address}, or it does not answer: {brief(error)}. Start one: "
            f"ray start --head --node-ip-address ADDRESS{client}"
        ) from None
    return RayEngine(_workers(ray, ""), gpus=_has_gpus(ray))


_PRIVATE = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # there, and so here, a node without a cluster listens on loopback
    "RAY_AUTH_MODE": "token",
    "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "300",  # a busy machine; it starts without its page, but always starts
    "RAY_worker_register_timeout_seconds": "300",  # a worker imports for as long, on a busy machine
    "RAY_enable_worker_prestart": "0",  # processes that no worker of ours would use
    "RAY_prestart_worker_first_driver": "0",
}
"""Variables that Ray reads when it is imported and when it starts."""


def _ray() -> ModuleType:
    """Ray, some of whose functions have no types."""
    import ray

    return ray


def _workers(ray: ModuleType, reference: str) -> int:
    resources = ray.cluster_resources()
    return int(reference or resources.get("GPU", 0) or resources.get("CPU", 0)) or 1


def _has_gpus(ray: ModuleType) -> bool:
    return ray.cluster_resources().get("GPU", 0) > 0
