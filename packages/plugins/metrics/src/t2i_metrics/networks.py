"""The networks of the protocols, built from torchvision and timm and filled with given weights."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.inception import BasicConv2d, Inception3, InceptionE

from t2i.errors import InvalidInputError


@final
class Extracting(nn.Module):
    """A classifier that returns the features [b, d] before its last layer, and the logits [b, c]."""

    def __init__(self, body: nn.Module, classifier: nn.Linear, bias: bool = True) -> None:
        """
        Args:
            body: maps pictures to features.
            classifier: maps features to logits.
            bias: whether the classifier's bias is added; TensorFlow's Inception score leaves it out.
        """
        super().__init__()
        self.body = body.to(memory_format=torch.channels_last)
        self.weight = classifier.weight
        self.bias = classifier.bias if bias else None
        self.eval().requires_grad_(False)

    def forward(self, x: Float[Tensor, "b 3 s s"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b c"]]:
        features = self.body(x.contiguous(memory_format=torch.channels_last))
        return features, F.linear(features, self.weight, self.bias)


def tensorflow_inception(weights: Mapping[str, Tensor]) -> Extracting:
    """The Inception-v3 of TensorFlow's FID graph of 2015-12-05, built from torchvision's blocks.

    It differs from torchvision's network in three ways (Seitzer, pytorch-fid): 1,008 classes, average pooling without
    the padding, and max pooling in the last block's pool branch.

    Raises:
        InvalidInputError: the weights are not this network's.
    """
    network = Inception3(num_classes=1008, aux_logits=False, init_weights=False)
    network.Mixed_7c = _MaxPooled(2048)
    _fill(network, weights)
    for block in (*_mixed(network, "5bcd"), *_mixed(network, "6bcde"), network.Mixed_7b):
        block.branch_pool = nn.Sequential(_WithoutPadding(), block.branch_pool)
    return _extracting(network, bias=False)


def torchvision_inception(weights: Mapping[str, Tensor]) -> Extracting:
    """torchvision's Inception-v3 for ImageNet.

    Raises:
        InvalidInputError: the weights are not this network's.
    """
    network = Inception3(num_classes=1000, aux_logits=False, init_weights=False)
    _fill(network, {name: tensor for name, tensor in weights.items() if not name.startswith("AuxLogits.")})
    return _extracting(network, bias=True)


def efficientnet_lite0(weights: Mapping[str, Tensor]) -> Extracting:
    """timm's tf_efficientnet_lite0, which has TensorFlow's padding; the weights were trained with it.

    The weights' layers come in the same order as timm's, under other names.

    Raises:
        InvalidInputError: the weights are not this network's.
    """
    import timm

    network: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    names = list(network.state_dict())
    _fill(network, dict(zip(names, weights.values(), strict=False)) if len(names) == len(weights) else weights)
    classifier = network.get_classifier()
    network.reset_classifier(0)
    return Extracting(_folded(network.eval()), classifier)


def _extracting(network: Inception3, bias: bool) -> Extracting:
    network.eval()
    for module in list(network.modules()):
        if isinstance(module, BasicConv2d):
            module.conv = fuse_conv_bn_eval(module.conv, module.bn)
            module.bn = nn.Identity()
    classifier, network.fc = network.fc, nn.Identity()
    return Extracting(network, classifier, bias)


def _folded(network: nn.Module) -> nn.Module:
    """The network with every batch norm folded into the convolution before it; timm's activations stay."""
    from timm.layers.norm_act import BatchNormAct2d

    for block in list(network.modules()):
        for (name, convolution), (following, norm) in pairwise(list(block.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, BatchNormAct2d):
                setattr(block, name, fuse_conv_bn_eval(convolution, norm))
                setattr(block, following, nn.Sequential(norm.drop, norm.act))
    return network


def _mixed(network: Inception3, blocks: str) -> list[nn.Module]:
    """Mixed_5b, Mixed_5c and Mixed_5d of "5bcd"."""
    return [network.get_submodule(f"Mixed_{blocks[0]}{letter}") for letter in blocks[1:]]


def _fill(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InvalidInputError(
            f"The extractor's weights must fit {type(network).__name__}, but do not: {str(error)[:300]}. "
            f"Give the weights of the protocol's network, or choose the protocol they belong to."
        ) from None


@final
class _MaxPooled(InceptionE):  # type: ignore[misc]
    """InceptionE whose pool branch takes the maximum, a quirk of TensorFlow's graph."""

    def _forward(self, x: Tensor) -> list[Tensor]:
        *branches, _ = super()._forward(x)
        return [*branches, self.branch_pool(F.max_pool2d(x, kernel_size=3, stride=1, padding=1))]


@final
class _WithoutPadding(nn.Module):
    """Corrects 3 x 3 averages at the border, which count the zero padding, to averages of the real pixels."""

    def forward(self, averages: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        inside = F.avg_pool2d(averages.new_ones(1, 1, *averages.shape[-2:]), kernel_size=3, stride=1, padding=1)
        return averages / inside
