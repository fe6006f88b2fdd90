"""The first picture without torch: start-up, memory and size of an exported model."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from measure import commands, line, ratio

from t2i.registry.describe import DEFAULT_MODEL

PROMPT = ("a red heart", "--seed", "7")


def run() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        exact, rounded, out = (Path(scratch) / name for name in ("exact", "int8", "heart.png"))
        for folder, how in ((exact, ()), (rounded, ("--int8",))):
            subprocess.run([sys.executable, "-m", "t2i", "export", DEFAULT_MODEL, "-o", str(folder), *how], check=True)
            size = sum(path.stat().st_size for path in folder.iterdir())
            line(f"size of the exported {DEFAULT_MODEL} {' '.join(how)}", f"{size / 1e6:.1f} MB")
        draw = [[sys.executable, "-m", "t2i_onnx", str(folder), *PROMPT, "-o", str(out)] for folder in (exact, rounded)]
        torchs = [sys.executable, "-m", "t2i", "generate", *PROMPT, "--force", "-o", str(Path(scratch) / "torch.png")]
        base, first, first_int8, with_torch = commands([sys.executable, "-c", "import torch"], *draw, torchs)
        line('python -c "import torch"', f"{base.median:.3f} s")
        for what, measured, goal in (
            ("t2i-onnx: process start to the first picture", first, "goal: at most 1 s"),
            ("  the same with 8-bit weights", first_int8, "goal: at most 1 s"),
            ("t2i generate: the same with torch", with_torch, "goal: at most 1.15 x import torch"),
        ):
            line(what, f"{measured.median:.3f} s", goal)
            line("  against import torch", f"{ratio(measured, base):.2f} x")
            line("  peak memory", f"{measured.peak_mib:.0f} MiB")
