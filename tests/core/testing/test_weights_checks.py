"""The checks find each of a set of weights that are damaged in one way, and pass correct ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fakes.checking import caught, expect, failures
from fakes.distributions import PLUGIN, PREFIX, FakeSite
from fakes.models import FakeGenerator, FakeTextEncoder
from t2i.files import sha256_of
from t2i.publishing.pretrained import save_pretrained
from t2i.registry.describe import weights_spec
from t2i.testing.checks.weights import WEIGHTS_CHECKS


@dataclass
class Published:
    """A snapshot and the values that its plugin declares; the tests change either."""

    folder: Path
    license: str = "MIT"
    resolution: int = 8
    text_encoder: str = "fake"
    extra_bytes: int = 0
    sha256: str = ""

    def change(self, file: str, spoil: Callable[[dict[str, torch.Tensor]], object]) -> None:
        path = self.folder / file
        tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
        spoil(tensors)
        save_file(tensors, path)


def other_license(p: Published) -> None:
    p.license = "Apache-2.0"


def other_resolution(p: Published) -> None:
    p.resolution = 64


def other_encoder(p: Published) -> None:
    p.text_encoder = "minilm"


def other_size(p: Published) -> None:
    p.extra_bytes = 1


def other_file(p: Published) -> None:
    p.sha256 = "0" * 64


def other_golden(p: Published) -> None:
    p.change("golden.safetensors", lambda tensors: tensors["images"].neg_())


def lacks_a_key(p: Published) -> None:
    p.change("model.safetensors", lambda tensors: tensors.pop("to_pixels.bias"))


def not_finite(p: Published) -> None:
    p.change("model.safetensors", lambda tensors: tensors["to_pixels.bias"].fill_(math.inf))
    p.change("golden.safetensors", lambda tensors: tensors["images"].fill_(1.0))


def pickled(p: Published) -> None:
    torch.save({}, p.folder / "optimizer.pt")


def no_card(p: Published) -> None:
    (p.folder / "README.md").unlink()


def empty_card(p: Published) -> None:
    (p.folder / "README.md").write_text("---\nlicense: mit\n---\n")


FILE, KEYS, GOLDEN = "is_the_published_file", "loads_key_by_key", "golden_pictures_are_drawn_again"
FINITE, PICKLE, CARD = "every_weight_is_finite", "holds_no_pickle", "has_a_card_that_says_licence_and_text_encoder"
SPECIMENS: list[tuple[Callable[[Published], None], dict[str, str]]] = [
    (lambda p: None, {}),
    (other_license, {CARD: "plugin.py says Apache-2.0, but the card's header says mit"}),
    (other_resolution, {KEYS: "it must draw 64 px as declared, but its config says 8"}),
    (other_encoder, {CARD: "plugin.py says text encoder minilm, config.json says fake"}),
    (other_size, {FILE: "bytes as declared"}),
    (other_file, dict.fromkeys((FILE, KEYS, GOLDEN, FINITE, PICKLE, CARD), "must have the sha256")),
    (other_golden, {GOLDEN: "golden pictures must match within 0.001, but differ by"}),
    (lacks_a_key, {KEYS: "to_pixels.bias", GOLDEN: "to_pixels.bias"}),
    (
        not_finite,
        {FINITE: "some in to_pixels.bias are not", **dict.fromkeys((KEYS, GOLDEN), "must be finite numbers, but")},
    ),
    (pickled, {PICKLE: "optimizer.pt looks like one"}),
    (no_card, {CARD: "has no card"}),
    (empty_card, {CARD: "is empty below its header"}),
]


@pytest.mark.parametrize(("spoil", "reasons"), SPECIMENS)
def test_damaged_weights_fail_for_their_reason(
    site: FakeSite, spoil: Callable[[Published], None], reasons: dict[str, str]
) -> None:
    package = site.folder / f"{PREFIX}bundle"
    package.mkdir()
    (package / "__init__.py").touch()
    folder = save_pretrained(
        FakeGenerator(), package / "w", license="MIT", text_encoder=vars(FakeTextEncoder().identity), dataset="shapes"
    )
    published = Published(folder)
    spoil(published)
    weights = folder / "model.safetensors"
    declared = (
        f"WeightsSpec('fake', 'tiny', {published.sha256 or sha256_of(weights)!r}, "
        f"{weights.stat().st_size + published.extra_bytes}, 'shapes', {published.resolution}, {published.license!r}, "
        f"{published.text_encoder!r}, bundled='{PREFIX}bundle:w')"
    )
    model = 'ModelSpec("fake", "fakes.models:FakeGenerator", "fakes.models:FakeConfig", "gan", "a fake", "none")'
    site.install("zoo", PLUGIN.format(models=f"[{model}]", weights=f"[{declared}]", api="1"))
    expect(failures(WEIGHTS_CHECKS, lambda: weights_spec("fake.tiny")), reasons)


def test_every_check_catches_damaged_weights() -> None:
    assert caught(SPECIMENS) == {check.name for check in WEIGHTS_CHECKS}
