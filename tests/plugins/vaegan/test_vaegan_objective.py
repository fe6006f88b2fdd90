"""Each player's terms against numbers computed from the networks, where gradients flow, and whether it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from fakes.models import FakeTextEncoder
from fakes.training import settings, squares
from t2i.drawing.abilities import Interpolates, Reconstructs
from t2i.errors import InvalidConfigError
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.testing.objectives import batch_of
from t2i.training.objective import Batch, Player
from t2i.training.run import read_recipe
from t2i.training.trainer import Trainer
from t2i_cvae.config import CVAEConfig
from t2i_vaegan.config import VAEGANObjectiveConfig
from t2i_vaegan.generator import VAEGAN
from t2i_vaegan.model import Reader
from t2i_vaegan.training import VAEGANObjective

SHAPE = {"resolution": 16, "text_dim": 12, "encoder_widths": (8, 16), "widths": (16, 8), "latent_dim": 8}
SHAPE |= {"text_features": 8, "condition_dim": 16, "hidden_dim": 16}


def make(**values: Any) -> VAEGANObjective:
    torch.manual_seed(0)
    config = {"width": 8, "text_features": 8, "spectral_norm": False, "free_bits": 0} | values
    generator = VAEGAN(CVAEConfig.model_validate(SHAPE))
    return VAEGANObjective(generator, VAEGANObjectiveConfig.model_validate(config))


def batch(count: int = 4, groups: tuple[int, ...] | None = None) -> Batch:
    encoder = FakeTextEncoder(dim=12)
    right, wrong = (encoder.encode([f"{word} {i}" for i in range(count)]) for word in ("right", "wrong"))
    images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    made = replace(batch_of(images, right), mismatched=wrong)
    return made if groups is None else replace(made, groups=torch.tensor(groups))


def player(objective: VAEGANObjective, name: str) -> Player:
    (phase,) = objective.phases
    return next(each for each in phase.players if each.name == name)


def test_the_decoder_learns_to_read_words() -> None:
    vae = VAEGAN(CVAEConfig.model_validate(SHAPE | {"word_queries": 2}))
    objective = VAEGANObjective(vae, VAEGANObjectiveConfig.model_validate({"width": 8, "text_features": 8}))
    assert set(player(objective, "decoder").modules) == {"decoder", "words"}
    assert set(player(make(), "decoder").modules) == {"decoder"}
    torch.stack(list(objective.decoder_loss(batch()).values())).sum().backward()
    assert vae.words is not None and all(each.grad is not None for each in vae.words.parameters())


def test_every_term_of_algorithm_1() -> None:
    """In the order of the paper: the posterior, the reconstruction, a picture from the prior, and D on all of them."""
    objective, seen = (
        make(gamma=3.0, similarity=2.0, absolute_error=0.5, squared_error=0.2, adversarial=0.7, beta=0.9),
        batch(),
    )
    vae, text = objective.generator, seen.text.sentence
    for network in (vae, objective.discriminator):
        network.eval()  # batch norms that do not depend on the order of passes
    mean, log_variance = vae.encoder(seen.images, text)
    posterior, noise = Normal(mean, (0.5 * log_variance).exp()), Noise(range(4))
    again = vae.decoder(posterior.mean + posterior.stddev * noise.normal(8), text)
    drawn = vae.decoder(noise.normal(8), text)
    real, of_again, of_drawn = (objective.discriminator.features(each) for each in (seen.images, again, drawn))
    distance = 2 * 0.5 * (real[1] - of_again[1]).square().mean()
    pixels = 0.5 * (seen.images - again).abs().mean()
    squares = 0.2 * (seen.images - again).square().mean()

    def logits(features: list[torch.Tensor], sentence: torch.Tensor = text) -> torch.Tensor:
        return objective.discriminator.logits(features, sentence)

    found = objective.encoder_loss(seen)
    kl = kl_divergence(posterior, Normal(0, 1)).sum(1).mean()
    torch.testing.assert_close(found["kl"], 0.9 * kl / (3 * 16 * 16))
    torch.testing.assert_close(found["similarity"], distance)
    torch.testing.assert_close(found["absolute_error"], pixels)
    torch.testing.assert_close(found["squared_error"], squares)
    assert set(found) == {"kl", "kl_nats", "similarity", "absolute_error", "squared_error"}

    found = objective.decoder_loss(seen)
    torch.testing.assert_close(found["similarity"], 3 * distance)
    torch.testing.assert_close(found["absolute_error"], 3 * pixels)
    torch.testing.assert_close(found["squared_error"], 3 * squares)
    fooling = -F.logsigmoid(torch.cat([logits(of_again), logits(of_drawn)])).mean()
    torch.testing.assert_close(found["adversarial"], 0.7 * fooling)
    assert set(found) == {"similarity", "absolute_error", "squared_error", "adversarial"}

    found = objective.discriminator_loss(seen)
    assert seen.mismatched is not None
    torch.testing.assert_close(found["real"], -F.logsigmoid(logits(real)).mean())
    torch.testing.assert_close(found["reconstructed"], -0.5 * F.logsigmoid(-logits(of_again)).mean())
    torch.testing.assert_close(found["drawn"], -0.5 * F.logsigmoid(-logits(of_drawn)).mean())
    torch.testing.assert_close(found["wrong_text"], -0.5 * F.logsigmoid(-logits(real, seen.mismatched.sentence)).mean())
    assert set(found) == {"real", "reconstructed", "drawn", "wrong_text"}


def test_mean_matching_compares_means_over_the_batch() -> None:
    objective, seen = make(mean_matching=2.0, adversarial=0), batch()
    terms = objective.decoder_loss(seen)
    passed = objective._pass(seen)
    wanted = (passed.of_drawn[-1].mean(0) - passed.of_real[-1].mean(0)).square().mean()
    torch.testing.assert_close(terms["mean_matching"], 2 * wanted)
    assert "adversarial" not in terms


def test_the_reader_distinguishes_captions_of_different_groups() -> None:
    objective, seen = make(reader=0.3), batch(groups=(0, 1, 1, 2))
    reader = objective.reader
    assert reader is not None
    p = reader.logits(reader.features(seen.images), seen.text.sentence).softmax(1)
    right = torch.stack([p[0, 0], p[1, 1] + p[1, 2], p[2, 1] + p[2, 2], p[3, 3]])
    torch.testing.assert_close(objective.reader_loss(seen)["cross_entropy"], -right.log().mean())
    drawn = reader.features(objective._pass(seen).drawn)
    wanted = 0.3 * (drawn - reader.features(seen.images)).square().mean()
    torch.testing.assert_close(objective.decoder_loss(seen)["reader"], wanted)


def test_every_distance_of_picture_and_reconstruction_of_bao_2017() -> None:
    """Eq. 6, as means: 1/2 (|x - x'|^2 + |f_D(x) - f_D(x')|^2 + |f_C(x) - f_C(x')|^2), which the recipe asks for."""
    recipe = read_recipe("vaegan", "cvae-gan")["objective"]
    names = ("similarity", "absolute_error", "squared_error", "reader_similarity")
    objective = make(gamma=1.0, **{name: recipe[name] for name in names if name in recipe})
    seen = batch()
    reader, passed = objective.reader, objective._pass(seen)
    assert reader is not None
    layers = [objective.discriminator.features(images)[1] for images in (seen.images, passed.again)]
    read = [reader.features(images) for images in (seen.images, passed.again)]
    pairs = {"squared_error": (seen.images, passed.again), "similarity": layers, "reader_similarity": read}
    found = objective.encoder_loss(seen)
    assert set(found) == {"kl", "kl_nats", *pairs}
    for name, (real, again) in pairs.items():
        torch.testing.assert_close(found[name], 0.5 * (real - again).square().mean(), msg=name)
    assert set(objective.decoder_loss(seen)) == {*pairs, "adversarial"}


def test_the_readers_logits_are_bounded() -> None:
    """They stay within 100 of zero at any temperature."""
    reader = Reader(16, 12, 8, 8)
    reader.sharpness.data.fill_(20.0)
    logits = reader.logits(reader.features(torch.rand(3, 3, 16, 16)), torch.randn(5, 12))
    assert logits.abs().max() <= 100


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"adversarial": 0, "mean_matching": 1.0, "reader": 1.0},
        {"adversarial": 0, "mean_matching": 1.0, "reader_similarity": 1.0},
    ],
)
def test_gradients_reach_every_parameter_of_every_player(values: dict[str, Any]) -> None:
    objective = make(**values)
    (phase,) = objective.phases
    seen = batch(8)
    for each in phase.players:
        parameters = {f"{n}.{k}": p for n, m in each.modules.items() for k, p in m.named_parameters()}
        loss = torch.stack(list(each.loss(seen).values())).sum()
        gradients = torch.autograd.grad(loss, list(parameters.values()), retain_graph=True, allow_unused=True)
        unused = [name for name, found in zip(parameters, gradients, strict=True) if found is None or not found.any()]
        assert unused == [], each.name


