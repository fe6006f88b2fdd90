"""The resize of each protocol: from the uint8 picture, as saved, to the input of its network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def tensorflow1(pixels: UInt8[Tensor, "b 3 h w"], side: int) -> Float[Tensor, "b 3 side side"]:
    """TensorFlow 1's bilinear resize, which samples at the corners of pixels, then (x - 128) / 128.

    It equals torch-fidelity's bit for bit, but interpolates each input row once, not again for every output row.
    """
    height, width = pixels.shape[-2:]
    left, right, across = _corners(width, side, pixels.device)
    top, bottom, down = _corners(height, side, pixels.device)
    x = pixels.float()
    rows = x[..., left] + (x[..., right] - x[..., left]) * across  # b 3 h side
    upper, lower = rows[..., top, :], rows[..., bottom, :]
    return (upper + (lower - upper) * down[:, None] - 128) / 128


def clean(pixels: UInt8[Tensor, "b 3 h w"], side: int) -> Float[Tensor, "b 3 side side"]:
    """Pillow's antialiased bicubic resize in float, clipped to 0..255, then (x - 128) / 128 (Parmar et al. 2022)."""
    return (_antialiased(pixels.float(), side, "bicubic").clamp_(0, 255) - 128) / 128


def legacy(pixels: UInt8[Tensor, "b 3 h w"], side: int) -> Float[Tensor, "b 3 side side"]:
    """torchvision's bilinear resize of [0, 1], then x std / 0.5 + (mean - 0.5) / 0.5 with ImageNet's mean and std.

    torchvision means this map for pictures normalised by ImageNet's statistics; DM-GAN, DF-GAN and GALIP apply it to
    pictures in [0, 1], and this function does the same.
    """
    x = _antialiased(pixels.float() / 255, side, "bilinear")
    scale = torch.tensor([std / 0.5 for std in IMAGENET_STD], device=x.device)[:, None, None]
    shift = torch.tensor([(mean - 0.5) / 0.5 for mean in IMAGENET_MEAN], device=x.device)[:, None, None]
    return x * scale + shift


def timm_lite(pixels: UInt8[Tensor, "b 3 h w"], side: int) -> Float[Tensor, "b 3 side side"]:
    """Antialiased bicubic resize in float, clipped to 0..255, then to [-1, 1], as timm does for this network."""
    return _antialiased(pixels.float(), side, "bicubic").clamp_(0, 255) / 127.5 - 1


def _antialiased(x: Tensor, side: int, mode: str) -> Tensor:
    return F.interpolate(x, size=(side, side), mode=mode, align_corners=False, antialias=True)


def _corners(length: int, side: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each of `side` samples: the pixels before and after it, and its position between them in [0, 1)."""
    position = torch.arange(side, dtype=torch.float32, device=device) * torch.tensor(length / side)
    before = position.long()
    return before, (before + 1).clamp_(max=length - 1), position - before.float()
