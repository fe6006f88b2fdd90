"""A distance between pictures by the features of a frozen image network. Imports timm, so it is imported on demand."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2i_metrics.backbones import load_backbone


@final
class PerceptualDistance(nn.Module):
    """Mean squared distance of channel-normalised features, over a backbone's stages (Zhang et al. 2018, eq. 1)."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: str, *, pretrained: bool = True) -> None:
        """
        Args:
            backbone, pretrained: as `t2i_metrics.backbones.load_backbone` takes them.

        Raises:
            PluginError: timm does not know the backbone, or its weights cannot be loaded.
        """
        super().__init__()
        loaded = load_backbone(backbone, pretrained=pretrained, section="objective")
        self.features = loaded.network
        self.register_buffer("mean", torch.tensor(loaded.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(loaded.std)[:, None, None])
        self.requires_grad_(False).eval()

    def forward(self, one: Float[Tensor, "b 3 h w"], other: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
        """The distance of pictures in [-1, 1]; no gradient reaches `other`."""
        with torch.no_grad():
            targets = self.features(self._normalised(other))
        pairs = zip(self.features(self._normalised(one)), targets, strict=True)
        distances = [(F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in pairs]
        return torch.stack(distances).mean()

    def _normalised(self, images: Tensor) -> Tensor:
        return ((images + 1) / 2 - self.mean) / self.std
