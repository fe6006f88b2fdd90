"""`t2i generate` as a whole process against `import torch` alone, and where the remaining time is spent."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from measure import commands, line, ratio


def run() -> None:
    t2i = shutil.which("t2i") or str(Path(sys.executable).with_name("t2i"))
    with tempfile.TemporaryDirectory() as scratch:
        out = str(Path(scratch) / "heart.png")
        ours, torch = commands(
            [t2i, "generate", "a red heart", "-o", out, "--force", "--seed", "7"],
            [sys.executable, "-c", "import torch"],
        )
    line('python -c "import torch"', f"{torch.median:.2f} s")
    line('t2i generate "a red heart", weights cached', f"{ours.median:.2f} s")
    line("  ratio", f"{ratio(ours, torch):.2f} x", "goal: at most 1.15 x")
    line("  peak memory: t2i generate, import torch", f"{ours.peak_mib:.0f}, {torch.peak_mib:.0f} MiB")
    import torch as _torch  # noqa: F401

    start = time.perf_counter()
    import t2i.drawing.pipeline

    imported = time.perf_counter()
    pipe = t2i.drawing.pipeline.pipeline()
    loaded = time.perf_counter()
    pipe("a red heart", seed=7)
    first = time.perf_counter()
    pipe("a red heart", seed=8)
    again = time.perf_counter()
    line("  after torch: importing t2i's own modules", f"{imported - start:.2f} s")
    line("  after torch: loading and hashing encoder and generator", f"{loaded - imported:.2f} s")
    line("  after torch: the first picture, and the next", f"{first - loaded:.2f}, {again - first:.2f} s")
