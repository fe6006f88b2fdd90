"""Both generators' networks and the discriminators, against torch's own layers and sizes calculated by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fakes.official_stackgan import with_batch_statistics
from t2i.config import parse_config
from t2i.errors import InvalidConfigError
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.testing.checks import captions
from t2i.toolbox.convolutions import UpConv
from t2i.training.run import read_recipe
from t2i_stackgan.config import StackGANConfig, StackGANv2Config
from t2i_stackgan.generator import StackGAN, StackGANv2

TINY = {"text_dim": 12, "condition_dim": 8, "noise_dim": 8, "widths": (16, 8)}
V1 = StackGANConfig.model_validate(TINY | {"encoder_widths": (8, 8), "decoder_widths": (8, 8)})
V2 = StackGANv2Config.model_validate(TINY | {"branch_widths": (8,)})


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def generators() -> list[Generator]:
    torch.manual_seed(0)
    made = [StackGAN(V1), StackGANv2(V2)]
    for generator in made:
        with_batch_statistics(generator)
    return made


# --- sizes ---------------------------------------------------------------------------------------------------------


def test_v2_of_the_paper_has_21_2_million_parameters() -> None:
    """
    text      1024*512 + 512                                                    =    524,800
    4 px      228*32768 + BN 2*32768                                            =  7,536,640
    8..64 px  1024*1024*9 + 2048, 512*512*9 + 1024, 256*256*9 + 512,
              128*128*9 + 256                                                   = 12,537,600
    128 px    192*128*9 + 256; 2 (64*128*9 + 256 + 64*64*9 + 128); 64*64*9 + 128 =    480,384
    256 px    160*64*9 + 128; 2 (32*64*9 + 128 + 32*32*9 + 64); 32*32*9 + 64     =    157,248
    pictures  (64 + 32 + 16) * 27                                               =      3,024
    """
    config = parse_config(StackGANv2Config, read_recipe("stackgan-v2", "paper")["model"] | {"text_dim": 1024}, "paper")
    with torch.device("meta"):
        generator = StackGANv2(config)
    assert generator.stage_resolutions == (64, 128, 256)
    assert count(generator) == sum([524_800, 7_536_640, 12_537_600, 480_384, 157_248, 3_024]) == 21_239_696


def test_v1_of_the_paper_has_the_sum_of_its_layers() -> None:
    """
    each stage's text  1024*256 + 256                                           =    262,400
    I   4 px           228*24576 + BN 2*24576                                   =  5,652,480
        8..64 px       1536*768*9 + 1536, 768*384*9 + 768, 384*192*9 + 384,
                       192*96*9 + 192                                           = 14,103,360
        picture        96*27                                                    =      2,592
    II  down           3*192*9; 192*384*16 + 768; 384*768*16 + 1536             =  5,905,728
        joint          (768 + 128)*768*9 + 1536                                 =  6,194,688
        residual       2 (2*768*768*9 + 2*1536)                                 = 21,239,808
        up             768*384*9 + 768, 384*192*9 + 384, 192*96*9 + 192,
                       96*48*9 + 96                                             =  3,526,560
        picture        48*27                                                    =      1,296
    """
    config = parse_config(StackGANConfig, read_recipe("stackgan", "paper")["model"] | {"text_dim": 1024}, "paper")
    with torch.device("meta"):
        generator = StackGAN(config)
    assert generator.stage_resolutions == (64, 256)
    one = 262_400 + 5_652_480 + 14_103_360 + 2_592
    two = 262_400 + 5_905_728 + 6_194_688 + 21_239_808 + 3_526_560 + 1_296
    assert (count(generator.stage_one), count(generator.stage_two)) == (one, two)
    assert count(generator) == 57_151_312


# --- stages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1])
def test_the_last_stage_is_the_picture(which: int) -> None:
    generator, text = generators()[which], captions(4, 12)
    stages = list(generator.stages(text, Noise(range(4)), generator.options(truncation=0.7, variation=0.3)))
    assert tuple(each.shape[-1] for each in stages) == generator.stage_resolutions == (8, 16)
    assert torch.equal(
        stages[-1], generator.generate(text, Noise(range(4)), generator.options(truncation=0.7, variation=0.3))
    )


@pytest.mark.parametrize("which", [0, 1])
def test_an_untrained_stage_enlarges_the_one_before_it(which: int) -> None:
    """With output skips, an untrained stage hardly changes the picture before it, enlarged bilinearly."""
    torch.manual_seed(0)
    generator = (StackGAN(V1), StackGANv2(V2))[which].eval()
    with torch.no_grad():
        small, large = generator.stages(captions(4, 12), Noise(range(4)), generator.options())
    enlarged = F.interpolate(torch.atanh(small), scale_factor=2, mode="bilinear").tanh()
    assert (large - enlarged).abs().max() < 0.05 < large.std() + 0.05
    assert not torch.equal(large, enlarged)


@pytest.mark.parametrize("which", [0, 1])
def test_variation_0_does_not_change_z(which: int) -> None:
    generator, text = generators()[which], captions(4, 12)
    fixed = [generator.generate(text, Noise([s] * 4), generator.options(truncation=0.0, variation=0.0)) for s in (1, 2)]
    assert torch.equal(*fixed)
    varied = [generator.generate(text, Noise([s] * 4), generator.options(truncation=0.0)) for s in (1, 2)]
    assert not torch.equal(*varied)


# --- the copy for drawing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1])
def test_the_copy_for_drawing_draws_the_same_without_norms(which: int) -> None:
    generator, text = generators()[which], captions(4, 12)
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    copy = generator.for_drawing()
    assert type(copy) is type(generator)
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | UpConv) for module in copy.modules())
    with torch.inference_mode():
        for one, other in zip(
            copy.stages(text, Noise(range(4)), copy.options()),
            generator.stages(text, Noise(range(4)), generator.options()),
            strict=True,
        ):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
            assert other.std() > 0.01
    after = generator.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("which", [0, 1])
def test_the_copys_pictures_have_the_same_bits_in_every_batch(which: int) -> None:
    copy, text = generators()[which].for_drawing(), captions(8, 12)
    with torch.inference_mode():
        whole = copy.generate(text, Noise(range(8)), copy.options())
        half = copy.generate(text[4:], Noise(range(4, 8)), copy.options())
    assert torch.equal(whole[4:], half)


# --- impossible shapes --------------------------------------------------------------------------------------------


def test_inconsistent_stages_are_refused() -> None:
    with pytest.raises(InvalidConfigError, match="below 2"):
        StackGAN(V1.model_copy(update={"encoder_widths": (8, 8, 8, 8)}))
    with pytest.raises(InvalidConfigError, match="lead from 8 to 8 px"):
        StackGAN(V1.model_copy(update={"decoder_widths": (8,)}))
    StackGAN(V1.model_copy(update={"decoder_widths": (8,), "stages": 1}))  # ignored
