"""Each term of GAN-INT-CLS against numbers calculated by hand, and whether it learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fakes.models import FakeTextEncoder
from fakes.training import settings, squares
from t2i.noise import Noise
from t2i.testing.objectives import batch_of
from t2i.training.objective import Batch
from t2i.training.run import read_recipe
from t2i.training.trainer import Trainer
from t2i_cgan.config import CGANConfig, CGANObjectiveConfig
from t2i_cgan.generator import ConditionalGAN
from t2i_cgan.training import CGANObjective

RIGHT, WRONG, FAKE = (torch.tensor(v) for v in ([2, 0.5, -1, 0], [-2, 0, 1, -0.5], [-1, -3, 0.5, 0]))


class FixedDiscriminator(nn.Module):
    """Returns the logits RIGHT, WRONG or FAKE for each kind of pair; its features are the pictures themselves."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self.batch, self.asked = batch, []

    def features(self, images: Tensor) -> list[Tensor]:
        self.asked.append(images)
        return [images, 2 * images]

    def logits(self, features: list[Tensor], sentence: Tensor) -> Tensor:
        real = torch.equal(features[0], self.batch.images)
        if real:
            right = torch.equal(sentence, self.batch.text.sentence)
            assert right or torch.equal(sentence, self.batch.mismatched.sentence)
            return RIGHT if right else WRONG
        return FAKE.repeat(2)[: len(sentence)]


def make(**values: object) -> CGANObjective:
    torch.manual_seed(0)
    shape = {"resolution": 16, "widths": (16, 8), "condition_dim": 16, "hidden_dim": 16, "noise_dim": 8, "text_dim": 12}
    config = CGANObjectiveConfig.model_validate({"discriminator_widths": (8, 8)} | values)
    return CGANObjective(ConditionalGAN(CGANConfig.model_validate(shape)), config)


def batch(count: int = 4) -> Batch:
    encoder = FakeTextEncoder(dim=12)
    text, wrong = (encoder.encode([f"{word} {i}" for i in range(count)]) for word in ("right", "wrong"))
    images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return batch_of(images, text, mismatched=wrong)


def judged(objective: CGANObjective, seen: Batch) -> FixedDiscriminator:
    objective.discriminator = FixedDiscriminator(seen)  # type: ignore[assignment]
    return objective.discriminator  # type: ignore[return-value]


def z_of(count: int = 4) -> Tensor:
    return Noise(range(count)).normal(8)


# --- the discriminator's terms -------------------------------------------------------------------------------------


def test_cls_of_algorithm_1_is_the_papers_sum() -> None:
    """Alg. 1, line 10: -[log s_r + (log(1 - s_w) + log(1 - s_f)) / 2]."""
    objective, seen = make(loss="bce"), batch()
    judged(objective, seen)
    total = sum(objective.discriminator_loss(seen).values())
    s_r, s_w, s_f = RIGHT.sigmoid(), WRONG.sigmoid(), FAKE.sigmoid()
    wanted = -(s_r.log().mean() + ((1 - s_w).log().mean() + (1 - s_f).log().mean()) / 2)
    torch.testing.assert_close(total, wanted)


def test_the_discriminators_loss_gives_the_generator_no_gradient() -> None:
    objective, seen = make(), batch()
    discriminator = judged(objective, seen)
    objective.discriminator_loss(seen)
    fake = discriminator.asked[1]
    assert not fake.requires_grad
    torch.testing.assert_close(fake, objective.generator(seen.text.sentence, z_of()))


# --- the generator's terms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [("hinge", lambda: -FAKE.mean()), ("bce", lambda: F.binary_cross_entropy_with_logits(FAKE, torch.ones(4)))],
)
def test_adversarial_term(loss: str, wanted: Callable[[], Tensor]) -> None:
    objective, seen = make(loss=loss, adversarial=0.3), batch()
    judged(objective, seen)
    terms = objective.generator_loss(seen)
    assert set(terms) == {"adversarial"}
    torch.testing.assert_close(terms["adversarial"], 0.3 * wanted())


