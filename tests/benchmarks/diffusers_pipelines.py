"""Drawing with t2i-diffusers against plain calls of the pipeline: a batch, a list of prompts, peak memory; on a CPU.

Seconds are processor time. A list gains what a call costs besides arithmetic, so it gains more with a small network
than with a large one, whose arithmetic on a CPU takes the same time for each picture of a batch.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

from measure import functions, line, ratio

BATCH, STEPS, SIDE = 8, 6, 64
NETWORKS = {"small": (8, 16), "large": (32, 64)}  # widths of UNets; arithmetic is most of the time of the large one
Draw = Callable[[list[str]], Any]
PROMPTS = {"small": (100, 25), "large": (16, 4)}  # of the list, and how many of them differ


def write(folder: Path, widths: tuple[int, int]) -> None:
    """A Stable Diffusion with random weights, larger than the tests' one."""
    import torch

    from fakes.pipelines import stable_diffusion
    from t2i_diffusers.tiny import tiny_unet

    torch.manual_seed(0)
    pipe = stable_diffusion()
    unet = tiny_unet(block_out_channels=widths, norm_num_groups=8, attention_head_dim=8, sample_size=SIDE // 2)
    pipe.register_modules(unet=unet)
    with contextlib.redirect_stderr(io.StringIO()):
        pipe.save_pretrained(folder)


def plain(folder: str) -> Draw:
    """A function that draws these prompts as diffusers' own call does."""
    import torch
    from diffusers import DiffusionPipeline

    pipe = DiffusionPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)

    def draw(prompts: list[str]) -> Any:
        generators = [torch.Generator().manual_seed(seed) for seed in range(len(prompts))]
        return pipe(prompts, generator=generators, num_inference_steps=STEPS, width=SIDE, height=SIDE).images

    return draw


def ours(folder: str) -> Draw:
    """A function that draws these prompts as t2i does."""
    from t2i.drawing.artist import Request
    from t2i.drawing.pipeline import pipeline

    artist = pipeline(folder, device="cpu")
    options = artist.options(steps=STEPS, width=SIDE, height=SIDE)

    def draw(prompts: list[str]) -> Any:
        return [*artist.draw([Request(prompt, seed) for seed, prompt in enumerate(prompts)], options)]

    return draw


def peak(which: str, folder: Path) -> float:
    """MiB of a process that draws one batch."""
    done = subprocess.run(
        [sys.executable, __file__, which, str(folder)], check=True, capture_output=True, text=True, env=_environment()
    )
    return float(done.stdout.split()[-1])


def run() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["T2I_CACHE"] = scratch
        for size, widths in NETWORKS.items():
            folder = Path(scratch) / size
            write(folder, widths)
            theirs, mine = plain(str(folder)), ours(str(folder))
            if size == "large":
                batch(theirs, mine, folder)
            prompts(theirs, mine, size)


def batch(theirs: Draw, mine: Draw, folder: Path) -> None:
    """The same pictures at once, and the memory of a process that draws them."""
    wanted = [f"a red heart {number}" for number in range(BATCH)]
    reference, measured = functions(lambda: theirs(wanted), lambda: mine(wanted), clock=process_time)
    line(f"{BATCH} pictures at once, diffusers and t2i", f"{reference.median:.2f}, {measured.median:.2f} s")
    line("  pictures per second, t2i / diffusers", f"{ratio(reference, measured):.3f} x", "goal: at least .98 x")
    first, second = peak("plain", folder), peak("ours", folder)
    line("  peak memory of a process with them", f"{first:.0f}, {second:.0f} MiB", "goal: not higher")


def prompts(theirs: Draw, mine: Draw, size: str) -> None:
    """A list of prompts, and a loop of single calls."""
    count, different = PROMPTS[size]
    many = [f"a red heart {number % different}" for number in range(count)]
    loop, listed = functions(
        lambda: [theirs([prompt]) for prompt in many], lambda: mine(many), runs=2, clock=process_time
    )
    line(f"{count} prompts, {size} network: a loop and t2i", f"{loop.median:.1f}, {listed.median:.1f} s")
    line("  speed, t2i / loop of single calls", f"{ratio(loop, listed):.2f} x", "goal: at least 1.5 x")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


if __name__ == "__main__":
    {"plain": plain, "ours": ours}[sys.argv[1]](sys.argv[2])(["a red heart"] * BATCH)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
