"""Frozen image networks whose feature maps techniques compare. Imports timm, so it is imported on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn

from t2i.errors import PluginError
from t2i_metrics.networks import efficientnet_lite0
from t2i_metrics.protocols import PROTOCOLS
from t2i_metrics.weights import read_weights

BUNDLED = "efficientnet_lite0"  # its weights come with a package; others are downloaded once


@dataclass(frozen=True)
class Backbone:
    """An image network of timm's.

    Attributes:
        network: maps pictures, normalised by `mean` and `std`, to a list of feature maps, finest first.
        channels: of each map.
        mean, std: of each colour of pictures in [0, 1].
    """

    network: nn.Module
    channels: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def load_backbone(name: str, *, pretrained: bool, last: int | None = None, section: str) -> Backbone:
    """The network of that name, with published or random weights.

    Args:
        last: number of maps, from the coarsest; None: all.
        section: of the settings whose `backbone` and `backbone_pretrained` are these; named in errors.

    Raises:
        PluginError: timm does not know the network, or its weights cannot be loaded.
    """
    try:
        return _bundled(last) if name == BUNDLED and pretrained else _of_timm(name, pretrained, last)
    except Exception as error:  # timm, the Hub and the network each raise their own
        raise PluginError(
            f"{section}.backbone needs timm's {name!r}, which cannot be loaded: {error}. Go online once, or choose "
            f"{BUNDLED!r}, or set {section}.backbone_pretrained=false."
        ) from None


@final
class _Bundled(nn.Module):
    """efficientnet_lite0 with its batch norms folded."""

    def __init__(self, last: int | None) -> None:
        super().__init__()
        self.body: Any = efficientnet_lite0(read_weights(PROTOCOLS["effnet-lite0"].weights.find())).body
        self._last = last

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        return self.body.forward_intermediates(x, indices=self._last, intermediates_only=True)


def _bundled(last: int | None) -> Backbone:
    network = _Bundled(last)
    channels = [stage["num_chs"] for stage in network.body.feature_info]
    facts = network.body.pretrained_cfg
    return Backbone(network, tuple(channels[-(last or len(channels)) :]), facts["mean"], facts["std"])


def _of_timm(name: str, pretrained: bool, last: int | None) -> Backbone:
    import timm

    chosen: dict[str, Any] = {} if last is None else {"out_indices": tuple(range(-last, 0))}
    network: Any = timm.create_model(name, pretrained=pretrained, features_only=True, **chosen)
    facts = network.pretrained_cfg
    return Backbone(network, tuple(network.feature_info.channels()), facts["mean"], facts["std"])
