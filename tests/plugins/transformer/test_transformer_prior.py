"""The prior against GPT-2, its cached steps against the whole sequence at once, and its size against the papers'."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from t2i.testing.checks import captions
from t2i_transformer.config import TransformerConfig
from t2i_transformer.prior import Memory, Prior

SIDE, N = 4, 16


def prior_of(side: int = SIDE, **values: Any) -> Prior:
    torch.manual_seed(0)
    shape = {"text_dim": 12, "codes": 24, "dim": 16, "depth": 3, "heads": 4} | values
    prior = Prior(TransformerConfig.model_validate(shape), side)
    for parameter in prior.parameters():  # as far from the initial weights as after training
        parameter.data += 0.3 * torch.randn_like(parameter)
    return prior.eval().requires_grad_(False)


def gpt2(**shape: int) -> transformers.GPT2Model:
    return transformers.GPT2Model(
        transformers.GPT2Config(vocab_size=5, n_positions=64, attn_implementation="eager", **shape)
    ).eval()


def nothing(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.bool)


@torch.no_grad()
def test_its_layers_are_gpt2s() -> None:
    """The same weights give the same states, all at once and one by one."""
    prior, reference = prior_of(), gpt2(n_embd=16, n_layer=3, n_head=4)
    reference.wpe.weight.zero_()
    for ours, theirs in zip(prior.layers, reference.h, strict=True):
        theirs.ln_1.load_state_dict(ours.norm1.state_dict())
        theirs.ln_2.load_state_dict(ours.norm2.state_dict())
        pairs = [(ours.qkv, theirs.attn.c_attn), (ours.out, theirs.attn.c_proj)]
        for linear, conv in [*pairs, (ours.up, theirs.mlp.c_fc), (ours.down, theirs.mlp.c_proj)]:
            conv.weight.copy_(linear.weight.T)  # GPT-2's are transposed
            conv.bias.copy_(linear.bias)
    reference.ln_f.load_state_dict(prior.norm.state_dict())
    x = torch.randn(2, N, 16)
    wanted = reference(inputs_embeds=x).last_hidden_state
    mask = torch.ones(2, 1, N, N, dtype=torch.bool).tril()
    whole, steps = x, []
    for layer in prior.layers:
        whole = layer(whole, torch.empty(2, 2, 4, 0, 4), mask)
    torch.testing.assert_close(prior.norm(whole), wanted, atol=1e-5, rtol=1e-5)
    memory = torch.empty(3, 2, 2, 4, N, 4)
    for position in range(N):
        state = x[:, position]
        for layer, slots in zip(prior.layers, memory, strict=True):
            state = layer.step(state, slots, torch.zeros(2, 1, 1, position + 1))
        steps.append(prior.norm(state))
    torch.testing.assert_close(torch.stack(steps, 1), wanted, atol=1e-5, rtol=1e-5)


def test_cached_steps_equal_the_whole_sequence() -> None:
    prior, tokens = prior_of(), torch.randint(24, (5, N))
    reading = prior.read(captions(5, 12), torch.tensor([False, True, False, False, True]))
    whole = prior(tokens, reading)
    memory = Memory(prior, reading)
    before = torch.nn.functional.pad(tokens, (1, 0), value=24)
    for position in range(N):
        logits = prior.logits(memory.step(before[:, position], position), before[:, :0])
        torch.testing.assert_close(logits, whole[:, position], atol=1e-4, rtol=1e-4)


def test_a_token_only_sees_those_before_it() -> None:
    prior, tokens = prior_of(), torch.randint(24, (2, N))
    reading = prior.read(captions(2, 12), nothing(2))
    plain = prior(tokens, reading)
    for position in (0, 5, N - 1):
        changed = tokens.clone()
        changed[:, position] = (changed[:, position] + 1) % 24
        seen = (prior(changed, reading) - plain).abs().amax((0, 2)) > 1e-6
        assert seen.tolist() == [later > position for later in range(N)]


def test_a_masked_prior_sees_all() -> None:
    prior, tokens = prior_of(prior="masked"), torch.randint(24, (2, N))
    reading = prior.read(captions(2, 12), nothing(2))
    changed = tokens.clone()
    changed[:, 7] = 24  # not known yet
    assert ((prior(changed, reading) - prior(tokens, reading)).abs().amax((0, 2)) > 1e-6).all()


def test_words_and_sentence_are_read_and_padding_is_ignored() -> None:
    prior, tokens, text = prior_of(), torch.randint(24, (4, N)), captions(4, 12)
    plain = prior(tokens, prior.read(text, nothing(4)))
    for word in range(4):
        words = text.words.clone()
        words[:, word] = torch.randn(12)  # mask or no mask
        other = prior(tokens, prior.read(replace(text, words=words), nothing(4)))
        assert ((other - plain).abs().amax((1, 2)) > 1e-6).tolist() == text.mask[:, word].tolist()
    other = prior(tokens, prior.read(replace(text, sentence=text.sentence.flip(0)), nothing(4)))
    assert ((other - plain).abs().amax((1, 2)) > 1e-6).all()


def test_dropped_captions_are_all_equal() -> None:
    prior, tokens = prior_of(), torch.randint(24, (1, N)).expand(4, N)
    logits = prior(tokens, prior.read(captions(4, 12), torch.tensor([True, True, False, True])))
    torch.testing.assert_close(logits[0], logits[1])
    torch.testing.assert_close(logits[0], logits[3])
    assert not torch.allclose(logits[0], logits[2])


def test_an_encoders_scale_does_not_matter() -> None:
    prior, tokens, text = prior_of(), torch.randint(24, (4, N)), captions(4, 12)
    louder = replace(text, sentence=100 * text.sentence, words=100 * text.words)
    one, other = (prior(tokens, prior.read(each, nothing(4))) for each in (text, louder))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_rows_and_columns_distinguish_all_places() -> None:
    assert len(prior_of().places().unique(dim=0)) == N


# --- sizes ---------------------------------------------------------------------------------------------------------


def meta_prior(side: int, **shape: int) -> Prior:
    with torch.device("meta"):
        return Prior(TransformerConfig(**shape), side)


def size(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def closed_form(side: int, d: int, depth: int, codes: int, text_dim: int = 384) -> int:
    """Layers of 12 d^2 weights and 13 d biases and scales; tokens in and out; places; text; the last norm."""
    layers = depth * (12 * d**2 + 13 * d)
    tokens = (codes + 1) * d + (d + 1) * codes
    return layers + tokens + 2 * side * d + 2 * (text_dim + 1) * d + 2 * d + 2 * d


def test_the_cub_prior_is_gpt2s_size() -> None:
    """dim 256, depth 8: 6.3 million in its layers, as many as in transformers' GPT-2."""
    prior = meta_prior(32, dim=256, depth=8, heads=8, codes=8192)
    with torch.device("meta"):
        reference = transformers.GPT2Model(transformers.GPT2Config(n_embd=256, n_layer=8, n_head=8))
    assert size(prior.layers) == size(reference.h) == 6_318_080
    assert size(prior) == closed_form(32, 256, 8, 8192)


def test_dall_e_has_12_billion() -> None:
    """Ramesh et al. 2021, sec. 2.2 and app. B.1: 64 layers of 62 heads of 64, 1024 tokens of 8192 codes."""
    prior = meta_prior(32, dim=62 * 64, depth=64, heads=62, codes=8192)
    assert size(prior) == closed_form(32, 3968, 64, 8192)
    assert size(prior.layers) == pytest.approx(12e9, rel=0.01)
    assert round(size(prior) / 1e9) == 12
