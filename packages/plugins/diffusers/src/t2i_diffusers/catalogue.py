"""Well-known models on the Hub under short names; imports no torch.

Sizes are of the files that are downloaded on a machine with an accelerator (16-bit weights where they are published);
before a download, the Hub's own list says the exact size. Memory is that of `--memory low` on an accelerator, about
the largest component with its activations; drawing on a CPU takes twice the download in main memory.
"""

from __future__ import annotations

from t2i.registry.specs import HubModelSpec

ARTIST = "diffusers"
GB = 10**9


def _model(
    name: str,
    repo: str,
    summary: str,
    license: str,  # noqa: A002
    *,
    px: int,
    size: float,
    memory: float,
    steps: int,
    guidance: float,
    gated: bool = False,
) -> HubModelSpec:
    """Sizes in GB."""
    return HubModelSpec(
        name=name,
        artist=ARTIST,
        repo=repo,
        summary=summary,
        license=license,
        resolution=px,
        size_bytes=int(size * GB),
        memory_bytes=int(memory * GB),
        steps=steps,
        guidance=guidance,
        gated=gated,
    )


MODELS = [
    _model(
        "sd15",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "Stable Diffusion 1.5: small, with many LoRAs (Rombach et al. 2022)",
        "creativeml-openrail-m",
        px=512,
        size=2.7,
        memory=3,
        steps=50,
        guidance=7.5,
    ),
    _model(
        "sd-turbo",
        "stabilityai/sd-turbo",
        "one step, the fastest here (Sauer et al. 2023)",
        "stabilityai-nc-research-community",
        px=512,
        size=2.6,
        memory=3,
        steps=1,
        guidance=0.0,
    ),
    _model(
        "sdxl",
        "stabilityai/stable-diffusion-xl-base-1.0",
        "SDXL: two text encoders (Podell et al. 2023)",
        "openrail++",
        px=1024,
        size=6.9,
        memory=8,
        steps=50,
        guidance=5.0,
    ),
    _model(
        "sdxl-turbo",
        "stabilityai/sdxl-turbo",
        "SDXL in one step (Sauer et al. 2023)",
        "stabilityai-nc-research-community",
        px=512,
        size=6.9,
        memory=7,
        steps=1,
        guidance=0.0,
    ),
    _model(
        "pixart-sigma",
        "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
        "a small transformer with a large text encoder (Chen et al. 2024)",
        "openrail++",
        px=1024,
        size=21.8,
        memory=10,
        steps=20,
        guidance=4.5,
    ),
    _model(
        "sana",
        "Efficient-Large-Model/Sana_600M_1024px_diffusers",
        "linear attention and 32x compression, fast at 1024 px (Xie et al. 2024)",
        "nvidia-source-code-license-v2",
        px=1024,
        size=7.7,
        memory=6,
        steps=20,
        guidance=4.5,
    ),
    _model(
        "sd35-medium",
        "stabilityai/stable-diffusion-3.5-medium",
        "Stable Diffusion 3.5: flow matching, three text encoders (Esser et al. 2024)",
        "stabilityai-ai-community",
        px=1024,
        size=16.5,
        memory=10,
        steps=28,
        guidance=7.0,
        gated=True,
    ),
    _model(
        "flux-schnell",
        "black-forest-labs/FLUX.1-schnell",
        "12 billion parameters, four steps (Black Forest Labs 2024)",
        "apache-2.0",
        px=1024,
        size=33.7,
        memory=26,
        steps=4,
        guidance=0.0,
        gated=True,
    ),
    _model(
        "qwen-image",
        "Qwen/Qwen-Image",
        "20 billion parameters, draws text well (Wu et al. 2025)",
        "apache-2.0",
        px=1024,
        size=57.7,
        memory=44,
        steps=50,
        guidance=4.0,
    ),
]
