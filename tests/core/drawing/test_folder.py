"""Many prompts are drawn into a folder: existing pictures are kept, with any artist."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fakes.artist import ShardedArtist, write_artist
from fakes.command_line import contents
from t2i.drawing.artist import Request
from t2i.drawing.folder import MAX_GRID_PICTURES, draw_folder
from t2i.drawing.folder_plan import MAX_FOLDER_PICTURES
from t2i.drawing.provenance import read_provenance
from t2i.errors import InvalidInputError, OutputError

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


NAMES = [f"{start}-{seed}.png" for start in ("0001-a-red-square", "0002-a-blue-square") for seed in (3, 4)]


def test_only_what_is_missing_or_damaged_is_drawn(artist: Watched, tmp_path: Path):
    folder = tmp_path / "out"
    done = draw_folder(artist, PROMPTS, [3, 4], folder)
    assert sorted(path.name for path in folder.iterdir()) == [*NAMES, "grid.png"] and done.total == 4
    paths = [folder / name for name in NAMES]
    assert done.drawn == 4 and done.grid == str(folder / "grid.png")
    before = contents(folder)
    paths[1].unlink()
    paths[2].write_bytes(paths[2].read_bytes()[:-30])
    assert draw_folder(artist, PROMPTS, [3, 4], folder).drawn == 2
    assert artist.asked == [Request("a red square", 4), Request("a blue square", 3)]
    assert {name: content for name, (content, _) in contents(folder).items()} == {n: c for n, (c, _) in before.items()}
    assert draw_folder(artist, PROMPTS, [3, 4], folder).drawn == 0


def test_other_options_or_weights_replace_a_picture_only_with_force(artist: Watched, tmp_path: Path):
    folder = tmp_path / "out"
    path = folder / NAMES[0]
    other = Watched(write_artist(tmp_path / "other", seed=1), "artist", "cpu")
    draw_folder(artist, PROMPTS[:1], [3], folder)
    for who, options in ((artist, artist.options(wildness=2)), (other, other.options())):
        before = contents(folder)
        with pytest.raises(OutputError, match=r"holds another picture .*--force"):
            draw_folder(who, PROMPTS[:1], [3], folder, options)
        assert contents(folder) == before
        assert draw_folder(who, PROMPTS[:1], [3], folder, options, force=True).drawn == 1
        found = read_provenance(path)
        assert (found.options, found.artist) == (options.model_dump(), who.identity)


def test_an_edited_picture_is_not_overwritten(artist: Watched, tmp_path: Path):
    draw_folder(artist, PROMPTS[:1], [3], tmp_path)
    with Image.open(tmp_path / NAMES[0]) as picture:
        picture.convert("RGB").rotate(90).save(tmp_path / NAMES[0])
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="it has no provenance"):
        draw_folder(artist, PROMPTS[:1], [3], tmp_path)
    assert contents(tmp_path) == before


def test_a_billion_pictures_need_no_list(artist: Watched, tmp_path: Path):
    """The first ones are drawn at once, and the memory does not grow with the number of pictures."""
    import tracemalloc

    class EnoughError(Exception):
        pass

    def progress(title: str, total: int):
        @contextmanager
        def block():
            yield lambda steps: stop()

        assert total == MAX_FOLDER_PICTURES
        return block()

    def stop():
        if len(list(tmp_path.glob("0*.png"))) == 3:
            raise EnoughError

    tracemalloc.start()
    with pytest.raises(EnoughError):
        draw_folder(artist, PROMPTS[:1], range(MAX_FOLDER_PICTURES), tmp_path, batch_size=2, progress=progress)
    assert tracemalloc.get_traced_memory()[1] < 100_000_000  # a list of a billion places has 8 GB
    tracemalloc.stop()


def test_an_interruption_reports_progress(artist: Watched, tmp_path: Path):
    draw_folder(artist, PROMPTS[:1], [3], tmp_path)

    def progress(title: str, total: int):
        @contextmanager
        def block():
            yield lambda steps: (tmp_path / NAMES[2]).exists() and interrupt()

        return block()

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"has 3 of 4 pictures\."):
        draw_folder(artist, PROMPTS, [3, 4], tmp_path, batch_size=1, progress=progress)
    assert draw_folder(artist, PROMPTS, [3, 4], tmp_path).drawn == 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_pictures_in_every_format_are_kept(artist: Watched, tmp_path: Path, suffix: str):
    draw_folder(artist, PROMPTS, [3], tmp_path, suffix=suffix)
    assert draw_folder(artist, PROMPTS, [3], tmp_path, suffix=suffix).drawn == 0
    with Image.open(tmp_path / f"0001-a-red-square-3{suffix}") as picture:
        assert picture.format == {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}[suffix]


def test_pictures_are_written_as_they_are_drawn(artist: Watched, tmp_path: Path):
    """A killed job loses at most one batch."""
    folder, seen = tmp_path / "out", []

    def progress(title: str, total: int):
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
        ({"prompts": ["a", "b"], "seeds": range(MAX_FOLDER_PICTURES)}, "at most 1,000,000,000 pictures"),
    ],
)
def test_bad_requests_write_nothing(artist: Watched, tmp_path: Path, how: dict[str, Any], says: str):
    prompts, seeds = how.pop("prompts", ["a"]), how.pop("seeds", [3])
    with pytest.raises(InvalidInputError, match=says):
        draw_folder(artist, prompts, seeds, tmp_path / "out", **how)
    assert not (tmp_path / "out").exists()
