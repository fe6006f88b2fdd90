"""The conditional VAE at 64 px: drawing, reconstructing and interpolating, with time and memory."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

import torch
from measure import commands, functions, line

from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i_cvae.config import CVAEConfig
from t2i_cvae.generator import ConditionalVAE

BATCH = 32


def run() -> None:
    verbs = ("generate", "reconstruct", "interpolate")
    start, *memory = commands(*([sys.executable, __file__, verb] for verb in ("nothing", *verbs)), runs=1)
    for verb, measured, peak in zip(verbs, functions(*map(_call, verbs)), memory, strict=True):
        line(f"{verb}, batch {BATCH}", f"{BATCH / measured.median:.0f} images/s")
        line("  peak memory, in addition to the libraries'", f"{peak.peak_mib - start.peak_mib:.0f} MiB")


def _call(verb: str) -> Callable[[], None]:
    vae = ConditionalVAE(CVAEConfig()).eval().requires_grad_(False)
    words = torch.randn(BATCH, 8, vae.text_dim)
    text = TextEmbedding(words.mean(1), words, torch.ones(BATCH, 8, dtype=torch.bool))
    images, weights = torch.rand(BATCH, 3, 64, 64) * 2 - 1, torch.linspace(0, 1, BATCH)
    calls = {
        "generate": lambda: vae.generate(text, Noise(range(BATCH)), vae.options()),
        "reconstruct": lambda: vae.reconstruct(images, text),
        "interpolate": lambda: vae.interpolate(text[:2], Noise([0, 1]), weights, vae.options()),
    }

    def call() -> None:
        with torch.inference_mode():
            calls[verb]()

    return call


if __name__ == "__main__":
    with contextlib.suppress(KeyError):  # "nothing" is not among the verbs
        _call(sys.argv[1])()