def test_adversarial_terms_and_gamma_do_not_reach_the_encoder() -> None:
    """Alg. 1: the encoder's gradient is the same without adversarial terms, and for any gamma."""
    gradients = []
    for values in ({}, {"gamma": 7.0}, {"adversarial": 0.0}, {"wrong_text": 0.0}):
        objective = make(**values)
        loss = torch.stack(list(player(objective, "encoder").loss(batch()).values())).sum()
        gradients.append(torch.autograd.grad(loss, list(objective.generator.encoder.parameters())))
    for other in gradients[1:]:
        assert all(torch.equal(a, b) for a, b in zip(gradients[0], other, strict=True))


def test_one_batch_can_be_memorised(tmp_path: Path) -> None:
    """The error of eight reconstructed squares falls below half, with the discriminator training."""
    recipe = read_recipe("vaegan", "tiny")
    torch.manual_seed(0)
    data = squares(16)
    generator = VAEGAN(CVAEConfig.model_validate(recipe["model"] | {"text_dim": 8}))
    fast = {"encoder": {"lr": 5e-3}, "decoder": {"lr": 5e-3}, "adversarial": 0.1}
    objective = VAEGANObjective(generator, VAEGANObjectiveConfig.model_validate(recipe["objective"] | fast))
    images = from_uint8(data.images)
    text = FakeTextEncoder().encode([data.caption_texts[captions[0]] for captions in data.captions_of])

    def error() -> float:
        with torch.no_grad():
            return (generator.reconstruct(images, text) - images).abs().mean().item()

    before = error()
    config = settings(steps=80, batch_size=8, log_every=80, sample_every=0, checkpoint_every=80)
    Trainer(objective, data, config, tmp_path / "run", device="cpu").fit()
    assert error() < before / 2