@pytest.mark.parametrize(("count", "half"), [(4, 2), (5, 2), (2, 1), (1, 1)])
def test_int_uses_texts_half_way_between_two(count: int, half: int) -> None:
    """Eq. 5 at beta = 1/2: half as many as captions, in one forward pass with them, each with its own z."""
    objective, seen = make(interpolation=0.5, text_noise=0.1), batch(count)
    texts: list[Tensor] = []

    class Recording(FixedDiscriminator):
        def logits(self, features: list[Tensor], sentence: Tensor) -> Tensor:
            texts.append(sentence)
            return super().logits(features, sentence)

    objective.discriminator = Recording(seen)  # type: ignore[assignment]
    drawn: list[tuple[Tensor, Tensor]] = []
    objective.generator.register_forward_pre_hook(lambda _, inputs: drawn.append(inputs))
    terms = objective.generator_loss(seen)
    sentence, ((read, z),) = seen.text.sentence, drawn
    between = torch.stack([(sentence[i] + sentence[count - half + i]) / 2 for i in range(half)])
    torch.testing.assert_close(read[count:], between)
    (asked,) = texts
    torch.testing.assert_close(asked, torch.cat([sentence, between]))
    assert torch.equal(z[:count], z_of(count)) and len(z.unique(dim=0)) == count + half
    torch.testing.assert_close(terms["adversarial"], -FAKE.repeat(2)[:count].mean())
    torch.testing.assert_close(terms["interpolation"], -0.5 * FAKE.repeat(2)[count : count + half].mean())


def test_only_the_nearest_of_several_drawings_is_compared() -> None:
    objective, seen = make(squared_error=1.0, nearest_of=3), batch()
    candidates = Noise(range(4)).normal(3, 8)
    drawn = [objective.generator(seen.text.sentence, candidates[:, one]) for one in range(3)]
    errors = torch.stack([(each - seen.images).square().mean((1, 2, 3)) for each in drawn])
    assert len(errors.argmin(0).unique()) > 1
    torch.testing.assert_close(objective.reconstruction_loss(seen)["squared_error"], errors.amin(0).mean())


def test_reconstruction_terms_by_hand() -> None:
    objective, seen = make(reconstruction=2.0, squared_error=3.0, reconstruct_first=0.5), batch()
    fakes = objective.generator(seen.text.sentence, z_of()).detach()
    terms = objective.reconstruction_loss(seen)
    torch.testing.assert_close(terms["reconstruction"], 2 * (fakes - seen.images).abs().mean())
    torch.testing.assert_close(terms["squared_error"], 3 * (fakes - seen.images).square().mean())
    assert set(terms) == {"reconstruction", "squared_error"}


def test_text_noise_has_the_configured_size_and_is_from_each_stream() -> None:
    objective, seen = make(text_noise=0.2), batch()
    drawn: list[Tensor] = []
    objective.generator.register_forward_pre_hook(lambda _, inputs: drawn.append(inputs[0]))
    noises = []
    for _ in range(2):
        fresh = batch()
        objective.generator_loss(fresh)
        noises.append(drawn[-1] - seen.text.sentence)
    assert torch.equal(*noises)
    stream = Noise(range(4))
    stream.normal(8)  # z is drawn first
    rms = seen.text.sentence.square().mean(1, keepdim=True).sqrt()
    torch.testing.assert_close(noises[0], 0.2 * rms * stream.normal(12))


def test_phases() -> None:
    (gan,) = make().phases
    assert [(p.name, set(p.modules)) for p in gan.players] == [
        ("discriminator", {"discriminator"}),
        ("generator", {"generator"}),
    ]
    first, second = make(reconstruct_first=0.7, reconstruction=1).phases
    assert (first.name, first.share, [p.name for p in first.players]) == ("reconstruct", 0.7, ["generator"])
    assert (second.name, second.share) == ("gan", pytest.approx(0.3))


# --- does it learn? ------------------------------------------------------------------------------------------------


def test_the_tiny_recipe_learns_eight_colours(tmp_path: Path) -> None:
    recipe = read_recipe("cgan", "tiny")
    data, encoder = squares(16), FakeTextEncoder()
    torch.manual_seed(0)
    generator = ConditionalGAN(CGANConfig.model_validate(recipe["model"] | {"text_dim": 8}))
    objective = CGANObjective(
        generator,
        CGANObjectiveConfig.model_validate(recipe["objective"] | {"generator": {"lr": 5e-3}, "adversarial": 0.05}),
    )
    config = settings(steps=100, batch_size=8, log_every=100, sample_every=100, checkpoint_every=100)
    trainer = Trainer(objective, data, config, tmp_path / "run", device="cpu")

    def draw(prompt: str) -> Tensor:
        text = encoder.encode([prompt] * 4)
        with torch.no_grad():
            return trainer.ema.generator.generate(text, Noise(range(4)), trainer.ema.generator.options())

    def error() -> float:
        prompts = [data.caption_texts[captions[0]] for captions in data.captions_of]
        wanted = data.images.float() / 127.5 - 1
        return sum((draw(prompt).mean(0) - wanted[i]).abs().mean().item() for i, prompt in enumerate(prompts)) / 8

    before = error()
    trainer.fit()
    assert error() < before / 2
    red, blue = (draw(f"a {colour} square")[:, :, 4:12, 4:12].mean((0, 2, 3)) for colour in ("red", "blue"))
    assert red[0] > blue[0] + 0.5 and blue[2] > red[2] + 0.5
