"""The networks against plain ones from the paper's figures (tests/fakes), and checkpoints in the released layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fakes.foreign import DAMAGES, damaged
from fakes.official_dfgan import Discriminator as PlainDiscriminator
from fakes.official_dfgan import Generator as PlainGenerator
from fakes.official_dfgan import moved
from t2i.errors import SnapshotError
from t2i.noise import Noise
from t2i.snapshots.foreign import read_checkpoint
from t2i.testing.checks import captions
from t2i.text import TextEmbedding
from t2i.toolbox.convolutions import JointConv, UpConv
from t2i_dfgan.config import DFGANConfig
from t2i_dfgan.generator import DFGAN
from t2i_dfgan.model import Discriminator, PixelNorm
from t2i_dfgan.official import dfgan

TEXT, Z, WIDTH, SIDE = 12, 10, 4, 64


@pytest.fixture(scope="module")
def official() -> nn.Module:
    torch.manual_seed(0)
    return moved(PlainGenerator(TEXT, Z, WIDTH, SIDE)).eval().requires_grad_(False)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("drawing", [False, True], ids=["saved", "for-drawing"])
def test_a_converted_checkpoint_draws_the_same_pictures(
    official: nn.Module, prefix: str, drawing: bool, tmp_path: Path
) -> None:
    torch.save({prefix + name: value for name, value in official.state_dict().items()}, tmp_path / "netG.pth")
    converted = dfgan(read_checkpoint(tmp_path / "netG.pth"))
    assert converted.text_encoder is not None
    assert (converted.text_encoder.name, converted.text_encoder.dim) == ("damsm", TEXT) and "DAMSM" in converted.note
    generator, text = converted.generator.eval(), torch.randn(4, TEXT)
    generator = generator.for_drawing() if drawing else generator
    with torch.inference_mode():
        wanted = official(Noise(range(4)).normal(Z), text)
        found = generator.generate(TextEmbedding.of_sentences(text), Noise(range(4)), generator.options())
    assert found.shape == (4, 3, SIDE, SIDE) and wanted.std() > 0.01
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_every_tensor_is_mapped_once(official: nn.Module) -> None:
    """Each released tensor is filled with its own number, which is found once in our state."""
    state = official.state_dict()
    marked = {name: torch.full_like(value, number) for number, (name, value) in enumerate(state.items(), start=1)}
    ours = dfgan(marked).generator.state_dict()
    assert sorted(int(value.flatten()[0]) for value in ours.values()) == list(range(1, len(state) + 1))


def test_sizes_are_inferred_from_the_tensors(official: nn.Module) -> None:
    assert dfgan(official.state_dict()).generator.config == DFGANConfig(
        text_dim=TEXT, normalize_text=False, normalize_features=False, noise_dim=Z, widths=(32, 32, 16, 8, 4), patch=1
    )


@pytest.mark.parametrize("how", DAMAGES)
def test_a_checkpoint_that_does_not_fit_is_refused(official: nn.Module, how: str) -> None:
    name, other = "GBlocks.1.fuse2.affine0.fc_beta.linear2.weight", PlainDiscriminator(TEXT, WIDTH, SIDE)
    with pytest.raises(
        SnapshotError, match=r"missing|these do not|unknown|wrong shape|floating-point|checkpoint of netG"
    ):
        dfgan(damaged(official.state_dict(), name, how, other.state_dict()))


def test_the_discriminator_is_the_papers() -> None:
    """Equal logits, although blocks average before the 1x1 convolution and the sentence's planes are folded."""
    torch.manual_seed(0)
    plain = moved(PlainDiscriminator(TEXT, 8, 32))
    ours = Discriminator(TEXT, 1, (8, 16, 32, 64), 16)
    pairs = {"conv_img": "stages.0.1", "joint_conv.0": "joint", "joint_conv.2": "judge"}
    for n in range(3):
        pairs |= {f"DBlocks.{n}.{a}": f"stages.{n + 1}.{b}" for a, b in (("conv_s", "skip"), ("conv_r", "residual"))}
        ours.stages[n + 1].gamma.data.copy_(plain.DBlocks[n].gamma)
    for theirs, mine in pairs.items():
        ours.get_submodule(mine).load_state_dict(plain.get_submodule(theirs).state_dict())
    images, text = torch.randn(2, 3, 32, 32), torch.randn(2, TEXT)
    torch.testing.assert_close(
        ours.logits(ours.features(images), text), plain(plain.features(images), text), atol=1e-5, rtol=1e-4
    )


def test_spectral_norm_is_on_every_convolution() -> None:
    torch.manual_seed(0)
    network = Discriminator(TEXT, 1, (8, 16), 8, spectral=True).train()
    for _ in range(20):
        network.logits(network.features(torch.randn(1, 3, 8, 8)), torch.randn(1, TEXT))
    weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d | JointConv)]
    assert len(weights) == 6
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.01)


def test_patches_only_rearrange_pixels() -> None:
    """With patch 2 both networks work at half the side, and neighbouring pixels are channels."""
    torch.manual_seed(0)
    generator = DFGAN(DFGANConfig(text_dim=TEXT, noise_dim=Z, widths=(16, 8), patch=2))
    assert generator.resolution == 16 and generator.network.to_rgb.out_channels == 12
    network = Discriminator(TEXT, 2, (8, 16), 8)
    assert [tuple(each.shape[1:]) for each in network.features(torch.randn(1, 3, 16, 16))] == [(8, 8, 8), (16, 4, 4)]


def test_features_are_normalised_pixel_by_pixel() -> None:
    """Before each fusion and the last layer; upsampling may come after layers that treat each pixel separately."""
    x = 3 * torch.randn(2, 8, 4, 4) + 1
    normal = PixelNorm()(x)
    torch.testing.assert_close(normal, x / x.square().mean(1, keepdim=True).sqrt(), atol=1e-4, rtol=1e-4)
    networks = [DFGAN(DFGANConfig(text_dim=TEXT, normalize_features=on)).network for on in (True, False)]
    counts = [sum(isinstance(module, PixelNorm) for module in network.modules()) for network in networks]
    assert counts == [2 * len(networks[0].blocks) + 1, 0]


def test_the_sentence_and_z_reach_every_block() -> None:
    """Each of them changes the picture, through every fusion; a new network ignores the text."""
    torch.manual_seed(0)
    generator = DFGAN(DFGANConfig(text_dim=TEXT, noise_dim=Z, widths=(16, 8, 8), patch=1)).eval()
    one, other = captions(2, TEXT)[[0]], captions(2, TEXT)[[1]]

    def drawn(text: TextEmbedding, seed: int, truncation: float = 1.0) -> Tensor:
        with torch.no_grad():
            return generator.generate(text, Noise([seed]), generator.options(truncation=truncation))

    assert torch.equal(drawn(one, 1), drawn(other, 1)) and not torch.equal(drawn(one, 1), drawn(one, 2))
    for block in generator.network.blocks:
        for fusion in (block.fuse1, block.fuse2):
            weight = fusion.affines[1].beta[2].weight
            nn.init.normal_(weight)
            assert not torch.equal(drawn(one, 1), drawn(other, 1))
            nn.init.zeros_(weight)
    assert torch.equal(drawn(one, 1, truncation=0.0), drawn(one, 2, truncation=0.0))


def test_the_copy_for_drawing_has_summed_kernels() -> None:
    copy = DFGAN(DFGANConfig(text_dim=TEXT)).for_drawing()
    assert not any(isinstance(module, UpConv) for module in copy.modules())