def test_it_reconstructs_and_interpolates() -> None:
    assert isinstance(make().generator, Reconstructs) and isinstance(make().generator, Interpolates)


@pytest.mark.parametrize(
    ("shape", "values", "says"),
    [
        ({"resolution": 24, "patch": 3}, {}, "needs a resolution of 4 times a power of two, 16 or more, got 24"),
        ({}, {"feature_layer": 5}, "feature_layer must be below 2"),
    ],
)
def test_a_wrong_shape_is_a_one_sentence_error(shape: dict[str, Any], values: dict[str, Any], says: str) -> None:
    generator = VAEGAN(CVAEConfig.model_validate(SHAPE | shape))
    with pytest.raises(InvalidConfigError, match=says):
        VAEGANObjective(generator, VAEGANObjectiveConfig.model_validate(values))


@pytest.mark.parametrize("recipe", ["cvae-gan", "paper", "world64"])
def test_recipes_fit(recipe: str) -> None:
    """Sizes as in the plugin's README, in 10^6 parameters of encoder and decoder."""
    read = read_recipe("vaegan", recipe)
    with torch.device("meta"):
        generator = VAEGAN(CVAEConfig.model_validate(read["model"]))
        VAEGANObjective(generator, VAEGANObjectiveConfig.model_validate(read["objective"]))
    count = sum(p.numel() for p in generator.parameters()) / 1e6
    assert count == pytest.approx({"cvae-gan": 8.3, "paper": 8.3, "world64": 3.4}[recipe], abs=0.1)


def test_the_size_of_the_recipe_paper_by_hand() -> None:
    """Encoder and decoder are t2i-cvae's, so the sum is ours, not Larsen's. The sentence has 384 numbers.

    block     of i to o channels under d numbers: 2 (d + 1)(i + o) + (9i + 1) o + (9o + 1) o + (i + 1) o = B(i, o, d)
    encoder   text 384*128 + 128                                                            =    49,280
              stem 3*64*9 + 64                                                              =     1,792
              B(64, 64, 128) + B(64, 128, 128) + B(128, 256, 128) + B(256, 256, 128)        = 2,785,728
              1x1 convolution 256*64 + 64, posterior 64*16*256 + 256                        =   278,848
    decoder   text 384*128 + 128                                                            =    49,280
              condition (128 + 128)*512 + 512 + 512*256 + 256                               =   262,912
              start 256*256*16 + 256*16                                                     = 1,052,672
              2 B(256, 256, 256) + B(256, 128, 256) + B(128, 32, 256)                       = 3,823,648
              group norm 2*32, picture 32*3*9 + 3                                           =       931
    """
    with torch.device("meta"):
        vae = VAEGAN(CVAEConfig.model_validate(read_recipe("vaegan", "paper")["model"]))
    encoder, decoder = (sum(p.numel() for p in network.parameters()) for network in (vae.encoder, vae.decoder))
    assert encoder == sum([49_280, 1_792, 2_785_728, 278_848]) == 3_115_648
    assert decoder == sum([49_280, 262_912, 1_052_672, 3_823_648, 931]) == 5_189_443  # together 8.3 M
