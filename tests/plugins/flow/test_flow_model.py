"""The network's parts against written-out formulas, and its size against the paper's."""

from __future__ import annotations

import math
from importlib.resources import files
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor

from t2i.testing.checks import captions
from t2i.text import TextEmbedding
from t2i_flow.config import FlowConfig
from t2i_flow.model import Block, Denoiser, places, waves

SHAPE = {"resolution": 16, "text_dim": 12, "patch": 4, "bottleneck": 8, "dim": 16, "depth": 2, "heads": 2}
KEPT = torch.zeros(4, dtype=torch.bool)


def denoiser(*, moved: bool = True, **changes: Any) -> Denoiser:
    torch.manual_seed(0)
    made = Denoiser(FlowConfig.model_validate({**SHAPE, "hidden_dim": 24, **changes}))
    for parameter in made.parameters() if moved else ():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made.eval().requires_grad_(False)


def pictures() -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_a_new_network_predicts_grey_and_its_blocks_are_the_identity() -> None:
    network = denoiser(moved=False)
    reading = network.read(captions(4, 12), KEPT)
    assert torch.equal(network(pictures(), torch.rand(4), reading), torch.zeros(4, 3, 16, 16))
    x, block = torch.randn(4, 16, 16), network.blocks[0]
    seen = F.pad(reading.mask, (0, 16), value=True)[:, None, None]
    assert torch.equal(block(x, torch.randn(4, 16), reading.words[0], seen), x)


def test_a_token_is_a_patch() -> None:
    """While blocks are the identity, the prediction at a patch depends only on that patch."""
    network = denoiser(moved=False)
    torch.nn.init.normal_(network.out.weight)
    reading = network.read(captions(4, 12), KEPT)
    changed = pictures()
    changed[:, :, 4:8, 8:12] += 0.5
    plain, other = (network(each, torch.full((4,), 0.5), reading) for each in (pictures(), changed))
    differ = (plain != other).any(dim=1)  # b h w
    assert differ[:, 4:8, 8:12].all()
    differ[:, 4:8, 8:12] = False
    assert not differ.any()


