"""A distance between pictures by the features of a frozen image network. Imports timm, so it is imported on demand."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2i.errors import PluginError


class PerceptualDistance(nn.Module):
    """Mean squared distance of channel-normalised features, over a backbone's stages (Zhang et al. 2018, eq. 1)."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: str, *, pretrained: bool = True) -> None:
        """
        Raises:
            PluginError: timm is not installed, does not know the backbone, or cannot download its weights.
        """
        super().__init__()
        try:
            import timm

            self.features: nn.Module = timm.create_model(backbone, pretrained=pretrained, features_only=True)
        except Exception as error:  # timm, the Hub and the network each raise their own
            raise PluginError(
                f"objective.perceptual needs timm's {backbone!r}, which cannot be loaded: {error}. Run "
                f"pip install timm, go online once, or set objective.backbone_pretrained=false."
            ) from None
        facts = self.features.pretrained_cfg
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(cast("dict[str, tuple[float, ...]]", facts)[name])[:, None, None])
        self.requires_grad_(False).eval()

    def forward(self, one: Float[Tensor, "b 3 h w"], other: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
        with torch.no_grad():
            targets = self.features(self._normalised(other))
        pairs = zip(self.features(self._normalised(one)), targets, strict=True)
        distances = [(F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in pairs]
        return torch.stack(distances).mean()

    def _normalised(self, images: Tensor) -> Tensor:
        return ((images + 1) / 2 - self.mean) / self.std
