"""First-party plugins and the names they bring, so that an unknown name can say which package it is in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownPlugin:
    """A distribution and the names it brings.

    Attributes:
        released: whether it can be installed today; else it is on the way and said to be.
    """

    distribution: str
    kind: str
    summary: str
    models: tuple[str, ...] = ()
    text_encoders: tuple[str, ...] = ()
    evaluators: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    released: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.models, *self.text_encoders, *self.evaluators, *self.datasets, *self.weights)

    @property
    def remedy(self) -> str:
        """How to get it."""
        return f"pip install {self.distribution}" if self.released else f"{self.distribution}, not released yet"


KNOWN_PLUGINS = (
    KnownPlugin("t2i-cgan", "gan", "GAN-INT-CLS, the first text-to-image GAN", models=("cgan",)),
    KnownPlugin(
        "t2i-starter",
        "weights",
        "small pretrained weights, bundled",
        weights=(
            *("cgan.openmoji64", "cvae.openmoji64", "stackgan-v2.openmoji64", "stackgan.openmoji64"),
            "transformer.openmoji64",
        ),
    ),
    KnownPlugin("t2i-text-hf", "text", "Hugging Face text encoders", text_encoders=("minilm", "hf")),
    KnownPlugin("t2i-openmoji", "data", "named emoji in one style", datasets=("openmoji",)),
    KnownPlugin("t2i-stackgan", "gan", "StackGAN and StackGAN++", models=("stackgan", "stackgan-v2")),
    KnownPlugin("t2i-attngan", "gan", "word attention between two scales", models=("attngan",), released=False),
    KnownPlugin("t2i-cvae", "vae", "text-modulated variational autoencoder", models=("cvae",)),
    KnownPlugin("t2i-transformer", "transformer", "image tokens, DALL-E style", models=("transformer",)),
    KnownPlugin(
        "t2i-metrics",
        "judge",
        "FID, KID, IS, PRDC, memorisation, diversity, R-precision, CLIP score",
        evaluators=("fid", "kid", "is", "prdc", "memorisation", "diversity", "r_precision", "clip_score"),
    ),
)
