"""The tree against the paper's figures, written plainly in tests/fakes; sizes; released checkpoints; attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fakes.foreign import DAMAGES, damaged
from fakes.official_attngan import Generator as PlainGenerator
from fakes.official_stackgan import with_batch_statistics
from t2i.config import parse_config
from t2i.errors import InvalidConfigError, SnapshotError
from t2i.noise import Noise
from t2i.snapshots.foreign import read_checkpoint
from t2i.testing.checks.probes import captions
from t2i.training.config import TrainConfig
from t2i.training.run import read_recipe
from t2i_attngan.config import AttnGANConfig, AttnGANObjectiveConfig, AttnGANOptions
from t2i_attngan.generator import AttnGAN
from t2i_attngan.official import attngan

WORDS, C, Z, GF = 12, 6, 10, 4


@pytest.fixture(scope="module")
def official() -> nn.Module:
    torch.manual_seed(0)
    network = PlainGenerator(WORDS, C, Z, GF, blocks=1, scales=3)
    with torch.no_grad():
        for scale in (2, 3):
            getattr(network, f"h_net{scale}").att.conv_context.weight.mul_(8)  # so that attention chooses
    return with_batch_statistics(network)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_converted_checkpoint_draws_and_attends_the_same(official: nn.Module, legacy: bool, tmp_path: Path) -> None:
    torch.save({f"module.{key}": value for key, value in official.state_dict().items()}, tmp_path / "netG.pth")
    generator = attngan(read_checkpoint(tmp_path / "netG.pth")).generator.eval()
    assert isinstance(generator, AttnGAN)
    text, options = captions(4, WORDS), AttnGANOptions(legacy_mask=legacy)
    noise = Noise(range(4))
    z, eps = noise.normal(Z), noise.normal(C)
    with torch.inference_mode():
        wanted, maps = official(text.sentence, text.words, text.mask, z, eps, legacy=legacy)
        for drawing in (generator, generator.for_drawing()):
            found = drawing.stages(text, Noise(range(4)), options)
            for one, other in zip(found, wanted, strict=True):
                assert other.std() > 0.01
                torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
        attended = generator.attend(text, Noise(range(4)), options)
    torch.testing.assert_close(attended.maps, maps[-1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(attended.images, wanted[-1], atol=1e-5, rtol=1e-4)
    assert generator.stage_resolutions == (64, 128, 256)


def test_the_released_mask_follows_the_batch(official: nn.Module) -> None:
    """With it a caption's padding has weight, and a picture depends on its neighbours; alone it draws the same."""
    generator, text = attngan(official.state_dict()).generator.eval(), captions(4, WORDS)
    assert isinstance(generator, AttnGAN)
    with torch.inference_mode():
        right, wrong = (
            generator.attend(text, Noise(range(4)), AttnGANOptions(legacy_mask=legacy)) for legacy in (False, True)
        )
        alone = [generator.generate(text[3:], Noise([3]), AttnGANOptions(legacy_mask=each)) for each in (False, True)]
    hidden = ~text.mask[:, :, None, None].expand_as(right.maps)
    assert not right.maps[hidden].any() and wrong.maps[hidden].any() and not torch.equal(right.images, wrong.images)
    assert torch.equal(*alone)


def test_every_number_has_its_place(official: nn.Module) -> None:
    """Each released tensor, marked with its own number, is found once in our state."""
    state = official.state_dict()
    marked = {name: torch.full_like(value, number) for number, (name, value) in enumerate(state.items(), start=1)}
    ours = attngan(marked).generator.state_dict()
    assert sorted(int(value.flatten()[0]) for value in ours.values()) == list(range(1, len(state) + 1))


def test_sizes_are_read_off_the_tensors(official: nn.Module) -> None:
    converted = attngan(official.state_dict())
    assert converted.generator.config == AttnGANConfig(
        text_dim=WORDS, reader="none", word_dim=WORDS, backbone="", condition_dim=C, noise_dim=Z, normalize_text=False,
        widths=(64, 32, 16, 8, 4), branch_widths=(4, 4), residual_blocks=(1, 1), skip=False,
    )  # fmt: skip
    assert converted.text_encoder is not None and converted.text_encoder.name == "damsm"
    assert "convert-damsm" in converted.note


