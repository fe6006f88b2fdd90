"""The flow on latents of another model's autoencoder: the same arithmetic as on pixels, in that model's latents."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fakes.models import FakeTextEncoder
from fakes.training import differing, settings, squares, state_of
from t2i.create import create_model
from t2i.errors import IntegrityError, InvalidConfigError, InvalidInputError
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.publishing.pretrained import from_pretrained, save_pretrained
from t2i.runs.folder import RunFolder
from t2i.testing.checks import captions
from t2i.testing.checks.tiny_training import batch_of
from t2i.training.trainer import Trainer
from t2i_flow.config import FlowConfig, FlowObjectiveConfig
from t2i_flow.generator import FlowTransformer
from t2i_flow.training import FlowObjective

SHAPE: dict[str, Any] = {"resolution": 16, "text_dim": 12, "patch": 1, "bottleneck": 8, "dim": 16, "depth": 1}
TOKENIZER: dict[str, Any] = {"resolution": 16, "text_dim": 12, "widths": (8, 16), "codes": 64, "code_dim": 4, "dim": 12}


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer with random weights, whose tokenizer compresses 16 x 16 pixels to 4 x 4 latents of 4 numbers."""
    torch.manual_seed(0)
    model = create_model("transformer", **TOKENIZER)
    return save_pretrained(model, tmp_path_factory.mktemp("models") / "transformer")


def flow(transformer: Path, **changes: Any) -> FlowTransformer:
    torch.manual_seed(0)
    return FlowTransformer(
        FlowConfig.model_validate(SHAPE | {"heads": 2, "hidden_dim": 24, "autoencoder": str(transformer)} | changes)
    )


def pictures(count: int = 8) -> Tensor:
    return torch.randint(0, 256, (count, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_latents_have_mean_0_and_deviation_1_and_decode_to_the_reconstruction(transformer: Path) -> None:
    generator, seen = flow(transformer), pictures(64)
    objective = FlowObjective(generator, FlowObjectiveConfig())
    (phase,) = objective.phases
    assert phase.start is not None
    phase.start(seen)
    images = from_uint8(seen)
    latents = generator.encode(images)
    assert latents.shape == (64, 4, 4, 4)
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(4), atol=1e-4, rtol=0)
    model = from_pretrained(str(transformer))
    again = model.reconstruct(images, captions(64, 12))  # type: ignore[attr-defined]
    torch.testing.assert_close(generator.decode(latents), again, atol=1e-4, rtol=0)


def test_the_loss_of_a_new_network_in_closed_form(transformer: Path) -> None:
    """It predicts 0, so the error of the velocity is x / t, where x are the latents."""
    generator = flow(transformer)
    objective = FlowObjective(generator, FlowObjectiveConfig())
    images = from_uint8(pictures(32))
    terms = objective.loss(batch_of(images, captions(32, 12)))
    x = generator.encode(images).square().mean((1, 2, 3))
    t = (0.8 + 0.8 * Noise(range(32)).normal()).sigmoid().clamp_min(0.05)
    torch.testing.assert_close(terms["velocity"].detach(), (x / t**2).mean())


def test_it_trains_and_its_snapshot_draws_the_same_without_the_autoencoders_weights(
    transformer: Path, tmp_path: Path
) -> None:
    generator = flow(transformer)
    objective = FlowObjective(generator, FlowObjectiveConfig())
    Trainer(objective, squares(16, FakeTextEncoder(dim=12)), settings(steps=4), tmp_path / "run", device="cpu").fit()
    assert generator.latent_std.ne(1).all()
    names = {name.partition(".")[0] for name in generator.state_dict()}
    assert names == {"denoiser", "latent_mean", "latent_std"}
    folder = save_pretrained(generator, tmp_path / "snapshot")
    loaded = from_pretrained(str(folder))
    text, options = captions(2, 12), generator.options(steps=2)
    with torch.inference_mode():
        drawn = generator.eval().generate(text, Noise([1, 2]), options)
        assert torch.equal(loaded.generate(text, Noise([1, 2]), options), drawn)
        stages = list(generator.stages(text, Noise([1, 2]), options))
    assert drawn.shape == (2, 3, 16, 16) and torch.equal(stages[-1], drawn) and len(stages) == 2


def test_a_resumed_run_has_the_same_bits_though_latents_are_measured_again(
    transformer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, measured = FlowObjective._measure, []

    def counted(objective: FlowObjective, images: Tensor) -> None:
        measured.append(len(images))
        measure(objective, images)

    monkeypatch.setattr(FlowObjective, "_measure", counted)
    data = squares(16, FakeTextEncoder(dim=12))

    def trained(run: Path, generator: FlowTransformer) -> dict[str, Tensor]:
        objective = FlowObjective(generator, FlowObjectiveConfig())
        config = settings(steps=6, checkpoint_every=3, ema_half_life_kimg=0.01)
        Trainer(objective, data, config, run, device="cpu").fit()
        return state_of(run)

    whole, again = tmp_path / "whole", tmp_path / "again"
    uninterrupted = trained(whole, flow(transformer))
    shutil.copytree(RunFolder(whole).checkpoint(3), RunFolder(again).checkpoint(3))
    other = flow(transformer)
    other.latent_mean.fill_(7.0)
    resumed = trained(again, other)
    assert measured == [8, 8]
    assert uninterrupted["ema.latent_mean"].ne(0).all() and not differing(uninterrupted, resumed)


def test_other_weights_and_models_that_do_not_fit_are_refused(transformer: Path, tmp_path: Path) -> None:
    config = flow(transformer).config
    other = save_pretrained(create_model("transformer", **TOKENIZER), tmp_path / "other")
    moved = Path(shutil.copytree(other, tmp_path / "moved"))
    with pytest.raises(IntegrityError, match="was trained on latents of weights"):
        FlowTransformer(config.model_copy(update={"autoencoder": str(moved)}))
    with pytest.raises(InvalidConfigError, match=r"have 16 px, got resolution=32\. Set model\.resolution=16"):
        flow(transformer, resolution=32)
    with pytest.raises(InvalidConfigError, match=r"a multiple of patch=3, got 4 latents per side"):
        flow(transformer, patch=3)
    on_pixels = save_pretrained(flow(transformer, autoencoder=""), tmp_path / "pixels")
    with pytest.raises(InvalidInputError, match="is a flow, which cannot"):
        flow(on_pixels)
