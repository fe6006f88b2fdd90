"""ImageReward against transformers' own BLIP, and its converter against a checkpoint in the authors' layout."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.create import create_evaluator
from t2i.errors import InvalidInputError, SnapshotError
from t2i.files import sha256_of
from t2i.images import to_pil
from t2i_metrics.convert_reward import convert_reward
from t2i_metrics.reward_model import MEAN, untrained

CAPTIONS = ["a red heart", "a dog", "a cat on the moon"]
LAYERS = {f"mlp.{number}.": f"mlp.layers.{place}." for number, place in enumerate((0, 2, 4, 6, 7))}


def authors_name(name: str) -> str:
    """The name of a tensor in the authors' code: timm's for the vision transformer, BERT's for the text encoder."""
    for ours, theirs in {
        **LAYERS,
        "text_encoder.": "blip.text_encoder.",
        "vision_model.embeddings.class_embedding": "blip.visual_encoder.cls_token",
        "vision_model.embeddings.position_embedding": "blip.visual_encoder.pos_embed",
        "vision_model.embeddings.patch_embedding.": "blip.visual_encoder.patch_embed.proj.",
        "vision_model.post_layernorm.": "blip.visual_encoder.norm.",
    }.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    block, part = re.fullmatch(r"vision_model\.encoder\.layers\.(\d+)\.(.*)", name).groups()  # type: ignore[union-attr]
    for ours, theirs in {
        "layer_norm": "norm",
        "self_attn.qkv": "attn.qkv",
        "self_attn.projection": "attn.proj",
    }.items():
        part = part.replace(ours, theirs)
    return f"blip.visual_encoder.blocks.{block}.{part}"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint in the authors' layout, next to the folder "bert" with a tokenizer."""
    network, tokenizer, _ = untrained()
    folder = tmp_path_factory.mktemp("reward")
    tensors = {authors_name(name): tensor for name, tensor in network.state_dict().items()}
    unused = {"blip.vision_proj.weight": torch.zeros(2, 2), "blip.text_encoder.embeddings.position_ids": torch.zeros(1)}
    torch.save(tensors | unused, folder / "ImageReward.pt")
    tokenizer.save_pretrained(folder / "bert")
    return folder / "ImageReward.pt"


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    pixels = torch.rand(len(CAPTIONS), 3, 48, 48, generator=torch.Generator().manual_seed(0))
    return pixels.mul(255).round().div(127.5).sub(1)


def expected(images: torch.Tensor, folder: Path) -> list[float]:
    """The authors' arithmetic, one picture at a time, with transformers' modules."""
    weights = load_file(folder / "model.safetensors")
    config = transformers.BlipConfig(**json.loads((folder / "config.json").read_text()))
    vision = transformers.BlipVisionModel(config.vision_config).eval()
    text = transformers.BlipTextModel(config.text_config, add_pooling_layer=False).eval()
    for part, prefix in ((vision, "vision_model."), (text, "text_encoder.")):
        part.load_state_dict({n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)})
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rewards = []
    for picture, caption in zip(to_pil(images), CAPTIONS, strict=True):
        words: Any = tokenizer(caption, return_tensors="pt")  # without padding, unlike ours
        with torch.no_grad():
            seen = vision(**processor(images=picture, return_tensors="pt")).last_hidden_state
            x = text(
                words["input_ids"], attention_mask=words["attention_mask"], encoder_hidden_states=seen
            ).last_hidden_state[:, 0]
            for number in range(5):
                x = x @ weights[f"mlp.{number}.weight"].T + weights[f"mlp.{number}.bias"]
        rewards.append((float(x) - MEAN) / 1.0333394966054072)
    return rewards


def test_a_converted_checkpoint_gives_the_authors_rewards(
    checkpoint: Path, images: torch.Tensor, tmp_path: Path, t2i: T2I
) -> None:
    folder = tmp_path / "image-reward"
    done = t2i("judge", "convert-image-reward", checkpoint, "-o", folder, "--tokenizer", checkpoint.parent / "bert")
    assert done.code == 0, done
    evaluator = create_evaluator("image_reward", model=str(folder))
    evaluator.update(images, captions=CAPTIONS)
    evaluator.update(images[:2], captions=CAPTIONS[:2], real=True)
    scores, rewards = evaluator.compute(), expected(images, folder)
    assert max(rewards) - min(rewards) > 0.01
    assert scores["image_reward"].value == pytest.approx(sum(rewards) / 3, abs=1e-4)
    assert scores["image_reward_ceiling"].value == pytest.approx(sum(rewards[:2]) / 2, abs=1e-4)
    assert scores["image_reward"].protocol["model_sha256"] == sha256_of(folder / "model.safetensors")
    swapped = create_evaluator("image_reward", model=str(folder))
    swapped.update(images, captions=CAPTIONS[::-1])
    assert swapped.compute()["image_reward"].value != pytest.approx(scores["image_reward"].value, abs=1e-6)


def test_what_is_not_its_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="t2i judge convert-image-reward"):
        create_evaluator("image_reward")
    with pytest.raises(SnapshotError, match="is not a reward model"):
        create_evaluator("image_reward", model=str(checkpoint.parent / "bert"))
    tensors = torch.load(checkpoint, weights_only=True)
    for change, says in (({"mlp.layers.0.bias": None}, "bias"), ({"other.weight": torch.zeros(1)}, "it has 'other")):
        torch.save({n: t for n, t in (tensors | change).items() if t is not None}, tmp_path / "changed.pt")
        with pytest.raises(SnapshotError, match=f"is not ImageReward's checkpoint: .*{says}"):
            convert_reward(tmp_path / "changed.pt", tmp_path / "out", str(checkpoint.parent / "bert"))
        assert not (tmp_path / "out").exists()
