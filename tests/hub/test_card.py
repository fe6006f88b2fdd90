"""The model card, as the Hub's own reader understands it."""

from __future__ import annotations

from huggingface_hub import ModelCard

from fakes.models import FakeTextEncoder
from t2i.hub.card import render_card
from t2i.hub.snapshots import SnapshotConfig, SnapshotFacts


def config(**facts) -> SnapshotConfig:
    return SnapshotConfig(technique="cgan", config={}, facts=SnapshotFacts(**facts), weights_sha256="a" * 64)


def test_the_hub_reads_the_cards_head():
    card = ModelCard(render_card(config(license="CC-BY-SA-4.0")))
    assert card.data.pipeline_tag == "text-to-image"
    assert card.data.library_name == "t2i"
    assert card.data.license == "cc-by-sa-4.0"
    assert card.data.tags == ["t2i", "cgan"]


def test_the_card_states_every_fact():
    facts = {"dataset": "openmoji:train", "license": "CC-BY-SA-4.0", "steps": 12_345, "images_seen": 6_789_000}
    text = render_card(config(text_encoder=FakeTextEncoder().identity, command="t2i train cgan --steps 9", **facts))
    encoder = f"| text encoder | fake, 8-d, sha256 {'0' * 64} |"
    weights = f"| model.safetensors | sha256 {'a' * 64} |"
    for said in (encoder, weights, "openmoji:train", "CC-BY-SA-4.0", "12,345", "6,789,000", "t2i train cgan --steps 9"):
        assert said in text


def test_a_card_without_facts_says_that_they_are_not_said():
    text = render_card(config())
    assert "| dataset | not said |" in text
    assert "| text encoder | not said |" in text
    assert "Made again by" not in text
