"""Tokens of several codes: composing them, rounding with them, and a prior that predicts one after the other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from t2i.errors import InvalidConfigError
from t2i.noise import Noise
from t2i.testing.checks import captions
from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i_transformer.config import TransformerConfig, TransformerObjectiveConfig, TransformerOptions
from t2i_transformer.generator import TokenTransformer
from t2i_transformer.prior import Memory
from t2i_transformer.sampling import autoregressive
from t2i_transformer.tokenizer import codes_of, composed
from t2i_transformer.training import TransformerObjective

CODES, DEPTH, N = 24, 3, 16


def tiny(**values: Any) -> TokenTransformer:
    torch.manual_seed(0)
    shape = {"resolution": 16, "text_dim": 12, "widths": (8, 16), "codes": CODES, "code_dim": 8, "code_depth": DEPTH}
    shape |= {"dim": 16, "depth": 2, "heads": 2}
    generator = TokenTransformer(TransformerConfig.model_validate(shape | values))
    for parameter in generator.prior.parameters():  # as far from the initial weights as after training
        parameter.data += 0.3 * torch.randn_like(parameter)
    return generator


def trained_codebooks(generator: TokenTransformer, latents: Tensor) -> None:
    for _ in range(30):
        chances = torch.rand(len(generator.tokenizer.codebooks), CODES)
        generator.tokenizer.follow(latents, chances, TransformerObjectiveConfig(codebook_decay=0.5))


class TestGenerator(GeneratorSuite):
    @pytest.fixture
    def generator(self) -> TokenTransformer:
        return tiny()


class TestObjective(ObjectiveSuite):
    @pytest.fixture
    def objective(self) -> TransformerObjective:
        return TransformerObjective(tiny(dropout=0.1), TransformerObjectiveConfig(tokenizer_share=0.5, text_noise=0.1))


def test_codes_are_the_digits_of_a_token() -> None:
    codes = torch.tensor([[[1, 2, 3], [23, 0, 23]]])
    tokens = composed(codes, CODES)
    assert tokens.tolist() == [[1 + 2 * 24 + 3 * 24**2, 23 + 23 * 24**2]]
    assert torch.equal(codes_of(tokens, CODES, DEPTH), codes)


def test_each_codebook_rounds_the_residual_of_the_ones_before_it() -> None:
    """Lee et al. 2022, eq. 3; each further code brings the sum closer to the latents."""
    generator, latents = tiny(), torch.randn(40, N, 8)
    trained_codebooks(generator, latents)
    tokenizer = generator.tokenizer
    tokenizer.latents = lambda images: latents  # type: ignore[method-assign]
    tokens = tokenizer.encode(torch.zeros(40, 3, 16, 16))
    codes = codes_of(tokens, CODES, DEPTH)
    left, errors = latents, []
    for place, codebook in enumerate(tokenizer.codebooks):
        nearest = torch.cdist(left.flatten(0, 1), codebook.codes).argmin(1).view(40, N)
        assert torch.equal(nearest, codes[..., place])
        left = left - codebook.codes[nearest]
        errors.append(left.square().mean().item())
    torch.testing.assert_close(latents - left, tokenizer.rounded(tokens))
    assert errors[2] < 0.8 * errors[1] < 0.64 * errors[0]


def test_every_codebook_is_in_use() -> None:
    generator, latents = tiny(), torch.randn(40, N, 8)
    trained_codebooks(generator, latents)
    codes = codes_of(
        generator.tokenizer.follow(latents, torch.rand(DEPTH, CODES), TransformerObjectiveConfig()), CODES, 3
    )
    assert [len(codes[..., place].unique()) for place in range(DEPTH)] == [CODES] * DEPTH


@torch.no_grad()
def test_cached_steps_equal_the_whole_sequence_and_later_codes_see_earlier_ones() -> None:
    prior, tokens = tiny().prior.eval(), torch.randint(CODES**DEPTH, (3, N))
    reading = prior.read(captions(3, 12), torch.tensor([False, True, False]))
    whole = prior(tokens, reading).unflatten(1, (N, DEPTH))
    memory, codes = Memory(prior, reading), codes_of(tokens, CODES, DEPTH)
    before = F.pad(tokens, (1, 0), value=prior.unknown)
    for position in range(N):
        x = memory.step(before[:, position], position)
        for known in range(DEPTH):
            logits = prior.logits(x, codes[:, position, :known])
            torch.testing.assert_close(logits, whole[:, position, known], atol=1e-4, rtol=1e-4)
    for place in range(DEPTH):  # of token 5
        changed = codes.clone()
        changed[:, 5, place] = (changed[:, 5, place] + 1) % CODES
        moved = (prior(composed(changed, CODES), reading).unflatten(1, (N, DEPTH)) - whole).abs().amax((0, 3)) > 1e-6
        wanted = [
            [position > 5 or (position == 5 and later > place) for later in range(DEPTH)] for position in range(N)
        ]
        assert moved.tolist() == wanted


@torch.no_grad()
def test_cross_entropy_is_the_mean_over_codes() -> None:
    generator = tiny().eval()
    objective = TransformerObjective(generator, TransformerObjectiveConfig(condition_dropout=0.0))
    images = torch.randint(256, (4, 3, 16, 16), dtype=torch.uint8)
    objective.tokenise(images)
    codes = codes_of(objective._tokens, CODES, DEPTH).flatten(1)
    text = captions(4, 12)
    logits = generator.prior(objective._tokens, generator.prior.read(text, torch.zeros(4, dtype=torch.bool)))
    wanted = -logits.log_softmax(2).gather(2, codes[..., None]).mean()
    torch.testing.assert_close(objective._cross_entropy(logits, codes).mean(), wanted)


@torch.no_grad()
def test_sampling_takes_the_likeliest_code_at_each_depth() -> None:
    prior, text = tiny().prior.eval(), captions(2, 12)
    tokens = autoregressive(prior, text, Noise(range(2)), TransformerOptions(guidance=1, top_k=1))
    logits = prior(tokens, prior.read(text, torch.zeros(2, dtype=torch.bool))).unflatten(1, (N, DEPTH))
    assert torch.equal(logits.argmax(3), codes_of(tokens, CODES, DEPTH))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"prior": "masked"}, "the masked prior reads tokens of one code, got code_depth=3"),
        ({"codes": 65536, "code_depth": 4}, r"at most 2\^62, got 65536 \*\* 4"),
    ],
)
def test_a_wrong_shape_is_a_one_sentence_error(values: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidConfigError, match=says):
        tiny(**values)
