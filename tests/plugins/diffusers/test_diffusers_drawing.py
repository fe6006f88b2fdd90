"""Every family draws from its folder: as diffusers itself does, the same alone and in a batch, with typed options."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fakes.pipelines import FAMILIES, Written
from t2i.drawing.artist import Artist, Request
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import read_provenance
from t2i.drawing.regenerate import regenerate
from t2i.errors import InvalidConfigError, InvalidInputError, SnapshotError, UnreadPromptWarning
from t2i_diffusers import text_once
from t2i_diffusers.artist import DiffusersArtist
from t2i_diffusers.batches import Batches

pytestmark = pytest.mark.usefixtures("t2i_cache")
REQUESTS = [Request("a red square", 0), Request("a blue heart", 7), Request("a red square", 2**40)]


def opened(folder: Path, **how: Any) -> DiffusersArtist:
    artist = pipeline(str(folder), device="cpu", **how)
    assert isinstance(artist, DiffusersArtist)
    return artist


def options(artist: Artist, **values: Any) -> Any:
    """Two steps at 32 px, so that a picture takes milliseconds."""
    return artist.options(**{"steps": 2, "width": 32, "height": 32, **values})


def pixels(picture: Any) -> np.ndarray:
    return np.asarray(getattr(picture, "image", picture), dtype=np.int16)


@pytest.fixture(scope="module")
def sd(written: Written) -> DiffusersArtist:
    return opened(written("sd"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_draws_what_diffusers_draws_alone_or_in_a_batch(family: str, written: Written, tmp_path: Path) -> None:
    from diffusers import DiffusionPipeline

    artist = opened(written(family))
    drawn = list(artist.draw(REQUESTS, options(artist)))
    alone = [next(iter(artist.draw([request], options(artist)))) for request in REQUESTS]
    assert max(np.abs(pixels(one) - pixels(other)).max() for one, other in zip(drawn, alone, strict=True)) <= 1
    assert len({picture.image.tobytes() for picture in drawn}) == 3
    assert {*artist.identity.weights} == {
        path.relative_to(written(family)).as_posix() for path in written(family).glob("*/*.safetensors")
    }
    plain = DiffusionPipeline.from_pretrained(written(family))
    plain.set_progress_bar_config(disable=True)
    more: dict[str, Any] = {"use_resolution_binning": False, "clean_caption": False}
    more = {"pixart": more, "sana": more, "qwen": {"negative_prompt": " "}}.get(family, {})
    (expected,) = plain(
        REQUESTS[1].prompt,
        generator=torch.Generator().manual_seed(7),
        num_inference_steps=2,
        width=32,
        height=32,
        **more,
    ).images
    assert np.abs(pixels(drawn[1]) - pixels(expected)).max() <= 1
    again = regenerate(drawn[1].save(tmp_path / "picture.png"))
    assert again.difference <= 1 and read_provenance(tmp_path / "picture.png").options["steps"] == 2


def test_repeated_prompts_are_read_once(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    artist = opened(written("sd"))
    read: list[int] = []
    artist.pipe.text_encoder.embeddings.register_forward_hook(lambda module, given, found: read.append(len(found)))
    requests = [Request(prompt, seed) for prompt in ("red", "blue") for seed in range(4)]
    pictures = list(artist.draw(requests, options(artist, steps=1), batch_size=4))
    assert len(pictures) == 8 and sum(read) == 3  # two prompts, and the empty negative one
    later = [Request(prompt, 9) for prompt in ("green", "red", "blue", "green")]
    assert len(list(artist.draw(later, options(artist, steps=1), batch_size=1))) == 4
    assert sum(read) == 4  # "green"; the others are remembered from earlier batches
    monkeypatch.setattr(text_once, "REMEMBERED_BYTES", 0)
    list(artist.draw(later, options(artist, steps=1), batch_size=2))
    assert sum(read) > 4 and {*read} <= {1, 2}


def test_options_come_from_the_signature_with_their_bounds(sd: DiffusersArtist) -> None:
    fields = sd.options_type.model_fields
    assert {"steps", "guidance", "negative_prompt", "width", "height", "scheduler", "eta", "clip_skip"} <= {*fields}
    assert not {"prompt", "generator", "output_type", "latents", "num_images_per_prompt"} & {*fields}
    assert sd.options().steps == 50 and sd.options().width == 16  # type: ignore[attr-defined]
    for values, says in (
        ({"stepps": 3}, "Did you mean 'steps'"),
        ({"steps": 0}, "greater than or equal to 1"),
        ({"guidance": "high"}, "valid number"),
        ({"scheduler": "eulr"}, "'euler'"),
        ({"negative_prompt": 3}, "valid string"),
    ):
        with pytest.raises(InvalidConfigError, match=says):
            sd.options(**values)
    with pytest.raises(InvalidInputError, match="divisible by 8 but are 32 and 36"):
        list(sd.draw(REQUESTS[:1], options(sd, width=36)))


def test_every_option_changes_the_picture(sd: DiffusersArtist) -> None:
    (before,) = sd.draw(REQUESTS[:1], options(sd))
    for change in ({"steps": 3}, {"guidance": 1.5}, {"negative_prompt": "blue"}, {"scheduler": "euler-ancestral"}):
        (after,) = sd.draw(REQUESTS[:1], options(sd, **change))
        assert after.image.tobytes() != before.image.tobytes(), change
    (same,) = sd.draw(REQUESTS[:1], options(sd))  # no option leaves a trace in the pipeline
    assert same.image.tobytes() == before.image.tobytes()


def test_guidance_of_qwen_image_compares_with_an_empty_negative_prompt(written: Written) -> None:
    """Without a negative prompt, its pipeline ignores guidance."""
    artist = opened(written("qwen"))
    assert artist.options().guidance == 4 and artist.options().guidance_scale is None  # type: ignore[attr-defined]
    drawn = [
        next(iter(artist.draw(REQUESTS[:1], options(artist, **how)))).image.tobytes()
        for how in ({}, {"guidance": 1.0}, {"guidance": 9.0}, {"negative_prompt": "blue"})
    ]
    assert len({*drawn}) == 4


def test_every_scheduler_that_is_offered_draws_the_same_in_a_batch(sd: DiffusersArtist) -> None:
    names = [*sd._schedulers]
    assert names[0] == "ddim" and {"euler-ancestral", "dpmsolver-multistep"} <= {*names}
    for name in names:
        chosen = options(sd, scheduler=name, steps=3)
        try:
            batch = list(sd.draw(REQUESTS[:2], chosen))
        except InvalidInputError as error:
            assert "does not fit" in str(error) or "refuses" in str(error), name
            continue
        (alone,) = sd.draw(REQUESTS[1:2], chosen)
        assert np.abs(pixels(batch[1]) - pixels(alone)).max() <= 1, name


def test_a_prompt_that_is_too_long_is_reported_once(sd: DiffusersArtist) -> None:
    long = "a red square and a blue heart"
    with pytest.warns(UnreadPromptWarning, match="the model reads 16 of them") as found:
        list(sd.draw([Request(long, 0), Request(long, 1)], options(sd, steps=1)))
    assert len([warning for warning in found if warning.category is UnreadPromptWarning]) == 1


def test_out_of_memory_halves_the_batch(sd: DiffusersArtist, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [picture.image.tobytes() for picture in sd.draw(REQUESTS, options(sd))]
    tried: list[int] = []
    call = DiffusersArtist.call

    def small(self: DiffusersArtist, pipe: Any, requests: Any, *rest: Any, **given: Any) -> Any:
        tried.append(len(requests))
        if len(requests) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
        return call(self, pipe, requests, *rest, **given)

    monkeypatch.setattr(DiffusersArtist, "call", small)
    assert [picture.image.tobytes() for picture in sd.draw(REQUESTS, options(sd))] == expected
    assert tried == [3, 1, 1, 1]


def test_one_picture_that_does_not_fit_is_an_error() -> None:
    def never(part: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(InvalidInputError, match=r"does not fit into memory .* Draw smaller pictures"):
        Batches(4).each([1, 2, 3], never, "Draw smaller pictures.")


def test_low_memory_draws_the_same_picture(sd: DiffusersArtist, written: Written) -> None:
    low = opened(written("sd"), memory="low")
    (one,), (other,) = (artist.draw(REQUESTS[:1], options(artist)) for artist in (sd, low))
    assert low.pipe.vae.use_slicing and np.abs(pixels(one) - pixels(other)).max() <= 1


def damaged(written: Written, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written("sd"), tmp_path / "model"))


def test_weights_that_are_not_finite_are_refused(written: Written, tmp_path: Path) -> None:
    file = damaged(written, tmp_path) / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["conv_out.bias"][0] = torch.nan
    save_file(tensors, file)
    with pytest.raises(SnapshotError, match=r"some of unet\.conv_out\.bias"):
        opened(tmp_path / "model")


def test_missing_weights_are_refused(written: Written, tmp_path: Path) -> None:
    for component, file in (("unet", "diffusion_pytorch_model.safetensors"), ("text_encoder", "model.safetensors")):
        path = Path(shutil.copytree(written("sd"), tmp_path / component)) / component / file
        tensors = load_file(path)
        del tensors[sorted(tensors)[0]]
        save_file(tensors, path, metadata={"format": "pt"})
        with pytest.raises(SnapshotError, match=r"lacks weights|cannot be loaded"):
            opened(tmp_path / component)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"_class_name": ["pipeline", "MyPipeline"]}, "its own code"),
        ({"_class_name": "NoSuchPipeline"}, "which diffusers .* does not have"),
        ({"_class_name": "StableDiffusionUpscalePipeline"}, "does not draw pictures from text alone"),
        ({"_class_name": "AnimateDiffPipeline"}, "does not draw pictures from text alone"),
        ({"unet": ["my_code", "MyUNet"]}, "never runs code that comes with a model"),
        ({"unet": ["diffusers", "../../UNet"]}, "never runs code that comes with a model"),
        ({"other": ["diffusers", "UNet2DConditionModel"]}, "no files of it"),
        ({"_class_name": None}, "must name a pipeline class"),
        ({"scheduler": ["diffusers", "NoSuchScheduler"]}, "cannot be loaded: .*NoSuchScheduler"),
    ],
)
def test_an_index_that_is_not_safe_or_draws_nothing_is_refused(
    written: Written, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    folder = damaged(written, tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, **change}))
    (folder / "unet" / "my_code.py").write_text("raise SystemExit('code of the model ran')")
    with pytest.raises(SnapshotError, match=says):
        opened(folder)


def test_an_image_to_image_repository_draws_from_text_with_its_components(written: Written, tmp_path: Path) -> None:
    folder = damaged(written, tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "StableDiffusionImg2ImgPipeline"}))
    assert type(opened(folder).pipe).__name__ == "StableDiffusionPipeline"


def test_pickled_weights_are_refused_and_other_variants_found(written: Written, tmp_path: Path) -> None:
    folder = damaged(written, tmp_path)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    half = {name: tensor.half() for name, tensor in load_file(file).items()}
    save_file(half, file.with_name("diffusion_pytorch_model.fp16.safetensors"), metadata={"format": "pt"})
    file.rename(file.with_suffix(".bin"))
    artist = opened(folder)  # only the UNet has a variant, and only that one
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in artist.identity.weights
    assert artist.pipe.unet.dtype == torch.float32
    file.with_name("diffusion_pytorch_model.fp16.safetensors").unlink()
    with pytest.raises(SnapshotError, match=r"unet of .* has only 'diffusion_pytorch_model\.bin': a pickle"):
        opened(folder)


def test_sharded_weights_are_read_and_a_lost_shard_is_refused(tmp_path: Path) -> None:
    from fakes.pipelines import write_pipeline

    folder = write_pipeline("sd", tmp_path / "model", max_shard_size="5KB")
    shards = sorted((folder / "unet").glob("*-of-*.safetensors"))
    assert len(shards) > 1
    assert {f"unet/{shard.name}" for shard in shards} <= {*opened(folder).identity.weights}
    shards[0].unlink()
    with pytest.raises(SnapshotError, match=r"unet of .* needs \d+ files of weights"):
        opened(folder)
