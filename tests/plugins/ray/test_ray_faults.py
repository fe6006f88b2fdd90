"""Workers and drivers that are killed, and Ctrl-C: nothing is lost, and no finished shard is drawn twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from fakes.artist import write_artist
from fakes.waiting import wait_until
from t2i.drawing.folder import draw_folder
from t2i.drawing.folder_plan import plan_folder
from t2i.drawing.pipeline import pipeline
from t2i.drawing.spread import FolderWorker, spread_folder
from t2i.engine import Engine
from t2i_ray.engine import RayEngine

pytestmark = pytest.mark.slow
SHARD_SECONDS, KILL_SECONDS, FOR_SECONDS = 1.0, 10.0, 60.0
RAYS_AGENTS = {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}  # try for 60 s to tell Ray, which ended, that it ended


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pictures(folder: Path, most_partial: int) -> dict[str, bytes]:
    """The files, without the hidden ones that processes wrote when they were killed: one each at most."""
    found = files(folder)
    partial = {name for name in found if name.startswith(".0001-")}
    assert len(partial) <= most_partial
    return {name: content for name, content in found.items() if name not in partial}


@pytest.fixture
def model(tmp_path: Path, fakes_installed: None) -> str:
    return str(write_artist(tmp_path / "painter"))


def slowly(worker: FolderWorker, log: Path) -> Callable[[], Callable[[Any], Any]]:
    """The worker, which takes SHARD_SECONDS longer for each shard, and notes what it has finished."""

    def open_worker() -> Callable[[Any], Any]:
        draw = worker()

        def do(shard: Any) -> Any:
            time.sleep(SHARD_SECONDS)
            counts = draw(shard)
            with log.open("a") as file:
                file.write(f"{shard[0][1]} {os.getpid()}\n")
            return counts

        return do

    return open_worker


def test_a_worker_killed_every_ten_seconds_for_a_minute(engine: Engine, model: str, tmp_path: Path):
    killed: list[int] = []
    plan = plan_folder(["a red square"], range(2 * 2 * int(FOR_SECONDS / SHARD_SECONDS)))
    drawing, out, log = threading.Event(), tmp_path / "out", tmp_path / "log"
    drawing.set()

    def kill() -> None:
        """Kill a worker that has finished a shard; on a busy machine, workers start for longer than KILL_SECONDS."""
        while drawing.is_set():
            time.sleep(KILL_SECONDS)
            drew = {int(line.split()[1]) for line in log.read_text().splitlines()} if log.exists() else set()
            mine = [one for one in psutil.Process().children(recursive=True) if one.pid in drew]
            if mine and drawing.is_set():
                chosen = random.choice(mine)
                chosen.kill()
                killed.append(chosen.pid)

    class Slow(Engine):
        def map(self, open_worker: Any, tasks: Any) -> Any:
            return engine.map(slowly(open_worker, log), tasks)

        serve = RayEngine.serve

        def close(self) -> None:
            pass

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    began = time.monotonic()
    done = spread_folder(Slow(), FolderWorker(model, str(out), device="cpu", batch_size=2), plan)
    took = time.monotonic() - began
    drawing.clear()
    killer.join()
    finished = [line.split()[0] for line in log.read_text().splitlines()]
    print(f"{len(killed)} workers killed in {took:.0f} s, {len(finished)} shards, {done.drawn} pictures drawn")
    assert len(killed) >= 3
    assert len(set(finished)) == len(plan) // 2
    assert len(finished) <= len(plan) // 2 + len(killed), "a shard is done again only if its worker was killed"
    draw_folder(pipeline(model, device="cpu"), ["a red square"], plan.seeds, tmp_path / "alone")
    assert pictures(out, most_partial=len(killed)) == files(tmp_path / "alone")


def started(model: str, out: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "t2i", "generate", "a red square", "-n", str(count), "--seed", "0"]
    command += ["--model", model, "--device", "cpu", "--batch-size", "4", "-o", str(out), "--engine", "local:2"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def processes(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(driver.pid).children(recursive=True)


def drawn(out: Path) -> int:
    return len(list(out.glob("0001-*.png")))


def test_a_killed_driver_takes_its_workers_along_and_goes_on(workers_environment: None, model: str, tmp_path: Path):
    out, count = tmp_path / "out", 4000
    driver = started(model, out, count)
    wait_until(lambda: drawn(out) >= 40, driver, 300)
    assert driver.poll() is None
    names = {process: process.name() for process in processes(driver)}
    agents = {process for process, name in names.items() if name in RAYS_AGENTS}
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    began = time.monotonic()
    gone, alive = psutil.wait_procs(names.keys() - agents, timeout=30)
    print(f"{len(gone)} processes of the killed driver ended in {time.monotonic() - began:.1f} s")
    assert not alive and len(agents) == 2
    _, alive = psutil.wait_procs(agents, timeout=90)
    print(f"Ray's agents ended in {time.monotonic() - began:.1f} s")
    assert not alive
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("0001-*.png")}
    assert 40 <= len(before) < count
    again = started(model, out, count)
    _, err = again.communicate(timeout=900)
    assert again.returncode == 0, err
    kept = count - len(before)
    assert f"{kept} pictures, {len(before)} were there already" in err
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("0001-*.png")}
    assert len(after) == count and all(after[name] == changed for name, changed in before.items())
    draw_folder(pipeline(model, device="cpu"), ["a red square"], range(count), tmp_path / "alone")
    assert pictures(out, most_partial=2) == files(tmp_path / "alone")


def test_ctrl_c_ends_within_seconds(workers_environment: None, model: str, tmp_path: Path):
    out = tmp_path / "out"
    driver = started(model, out, 100_000)
    wait_until(lambda: drawn(out) >= 40, driver, 300)
    theirs = processes(driver)
    began = time.monotonic()
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: also to Ray's processes
    _, err = driver.communicate(timeout=60)
    took = time.monotonic() - began
    print(f"Ctrl-C: ended in {took:.1f} s: {err.strip().splitlines()[-1]}")
    assert driver.returncode == 130 and took < 10, err
    assert "out/ has at least" in err and "The same command draws the others." in err and "Traceback" not in err
    _, alive = psutil.wait_procs(theirs, timeout=10)
    assert not alive
