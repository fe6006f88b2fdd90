"""R-precision by DAMSM: the same number as by hand, labelled, and refused where a model's DAMSM cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from t2i.create import create_evaluator, create_model, create_text_encoder
from t2i.errors import InvalidInputError
from t2i.publishing.pretrained import save_pretrained
from t2i_attngan.backbone import Backbone
from t2i_attngan.config import AttnGANConfig
from t2i_attngan.evaluator import DAMSMEncoder
from t2i_attngan.generator import AttnGAN

SMALL: dict[str, Any] = {"word_dim": 16, "backbone_side": 32, "widths": (16, 8), "branch_widths": (8,)}
CAPTIONS = [f"a {colour} {thing}" for colour in ("red", "blue", "green") for thing in ("heart", "car", "house", "dog")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    generator = create_model("attngan", **SMALL).eval()
    folder = tmp_path_factory.mktemp("models") / "attngan"
    return str(save_pretrained(generator, folder, text_encoder=create_text_encoder().identity))


def test_scores_are_those_of_cosines_by_hand(model: str) -> None:
    torch.manual_seed(1)
    images = torch.rand(12, 3, 16, 16) * 2 - 1
    evaluator = create_evaluator("damsm", model=model, distractors=11, folds=2)
    for part in (slice(0, 5), slice(5, 12)):
        evaluator.update(images[part], captions=CAPTIONS[part])
    scores = evaluator.compute()
    generator = t2i_generator(model)
    with torch.inference_mode():
        whole = generator.damsm.see(Backbone(generator.config)(images)).whole
        sentence = generator.damsm.reader(create_text_encoder().encode(CAPTIONS)).sentence
    table = F.cosine_similarity(whole[:, None], sentence, dim=2)
    assert scores["damsm"].value == pytest.approx((table.argmax(1) == torch.arange(12)).float().mean().item())
    assert scores["damsm_chance"].value == pytest.approx(1 / 12) and set(scores) == {"damsm", "damsm_chance"}


def test_it_is_labelled_as_a_judge_that_trained_the_model(model: str) -> None:
    evaluator = create_evaluator("damsm", model=model, distractors=11, folds=2)
    evaluator.update(torch.zeros(12, 3, 16, 16), captions=CAPTIONS)
    score = evaluator.compute()["damsm"]
    assert "DAMSM's loss trains AttnGAN" in score.caution
    assert score.protocol["encoder"] == f"damsm of {model}" and score.protocol["backbone"] == "efficientnet_lite0"
    assert len(score.protocol["encoder_sha256"]) == 64


def test_a_model_must_be_named() -> None:
    with pytest.raises(InvalidInputError, match=r"t2i train attngan .* --setting damsm\.model=runs/attngan"):
        create_evaluator("damsm")


def test_a_model_without_a_whole_damsm_cannot_judge(tmp_path: Path) -> None:
    shapes = {
        "has no DAMSM": {"backbone": ""},
        "random backbone": {
            "backbone": "test_efficientnet", "backbone_channels": (48, 64), "backbone_pretrained": False,
        },
    }  # fmt: skip
    for number, (told, shape) in enumerate(shapes.items()):
        folder = save_pretrained(create_model("attngan", **SMALL, **shape).eval(), tmp_path / str(number))
        with pytest.raises(InvalidInputError, match=told):
            DAMSMEncoder(str(folder))
    other = create_model("cgan", resolution=16, widths=(16, 8), condition_dim=16, hidden_dim=16).eval()
    with pytest.raises(InvalidInputError, match="another technique"):
        DAMSMEncoder(str(save_pretrained(other, tmp_path / "cgan")))


def t2i_generator(model: str) -> AttnGAN:
    from t2i.publishing.pretrained import from_pretrained

    generator = from_pretrained(model)
    assert isinstance(generator, AttnGAN) and isinstance(generator.config, AttnGANConfig)
    return generator
