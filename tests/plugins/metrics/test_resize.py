"""Each protocol's resize against the tool it is named after."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from fakes.pictures import pictures
from t2i.images import to_pil, to_uint8
from t2i_metrics import resize

SIZES = [(64, 64), (256, 256), (299, 299), (40, 71), (420, 350)]


def noise(size: tuple[int, int], count: int = 2) -> Tensor:
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", SIZES)
def test_tf_is_torch_fidelitys_bit_for_bit(size: tuple[int, int]) -> None:
    theirs = pytest.importorskip("torch_fidelity.interpolate_compat_tensorflow")
    pixels = noise(size)
    wanted = theirs.interpolate_bilinear_2d_like_tensorflow1x(pixels.float(), size=(299, 299), align_corners=False)
    assert torch.equal(resize.tensorflow1(pixels, 299), (wanted - 128) / 128)


@pytest.mark.parametrize("size", SIZES)
def test_clean_is_clean_fids_within_a_hundredth_of_a_grey_level(size: tuple[int, int]) -> None:
    resizer = pytest.importorskip("cleanfid.resize").build_resizer("clean")
    pixels = noise(size)
    wanted = torch.from_numpy(np.stack([resizer(picture.permute(1, 2, 0).numpy()) for picture in pixels]))
    ours = resize.clean(pixels, 299) * 128 + 128
    torch.testing.assert_close(ours, wanted.permute(0, 3, 1, 2), atol=0.01, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_legacy_is_torchvisions_resize_and_input_transform(size: tuple[int, int]) -> None:
    from torchvision import transforms
    from torchvision.models.inception import Inception3

    pixels = noise(size)
    resized = transforms.Resize((299, 299))(pixels.float() / 255)
    quirk = Inception3.__new__(Inception3)  # whose transform of normalised pictures DM-GAN applies to [0, 1]
    torch.nn.Module.__init__(quirk)
    quirk.transform_input = True
    torch.testing.assert_close(resize.legacy(pixels, 299), quirk._transform_input(resized), atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", [32, 64, 256])
def test_effnet_is_timms_up_to_its_rounding(side: int) -> None:
    from timm.data import create_transform

    half = (0.5, 0.5, 0.5)
    transform = create_transform(224, interpolation="bicubic", mean=half, std=half, crop_pct=1.0, crop_mode="squash")
    images = pictures(3, side)
    wanted = torch.stack([transform(picture) for picture in to_pil(images)])
    # Pillow rounds to grey levels after each of its two passes; one level is 1 / 127.5.
    torch.testing.assert_close(resize.timm_lite(to_uint8(images), 224), wanted, atol=2 / 127.5, rtol=0)


def test_protocols_resize_the_same_picture_differently() -> None:
    pixels = noise((64, 64))
    tf, clean = resize.tensorflow1(pixels, 299), resize.clean(pixels, 299)
    assert (tf - clean).abs().mean() > 0.05
