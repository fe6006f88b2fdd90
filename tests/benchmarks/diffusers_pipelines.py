"""Drawing with t2i-diffusers against plain calls of the pipeline: a batch, a list of prompts, peak memory; on a CPU."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import functions, line, ratio

BATCH, STEPS, PROMPTS = 8, 10, 100
SIDE, WIDTHS = 128, (32, 64)  # pixels; of a UNet that is large enough for arithmetic to matter


def write(folder: Path) -> None:
    """A Stable Diffusion with random weights, larger than the tests' one."""
    import torch

    from fakes.pipelines import stable_diffusion
    from t2i_diffusers.tiny import tiny_unet

    torch.manual_seed(0)
    pipe = stable_diffusion()
    unet = tiny_unet(block_out_channels=WIDTHS, norm_num_groups=8, attention_head_dim=8, sample_size=SIDE // 2)
    pipe.register_modules(unet=unet)
    with contextlib.redirect_stderr(io.StringIO()):
        pipe.save_pretrained(folder)


def plain(folder: str) -> Any:
    """A function that draws these prompts as diffusers' own call does."""
    import torch
    from diffusers import DiffusionPipeline

    pipe = DiffusionPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)

    def draw(prompts: list[str]) -> Any:
        generators = [torch.Generator().manual_seed(seed) for seed in range(len(prompts))]
        return pipe(prompts, generator=generators, num_inference_steps=STEPS, width=SIDE, height=SIDE).images

    return draw


def ours(folder: str) -> Any:
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
        folder = Path(scratch) / "model"
        write(folder)
        theirs, mine = plain(str(folder)), ours(str(folder))
        batch = [f"a red heart {number}" for number in range(BATCH)]
        reference, measured = functions(lambda: theirs(batch), lambda: mine(batch), runs=5)
        line(f"{BATCH} pictures at once, diffusers and t2i", f"{reference.median:.2f}, {measured.median:.2f} s")
        line("  pictures per second, t2i / diffusers", f"{ratio(reference, measured):.3f} x", "goal: at least .98 x")
        many = [f"a red heart {number % 25}" for number in range(PROMPTS)]
        loop, listed = functions(lambda: [theirs([prompt]) for prompt in many], lambda: mine(many), runs=2)
        line(f"{PROMPTS} prompts, a loop of single calls and t2i", f"{loop.median:.1f}, {listed.median:.1f} s")
        line("  speed, t2i / loop", f"{ratio(loop, listed):.2f} x", "goal: at least 1.5 x")
        first, second = peak("plain", folder), peak("ours", folder)
        line("  peak memory of a process with one batch", f"{first:.0f}, {second:.0f} MiB", "goal: not higher")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


if __name__ == "__main__":
    {"plain": plain, "ours": ours}[sys.argv[1]](sys.argv[2])(["a red heart"] * BATCH)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
