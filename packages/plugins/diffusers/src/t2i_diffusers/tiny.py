"""The smallest pipeline with random weights, in the real layout; `t2i check` and the tests draw with it."""

from __future__ import annotations

from pathlib import Path
from string import ascii_lowercase, digits, punctuation
from typing import Any

import torch

START, END = "<|startoftext|>", "<|endoftext|>"
TOKENS = 16  # the longest prompt
WIDTH = 8  # of the text


def write_tiny(folder: Path) -> None:
    """Write the tiny pipeline into the new folder."""
    tiny_pipeline().save_pretrained(folder)
    (folder / "README.md").write_text("---\nlibrary_name: diffusers\n---\n\n# A tiny pipeline with random weights\n")


def tiny_pipeline() -> Any:
    """A latent consistency model (Luo et al. 2023), which draws in four steps; its weights are the same every time."""
    import diffusers

    library: Any = diffusers  # its classes are untyped
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return library.LatentConsistencyModelPipeline(
            vae=tiny_vae(),
            text_encoder=tiny_clip(),
            tokenizer=tiny_tokenizer(),
            unet=tiny_unet(time_cond_proj_dim=8),
            scheduler=library.LCMScheduler(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )


def tiny_tokenizer() -> Any:
    """A CLIP tokenizer whose tokens are letters."""
    from transformers import CLIPTokenizer

    letters = [*ascii_lowercase, *digits, *punctuation]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), START, END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=TOKENS, bos_token=START, eos_token=END)


def tiny_clip(*, projection: bool = False) -> Any:
    """A CLIP text encoder of two layers, for `tiny_tokenizer`."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    vocabulary = len(tiny_tokenizer())
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        projection_dim=WIDTH,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def tiny_vae(channels: int = 4, **settings: Any) -> Any:
    """A VAE that halves pictures."""
    import diffusers

    library: Any = diffusers
    return library.AutoencoderKL(
        block_out_channels=(4, 4),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        norm_num_groups=2,
        latent_channels=channels,
        sample_size=16,
        **settings,
    )


def tiny_unet(**settings: Any) -> Any:
    """A UNet of two levels, for latents of 8 x 8."""
    import diffusers

    library: Any = diffusers
    defaults: dict[str, Any] = {
        "sample_size": 8,
        "block_out_channels": (4, 8),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 2,
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 2,
    }
    return library.UNet2DConditionModel(**{**defaults, **settings})
