"""The frozen image network whose features DAMSM compares with words. Imports timm, so it is imported on demand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2i.errors import InvalidConfigError, PluginError
from t2i_attngan.config import AttnGANConfig

BUNDLED = "efficientnet_lite0"  # its weights come with a package; others are downloaded once


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
        try:
            self.network, found, normal = _network(name, config.backbone_pretrained)
        except Exception as error:  # timm, the Hub and the network each raise their own
            raise PluginError(
                f"model.backbone needs timm's {name!r}, which cannot be loaded: {error}. Go online once, or choose "
                f"{BUNDLED!r}, or set model.backbone_pretrained=false."
            ) from None
        if found != channels:
            raise InvalidConfigError(
                f"attngan: the last two feature maps of {name} have {found[0]} and {found[1]} channels, but "
                f"model.backbone_channels says {list(channels)}. Set it to {list(found)}."
            )
        for part in ("mean", "std"):
            self.register_buffer(part, torch.tensor(normal[part])[:, None, None])
        self.requires_grad_(False).eval()

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b r y x"], Float[Tensor, "b c v u"]]:
        """The maps of pictures in [-1, 1]: regions, and what is averaged over the picture."""
        if images.shape[-1] != self.side:
            images = images.float()  # on processors, antialiasing knows no bfloat16
            images = F.interpolate(images, size=(self.side, self.side), mode="bilinear", antialias=True)
        x = ((images + 1) / 2 - self.mean) / self.std
        local, last = self.network(x.contiguous(memory_format=torch.channels_last))
        return local, last


@final
class _Bundled(nn.Module):
    """efficientnet_lite0 with its batch norms folded; returns its last two feature maps."""

    def __init__(self) -> None:
        super().__init__()
        from t2i_metrics.networks import efficientnet_lite0
        from t2i_metrics.protocols import PROTOCOLS
        from t2i_metrics.weights import read_weights

        self.body: Any = efficientnet_lite0(read_weights(PROTOCOLS["effnet-lite0"].weights.find())).body

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        return self.body.forward_intermediates(x, indices=2, intermediates_only=True)


def _network(name: str, pretrained: bool) -> tuple[nn.Module, tuple[int, int], Mapping[str, Any]]:
    """A network that returns its last two feature maps, their channels, and the mean and std of its pictures."""
    if name == BUNDLED and pretrained:
        bundled = _Bundled()
        channels = [stage["num_chs"] for stage in bundled.body.feature_info]
        return bundled, (channels[-2], channels[-1]), bundled.body.pretrained_cfg
    import timm

    network: Any = timm.create_model(name, pretrained=pretrained, features_only=True, out_indices=(-2, -1))
    of_regions, of_whole = network.feature_info.channels()
    return network, (of_regions, of_whole), network.pretrained_cfg
