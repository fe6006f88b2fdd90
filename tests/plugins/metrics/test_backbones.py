"""Feature maps of the bundled network against timm's own code, and the distance by them, without a network."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import timm
import torch

from t2i.errors import PluginError
from t2i_metrics.backbones import BUNDLED, load_backbone
from t2i_metrics.perceptual import PerceptualDistance
from t2i_metrics.protocols import PROTOCOLS
from t2i_metrics.weights import read_weights


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refused)


@pytest.mark.parametrize("last", [None, 2])
def test_the_bundled_networks_maps_are_timms(last: int | None, offline: None) -> None:
    """All five stages or the last two, though the batch norms are folded."""
    weights = read_weights(PROTOCOLS["effnet-lite0"].weights.find())
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    whole.load_state_dict(dict(zip(whole.state_dict(), weights.values(), strict=True)))
    theirs: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True).eval()
    theirs.load_state_dict(whole.state_dict(), strict=False)  # without the head
    found, images = load_backbone(BUNDLED, pretrained=True, last=last, section="model"), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted, maps = theirs(images), found.network(images)
    assert len(maps) == (last or 5) and found.channels == tuple(each.shape[1] for each in maps)
    for mine, other in zip(maps, wanted[-len(maps) :], strict=True):
        torch.testing.assert_close(mine, other, atol=1e-3, rtol=1e-3)
    assert (found.mean, found.std) == (theirs.pretrained_cfg["mean"], theirs.pretrained_cfg["std"])


def test_other_networks_return_as_many_maps(offline: None) -> None:
    for last, channels in (None, (16, 24, 32, 48, 64)), (2, (48, 64)):
        found = load_backbone("test_efficientnet", pretrained=False, last=last, section="model")
        assert found.channels == channels
        assert [each.shape[1] for each in found.network.eval()(torch.zeros(1, 3, 32, 32))] == list(channels)


def test_a_network_that_cannot_be_loaded_is_an_error_with_the_setting() -> None:
    with pytest.raises(
        PluginError, match=r"^objective\.backbone needs timm's 'resnot'.*objective\.backbone_pretrained"
    ):
        load_backbone("resnot", pretrained=True, section="objective")


def test_published_features_see_a_shift_less_than_another_picture(offline: None) -> None:
    """Pixel by pixel, stripes that move by half a period differ more than from plain grey."""
    distance = PerceptualDistance(BUNDLED)
    stripes = torch.sin(torch.arange(64) * torch.pi / 4).expand(1, 3, 64, 64)
    moved, grey = stripes.roll(4, dims=3), torch.zeros(1, 3, 64, 64)
    assert (stripes - moved).abs().mean() > (stripes - grey).abs().mean()
    assert distance(stripes, moved) < distance(stripes, grey)
    assert distance(stripes, stripes) == 0
