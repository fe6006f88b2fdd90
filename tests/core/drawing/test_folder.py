"""Many prompts are drawn into a folder: existing pictures are kept, with any artist."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fakes.artist import ShardedArtist, write_artist
from fakes.command_line import contents
from t2i.drawing.artist import Request
from t2i.drawing.folder import MAX_GRID_PICTURES, draw_folder
from t2i.drawing.provenance import read_provenance
from t2i.errors import InvalidInputError

PROMPTS = ["a red square", " a blue square "]


class Watched(ShardedArtist):
    """Records the requests that it draws."""

    asked: list[Request]

    def draw(self, requests: Iterable[Request], *arguments: Any, **how: Any):
        self.asked = []

        def watched():
            for request in requests:
                self.asked.append(request)
                yield request

        return super().draw(watched(), *arguments, **how)


@pytest.fixture
def artist(tmp_path: Path) -> Watched:
    return Watched(write_artist(tmp_path / "artist"), "artist", "cpu")


def test_only_missing_damaged_or_other_models_pictures_are_drawn(artist: Watched, tmp_path: Path):
    folder = tmp_path / "out"
    done = draw_folder(artist, PROMPTS, [3, 4], folder)
    assert [path.name for path in done.paths] == [
        "0001-a-red-square-3.png", "0001-a-red-square-4.png", "0002-a-blue-square-3.png", "0002-a-blue-square-4.png",
    ]  # fmt: skip
    assert done.drawn == 4 and done.grid == folder / "grid.png"
    before = contents(folder)
    done.paths[1].unlink()
    done.paths[2].write_bytes(done.paths[2].read_bytes()[:-30])
    done.paths[3].write_bytes(done.paths[0].read_bytes())
    assert draw_folder(artist, PROMPTS, [3, 4], folder).drawn == 3
    assert artist.asked == [Request("a red square", 4), Request("a blue square", 3), Request("a blue square", 4)]
    assert {name: content for name, (content, _) in contents(folder).items()} == {n: c for n, (c, _) in before.items()}
    assert draw_folder(artist, PROMPTS, [3, 4], folder).drawn == 0


def test_other_options_or_weights_redraw(artist: Watched, tmp_path: Path):
    folder = tmp_path / "out"
    (path,) = draw_folder(artist, PROMPTS[:1], [3], folder).paths
    assert draw_folder(artist, PROMPTS[:1], [3], folder, artist.options(wildness=2)).drawn == 1
    assert read_provenance(path).options == {"wildness": 2.0}
    other = Watched(write_artist(tmp_path / "other", seed=1), "artist", "cpu")
    assert draw_folder(other, PROMPTS[:1], [3], folder, other.options(wildness=2)).drawn == 1


def test_pictures_are_written_as_they_are_drawn(artist: Watched, tmp_path: Path):
    """A killed job loses at most one batch."""
    folder, seen = tmp_path / "out", []

    def progress(title: str, total: int):
        from contextlib import contextmanager

        @contextmanager
        def block():
            yield lambda steps: seen.append((len(artist.asked), len(list(folder.glob("0*.png")))))

        return block()

    draw_folder(artist, ["a red square"], range(5), folder, batch_size=2, progress=progress)
    assert seen == [(2, 1), (2, 2), (4, 3), (4, 4), (5, 5)]


def test_a_long_list_has_no_grid(artist: Watched, tmp_path: Path):
    done = draw_folder(artist, PROMPTS[:1], range(MAX_GRID_PICTURES + 1), tmp_path / "out")
    assert done.grid is None and len(list((tmp_path / "out").iterdir())) == MAX_GRID_PICTURES + 1


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"prompts": ["a", " "]}, "Prompt 2 is empty"),
        ({"batch_size": 0}, "The batch size must be"),
        ({"stages": True}, "one stage"),
    ],
)
def test_bad_requests_write_nothing(artist: Watched, tmp_path: Path, how: dict[str, Any], says: str):
    prompts = how.pop("prompts", ["a"])
    with pytest.raises(InvalidInputError, match=says):
        draw_folder(artist, prompts, [3], tmp_path / "out", **how)
    assert not (tmp_path / "out").exists()
