"""Drawing one token, and drawing all of them in both ways."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

from t2i.noise import Noise
from t2i.testing.checks import captions
from t2i.text import TextEmbedding
from t2i_transformer.config import TransformerConfig, TransformerOptions
from t2i_transformer.prior import Prior, Reading
from t2i_transformer.sampling import autoregressive, draw, guided, hidden, masked, masked_share

CODES, N = 24, 16


def prior_of(kind: str = "autoregressive") -> Prior:
    torch.manual_seed(0)
    shape = {"text_dim": 12, "codes": CODES, "dim": 16, "depth": 2, "heads": 2, "prior": kind}
    prior = Prior(TransformerConfig.model_validate(shape), 4)
    for parameter in prior.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return prior.eval().requires_grad_(False)


def options(**values: Any) -> TransformerOptions:
    return TransformerOptions(**values)


# --- one token -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 0.5}, {"top_k": 5}, {"top_p": 0.7}, {"top_k": 6, "top_p": 0.6}]
)
def test_tokens_have_the_probabilities_of_transformers_samplers(settings: dict[str, Any]) -> None:
    """With evenly spaced uniform numbers, a token's share is its probability."""
    count, logits = 20_000, 2 * torch.randn(1, CODES)
    tokens = draw(logits.expand(count, -1), (torch.arange(count) + 0.5) / count, options(**settings))
    wanted = logits / settings.get("temperature", 1)
    if "top_k" in settings:
        wanted = transformers.TopKLogitsWarper(settings["top_k"])(None, wanted)
    if "top_p" in settings:
        wanted = transformers.TopPLogitsWarper(settings["top_p"])(None, wanted)
    shares = torch.bincount(tokens, minlength=CODES) / count
    torch.testing.assert_close(shares, wanted[0].softmax(0), atol=2 / count, rtol=0)


@pytest.mark.parametrize("settings", [{}, {"top_k": 3}, {"top_p": 0.5}])
def test_no_uniform_number_draws_an_impossible_token(settings: dict[str, Any]) -> None:
    """Neither 0 nor the largest float below 1, whatever the sum rounds to."""
    logits = torch.randn(200, CODES)
    logits[:, :3] = logits[:, -3:] = -math.inf
    for uniform in (0.0, 1 - 2**-24):
        tokens = draw(logits, torch.full((200,), uniform), options(**settings))
        assert logits.gather(1, tokens[:, None]).isfinite().all()


def test_a_larger_number_draws_a_later_token() -> None:
    tokens = draw(torch.randn(1, CODES).expand(500, -1), torch.linspace(0, 0.999, 500), options())
    assert (tokens.diff() >= 0).all() and len(tokens.unique()) > 10


def test_guidance_extrapolates_from_unconditional_to_conditional() -> None:
    """Ho and Salimans 2022, eq. 6 with s = 1 + w: u + s (c - u), with c and u the logits with and without text."""
    conditional, unconditional = torch.randn(2, 3, CODES)
    both = torch.cat([conditional, unconditional])
    torch.testing.assert_close(guided(both, options(guidance=2.5)), unconditional + 2.5 * (conditional - unconditional))
    assert torch.equal(guided(conditional, options(guidance=1)), conditional)


# --- token after token ---------------------------------------------------------------------------------------------


def uncached(prior: Prior, text: TextEmbedding, noise: Noise, settings: TransformerOptions) -> Tensor:
    """Compute the whole sequence again for every token, with and without text in separate passes."""
    b = len(text)
    uniforms, tokens = noise.uniform(N), torch.zeros(b, N, dtype=torch.long)
    conditional, unconditional = (prior.read(text, torch.full((b,), dropped)) for dropped in (False, True))
    for position in range(N):
        one, other = (prior(tokens, reading)[:, position] for reading in (conditional, unconditional))
        tokens[:, position] = draw(other + settings.guidance * (one - other), uniforms[:, position], settings)
    return tokens


@pytest.mark.parametrize(
    "settings", [{}, {"guidance": 1}, {"guidance": 0}, {"guidance": 6, "top_k": 4}, {"top_p": 0.8, "temperature": 0.7}]
)
def test_cached_and_uncached_agree_token_by_token(settings: dict[str, Any]) -> None:
    prior, text = prior_of(), captions(8, 12)
    tokens = autoregressive(prior, text, Noise(range(8)), options(**settings))
    assert torch.equal(tokens, uncached(prior, text, Noise(range(8)), options(**settings)))
    assert tokens.shape == (8, N) and len(tokens.unique()) > 3


