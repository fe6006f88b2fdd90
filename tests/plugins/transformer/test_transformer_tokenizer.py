"""The codebook against van den Oord's formulas calculated by hand, and properties of the tokenizer."""

from __future__ import annotations

import math

import pytest
import torch

from t2i.noise import Noise
from t2i_transformer.config import TransformerConfig, TransformerObjectiveConfig
from t2i_transformer.tokenizer import Codebook, Tokenizer, perplexity

FOLLOW = TransformerObjectiveConfig(codebook_decay=0.75, restart_below=0.1)


def tiny(**values: object) -> Tokenizer:
    torch.manual_seed(0)
    shape = {"resolution": 16, "widths": (8, 16), "codes": 24, "code_dim": 8} | values
    return Tokenizer(TransformerConfig.model_validate(shape))


def codebook(codes: list[list[float]], uses: list[float]) -> Codebook:
    """A codebook with each code as the mean of `uses` latents."""
    made = Codebook(len(codes), len(codes[0]))
    made.codes.copy_(torch.tensor(codes))
    made.uses.copy_(torch.tensor(uses))
    made.sums.copy_(made.codes * made.uses[:, None])
    return made


def test_nearest_is_the_smallest_distance() -> None:
    made, latents = Codebook(50, 7), torch.randn(3, 11, 7)
    assert torch.equal(made.nearest(latents), torch.cdist(latents, made.codes.expand(3, -1, -1)).argmin(-1))


def test_a_code_follows_its_latents() -> None:
    """App. A.1 with gamma 3/4. Two latents, 1 and 2, near code 0: N = 3/4 * 4 + 1/4 * 2 = 3.5 and
    m = 3/4 * 0 + 1/4 * 3 = 0.75. No latent near code 10: N = 3, m = 30, and the code is unchanged."""
    made = codebook([[0.0], [10.0]], [4.0, 4.0])
    tokens = made.follow(torch.tensor([[[1.0], [2.0]]]), torch.zeros(2), FOLLOW)
    assert tokens.tolist() == [[0, 0]]
    assert made.uses.tolist() == [3.5, 3.0] and made.sums.tolist() == [[0.75], [30.0]]
    torch.testing.assert_close(made.codes, torch.tensor([[0.75 / 3.5], [10.0]]))


def test_codes_become_the_means_of_their_latents() -> None:
    """k-means by moving averages: two clusters, two codes."""
    made = codebook([[0.0, 0.0], [1.0, 1.0]], [8.0, 8.0])
    clusters = torch.tensor([[-3.0, 0.0], [5.0, 4.0]])
    latents = (clusters[:, None] + 0.1 * torch.randn(2, 16, 2)).flatten(0, 1)[None]
    for _ in range(60):
        made.follow(latents, torch.zeros(2), FOLLOW)
    torch.testing.assert_close(made.codes, latents[0].view(2, 16, 2).mean(1), atol=1e-3, rtol=0)


def test_a_dead_code_is_reset_to_a_latent_of_the_batch() -> None:
    made = codebook([[0.0], [1000.0]], [4.0, 0.05])
    latents = torch.tensor([[[0.0], [1.0], [2.0], [7.0]]])
    tokens = made.follow(latents, torch.tensor([0.0, 0.8]), FOLLOW)  # 0.8 of 4: the last
    assert tokens.tolist() == [[0, 0, 0, 1]]
    assert made.codes[1].item() == 7 and made.uses[1].item() == 1
    alive = codebook([[0.0], [1000.0]], [4.0, 0.2])
    alive.follow(latents, torch.tensor([0.0, 0.8]), FOLLOW)
    assert alive.codes[1].item() == pytest.approx(1000)


def test_a_new_codebook_is_set_to_latents() -> None:
    made, latents = Codebook(8, 3), 100 + torch.randn(2, 16, 3)
    tokens = made.follow(latents, torch.rand(8), FOLLOW)
    assert (made.codes[tokens] - latents).norm(dim=2).max() < 10


def test_all_state_of_a_codebook_is_in_buffers() -> None:
    assert not list(Codebook(4, 2).parameters())
    assert set(Codebook(4, 2).state_dict()) == {"codes", "uses", "sums"}


@pytest.mark.parametrize(
    ("tokens", "wanted"), [([0] * 8, 1.0), ([0, 1] * 4, 2.0), (list(range(8)), 8.0), ([0, 0, 0, 1], 4 / 3**0.75)]
)
def test_perplexity_is_the_exponential_of_the_entropy(tokens: list[int], wanted: float) -> None:
    found = perplexity(torch.tensor([tokens]), 8).item()
    assert found == pytest.approx(wanted)
    shares = torch.bincount(torch.tensor(tokens), minlength=8) / len(tokens)
    assert math.log(found) == pytest.approx(torch.distributions.Categorical(shares).entropy().item(), abs=1e-6)


def test_a_token_is_a_patch_row_by_row() -> None:
    """The change by one token is centred on its own place: row 5 and column 10 of 16, 4 px each."""
    tokenizer = tiny(resolution=64, widths=(8, 8)).eval()
    changed = torch.zeros(1, 256, dtype=torch.long)
    changed[0, 16 * 5 + 10] = 1
    with torch.no_grad():
        for norm in (m for m in tokenizer.decoder.modules() if isinstance(m, torch.nn.GroupNorm)):
            norm.forward = lambda x: x  # type: ignore[method-assign]  # or every place would feel every other
        plain = torch.zeros(1, 256, dtype=torch.long)
        weight = (tokenizer.decode(changed) - tokenizer.decode(plain)).square().sum((0, 1))
    places, weight = torch.arange(64.0), weight / weight.sum()
    y, x = (weight.sum(1) * places).sum().item(), (weight.sum(0) * places).sum().item()
    assert abs(y - 21.5) < 4 and abs(x - 41.5) < 4


def test_encoding_is_rounding_to_the_codebook() -> None:
    tokenizer, images = tiny(), torch.rand(3, 3, 16, 16) * 2 - 1
    latents = tokenizer.latents(images)
    assert latents.shape == (3, 16, 8)
    assert torch.equal(tokenizer.encode(images), tokenizer.codebook.nearest(latents))
    drawn = tokenizer.decode(tokenizer.encode(images))
    torch.testing.assert_close(drawn, tokenizer.picture(tokenizer.codebook.codes[tokenizer.encode(images)]))
    assert drawn.shape == images.shape and drawn.abs().max() <= 1


def test_resets_use_the_given_stream() -> None:
    latents = Noise(range(2)).normal(16, 3)
    one, other = Codebook(8, 3), Codebook(8, 3)
    other.load_state_dict(one.state_dict())
    for made in (one, other):
        made.follow(latents, torch.linspace(0, 0.99, 8), FOLLOW)
    assert all(torch.equal(a, b) for a, b in zip(one.buffers(), other.buffers(), strict=True))
