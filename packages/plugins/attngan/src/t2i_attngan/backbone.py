"""The frozen image network whose features DAMSM compares with words. Imports timm, so it is imported on demand."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2i.errors import InvalidConfigError
from t2i_attngan.config import AttnGANConfig
from t2i_metrics.backbones import load_backbone


@final
class Backbone(nn.Module):
    """A timm network's last two feature maps."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: AttnGANConfig) -> None:
        """
        Raises:
            PluginError: timm does not know the network, or its weights cannot be fetched.
            InvalidConfigError: its maps have other channels than `backbone_channels`.
        """
        super().__init__()
        name, channels, self.side = config.backbone, config.backbone_channels, config.backbone_side
        loaded = load_backbone(name, pretrained=config.backbone_pretrained, last=2, section="model")
        if loaded.channels != channels:
            raise InvalidConfigError(
                f"attngan: the last two feature maps of {name} have {loaded.channels[0]} and {loaded.channels[1]} "
                f"channels, but model.backbone_channels says {list(channels)}. Set it to {list(loaded.channels)}."
            )
        self.network = loaded.network
        self.register_buffer("mean", torch.tensor(loaded.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(loaded.std)[:, None, None])
        self.requires_grad_(False).eval()

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b r y x"], Float[Tensor, "b c v u"]]:
        """The maps of pictures in [-1, 1]: regions, and what is averaged over the picture."""
        if images.shape[-1] != self.side:
            images = images.float()  # on processors, antialiasing knows no bfloat16
            images = F.interpolate(images, size=(self.side, self.side), mode="bilinear", antialias=True)
        x = ((images + 1) / 2 - self.mean) / self.std
        local, last = self.network(x.contiguous(memory_format=torch.channels_last))
        return local, last
