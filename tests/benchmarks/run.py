"""`nox -s bench`: every benchmark, or those named; each prints rows of medians and ratios."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from pathlib import Path

NAMES = (
    *("startup", "onnx", "plugins", "generate", "pipeline", "data", "trainer", "own", "processes"),
    *("index", "language", "server", "products", "engine", "interrupt", "diffusers"),
    *("cgan", "stackgan", "attngan", "dfgan", "transformer", "vqgan", "cvae", "flow"),
    *("fid", "r_precision", "quality", "world"),
)

MODULES = {"diffusers": "diffusers_pipelines", "onnx": "without_torch"}  # modules of those names would hide libraries


def main() -> None:
    names = sys.argv[1:] or list(NAMES)
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(NAMES)}.")
    sys.path.insert(0, str(Path(__file__).parents[1]))  # the fakes
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in names:
        module = importlib.import_module(MODULES.get(name, name))
        print(f"\n{name}: {module.__doc__.splitlines()[0]}", flush=True)
        module.run()


if __name__ == "__main__":
    main()
