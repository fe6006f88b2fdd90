"""The bound's terms, what `single` draws, and whether it learns where things are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from t2i.config import parse_config
from t2i.drawing.abilities import Interpolates, Reconstructs
from t2i.errors import InvalidConfigError
from t2i.noise import Noise
from t2i.testing.checks import captions
from t2i.testing.objectives import batch_of
from t2i.text import TextEmbedding
from t2i.training.objective import Batch
from t2i_layers.compose import Placements, compose, overlap
from t2i_layers.config import LayersConfig, LayersObjectiveConfig
from t2i_layers.generator import Found, LayeredVAE
from t2i_layers.model import Scene
from t2i_layers.training import ALONE, HELD, LayersObjective, among_others

SHAPE: dict[str, Any] = {
    "resolution": 16, "text_dim": 12, "copies": (2, 1), "latent_dim": 8, "dim": 16, "depth": 1, "heads": 2,
    "widths": (16, 8), "encoder_widths": (8, 16),
}  # fmt: skip
VALUES = 3 * 16 * 16


@pytest.fixture
def vae() -> LayeredVAE:
    torch.manual_seed(0)
    return LayeredVAE(LayersConfig.model_validate(SHAPE))


def squares(count: int) -> Tensor:
    """White pictures, each with a black square of 6 px somewhere."""
    places = torch.randint(0, 11, (count, 2), generator=torch.Generator().manual_seed(1)).tolist()
    images = torch.ones(count, 3, 16, 16)
    for image, (top, left) in zip(images, places, strict=True):
        image[:, top : top + 6, left : left + 6] = -1
    return images


def batch(count: int = 4) -> Batch:
    return batch_of(squares(count), captions(count, 12), progress=0.5)


def train(objective: LayersObjective, seen: Batch, steps: int = 100) -> None:
    """On one batch."""
    optimizer = torch.optim.Adam(objective.generator.parameters(), lr=5e-3)
    for _ in range(steps):
        terms = objective.loss(seen)
        optimizer.zero_grad()
        sum(term for name, term in terms.items() if name != "kl_nats").backward()
        optimizer.step()


def nothing(_: LayeredVAE, scene: Scene, *__: object) -> Found:
    """What a search finds that finds no better place."""
    none = torch.zeros(len(scene.background))
    return Found(none.bool(), none.long(), none, none, none)


def test_terms_are_the_bound_per_pixel_value(vae: LayeredVAE, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = batch()
    settings = LayersObjectiveConfig(squared_error=2, absolute_error=3, beta=0.7, order=0.3, search=0.5, overlap=0.6)
    with monkeypatch.context() as patch:
        patch.setattr(LayeredVAE, "found", nothing)
        terms = LayersObjective(vae, settings).loss(seen)
    (mean, log_variance), read = vae.encoder(seen.images, seen.text.sentence), vae.decoder.read(seen.text)
    posterior, expected = Normal(mean, (0.5 * log_variance).exp()), vae.decoder.planner.expected(read)
    z = posterior.mean + posterior.stddev * Noise(range(4)).normal(8)
    scene = vae.decoder.scene(read, z).dealt()
    order = vae.fitting(scene, vae.sprites(scene), seen.images)
    difference = vae.paint(scene.in_order(order)) - seen.images  # without a search
    parts = Independent(Normal(expected.means, (0.5 * expected.log_variances).exp()), 1)
    prior = MixtureSameFamily(Categorical(logits=expected.log_weights), parts)
    nats = -(posterior.entropy().sum(1) + prior.log_prob(z)).mean()
    torch.testing.assert_close(terms["kl"], 0.7 * nats / VALUES)
    torch.testing.assert_close(terms["squared_error"], 2 * difference.square().mean())
    torch.testing.assert_close(terms["absolute_error"], 3 * difference.abs().mean())
    torch.testing.assert_close(terms["order"], -0.3 * scene.orders.gather(1, order[:, None]).mean())
    torch.testing.assert_close(terms["overlap"], 0.6 * overlap(scene.places).mean())
    assert terms["search"] == 0 and terms["overlap"] > 0
    assert set(terms) == {"kl", "kl_nats", "order", "search", "overlap", "squared_error", "absolute_error"}


@pytest.mark.parametrize("thing", [0, 1])
def test_one_thing_is_drawn_alone_and_fully_visible_at_the_first_place(vae: LayeredVAE, thing: int) -> None:
    scene = vae.decoder.scene(vae.decoder.read(captions(2, 12)), torch.zeros(2, 8))
    one = scene.only(thing)
    assert one.places.presence.eq(1).all() and one.places.presence.shape == (2, 1) and one.looks.shape[1] == 1
    first = scene.looks[:, [thing, thing]]
    alone = scene.places._replace(presence=torch.tensor([[1.0, 0, 0]]).expand(2, 3))
    torch.testing.assert_close(vae.paint(one), vae.paint(scene._replace(looks=first, places=alone)))


def test_one_trains_the_queries_in_turn(vae: LayeredVAE) -> None:
    """So that each can find a thing in a caption, before two have to share the work."""
    objective = LayersObjective(vae, LayersObjectiveConfig(draw="one"))
    for step in (4, 5):
        seen = batch_of(squares(4), captions(4, 12), progress=0.5, step=step)
        read = vae.decoder.read(seen.text)
        z = vae.encoder(seen.images, seen.text.sentence).at(Noise(range(4)).normal(8))
        drawn = vae.paint(vae.decoder.scene(read, z).only(step % 2))
        wanted = (drawn - seen.images).square().mean()
        torch.testing.assert_close(objective.loss(seen)["squared_error"], wanted)


def test_each_draws_one_copy_of_each_thing(vae: LayeredVAE, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = batch()
    read = vae.decoder.read(seen.text)
    scene = vae.decoder.scene(read, vae.encoder(seen.images, seen.text.sentence).at(Noise(range(4)).normal(8)))
    hidden = scene.places._replace(presence=scene.places.presence * torch.tensor([1.0, 0, 1]))
    assert torch.equal(scene.first_copies().places.thing, torch.tensor([0, 1]))
    order = vae.fitting(scene.first_copies(), vae.sprites(scene), seen.images)
    drawn = vae.paint(scene._replace(places=hidden).in_order(order))
    wanted = (drawn - seen.images).square().mean()
    monkeypatch.setattr(LayeredVAE, "found", nothing)
    objective = LayersObjective(vae, LayersObjectiveConfig(draw="each"))
    torch.testing.assert_close(objective.loss(seen)["squared_error"], wanted)


def test_at_last_one_learns_from_lists_of_captions(vae: LayeredVAE) -> None:
    """A query draws the picture whose caption is at its own place in the list."""
    objective = LayersObjective(vae, LayersObjectiveConfig(draw="one"))
    for progress in (ALONE - 0.01, ALONE):
        for step in (0, 1):
            seen = batch_of(squares(4), captions(4, 12), progress=progress, step=step)
            text = seen.text if progress < ALONE else among_others(seen.text, step, 2)
            z = vae.encoder(seen.images, seen.text.sentence).at(Noise(range(4)).normal(8))
            drawn = vae.paint(vae.decoder.scene(vae.decoder.read(text), z).only(step))
            wanted = (drawn - seen.images).square().mean()
            torch.testing.assert_close(objective.loss(seen)["squared_error"], wanted)


def test_a_list_of_captions_has_the_words_of_each_in_order_and_no_gaps() -> None:
    mask = torch.tensor([[True, True, False], [True, False, False], [True, True, True]])
    words = torch.arange(1.0, 10).view(3, 3, 1) * mask[..., None]
    text = TextEmbedding(torch.tensor([[1.0], [2], [6]]), words, mask)
    first, second = among_others(text, 0, 2), among_others(text, 1, 2)
    assert first.words[..., 0].tolist() == [[1, 2, 4, 0, 0, 0], [4, 7, 8, 9, 0, 0], [7, 8, 9, 1, 2, 0]]
    assert second.words[..., 0].tolist() == [[7, 8, 9, 1, 2, 0], [1, 2, 4, 0, 0, 0], [4, 7, 8, 9, 0, 0]]
    for both in (first, second):
        assert torch.equal(both.mask, both.words[..., 0] != 0)
    assert first.sentence[:, 0].tolist() == [1.5, 4, 3.5] and second.sentence[:, 0].tolist() == [3.5, 1.5, 4]


def test_the_place_of_a_word_matters(vae: LayeredVAE) -> None:
    text = captions(2, 12)
    text = TextEmbedding(text.sentence[[1, 1]], text.words[[1, 1]], text.mask[[1, 1]])
    text.words[1, :2] = text.words[0, [1, 0]]
    one, other = vae.decoder.reader(text)
    assert text.mask[1, :2].all() and not torch.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize(("progress", "learning"), [(HELD - 0.01, False), (HELD, True)])
def test_each_first_learns_places_alone(vae: LayeredVAE, progress: float, learning: bool) -> None:
    seen = batch_of(squares(4), captions(4, 12), progress=progress)
    terms = LayersObjective(vae, LayersObjectiveConfig(draw="each")).loss(seen)
    torch.stack([term for name, term in terms.items() if name != "kl_nats"]).sum().backward()

    def learns(module: nn.Module) -> bool:
        return any(p.grad is not None and p.grad.ne(0).any().item() for p in module.parameters())

    assert learns(vae.decoder.planner.places) and learns(vae.decoder.planner.orders)
    assert learns(vae.decoder.planner.parts) and learns(vae.encoder) and learns(vae.decoder.relations)
    assert learns(vae.decoder.reader) is learning and learns(vae.decoder.artwork) is learning


def test_an_order_gives_out_the_first_places_from_the_upper_left(vae: LayeredVAE) -> None:
    scene = vae.decoder.scene(vae.decoder.read(captions(4, 12)), torch.randn(4, 8))
    lower_right = torch.tensor([[0.3, 0.0, -0.2], [-0.4, 0.0, 0.1]]).repeat(2, 1)  # x of three placements
    scene = scene._replace(places=scene.places._replace(x=lower_right, y=torch.zeros(4, 3)))
    given, before = scene.in_order(torch.tensor([0, 0, 1, 1])).places, scene.places
    torch.testing.assert_close(given.x[:, [0, 2]], torch.tensor([[-0.2, 0.3], [-0.4, 0.1], [0.3, -0.2], [0.1, -0.4]]))
    for name in ("x", "y", "side", "tilt", "mirrored"):
        old, new = getattr(before, name), getattr(given, name)
        exchanged = old[:, [2, 1, 0]]
        assert torch.equal(new, torch.stack([exchanged[0], old[1], old[2], exchanged[3]]))
    assert torch.equal(given.presence, before.presence)


def test_the_place_of_a_thing_that_is_not_in_the_picture_is_none_for_another() -> None:
    """Otherwise one thing alone would be as small as the plan of what is not there."""
    vae = LayeredVAE(LayersConfig.model_validate(SHAPE | {"copies": (1, 1, 1)}))
    scene = vae.decoder.scene(vae.decoder.read(captions(6, 12)), torch.randn(6, 8))
    x, level = torch.tensor([[0.3, -0.4, 0.1]]).expand(6, -1), torch.zeros(6, 3)
    for presence, wanted in (
        ([1.0, 0.0, 1.0], [[0.1, -0.4, 0.3]] * 3 + [[0.3, -0.4, 0.1]] * 3),  # as the first comes before the third
        ([0.0, 1.0, 0.0], [[0.3, -0.4, 0.1]] * 6),
    ):
        seen = torch.tensor([presence]).expand(6, -1)
        given = scene._replace(places=scene.places._replace(x=x, y=level, presence=seen)).in_order(torch.arange(6))
        shown = given.places.x[:, seen[0] > 0.5]
        by_order = sorted(shown.tolist())
        assert by_order == sorted(torch.tensor(wanted)[:, seen[0] > 0.5].tolist())


def test_words_alone_tell_the_order(vae: LayeredVAE) -> None:
    read = vae.decoder.read(captions(2, 12))
    one, other = (vae.decoder.scene(read, z).orders for z in torch.randn(2, 2, 8))
    assert torch.equal(one, other) and not torch.equal(one[0], one[1])


def test_places_are_dealt_to_the_most_visible_copies_and_those_upon_others_last() -> None:
    """Four copies of one thing and one of another: the second lies upon the third, which is more visible."""
    vae = LayeredVAE(LayersConfig.model_validate(SHAPE | {"copies": (4, 1)}))
    presence = torch.tensor([[0.1, 0.7, 0.8, 0.9, 0.2]])
    x = torch.tensor([[-0.3, 0.0, 0.05, 0.3, 0.0]])
    side, flat = torch.full((1, 5), 0.25), torch.zeros(1, 5)
    places = Placements(vae.decoder.planner.thing, presence, x, flat, side, flat, flat)
    scene = vae.decoder.scene(vae.decoder.read(captions(1, 12)), torch.zeros(1, 8))
    dealt = scene._replace(places=places).dealt().places
    torch.testing.assert_close(dealt.presence, torch.tensor([[0.9, 0.8, 0.7, 0.1, 0.2]]))
    torch.testing.assert_close(dealt.x, torch.tensor([[0.3, 0.05, -0.3, 0.0, 0.0]]))


def test_dealing_changes_nothing_that_is_seen_of_visible_copies(vae: LayeredVAE) -> None:
    """Copies of a thing are alike: only which number they have changes."""
    scene = vae.decoder.scene(vae.decoder.read(captions(4, 12)), torch.randn(4, 8))
    all_there = scene._replace(places=scene.places._replace(presence=torch.ones_like(scene.places.presence)))
    for name in ("x", "y", "side", "tilt", "mirrored"):
        before, after = (getattr(one.places, name) for one in (all_there, all_there.dealt()))
        assert torch.equal(before[:, :2].sort(1).values, after[:, :2].sort(1).values)
        assert torch.equal(before[:, 2], after[:, 2])


def test_the_order_that_fits_a_picture_is_found(vae: LayeredVAE) -> None:
    scene = vae.decoder.scene(vae.decoder.read(captions(4, 12)), torch.randn(4, 8)).first_copies()
    shown = Placements(
        scene.places.thing,
        *torch.tensor([1.0, 1, -0.25, 0.25, 0, 0, 0.4, 0.4, 0, 0, 0, 0]).view(6, 1, 2).expand(6, 4, 2),
    )
    scene, wanted = scene._replace(places=shown), torch.tensor([0, 1, 1, 0])
    black, grey = (torch.cat([torch.full((4, 3, 8, 8), value), torch.ones(4, 1, 8, 8)], 1) for value in (-1.0, 0.0))
    sprites = torch.stack([black, grey], 1)
    images = compose(scene.background, sprites, scene.in_order(wanted).places, 16)
    assert torch.equal(vae.fitting(scene, sprites, images), wanted)


def two_squares(vae: LayeredVAE) -> tuple[Scene, Tensor, Tensor]:
    """Scenes of a black thing on the left that hides a grey one; their sprites; pictures with the grey one right."""
    scene = vae.decoder.scene(vae.decoder.read(captions(2, 12)), torch.randn(2, 8)).first_copies()
    right = torch.tensor([1.0, 1, -0.25, 0.25, 0, 0, 0.4, 0.4, 0, 0, 0, 0]).view(6, 1, 2).expand(6, 2, 2)
    black, grey = (torch.cat([torch.full((2, 3, 8, 8), value), torch.ones(2, 1, 8, 8)], 1) for value in (-1.0, 0.0))
    sprites, shown = torch.stack([black, grey], 1), Placements(scene.places.thing, *right)
    hidden = shown._replace(x=torch.full((2, 2), -0.25), side=torch.tensor([[0.4, 0.1]]).repeat(2, 1))
    return scene._replace(places=hidden), sprites, compose(scene.background, sprites, shown, 16)


def test_a_search_finds_where_a_hidden_thing_should_be(vae: LayeredVAE) -> None:
    scene, sprites, images = two_squares(vae)
    wrong, there = [0.9, 0.5, 0.05, 0.9], [0.9, (0.25 + 0.4) / 0.8, 0.5, 0.5]  # which thing, x, y and side
    found = vae.found(scene, sprites, images, torch.tensor([[wrong, there, wrong], [wrong, wrong, wrong]]))
    assert found.better.tolist() == [True, False] and found.placement[0] == 1
    torch.testing.assert_close(torch.stack([found.x, found.y, found.side])[:, 0], torch.tensor([0.25, 0.0, 0.4]))


def test_a_search_moves_only_what_is_visible(vae: LayeredVAE) -> None:
    scene, sprites, images = two_squares(vae)
    scene = scene._replace(places=scene.places._replace(presence=torch.tensor([[0.9, 0.1], [0.1, 0.9]])))
    uniform = torch.rand(2, 30, 4)
    uniform[:, 0, 0], uniform[:, 1, 0] = 0, 0.999
    assert vae.found(scene, sprites, images, uniform).placement.tolist() == [0, 1]


def test_a_copy_that_hides_behind_another_vanishes(vae: LayeredVAE) -> None:
    """Of two copies at one place, one is enough; which number of copies a caption says is learned from that."""
    seen = batch()
    read, z = vae.decoder.read(seen.text), torch.zeros(4, 8)
    with torch.no_grad():
        vae.decoder.planner.start[:] = torch.tensor([2.0, 0, 0, 0.3, 0, 0])  # three copies, all visible, at one place
        vae.decoder.planner.start[1, 0] = 2.2  # none is like another
        vae.decoder.planner.start[2, 0] = 1.8
    sprites = torch.cat([torch.full((4, 2, 3, 8, 8), -1.0), torch.ones(4, 2, 1, 8, 8)], 2)
    start = vae.decoder.scene(read, z)
    images = compose(start.background, sprites, start.decided().places, 16).detach()
    optimizer = torch.optim.Adam(vae.decoder.planner.presence.parameters(), lr=1e-2)
    for _ in range(100):
        scene = vae.decoder.scene(read.detach(), z)
        drawn = compose(start.background.detach(), sprites, scene.places, 16)
        optimizer.zero_grad()
        ((drawn - images).square().mean() + 0.3 * overlap(scene.places).mean()).backward()
        optimizer.step()
    assert vae.decoder.scene(read, z).decided().places.presence.tolist() == [[0, 1, 0]] * 4


def test_what_a_search_finds_is_drawn_and_learned(vae: LayeredVAE, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = batch()
    settings = LayersObjectiveConfig(draw="each", search=0.5)
    read = vae.decoder.read(seen.text)
    z = vae.encoder(seen.images, seen.text.sentence).at(Noise(range(4)).normal(8))
    scene = vae.decoder.scene(read, z).first_copies()
    scene = scene.in_order(vae.fitting(scene, vae.sprites(scene), seen.images))
    better, placement = torch.tensor([True, False, True, False]), torch.tensor([1, 0, 0, 1])
    found = Found(better, placement, *torch.tensor([[0.3] * 4, [-0.2] * 4, [0.5] * 4]))
    places = {name: getattr(scene.places, name).clone() for name in ("x", "y", "side")}
    distances = []
    for row, thing in ((0, 1), (2, 0)):
        for name, numbers in places.items():
            distances.append((numbers[row, thing] - getattr(found, name)[row]).square())
            numbers[row, thing] = getattr(found, name)[row]
    wanted = (vae.paint(scene._replace(places=scene.places._replace(**places))) - seen.images).square().mean()
    monkeypatch.setattr(LayeredVAE, "found", lambda *_: found)
    terms = LayersObjective(vae, settings).loss(seen)
    torch.testing.assert_close(terms["squared_error"], wanted)
    torch.testing.assert_close(terms["search"], 0.5 * torch.stack(distances).sum() / 4)


def test_the_orders_of_three_things_are_six() -> None:
    vae = LayeredVAE(LayersConfig.model_validate(SHAPE | {"copies": (1, 1, 1)}))
    scene = vae.decoder.scene(vae.decoder.read(captions(1, 12))[[0] * 6], torch.zeros(6, 8))
    assert scene.orders.shape == (6, 6)
    assert len({tuple(row) for row in scene.in_order(torch.arange(6)).places.x.tolist()}) == 6


@pytest.mark.usefixtures("signatures_unchecked")  # of 350 steps
def test_captions_tell_which_thing_is_where(vae: LayeredVAE, monkeypatch: pytest.MonkeyPatch) -> None:
    """A black square is left of a grey one, or right of it, as two captions say; neither becomes a mixture."""
    monkeypatch.setattr(LayeredVAE, "found", nothing)
    text = captions(2, 12)[[0, 1] * 2]
    images = torch.ones(4, 3, 16, 16)
    for index, image in enumerate(images):
        black, grey = (1, 9) if index % 2 == 0 else (9, 1)
        image[:, 5:11, black : black + 6], image[:, 5:11, grey : grey + 6] = -1, 0
    seen = batch_of(images, text, progress=0.5)
    train(LayersObjective(vae, LayersObjectiveConfig(draw="each", beta=0.1)), seen, 350)
    drawn = vae.generate(text[:2], Noise([3, 4]), vae.options(temperature=0))
    left, right = drawn[:, :, 7:9, 3:5].mean((1, 2, 3)), drawn[:, :, 7:9, 11:13].mean((1, 2, 3))
    assert left[0] < -0.6 < right[0] and right[1] < -0.6 < left[1], (left, right)


def test_attention_is_where_the_thing_that_read_the_word_is(vae: LayeredVAE) -> None:
    text = captions(2, 12)
    attended = vae.attend(text, Noise([5, 6]), vae.options())
    looked = vae.decoder.reader.attention(text)
    torch.testing.assert_close(looked.sum(2), torch.ones(2, 3))
    corner = attended.maps[:, :, 0, 0]  # shows the ground, and of things at most a little
    assert (corner - looked[:, -1]).abs().sum() < (corner - looked[:, 0]).abs().sum()


def test_it_learns_where_things_are(vae: LayeredVAE) -> None:
    """With equal captions only z can tell where the squares are; the mean picture has an error of 0.4."""
    text = captions(1, 12)[[0] * 16]
    seen = batch_of(squares(16), text, progress=0.5)
    objective = LayersObjective(vae, LayersObjectiveConfig(draw="one", beta=0.1))
    train(objective, seen)
    read, z = vae.decoder.read(text), vae.encoder(seen.images, text.sentence).mean
    again = vae.paint(vae.decoder.scene(read, z).only(0))
    mean = (seen.images - seen.images.mean(0)).square().mean()
    assert (again - seen.images).square().mean() < 0.35 * mean


def test_it_reconstructs_and_interpolates(vae: LayeredVAE) -> None:
    assert isinstance(vae, Reconstructs) and isinstance(vae, Interpolates)
    text, noise = captions(2, 12), Noise([1, 2])
    drawn = vae.generate(text, Noise([1, 2]), vae.options())
    walk = vae.interpolate(text, noise, torch.tensor([0.0, 0.5, 1.0]), vae.options())
    torch.testing.assert_close(walk[[0, 2]], drawn)
    assert not torch.allclose(walk[1], (walk[0] + walk[2]) / 2, atol=1e-3)  # scenes are mixed, not pixels


def test_how_many_there_are_depends_on_words_alone(vae: LayeredVAE) -> None:
    read, generator = vae.decoder.read(captions(2, 12)), torch.Generator().manual_seed(0)
    one, other = (vae.decoder.scene(read, torch.randn(2, 8, generator=generator)).places for _ in range(2))
    assert torch.equal(one.presence, other.presence) and not torch.equal(one.x, other.x)
    assert not torch.equal(one.presence[0], one.presence[1])


def test_the_prior_learns_what_captions_say_of_z(vae: LayeredVAE) -> None:
    """Squares are on the left or on the right, as two captions say; z tells, and so must the prior."""
    text = captions(2, 12)[[0, 1] * 8]
    images = torch.ones(16, 3, 16, 16)
    images[0::2, :, 5:11, 1:7] = -1
    images[1::2, :, 5:11, 9:15] = -1
    seen, objective = batch_of(images, text, progress=0.5), LayersObjective(vae, LayersObjectiveConfig(draw="one"))
    train(objective, seen)
    read = vae.decoder.read(text[:2])
    expected = vae.decoder.planner.expected(read)
    drawn = vae.paint(vae.decoder.scene(read, expected.part(expected.log_weights.argmax(1)).mean).only(0))
    assert drawn[0, :, 5:11, 1:7].mean() < drawn[0, :, 5:11, 9:15].mean() - 1
    assert drawn[1, :, 5:11, 1:7].mean() > drawn[1, :, 5:11, 9:15].mean() + 1


def test_words_and_seed_matter(vae: LayeredVAE) -> None:
    text = captions(2, 12)
    one, other = vae.generate(text, Noise([5, 5]), vae.options())
    again, another = vae.generate(text[[0, 0]], Noise([5, 6]), vae.options())
    assert torch.equal(again, one) and not torch.equal(other, one) and not torch.equal(another, one)
    calm = [vae.generate(text, Noise([seed] * 2), vae.options(temperature=0.0)) for seed in (1, 2)]
    assert torch.equal(*calm)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"copies": ()}, "copies"),
        ({"copies": (0,)}, "copies"),
        ({"widths": (12, 8)}, "multiples of 8"),
        ({"heads": 3}, "multiple of heads"),
        ({"resolution": 18}, "resolution must be a multiple of 4"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidConfigError, match=match):
        parse_config(LayersConfig, SHAPE | values, "here")


def test_what_is_drawn_is_there_or_not_and_mirrored_or_not(vae: LayeredVAE) -> None:
    with torch.no_grad():
        vae.decoder.planner.presence[-1].bias.copy_(torch.tensor([0.0, -3, 3]))  # type: ignore[union-attr, operator]
    text = captions(2, 12)
    scene = vae.decoder.scene(vae.decoder.read(text), Noise([1, 2]).normal(8))
    places, decided = scene.places, scene.decided().places
    assert torch.equal(decided.presence, places.presence.gt(0.5).float())
    assert torch.equal(decided.mirrored, places.mirrored.gt(0.5).float())
    assert decided.presence.unique().tolist() == [0, 1] and torch.equal(decided.x, places.x)
    imagined = vae._imagined(text, Noise([1, 2]), vae.options()).places
    assert all(numbers.mul(1 - numbers).eq(0).all() for numbers in (imagined.presence, imagined.mirrored))
