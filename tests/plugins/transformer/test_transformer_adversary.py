"""VQGAN's terms: their weight against closed forms, where gradients flow, and when they start."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from t2i.testing.checks import captions
from t2i.testing.objectives import ObjectiveSuite, batch_of
from t2i.training.objective import Batch
from t2i_transformer.adversary import LARGEST_WEIGHT, PatchDiscriminator, adaptive_weight
from t2i_transformer.config import TransformerConfig, TransformerObjectiveConfig
from t2i_transformer.generator import TokenTransformer
from t2i_transformer.training import TransformerObjective

SHAPE = {"resolution": 16, "text_dim": 12, "widths": (8, 16), "codes": 24, "code_dim": 8, "dim": 16, "depth": 2}
VQGAN = {"perceptual": 0.5, "backbone_pretrained": False, "adversarial": 0.8, "discriminator_width": 4}


def make(**values: Any) -> TransformerObjective:
    torch.manual_seed(0)
    generator = TokenTransformer(TransformerConfig.model_validate(SHAPE | {"heads": 2}))
    return TransformerObjective(generator, TransformerObjectiveConfig.model_validate(VQGAN | values))


def batch(progress: float = 0.5) -> Batch:
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return batch_of(images, captions(4, 12), progress=progress)


class TestObjective(ObjectiveSuite):
    @pytest.fixture
    def objective(self) -> TransformerObjective:
        return make(perceptual=0, adversarial_start=0, tokenizer_share=0.5)


def test_the_weight_is_the_quotient_of_both_gradients() -> None:
    """Gradients 3 w and 4: at w = (1, 2, 2) their norms are 9 and 4 sqrt 3."""
    w = torch.tensor([1.0, 2.0, 2.0], requires_grad=True)
    weight = adaptive_weight(1.5 * w.square().sum(), 4 * w.sum(), w)
    assert weight.item() == pytest.approx(9 / (4 * 3**0.5)) and not weight.requires_grad
    assert adaptive_weight(w.sum(), 0 * w.sum(), w).item() == LARGEST_WEIGHT


def test_terms_of_the_tokenizer() -> None:
    objective, seen = make(), batch()
    assert objective.discriminator is not None and objective._perceptual is not None
    objective.discriminator.eval()  # otherwise each pass changes the estimate of the spectral norm
    terms = objective.tokenizer_loss(seen)
    again = seen.shared["again"]
    fooling = -objective.discriminator(again).mean()
    torch.testing.assert_close(terms["perceptual"].detach(), 0.5 * objective._perceptual(again, seen.images))
    torch.testing.assert_close(terms["adversarial"].detach(), 0.8 * terms["adaptive_weight"] * fooling)
    last = objective.generator.tokenizer.last_weight
    reconstruction = terms["absolute_error"] + terms["squared_error"] + terms["perceptual"]
    pulls = [
        torch.autograd.grad(term, last, retain_graph=True)[0].norm() for term in (reconstruction, terms["adversarial"])
    ]
    torch.testing.assert_close(pulls[1], 0.8 * pulls[0], rtol=1e-3, atol=0)  # 0.8 times the gradient, for any losses


def test_the_adversarial_term_is_0_before_its_start() -> None:
    objective = make(adversarial_start=0.3)
    assert "adversarial" not in objective.tokenizer_loss(batch(0.29))
    assert "adversarial" in objective.tokenizer_loss(batch(0.31))


def test_the_discriminator_sees_this_steps_reconstructions_and_only_trains_itself() -> None:
    objective, seen = make(), batch()
    assert objective.discriminator is not None
    objective.discriminator.eval()
    objective.tokenizer_loss(seen)
    terms = objective.discriminator_loss(seen)
    real, fake = (objective.discriminator(images) for images in (seen.images, seen.shared["again"]))
    torch.testing.assert_close(terms["real"], 0.5 * F.relu(1 - real).mean())
    torch.testing.assert_close(terms["fake"], 0.5 * F.relu(1 + fake).mean())
    (terms["real"] + terms["fake"]).backward()
    assert all(p.grad is not None and p.grad.any() for p in objective.discriminator.parameters() if p.ndim > 1)
    assert all(p.grad is None for p in objective.generator.parameters())


def test_a_logit_sees_34_pixels() -> None:
    discriminator = PatchDiscriminator(4).eval()
    images = torch.zeros(1, 3, 96, 96, requires_grad=True)
    logits = discriminator(images + torch.randn(1, 3, 96, 96))
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    assert images.grad is not None
    rows = images.grad[0].abs().sum((0, 2)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 34


def test_without_the_weights_there_are_no_additional_networks() -> None:
    objective = make(perceptual=0, adversarial=0)
    assert objective.discriminator is None and not objective.keeps
    assert [[player.name for player in phase.players] for phase in objective.phases] == [["tokenizer"], ["prior"]]