@pytest.mark.parametrize("how", DAMAGES)
def test_a_checkpoint_that_does_not_fit_is_refused(official: nn.Module, how: str) -> None:
    other = {"UNCOND_DNET.outlogits.0.weight": torch.zeros(1, 8, 4, 4)}
    with pytest.raises(SnapshotError, match=r"missing|known module|wrong shape|floating-point|checkpoint of netG"):
        attngan(damaged(official.state_dict(), "h_net2.att.conv_context.weight", how, other))


def test_the_papers_tree_has_7_1_million_parameters() -> None:
    """
    text      256*400 + 400                                                     =   102,800
    4 px      200*16384 + BN 2*16384                                            = 3,309,568
    8..64 px  512*512*9 + 1024, 256*256*9 + 512, 128*128*9 + 256, 64*64*9 + 128 = 3,135,360
    a branch  256*32; 2 (64*128*9 + 256 + 64*64*9 + 128); 64*64*9 + 128         =   267,136, twice
    pictures  3 (32*27)                                                         =     2,592
    """
    model = parse_config(AttnGANConfig, read_recipe("attngan", "paper")["model"], "paper")
    with torch.device("meta"):
        generator = AttnGAN(model)
    total = sum(parameter.numel() for parameter in generator.tree.parameters())
    assert total == 102_800 + 3_309_568 + 3_135_360 + 2 * 267_136 + 2_592 == 7_084_592
    assert generator.stage_resolutions == (64, 128, 256)


def test_the_papers_recipe_is_the_papers() -> None:
    recipe = read_recipe("attngan", "paper")
    model = parse_config(AttnGANConfig, recipe["model"], "paper")
    game = parse_config(AttnGANObjectiveConfig, recipe["objective"], "paper")
    train = parse_config(TrainConfig, recipe["train"], "paper")
    assert (model.noise_dim, model.condition_dim, model.residual_blocks, model.word_dim) == (100, 100, 2, 256)
    assert not model.skip and not model.normalize_text and model.backbone_side == 299
    assert (game.damsm.gamma1, game.damsm.gamma2, game.damsm.gamma3) == (4, 5, 10)
    assert (game.loss, game.kl, game.matching, game.discriminator_width) == ("bce", 1, 5, 64)
    assert {(r.lr, r.beta1, r.beta2) for r in (game.generator, game.discriminator)} == {(2e-4, 0.5, 0.999)}
    assert train.batch_size == 20 and train.steps * (1 - game.damsm_share) == 600 * 8855 / 20
    half_life = 20 * 0.6931471805599453 / 0.0010005003335835344  # 20 ln 2 / -ln .999
    assert train.ema_half_life_kimg * 1000 == pytest.approx(half_life, rel=1e-3) and train.ema_ramp == 0


def test_an_untrained_scale_shows_the_one_before_it() -> None:
    torch.manual_seed(0)
    generator = AttnGAN(AttnGANConfig(text_dim=12, word_dim=8, widths=(16, 8), branch_widths=(8,), patch=2)).eval()
    assert generator.stage_resolutions == (16, 32)
    with torch.no_grad():
        small, large = generator.stages(captions(4, 12), Noise(range(4)), generator.options())
    enlarged = nn.functional.interpolate(torch.atanh(small), scale_factor=2, mode="bilinear").tanh()
    assert (large - enlarged).abs().max() < 0.05 and not torch.equal(large, enlarged)


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        (AttnGANConfig, {"resolution": 60}, "resolution"),
        (AttnGANConfig, {"widths": [64]}, "widths"),
        (AttnGANConfig, {"branch_widths": []}, "attention is between two scales"),
        (AttnGANConfig, {"residual_blocks": [2]}, "one number for each of 2 branches"),
        (AttnGANConfig, {"reader": "none"}, r"word_dim must be text_dim \(384\)"),
        (AttnGANConfig, {"word_dim": 7}, "word_dim"),
        (AttnGANObjectiveConfig, {"damsm_share": 0.0}, "an untrained DAMSM knows nothing"),
        (AttnGANObjectiveConfig, {"matching": -1}, "matching"),
        (AttnGANObjectiveConfig, {"damsm": {"gamma1": 0}}, "gamma1"),
        (AttnGANOptions, {"truncation": 2.1}, "truncation"),
    ],
)
def test_what_cannot_be_is_refused(kind: Any, values: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidConfigError, match=told):
        parse_config(kind, values, "here")
