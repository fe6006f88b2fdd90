"""The settings of LoRA fine-tuning (Hu et al. 2022, arXiv 2106.09685). Imports no torch."""

from __future__ import annotations

from pydantic import Field

from t2i.config import Config, Sha256
from t2i.training.config import OptimizerConfig


class LoRAConfig(Config):
    """What is trained: two low-rank matrices next to each of the chosen layers of a frozen network."""

    text_dim: int = Field(16, ge=1, description="width of the text embedding, from the pipeline's own text encoders")
    base: str = Field("", description="hf-hub:org/repo@commit or local-dir:path; set by --from")
    base_sha256: Sha256 | None = Field(None, description="of its weights")
    resolution: int = Field(16, ge=8, le=2048, description="side of the pictures in pixels")
    rank: int = Field(16, ge=1, le=512, description="r of Hu et al., sec. 4.1; alpha equals it, as diffusers assumes")
    targets: tuple[str, ...] = Field(
        ("to_q", "to_k", "to_v", "to_out.0"), description="ends of the names of the layers: attention, by default"
    )
    precision: str = Field(
        "fp32", pattern="^(fp32|bf16)$", description="of the frozen weights; bf16 halves them, the LoRA stays in fp32"
    )


class LoRAOptions(Config):
    """How to draw."""

    steps: int = Field(20, ge=1, le=1000)
    guidance: float = Field(5.0, ge=0, le=100, description="classifier-free guidance; 1 or less turns it off")


class LoRAObjectiveConfig(Config):
    """The loss: noise or velocity, as the pipeline's scheduler says."""

    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-4, beta1=0.9, beta2=0.999, weight_decay=1e-2)
    caption_dropout: float = Field(0.1, ge=0, le=1, description="share of pictures without caption, for guidance")
    cache_latents: bool = Field(
        True,
        description="encode every picture once, before training; false: in each step, so that crops and flips differ",
    )