def test_a_block_by_hand() -> None:
    """Softmax of q k / sqrt(e) over the visible words and tokens, then silu(gate) * value; the condition scales, shifts
    and gates both."""
    network = denoiser()
    block, x, condition = network.blocks[1], torch.randn(4, 16, 16), torch.randn(4, 16)
    assert isinstance(block, Block)
    text = captions(4, 12)
    reading = network.read(text, KEPT)
    seen = F.pad(reading.mask, (0, 16), value=True)
    found = block(x, condition, reading.words[1], seen[:, None, None])

    shift1, scale1, gate1, shift2, scale2, gate2 = block.modulation(condition).split(16, dim=1)

    def normalised(y: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        centred = y - y.mean(1, keepdim=True)
        return centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt() * (1 + scale) + shift

    def rms(y: Tensor, weight: Tensor) -> Tensor:
        return y / (y.square().mean(1, keepdim=True) + torch.finfo().eps).sqrt() * weight

    for i in range(4):
        h = normalised(x[i], shift1[i], scale1[i])
        words = torch.cat([network.no_word[None], text.words[i] / text.words[i].square().mean(1, keepdim=True).sqrt()])
        words = block.words(words[reading.mask[i, : len(words)]])
        q, k, v = block.qkv(h).split(16, dim=1)
        k, v = torch.cat([words[:, :16], k]), torch.cat([words[:, 16:], v])
        heads = []
        for head in (slice(0, 8), slice(8, 16)):
            scores = rms(q[:, head], block.query_norm.weight) @ rms(k[:, head], block.key_norm.weight).T / 8**0.5
            heads.append(scores.exp() / scores.exp().sum(1, keepdim=True) @ v[:, head])
        y = x[i] + gate1[i] * block.attended(torch.cat(heads, dim=1))
        gate, value = block.up(normalised(y, shift2[i], scale2[i])).split(24, dim=1)
        y = y + gate2[i] * block.down(gate / (1 + (-gate).exp()) * value)
        torch.testing.assert_close(found[i], y, atol=1e-5, rtol=1e-5)


def test_masked_words_change_nothing() -> None:
    network, text = denoiser(), captions(4, 12)
    noisy = torch.where(text.mask[..., None], text.words, torch.randn_like(text.words))
    plain, other = (
        network(pictures(), torch.full((4,), 0.5), network.read(TextEmbedding(text.sentence, words, text.mask), KEPT))
        for words in (text.words, noisy)
    )
    assert torch.equal(plain, other)


def test_each_word_the_sentence_and_the_time_matter() -> None:
    network, text = denoiser(), captions(4, 12)

    def guess(text: TextEmbedding, t: float = 0.5) -> Tensor:
        return network(pictures(), torch.full((4,), t), network.read(text, KEPT))

    plain = guess(text)
    for place in range(text.mask.shape[1]):
        words = text.words.clone()
        words[:, place] *= -1
        changed = (guess(TextEmbedding(text.sentence, words, text.mask)) != plain).flatten(1).any(1)
        assert torch.equal(changed, text.mask[:, place])
    assert (guess(TextEmbedding(-text.sentence, text.words, text.mask)) != plain).flatten(1).any(1).all()
    assert (guess(text, 0.51) != plain).flatten(1).any(1).all()


def test_without_text_all_captions_are_equal() -> None:
    network, text = denoiser(), captions(4, 12)
    one, other = (network.read(each, ~KEPT) for each in (text, text[[3, 2, 1, 0]]))
    noisy, t = pictures(), torch.full((4,), 0.5)
    assert torch.equal(network(noisy, t, one), network(noisy, t, other))
    plain = network(noisy, t, network.read(text, KEPT))
    assert (plain != network(noisy, t, one)).flatten(1).any(1).all()


def test_an_encoders_scale_does_not_matter() -> None:
    network, text = denoiser(), captions(4, 12)
    larger = TextEmbedding(8 * text.sentence, 8 * text.words, text.mask)
    one, other = (network(pictures(), torch.full((4,), 0.5), network.read(each, KEPT)) for each in (text, larger))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_waves_by_hand() -> None:
    """Vaswani et al. 2017, sec. 3.5, the sines first: w_i = 10000 ** (-i / 4)."""
    found = waves(torch.tensor([0.0, 3.0]), 8)
    frequencies = [1, 0.1, 0.01, 0.001]
    wanted = [
        [*map(math.sin, (p * w for w in frequencies)), *map(math.cos, (p * w for w in frequencies))] for p in (0, 3)
    ]
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_position_embeddings_encode_row_and_column() -> None:
    found = places(4, 16).view(4, 4, 16)
    assert torch.equal(found[:, :1, :8].expand(-1, 4, -1), found[..., :8])  # rows
    assert torch.equal(found[:1, :, 8:].expand(4, -1, -1), found[..., 8:])  # columns
    assert torch.equal(found[2, 3], torch.cat([waves(torch.tensor([2.0]), 8), waves(torch.tensor([3.0]), 8)], dim=1)[0])
    assert len(found.flatten(0, 1).unique(dim=0)) == 16


def size(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_papers_network_has_131_million_parameters() -> None:
    """JiT-B/16 (Li and He 2025, table 9): 131 M. Of these, 1001 classes and 32 positions of class tokens are 793,344,
    which ours replaces by text; and the 38,400 scales of its RMS norms are redundant with the modulation."""
    recipe = yaml.safe_load((files("t2i_flow") / "recipes/paper.yaml").read_text())
    with torch.device("meta"):
        network = Denoiser(FlowConfig.model_validate(recipe["model"]))
    text = size(network.sentence) + 2 * 384 + sum(size(block.words) for block in network.blocks)  # type: ignore[arg-type]
    d, hidden, values, rank = 768, 2048, 768, 128
    attention, mlp, modulation = 4 * d * d + 4 * d + 2 * 64, 3 * d * hidden + 2 * hidden + d, 6 * d * d + 6 * d
    ends = values * rank + rank * d + d + (256 + d + 2) * d + 2 * d * d + 2 * d + values * d + values
    assert size(network) - text == 12 * (attention + mlp + modulation) + ends
    classes, scales = 1001 * d + 32 * d, 25 * 2 * d
    assert round((size(network) - text + classes + scales) / 1e6) == 131


@pytest.mark.parametrize(("resolution", "patch"), [(16, 8), (24, 4), (32, 16)])
def test_shapes_that_fit(resolution: int, patch: int) -> None:
    network = denoiser(resolution=resolution, patch=patch)
    noisy = torch.randn(2, 3, resolution, resolution)
    assert network(noisy, torch.rand(2), network.read(captions(2, 12), KEPT[:2])).shape == noisy.shape
