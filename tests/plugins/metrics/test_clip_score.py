"""CLIP score against transformers' own processor and model and torchmetrics, on a tiny CLIP made here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file

from fakes.image_text import FakeImageTextEncoder
from t2i.create import create_evaluator
from t2i.errors import InvalidInputError, OfflineError, SnapshotError, UnknownNameError
from t2i.files import sha256_of
from t2i.images import to_pil
from t2i_metrics.clip import CLIP
from t2i_metrics.clip_score import CLIPScore
from t2i_metrics.encoders import create_image_text_encoder
from t2i_metrics.pick_score import PickScore
from t2i_metrics.r_precision import RPrecision

CAPTIONS = ["a red heart", "a dog", "a cat", "the flag of Japan", "a woman firefighter with dark skin", "a bird"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP with random weights, saved by transformers."""
    folder = tmp_path_factory.mktemp("clip") / "tiny"
    letters = sorted({letter for caption in CAPTIONS for letter in caption.replace(" ", "").lower()})
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: position for position, word in enumerate(words)}
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=40)
    tokenizer.save_pretrained(folder)
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(folder)
    shape = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 64}
    text = shape | {"vocab_size": len(words), "max_position_embeddings": 40, "bos_token_id": 0, "eos_token_id": 1}
    config = transformers.CLIPConfig(
        text_config=text, vision_config=shape | {"image_size": 32, "patch_size": 8}, projection_dim=16
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def images() -> torch.Tensor:
    stream = torch.Generator().manual_seed(0)
    small = torch.rand(len(CAPTIONS), 3, 6, 6, generator=stream) * 2 - 1
    return F.interpolate(small, size=(64, 64), mode="bilinear").mul(127.5).round().div(127.5)


def test_vectors_are_those_of_transformers_own_processor_and_model(folder: Path, images: torch.Tensor):
    encoder = CLIP(str(folder))
    ours, ours_text = encoder.images(images), encoder.captions(CAPTIONS)
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    processor = transformers.CLIPImageProcessor.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for row, (picture, caption) in enumerate(zip(to_pil(images), CAPTIONS, strict=True)):
        with torch.no_grad():
            out = model(
                pixel_values=processor(images=picture, return_tensors="pt")["pixel_values"],
                **tokenizer([caption], return_tensors="pt"),
            )
        torch.testing.assert_close(ours[row], out.image_embeds[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(ours_text[row], out.text_embeds[0], atol=1e-5, rtol=0)
    assert encoder.sha256 == sha256_of(folder / "model.safetensors") and encoder.name == f"clip:{folder}"
    assert not any(weight.requires_grad for weight in encoder._network.parameters())


class Bare(torch.nn.Module):
    """A CLIP that returns feature tensors, as in transformers 4 and as torchmetrics expects."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.model = transformers.CLIPModel.from_pretrained(folder).eval()
        self.config = self.model.config

    def get_image_features(self, *given) -> torch.Tensor:
        return self.model.get_image_features(*given).pooler_output

    def get_text_features(self, *given) -> torch.Tensor:
        return self.model.get_text_features(*given).pooler_output


def test_each_picture_has_torchmetrics_score(folder: Path, images: torch.Tensor):
    from torchmetrics.functional.multimodal import clip_score

    theirs = Bare(folder), transformers.CLIPProcessor.from_pretrained(folder)
    evaluator = create_evaluator("clip_score", encoder=f"clip:{folder}")
    pixels = images.add(1).mul(127.5).round().to(torch.uint8)
    expected = []
    for captions in (CAPTIONS, CAPTIONS[::-1]):
        expected += [float(clip_score(*pair, lambda: theirs)) for pair in zip(pixels, captions, strict=True)]
        evaluator.update(images, captions=captions)
    score = evaluator.compute()["clip_score"]
    assert sum(value > 0 for value in expected) > 3
    assert score.value == pytest.approx(sum(expected) / 12, abs=2e-3)
    assert score.protocol["encoder_sha256"] == sha256_of(folder / "model.safetensors")
    assert score.protocol["n_fake"] == "12" and 0 < score.standard_error < 100


def test_the_mean_of_clipped_cosines_in_closed_form():
    encoder = FakeImageTextEncoder()
    evaluator = CLIPScore(encoder)
    evaluator.update(encoder.show(CAPTIONS), captions=CAPTIONS)
    assert evaluator.compute()["clip_score"].value == pytest.approx(100, abs=1e-3)
    evaluator.update(-encoder.show(CAPTIONS), captions=CAPTIONS)
    halves = evaluator.compute()["clip_score"]
    assert halves.value == pytest.approx(50, abs=1e-3)
    assert halves.standard_error == pytest.approx((12 / 11 * 2500 / 12) ** 0.5, rel=1e-4)
    evaluator.update(encoder.show(CAPTIONS), captions=CAPTIONS, real=True)
    assert evaluator.compute()["clip_score_ceiling"].value == pytest.approx(100, abs=1e-3)


def test_only_states_of_the_same_kind_merge():
    encoder = FakeImageTextEncoder()
    images = encoder.show(CAPTIONS, noise=0.5)
    whole, parts = CLIPScore(encoder), [CLIPScore(encoder), CLIPScore(encoder)]
    whole.update(images, captions=CAPTIONS)
    parts[0].update(images[:2], captions=CAPTIONS[:2])
    parts[1].update(images[2:], captions=CAPTIONS[2:])
    parts[0].merge(parts[1].state())
    assert parts[0].compute() == whole.compute()
    with pytest.raises(InvalidInputError, match="got one of r_precision"):
        whole.merge(RPrecision(encoder).state())
    with pytest.raises(InvalidInputError, match="encoder: fake and other"):
        whole.merge(CLIPScore(FakeImageTextEncoder(name="other")).state())


def test_without_captions_or_pictures_there_is_no_score():
    encoder = FakeImageTextEncoder()
    evaluator = CLIPScore(encoder)
    with pytest.raises(InvalidInputError, match="'clip_score' needs one caption for each picture, got none"):
        evaluator.update(encoder.show(CAPTIONS))
    with pytest.raises(InvalidInputError, match="at least 2 generated pictures, got 0"):
        evaluator.compute()


def test_r_precision_by_a_clip(folder: Path, images: torch.Tensor):
    evaluator = create_evaluator("r_precision", encoder=f"clip:{folder}", distractors=3, folds=2)
    evaluator.update(images, captions=CAPTIONS, groups=CAPTIONS)
    assert 0 <= evaluator.compute()["r_precision"].value <= 1


def test_a_missing_clip_is_a_one_sentence_error():
    with pytest.raises(OfflineError, match="openai/clip-vit-base-patch32 is not on this machine"):
        create_evaluator("clip_score")


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("clip:", UnknownNameError, r"'judge', 'judge:DATA' \(see"),
        ("clp", UnknownNameError, "got 'clp'"),
        ("clip:one/two/three", InvalidInputError, "org/name"),
    ],
)
def test_unknown_names(name: str, error: type[Exception], says: str):
    with pytest.raises(error, match=says):
        create_image_text_encoder(name)


def test_files_that_are_not_a_clip(folder: Path, tmp_path: Path):
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("visual_projection.weight")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SnapshotError, match="lacks 1 weights, such as 'visual_projection"):
        CLIP(str(broken))
    (broken / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(SnapshotError, match="transformers cannot load it"):
        CLIP(str(broken))
    (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
    with pytest.raises(SnapshotError, match="pickled weights are never read"):
        CLIP(str(broken))


def test_pick_score_is_the_models_own_logit(folder: Path, images: torch.Tensor):
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    processor = transformers.CLIPImageProcessor.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    logits = []
    for picture, caption in zip(to_pil(images), CAPTIONS, strict=True):
        pixels = processor(images=picture, return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            out = model(pixel_values=pixels, **tokenizer([caption], return_tensors="pt"))
        logits.append(float(out.logits_per_image))
    evaluator = create_evaluator("pick_score", encoder=f"clip:{folder}")
    evaluator.update(images, captions=CAPTIONS)
    evaluator.update(images[:2], captions=CAPTIONS[:2], real=True)
    scores = evaluator.compute()
    assert scores["pick_score"].value == pytest.approx(sum(logits) / len(logits), abs=1e-3)
    assert scores["pick_score_ceiling"].value == pytest.approx(sum(logits[:2]) / 2, abs=1e-3)
    opposite = PickScore(FakeImageTextEncoder())
    opposite.update(-FakeImageTextEncoder().show(CAPTIONS), captions=CAPTIONS)
    assert opposite.compute()["pick_score"].value == pytest.approx(-1, abs=1e-3)  # nothing is clipped
