"""openmoji-world: captions and pictures per second, a pack of 100,000; skills compared with FID's Inception."""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from data import own_memory, sampled
from fid import random_inception
from measure import functions, line, ratio
from torch import Tensor

from t2i.create import load_dataset
from t2i.data.pack.pack import write_pack
from t2i_metrics.fid import FID
from t2i_metrics.skills.evaluator import Skills
from t2i_openmoji.world.dataset import OpenMojiWorld

RESOLUTION, CORES = 64, 2
RENDERS = 1_500
READ = 128  # pictures per round for both evaluators
PACKED = os.environ.get("T2I_BENCH_WORLD", "train-100k")  # "train" is 40,000 pictures


def run() -> None:
    start = time.perf_counter()
    world = OpenMojiWorld("train")
    count = len(world.examples)
    line(f"captions of {count:,} pictures", f"{count / (time.perf_counter() - start):.0f}/s")
    renders(world)
    reading()
    pack()


def renders(world: OpenMojiWorld) -> None:
    """Draw pictures in threads, as packing does."""

    def draw() -> None:
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(lambda index: world.picture(index, RESOLUTION), range(RENDERS)))

    [drawn] = functions(draw, runs=3)
    line(f"pictures of {RESOLUTION} px on {CORES} cores", f"{RENDERS / drawn.median:.0f}/s", "goal: at least 300/s")


def reading() -> None:
    """Run both evaluators' networks on the same pictures, in turn."""
    world = OpenMojiWorld("test")
    captions = [example.captions[0] for example in world.examples[:READ]]
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / "inception.pth"
        random_inception(weights)
        fid, skills = FID(protocol="tf", extractor_weights=weights), Skills()
        theirs, ours = functions(
            lambda: fid.update(pictures(), real=True), lambda: skills.update(pictures(), captions=captions), runs=3
        )
    line("FID's Inception reads", f"{READ / theirs.median:.0f}/s")
    line("skills reads", f"{READ / ours.median:.0f}/s")
    line("  ratio", f"{ratio(theirs, ours):.0f} x", "goal: at least 5 x")


def pictures() -> Tensor:
    """New pictures at each call, because an extractor caches the features of its last batch."""
    return torch.rand(READ, 3, RESOLUTION, RESOLUTION) * 2 - 1


def pack() -> None:
    """Pack the whole training split, as `t2i train` does."""
    world = load_dataset("openmoji-world", PACKED)
    count, peak = len(world), [own_memory()]
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        packed = write_pack(world, Path(scratch) / "pack", RESOLUTION, progress=sampled(peak))
        seconds = time.perf_counter() - start
        bytes_ = sum(file.stat().st_size for file in packed.folder.rglob("*") if file.is_file())
    line(f"a pack of {count:,}", f"{seconds:.0f} s")
    line("  on disk", f"{bytes_ / 2**30:.2f} GiB", "goal: under 1.5 GiB")
    grown = max(peak) - peak[len(peak) // 4]
    line("  memory grown in the last three quarters", f"{grown:.0f} MiB", "goal: flat")