def test_without_guidance_the_text_does_not_matter() -> None:
    prior, text = prior_of(), captions(8, 12)
    for sample, prior in ((autoregressive, prior_of()), (masked, prior_of("masked"))):
        one, other = (
            sample(prior, t, Noise(range(8)), options(guidance=0)) for t in (text, text[list(range(8))[::-1]])
        )
        assert torch.equal(one, other)
        one, other = (sample(prior, t, Noise(range(8)), options()) for t in (text, text[list(range(8))[::-1]]))
        assert not torch.equal(one, other)


def test_one_number_per_token_in_the_streams_order() -> None:
    """The first tokens of a picture only depend on its first uniform numbers."""

    class Scripted(Noise):
        def uniform(self, *shape: int) -> Tensor:
            assert shape == (N,)
            return script

    prior, text, script = prior_of(), captions(2, 12), torch.rand(2, N)
    plain = autoregressive(prior, text, Scripted([0, 1]), options())
    script = script.clone()
    script[0, 9] = (script[0, 9] + 0.5) % 1
    changed = autoregressive(prior, text, Scripted([0, 1]), options())
    assert torch.equal(changed[:, :9], plain[:, :9]) and torch.equal(changed[1], plain[1])
    assert changed[0, 9] != plain[0, 9]


# --- all in a few rounds -------------------------------------------------------------------------------------------


def watched(target: Tensor | None = None, sure: Tensor | None = None) -> tuple[Prior, list[Tensor]]:
    """A prior whose inputs are recorded; it returns its own logits, or logits `sure` (by default 40) for `target`."""
    prior, asked = prior_of("masked"), []
    answer, heights = prior.forward, torch.full((N,), 40.0) if sure is None else sure

    def forward(tokens: Tensor, reading: Reading) -> Tensor:
        asked.append(tokens)
        if target is None:
            return answer(tokens, reading)
        logits = heights[:, None] * nn.functional.one_hot(target, CODES)
        return logits.repeat(len(tokens) // len(target), 1, 1)

    prior.forward = forward  # type: ignore[method-assign]
    return prior, asked


@pytest.mark.parametrize("steps", [1, 8, 12, 18, 40])
def test_rounds_follow_the_cosine_and_keep_what_is_known(steps: int) -> None:
    prior, asked = watched()
    tokens = masked(prior, captions(4, 12), Noise(range(4)), options(steps=steps))
    assert len(asked) == steps and not (tokens == CODES).any()
    for step, (now, then) in enumerate(zip(asked, [*asked[1:], tokens], strict=True)):
        now, then = now[:4], then[:4]
        assert ((now == CODES).sum(1) == math.floor(N * math.cos(math.pi / 2 * step / steps) + 1e-9)).all()
        known = now != CODES
        assert torch.equal(now[known], then[known])


@pytest.mark.parametrize(("step", "wanted"), [(0, 256), (1, 251), (4, 181), (6, 97), (7, 49), (8, 0)])
def test_cosine_schedule_by_hand(step: int, wanted: int) -> None:
    """floor(256 cos(pi step / 16))."""
    assert hidden(step, 8, 256) == wanted


def test_masked_share_runs_from_all_to_none() -> None:
    assert masked_share(0) == 1 and masked_share(1) == pytest.approx(0) and masked_share(2 / 3) == pytest.approx(0.5)


def test_a_certain_priors_tokens_are_drawn() -> None:
    target = torch.randint(CODES, (4, N))
    prior, _ = watched(target)
    tokens = masked(prior, captions(4, 12), Noise(range(4)), options())
    assert torch.equal(tokens, target)


def test_without_choice_temperature_the_most_certain_are_kept() -> None:
    target, sure = torch.zeros(1, N, dtype=torch.long), torch.linspace(1, 12, N)[torch.randperm(N)]
    prior, asked = watched(target, sure)
    settings = options(choice_temperature=0, steps=4, guidance=1, top_k=1)
    masked(prior, captions(1, 12), Noise([0]), settings)
    assert len(asked) == 4
    for step, tokens in enumerate(asked):
        unknown = (tokens[0] == CODES).nonzero()[:, 0]
        assert set(unknown.tolist()) == set(sure.argsort()[: hidden(step, 4, N)].tolist())
