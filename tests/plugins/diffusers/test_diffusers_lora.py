"""LoRA fine-tuning: the families' losses, files that diffusers loads, exact resume, and drawing with the result."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import load_file, save, save_file

from fakes.command_line import T2I
from fakes.hub import FakeHub
from fakes.pipelines import Written
from t2i.create import create_model, create_text_encoder
from t2i.drawing.provenance import read_provenance
from t2i.errors import IntegrityError, InvalidInputError
from t2i.noise import Noise
from t2i.runs.checkpoints import latest_checkpoint
from t2i.testing.checks.tiny_training import tiny_batch
from t2i.testing.installed import sections
from t2i.text import Unread
from t2i_diffusers.config import LoRAObjectiveConfig
from t2i_diffusers.files import pinned
from t2i_diffusers.lora import base
from t2i_diffusers.lora.generator import DiffusersLoRA
from t2i_diffusers.lora.training import LoRAObjective, flow_shift

pytestmark = pytest.mark.usefixtures("t2i_cache")
TRAINED = ("sd", "sdxl", "sd3", "flux", "sana")
COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture(autouse=True)
def no_open_base() -> None:
    """Bases are opened anew: tests change their files."""
    base._opened.cache_clear()


@pytest.fixture
def here(tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the model "model" and four captioned pictures in "data"."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(written("sd"), "model")
    Path("data").mkdir()
    for colour in COLOURS:
        Image.new("RGB", (16, 16), colour).save(f"data/{colour}.png")
        Path(f"data/{colour}.txt").write_text(f"a {colour} square\n")
    return tmp_path


def lora(folder: Path, resolution: int = 32) -> DiffusersLoRA:
    """A LoRA whose matrices are all random, so that it changes the pictures."""
    name = f"local-dir:{folder}"
    dim = create_text_encoder(f"diffusers:{name}").identity.dim
    made = create_model("diffusers-lora", base=name, text_dim=dim, resolution=resolution, rank=2)
    assert isinstance(made, DiffusersLoRA)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


@pytest.mark.parametrize("family", TRAINED)
def test_its_state_is_a_lora_that_diffusers_loads(family: str, written: Written, tmp_path: Path) -> None:
    from diffusers import DiffusionPipeline

    generator, folder = lora(written(family)), written(family)
    save_file(generator.state_dict(), tmp_path / "pytorch_lora_weights.safetensors", metadata={"format": "pt"})
    pipe = DiffusionPipeline.from_pretrained(folder)
    pipe.load_lora_weights(tmp_path)
    pipe.set_progress_bar_config(disable=True)
    text = create_text_encoder(f"diffusers:local-dir:{folder}").encode(["a red square"])
    latents = Noise([7]).normal(*generator.latents_shape)
    how: dict[str, Any] = {"guidance_scale": 5.0, "num_inference_steps": 2, "width": 32, "height": 32}
    if family == "sana":
        how["use_resolution_binning"] = False
    if family == "flux":
        latents = pipe._pack_latents(latents, 1, *latents.shape[1:])
    expected = pipe("a red square", latents=latents, output_type="pt", **how).images * 2 - 1
    with torch.inference_mode():
        drawn = generator.generate(text, Noise([7]), generator.options(steps=2, guidance=5.0))
        for parameter in generator.parameters():
            parameter.zero_()
        plain = generator.generate(text, Noise([7]), generator.options(steps=2, guidance=5.0))
    assert (drawn - expected).abs().max() < 0.02
    assert (plain - expected).abs().max() > 0.02  # it changes the picture


@pytest.mark.parametrize("family", TRAINED)
def test_every_family_learns(family: str, written: Written) -> None:
    generator = lora(written(family), resolution=16)
    objective = LoRAObjective(generator, LoRAObjectiveConfig(caption_dropout=0.0))
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        loss = objective.loss(tiny_batch(objective))["error"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.98 * losses[0]
    assert all(parameter.grad is None for parameter in generator.base.network.parameters())


@pytest.mark.parametrize(
    "settings",
    [{"shift": 3.0}, {"use_dynamic_shifting": True}, {"use_dynamic_shifting": True, "time_shift_type": "linear"}],
)
def test_times_of_training_are_shifted_as_the_scheduler_shifts_those_of_drawing(settings: dict[str, Any]) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler
    from diffusers.pipelines.flux.pipeline_flux import calculate_shift

    scheduler, tokens, share = FlowMatchEulerDiscreteScheduler(**settings), 1024, 0.25
    dynamic = {"mu": calculate_shift(tokens)} if "shift" not in settings else {}
    scheduler.set_timesteps(sigmas=[share], **dynamic)
    shift = flow_shift(scheduler, tokens)
    assert float(scheduler.sigmas[0]) == pytest.approx(shift * share / (1 + (shift - 1) * share))


@pytest.mark.parametrize("family", ["sdxl", "flux", "sana"])
def test_tokens_say_what_the_words_stand_for(family: str, written: Written) -> None:
    encoder, captions = create_text_encoder(f"diffusers:local-dir:{written(family)}"), ["a red square", "two"]
    text = encoder.encode(captions)
    for caption, mask in zip(captions, text.mask, strict=True):
        tokens = encoder.tokens(caption)
        assert len(tokens) == mask.sum() and "".join(tokens).replace(" ", "") == caption.replace(" ", "")
    assert not text.words[~text.mask].any()
    assert encoder.unread(captions) == [Unread(), Unread()] and encoder.unread(["a " * 600])[0].cut


@pytest.mark.slow
def test_it_passes_every_check_of_a_technique() -> None:
    wanted = ("the generator diffusers-lora", "the objective of diffusers-lora")
    found = [section for section in sections("diffusers-lora") if section.title in wanted]
    assert len(found) == 2
    bad = [outcome for section in found for outcome in section.outcomes() if outcome.is_bad]
    assert {outcome.check: outcome.message for outcome in bad} == {}


def test_an_interrupted_run_resumes_exactly_and_is_drawn_with(t2i: T2I, here: Path) -> None:
    train = ("train", "diffusers-lora", "--from", "local-dir:model", "--data", "data", "--seed", 5, "--device", "cpu")
    train += ("model.rank=2", "train.batch_size=2", "train.checkpoint_every=2", "train.sample_every=0")
    whole = t2i(*train, "--steps", 4, "--out", "whole")
    assert whole.code == 0, whole
    assert t2i(*train, "--steps", 2, "--out", "halved").code == 0
    assert t2i("train", "--resume", "halved", "--steps", 4, "--device", "cpu").code == 0
    one, other = (load_file(latest_checkpoint(Path(run)).snapshot / "model.safetensors") for run in ("whole", "halved"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert {name.partition(".")[0] for name in one} == {"unet"} and any(part.any() for part in one.values())
    assert len([*(here / "t2i-cache" / "latents").iterdir()]) == 1  # the pictures were encoded once for both runs

    draw = ("generate", "a red square", "--seed", 3, "--device", "cpu")
    small = ("--option", "steps=2", "--option", "guidance=3")
    assert t2i(*draw, *small, "--model", "local-dir:model", "-o", "plain.png").code == 0
    tuned = t2i(*draw, *small, "--model", "local-dir:model", "--lora", "whole", "-o", "tuned.png")
    assert tuned.code == 0, tuned
    assert read_provenance(here / "tuned.png").artist.adapters.keys() == {"whole"}
    with Image.open("plain.png") as plain, Image.open("tuned.png") as changed:
        assert plain.tobytes() != changed.tobytes()
    off = (*small, "--option", "lora_scale=0", "--model", "local-dir:model", "--lora", "whole", "-o", "off.png")
    assert t2i(*draw, *off).code == 0
    with Image.open("plain.png") as plain, Image.open("off.png") as without:
        assert plain.tobytes() == without.tobytes()
    assert t2i("regenerate", "tuned.png", "-o", "again.png").code == 0
    run = t2i(*draw, *small, "--model", "whole", "-o", "run.png")
    assert run.code == 0, run


def test_a_lora_of_the_hub_is_pinned_to_its_commit(
    t2i: T2I, here: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = save(lora(here / "model").state_dict(), metadata={"format": "pt"})
    tree = {"pytorch_lora_weights.safetensors": weights, "pytorch_lora_weights.bin": b"a pickle", "run.py": b"raise"}
    head = hub.repo("org/lora", tree).refs["main"]
    draw = ("generate", "a red square", "--seed", 3, "--device", "cpu", "--model", "local-dir:model")
    draw += ("--option", "steps=2", "--option", "guidance=3")
    drawn = t2i(*draw, "--lora", "hf-hub:org/lora", "-o", "tuned.png")
    assert drawn.code == 0, drawn
    expected = {f"hf-hub:org/lora@{head}": hashlib.sha256(weights).hexdigest()}
    assert read_provenance(here / "tuned.png").artist.adapters == expected
    assert {asked.rpartition("/")[2] for asked in hub.asked if "/resolve/" in asked} == {next(iter(tree))}
    assert t2i(*draw, "-o", "plain.png").code == 0
    with Image.open("plain.png") as plain, Image.open("tuned.png") as tuned:
        assert plain.tobytes() != tuned.tobytes()
    hub.repo("org/lora", tree | {next(iter(tree)): save(lora(here / "model").state_dict())})  # random: other weights
    refused = t2i(*draw, "--lora", "hf-hub:org/lora", "-o", "moved.png").error
    assert f"name hf-hub:org/lora@{head}." in refused and not Path("moved.png").exists()
    with monkeypatch.context() as patch:
        patch.setattr(pinned, "LARGE_BYTES", 1_000)
        new = (*draw, "--lora", "hf-hub:org/lora", "--accept-new", "-o", "moved.png")
        assert "Confirm it: --yes" in t2i(*new).error
        assert t2i(*new, "--yes").code == 0
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert t2i("regenerate", "tuned.png", "-o", "again.png").code == 0 and hub.asked == []
    assert Path("again.png").read_bytes() == Path("tuned.png").read_bytes()


def test_other_weights_of_the_base_are_refused(here: Path, written: Written) -> None:
    generator = lora(here / "model")
    config = generator.config.model_copy(update={"base_sha256": "0" * 64})
    with pytest.raises(IntegrityError, match="was trained for weights with the sha256 0000"):
        DiffusersLoRA(config)


def test_what_cannot_be_tuned_is_an_error(t2i: T2I, here: Path, written: Written) -> None:
    shutil.copytree(written("pixart"), "pixart")
    train = ("train", "--data", "data", "--out", "run", "--device", "cpu")
    error = t2i(*train, "--from", "local-dir:pixart").error
    assert "PixArtSigmaPipeline, which cannot be fine-tuned: diffusers loads no LoRAs into it" in error
    error = t2i(*train, "--from", "local-dir:model", "model.targets=[no_such_layer]").error
    assert "no_such_layer name no layers of a UNet2DConditionModel" in error
    margin = t2i(*train, "--from", "local-dir:model", "train.crop_margin=2", "train.batch_size=2").error
    assert "crop_margin=0" in margin
    (here / "no.safetensors").write_bytes(b"not a LoRA")
    draw = ("generate", "a", "--model", "local-dir:model", "--device", "cpu", "-o", "a.png")
    assert "no.safetensors is not a LoRA (" in t2i(*draw, "--lora", "no.safetensors").error
    save_file({"a.lora_A.weight": torch.zeros(1, 1), "a.lora_B.weight": torch.zeros(1, 1)}, "other.safetensors")
    assert "(none of its weights belong to a layer of the pipeline)" in t2i(*draw, "--lora", "other.safetensors").error
    assert "there is no none" in t2i(*draw, "--lora", "none").error
    with pytest.raises(InvalidInputError, match="takes no LoRA"):
        from t2i.drawing.pipeline import pipeline

        pipeline("local-dir:pixart", device="cpu", adapters=["other.safetensors"])
