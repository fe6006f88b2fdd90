"""Checkpoints in the authors' layout draw the same pictures, and other files are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fakes.foreign import DAMAGES, damaged
from fakes.official_stackgan import StageOne, StageTwo, Tree, with_batch_statistics
from t2i.errors import SnapshotError
from t2i.noise import Noise
from t2i.snapshots.foreign import read_checkpoint
from t2i.text import TextEmbedding
from t2i_stackgan.config import StackGANConfig, StackGANv2Config
from t2i_stackgan.generator import StackGAN, StackGANv2
from t2i_stackgan.official import stackgan, stackgan_v2

TEXT, C, Z, GF = 24, 8, 10, 8
MAKE: dict[str, Callable[[], nn.Module]] = {
    "stage-one": lambda: StageOne(TEXT, C, Z, GF),
    "stage-two": lambda: StageTwo(TEXT, C, Z, GF, blocks=3),
    "tree": lambda: Tree(TEXT, C, Z, GF, blocks=2, scales=3),
    "tree-of-four": lambda: Tree(TEXT, C, Z, GF, blocks=2, scales=4),
}
CONVERT = {"stage-one": stackgan, "stage-two": stackgan, "tree": stackgan_v2, "tree-of-four": stackgan_v2}


def official(name: str) -> nn.Module:
    torch.manual_seed(0)
    return with_batch_statistics(MAKE[name]())


def drawn(network: nn.Module, text: Tensor, seeds: range) -> list[Tensor]:
    """The official network's pictures from the random numbers that our generator takes from these streams."""
    noise = Noise(seeds)
    z, eps = noise.normal(Z), noise.normal(C)
    result = network(text, z, (eps, noise.normal(C)) if isinstance(network, StageTwo) else eps)
    return result if isinstance(result, list) else [result]


@pytest.mark.parametrize("name", MAKE)
class TestTheSamePictures:
    @pytest.mark.parametrize("prefix", ["", "module."])
    @pytest.mark.parametrize("counters", [True, False], ids=["counters", "before-torch-0.4"])
    def test_every_stage_equals_the_official_networks(
        self, name: str, prefix: str, counters: bool, tmp_path: Path
    ) -> None:
        network = official(name)
        state = {
            prefix + key: value
            for key, value in network.state_dict().items()
            if counters or not key.endswith("num_batches_tracked")
        }
        torch.save(state, tmp_path / "netG.pth")
        generator = CONVERT[name](read_checkpoint(tmp_path / "netG.pth")).generator.eval()
        text = torch.randn(4, TEXT)
        with torch.inference_mode():
            wanted = drawn(network, text, range(4))
            found = list(generator.stages(TextEmbedding.of_sentences(text), Noise(range(4)), generator.options()))
        assert [each.shape[-1] for each in found] == list(generator.stage_resolutions)
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert other.std() > 0.01
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)

    def test_every_tensor_is_mapped_once(self, name: str) -> None:
        """Each official tensor is filled with its own number, which is found once in our state."""
        state = official(name).state_dict()
        marked = {key: torch.full_like(value, number) for number, (key, value) in enumerate(state.items(), start=1)}
        ours = CONVERT[name](marked).generator.state_dict()
        assert sorted(int(value.flatten()[0]) for value in ours.values()) == list(range(1, len(state) + 1))

    @pytest.mark.parametrize("how", DAMAGES)
    def test_a_checkpoint_that_does_not_fit_is_named(self, name: str, how: str) -> None:
        state = official(name).state_dict()
        key = {"stage-one": "upsample2.2.running_var", "stage-two": "residual.1.block.4.weight"}.get(
            name, "h_net2.residual.1.block.4.weight"
        )
        twice = key.replace("2.", "02.", 1) if "2." in key else key.replace("1.", "01.", 1)
        state = damaged(state, key, how, state | {twice: state[key]})
        with pytest.raises(SnapshotError, match=r"missing|these do not|wrong shape|floating-point|unknown"):
            CONVERT[name](state)


def test_sizes_are_inferred_from_the_tensors() -> None:
    one, tree = stackgan(official("stage-two").state_dict()), stackgan_v2(official("tree").state_dict())
    assert one.generator.config == StackGANConfig(
        text_dim=TEXT, condition_dim=C, noise_dim=Z, normalize_text=False, skip=False, augmentation="relu",
        residual_blocks=3, widths=(64, 32, 16, 8, 4), encoder_widths=(8, 16, 32), decoder_widths=(16, 8, 4, 2),
    )  # fmt: skip
    assert tree.generator.config == StackGANv2Config(
        text_dim=TEXT, condition_dim=C, noise_dim=Z, normalize_text=False, skip=False, augmentation="glu",
        residual_blocks=(2, 2), widths=(128, 64, 32, 16, 8), branch_widths=(4, 2),
    )  # fmt: skip
    assert stackgan_v2(official("tree-of-four").state_dict()).generator.config.branch_blocks == (2, 2, 1)
    assert isinstance(one.generator, StackGAN) and isinstance(tree.generator, StackGANv2)
