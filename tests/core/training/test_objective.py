"""The batches that losses get, step by step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fakes.models import FakeTextEncoder
from fakes.training import OnePlayer, TwoPhases, Watched, settings, squares, train
from t2i.images import from_uint8
from t2i.training.objective import Batch, Objective, Player
from t2i.training.trainer import Trainer


def batches(run: Path, objective: Objective, **changes: object) -> list[Batch]:
    seen: list[Batch] = []
    train(Watched(objective, lambda player, batch: seen.append(batch)), run, **changes)
    return seen


class Mismatching(OnePlayer):
    """Needs mismatched captions."""

    needs_mismatched = True


def test_a_batch_holds_pictures_with_their_own_and_anothers_caption(tmp_path: Path) -> None:
    data = squares(8)
    pictures = from_uint8(data.images)
    for step, batch in enumerate(batches(tmp_path / "run", Mismatching(), steps=8)):
        assert batch.step == step and batch.mismatched is not None
        assert batch.groups.tolist() == data.groups[batch.pictures].tolist()
        encoded = FakeTextEncoder().encode(batch.captions)
        assert torch.allclose(encoded.sentence, batch.text.sentence, atol=1e-2)  # features are stored in half precision
        assert batch.images.shape == (6, 3, 8, 8) and batch.images.dtype == torch.float32
        for row in range(6):
            (picture,) = (index for index in range(8) if torch.equal(pictures[index], batch.images[row]))
            own = data.captions[torch.tensor(data.captions_of[picture])].sentence
            others = [caption for index in range(8) if index != picture for caption in data.captions_of[index]]
            assert (own == batch.text.sentence[row]).all(1).any()
            wrong = data.captions[torch.tensor(others)].sentence
            assert (wrong == batch.mismatched.sentence[row]).all(1).any()
            assert (batch.text.words[row][~batch.text.mask[row]] == 0).all()
    assert all(batch.mismatched is None for batch in batches(tmp_path / "plain", OnePlayer(), steps=2))


def test_players_of_one_step_see_the_same_batch(tmp_path: Path) -> None:
    seen = batches(tmp_path / "run", TwoPhases(), steps=8)
    critic, generator = seen[4], seen[5]  # step 4, the first of the second phase
    assert torch.equal(critic.images, generator.images)
    assert torch.equal(critic.text.sentence, generator.text.sentence)
    assert critic.noise.seeds == generator.noise.seeds
    first, later = critic.noise, seen[6].noise
    assert set(first.seeds).isdisjoint(later.seeds)


def test_micro_batches_together_are_the_batch(tmp_path: Path) -> None:
    whole = batches(tmp_path / "1", OnePlayer(), steps=2)
    parts = batches(tmp_path / "3", OnePlayer(), steps=2, accumulate=3)
    assert [len(batch.text) for batch in parts] == [2] * 6
    for step in range(2):
        mine = parts[3 * step : 3 * step + 3]
        assert torch.equal(torch.cat([batch.images for batch in mine]), whole[step].images)
        assert sum((batch.noise.seeds for batch in mine), ()) == whole[step].noise.seeds


def test_the_seed_decides_what_is_seen(tmp_path: Path) -> None:
    one, again, other = (
        batches(tmp_path / name, OnePlayer(), steps=2, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(
        torch.equal(a.images, b.images) and a.noise.seeds == b.noise.seeds for a, b in zip(one, again, strict=True)
    )
    assert one[0].noise.seeds != other[0].noise.seeds


@pytest.mark.parametrize("margin", [0, 4])
def test_pictures_are_cut_to_the_resolution(tmp_path: Path, margin: int) -> None:
    seen: list[torch.Tensor] = []
    watched = Watched(OnePlayer(), lambda player, batch: seen.append(batch.images))
    config = settings(steps=3, crop_margin=margin, horizontal_flip=True)
    Trainer(watched, squares(8 + margin), config, tmp_path / "run", device="cpu").fit()
    assert {images.shape for images in seen} == {(6, 3, 8, 8)}


def test_batches_are_frozen() -> None:
    (phase,) = OnePlayer().phases
    with pytest.raises(AttributeError):
        phase.players[0].every = 2  # type: ignore[misc]
    assert isinstance(phase.players[0], Player)
