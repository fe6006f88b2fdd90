"""Both phases' losses against closed forms, where gradients flow, and whether they learn."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fakes.models import FakeTextEncoder
from fakes.training import settings, squares
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.testing.objectives import batch_of
from t2i.text import TextEmbedding
from t2i.training.objective import Batch
from t2i.training.trainer import Trainer
from t2i_transformer.config import TransformerConfig, TransformerObjectiveConfig
from t2i_transformer.generator import TokenTransformer
from t2i_transformer.prior import Memory
from t2i_transformer.tokenizer import Tokenizer
from t2i_transformer.training import TransformerObjective

CODES, N = 24, 16


def make(shape: dict[str, Any] | None = None, **values: Any) -> TransformerObjective:
    torch.manual_seed(0)
    tiny = {"resolution": 16, "text_dim": 12, "widths": (8, 16), "codes": CODES, "code_dim": 8}
    tiny |= {"dim": 16, "depth": 2, "heads": 2}
    generator = TokenTransformer(TransformerConfig.model_validate(tiny | (shape or {})))
    return TransformerObjective(generator, TransformerObjectiveConfig.model_validate(values))


def batch(count: int = 4) -> Batch:
    encoder = FakeTextEncoder(dim=12)
    text = encoder.encode([f"right {i}" for i in range(count)])
    images = from_uint8(pictures(count))
    return batch_of(images, text)


def pictures(count: int) -> Tensor:
    return torch.randint(256, (count, 3, 16, 16), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def followed(tokenizer: Tokenizer) -> list[Tensor]:
    """The tokens that the codebook finds, recorded at each call from now on."""
    tokens: list[Tensor] = []
    follow = tokenizer.codebook.follow
    tokenizer.codebook.follow = lambda *given: tokens.append(follow(*given)) or tokens[-1]  # type: ignore[method-assign]
    return tokens


# --- the tokenizer -------------------------------------------------------------------------------------------------


def test_tokenizer_terms_by_hand() -> None:
    """Van den Oord 2017, eq. 3: reconstruction, and beta |z - sg(e)|^2."""
    objective, seen = make(absolute_error=2.0, squared_error=3.0, commitment=0.5), batch()
    tokenizer = objective.generator.tokenizer
    latents, tokens = tokenizer.latents(seen.images).detach(), followed(tokenizer)
    terms = objective.tokenizer_loss(seen)
    codes = tokenizer.codebook.codes[tokens[0]]
    again = tokenizer.picture(codes).detach()
    difference = again - seen.images
    torch.testing.assert_close(terms["absolute_error"].detach(), 2 * difference.abs().mean())
    torch.testing.assert_close(terms["squared_error"].detach(), 3 * difference.square().mean())
    torch.testing.assert_close(terms["commitment"].detach(), 0.5 * (latents - codes).square().mean())
    assert not terms["perplexity"].requires_grad and 1 <= terms["perplexity"] <= CODES


def test_the_gradient_passes_the_codebook_straight_through() -> None:
    objective = make(commitment=0.0)
    grads: list[Tensor] = []
    tokenizer = objective.generator.tokenizer
    tokenizer.encoder.register_forward_hook(lambda _, __, out: out.register_hook(grads.append) and None)
    tokenizer.decoder.register_forward_pre_hook(lambda _, given: given[0].register_hook(grads.append) and None)
    sum(objective.tokenizer_loss(batch()).values()).backward()  # type: ignore[union-attr]
    decoder, encoder = grads
    assert decoder.abs().max() > 0
    torch.testing.assert_close(encoder, decoder)


def test_the_commitment_only_pulls_latents_to_their_codes() -> None:
    objective = make(absolute_error=0.0, squared_error=0.0, commitment=0.25)
    tokenizer = objective.generator.tokenizer
    kept: list[Tensor] = []
    tokens = followed(tokenizer)
    tokenizer.encoder.register_forward_hook(lambda _, __, out: kept.append(out) or out.retain_grad())
    sum(objective.tokenizer_loss(batch()).values()).backward()  # type: ignore[union-attr]
    latents = kept[0].flatten(2).transpose(1, 2)
    codes = tokenizer.codebook.codes[tokens[0]]
    wanted = 2 * 0.25 * (latents - codes) / latents.numel()
    torch.testing.assert_close(kept[0].grad.flatten(2).transpose(1, 2), wanted.detach())  # type: ignore[union-attr]


# --- the prior -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", ["autoregressive", "masked"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_uniform_prior_is_the_logarithm_of_the_codebook_size(prior: str, smoothing: float) -> None:
    objective, seen = make({"prior": prior}, label_smoothing=smoothing), batch()
    objective.tokenise(pictures(4))
    torch.nn.init.zeros_(objective.generator.prior.head.weight)
    assert objective.prior_loss(seen)["cross_entropy"].item() == pytest.approx(math.log(CODES), rel=1e-5)


def test_cross_entropy_is_the_log_likelihood_token_by_token() -> None:
    objective, seen = make(condition_dropout=0.0), batch()
    objective.tokenise(pictures(4))
    generator = objective.generator
    tokens = generator.tokenizer.encode(seen.images)
    before, likelihood = F.pad(tokens, (1, 0), value=CODES), torch.zeros(4)
    with torch.no_grad():
        memory = Memory(generator.prior, generator.prior.read(seen.text, torch.zeros(4, dtype=torch.bool)))
        for position in range(N):
            distribution = torch.distributions.Categorical(
                logits=generator.prior.logits(memory.step(before[:, position], position), before[:, :0])
            )
            likelihood += distribution.log_prob(tokens[:, position])
    torch.testing.assert_close(objective.prior_loss(seen)["cross_entropy"].detach(), -likelihood.mean() / N)


def test_masked_training_hides_a_cosine_share() -> None:
    """Chang et al. 2022, sec. 3.1: ceil(cos(pi/2 r) n) tokens, r uniform; only these are in the loss."""
    objective, seen = make({"prior": "masked"}), batch(32)
    objective.tokenise(pictures(32))
    asked: list[tuple[Tensor, Tensor]] = []
    objective.generator.prior.register_forward_hook(lambda _, given, logits: asked.append((given[0], logits)))
    loss = objective.prior_loss(seen)["cross_entropy"]
    (tokens, logits), wanted = asked[0], objective.generator.tokenizer.encode(seen.images)
    unknown = tokens == CODES
    r = Noise(range(32)).uniform(2)[:, 1]
    assert unknown.sum(1).tolist() == [math.ceil(N * math.cos(math.pi / 2 * share)) for share in r.tolist()]
    assert torch.equal(tokens[~unknown], wanted[~unknown])
    assert (unknown.float().mean(0) > 0).all() and (unknown.float().mean(0) < 1).all()  # all places are equally likely
    torch.testing.assert_close(loss, F.cross_entropy(logits[unknown], wanted[unknown]))


@pytest.mark.parametrize("prior", ["autoregressive", "masked"])
def test_a_share_of_the_captions_is_dropped(prior: str) -> None:
    objective, seen = make({"prior": prior}, condition_dropout=0.3), batch(64)
    objective.tokenise(pictures(64))
    masks: list[Tensor] = []
    objective.generator.prior.register_forward_pre_hook(lambda _, given: masks.append(given[1].mask))
    objective.prior_loss(seen)
    dropped = ~masks[0][:, 1:].any(1)
    assert torch.equal(dropped, Noise(range(64)).uniform(2)[:, 0] < 0.3) and 5 < dropped.sum() < 35


def test_the_dataset_is_tokenised_once_from_the_middle_of_each_picture() -> None:
    objective = make()
    wide = F.pad(pictures(5), (2, 3, 2, 3), value=255)
    objective.tokenise(wide)
    assert torch.equal(objective._tokens.long(), objective.generator.tokenizer.encode(from_uint8(pictures(5))))
    seen = replace(batch(), pictures=torch.tensor([4, 0, 4, 2]), images=torch.zeros(4, 3, 16, 16))
    asked: list[Tensor] = []
    objective.generator.prior.register_forward_pre_hook(lambda _, given: asked.append(given[0]))
    objective.prior_loss(seen)
    assert torch.equal(asked[0], objective._tokens[[4, 0, 4, 2]].long())


@pytest.mark.parametrize("prior", ["autoregressive", "masked"])
def test_gradients_reach_every_parameter_of_every_player(prior: str) -> None:
    objective = make({"prior": prior}, condition_dropout=0.5)
    for phase in objective.phases:
        if phase.start:
            phase.start(pictures(16))
        for player in phase.players:
            sum(player.loss(batch(16)).values()).backward()  # type: ignore[union-attr]
            for key, module in player.modules.items():
                for name, parameter in module.named_parameters():
                    assert parameter.grad is not None and parameter.grad.any(), f"{key}.{name}"


# --- does it learn? ------------------------------------------------------------------------------------------------


def learned(objective: TransformerObjective, number: int, steps: int) -> dict[str, float]:
    """The terms after `steps` moves of phase `number` on eight squares."""
    data, phase = squares(16), objective.phases[number]
    if phase.start:
        phase.start(data.images)
    (player,) = phase.players
    parameters = [p for module in player.modules.values() for p in module.parameters()]
    optimizer, terms = torch.optim.Adam(parameters, lr=5e-3), {}
    for step in range(steps):
        noise = Noise(range(8 * step, 8 * step + 8))
        terms = player.loss(batch_of(from_uint8(data.images), eight_captions(), noise=noise, progress=step / steps))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    return {name: value.item() for name, value in terms.items()}


def eight_captions() -> TextEmbedding:
    data = squares(16)
    return FakeTextEncoder(dim=12).encode([data.caption_texts[own[0]] for own in data.captions_of])


@pytest.fixture(scope="module")
def tokenizer() -> dict[str, Tensor]:
    """A tokenizer that has memorised eight pictures: its error is below 0.1 of [-1, 1]."""
    objective = make({"dim": 32})
    assert learned(objective, 0, 150)["absolute_error"] < 0.1
    return objective.generator.tokenizer.state_dict()


@pytest.mark.parametrize("prior", ["autoregressive", "masked"])
def test_one_batch_is_memorised(prior: str, tokenizer: dict[str, Tensor]) -> None:
    """The tokens' cross-entropy falls below 0.2 nats, and the eight pictures are drawn."""
    objective = make({"prior": prior, "dim": 32}, condition_dropout=0.0)
    objective.generator.tokenizer.load_state_dict(tokenizer)
    assert learned(objective, 1, 120)["cross_entropy"] < 0.2
    with torch.no_grad():
        drawn = objective.generator.eval().generate(eight_captions(), Noise(range(8)), objective.generator.options())
    assert (drawn - from_uint8(squares(16).images)).abs().mean() < 0.15


def test_drawing_uses_the_tokenizer_whose_tokens_were_learned(tmp_path: Path) -> None:
    """From the second phase on, encoder, codebook and decoder of the average equal the trained ones, bit for bit."""
    objective = make(tokenizer_share=0.5)
    data = squares(16, FakeTextEncoder(dim=12))
    trainer = Trainer(objective, data, settings(steps=8, ema_half_life_kimg=1), tmp_path / "run", device="cpu")
    while trainer.step < 8:
        trainer.one_step()
        trainer.step += 1
        averaged, trained = (g.tokenizer.state_dict() for g in (trainer.ema.generator, objective.generator))
        different = {name for name in trained if not torch.equal(averaged[name], trained[name])}
        assert (not different) == (trainer.step > 4)
        assert not {name for name in different if name.startswith("codebook")}
    assert torch.equal(objective._tokens.long(), trainer.ema.generator.tokenizer.encode(from_uint8(data.images)))
    prior = objective.generator.prior.state_dict()
    assert any(not torch.equal(prior[name], t) for name, t in trainer.ema.generator.prior.state_dict().items())
