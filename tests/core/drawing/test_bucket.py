"""Pictures in a bucket: the files of a folder; errors are sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.artist import ShardedArtist, write_artist
from fakes.s3 import s3 as s3
from t2i.drawing import bucket
from t2i.drawing.bucket import Bucket
from t2i.drawing.folder import draw_folder
from t2i.drawing.places import place_of
from t2i.errors import OutputError

PROMPTS = ["a red square", "a blue square"]


@pytest.fixture
def artist(tmp_path: Path) -> ShardedArtist:
    return ShardedArtist(write_artist(tmp_path / "artist"), "artist", "cpu")


def test_a_bucket_gets_the_files_of_a_folder(artist: ShardedArtist, s3: str, tmp_path: Path):
    import boto3

    store = boto3.client("s3")
    address = f"{s3}/some/where"
    draw_folder(artist, PROMPTS, [3, 4], tmp_path / "out")
    done = draw_folder(artist, PROMPTS, [3, 4], place_of(address))
    assert (done.total, done.drawn, done.grid) == (4, 4, f"{address}/grid.png")

    def stored() -> dict[str, bytes]:
        keys = [each["Key"] for each in store.list_objects_v2(Bucket="pictures", Prefix="some/where/")["Contents"]]
        return {
            key.removeprefix("some/where/"): store.get_object(Bucket="pictures", Key=key)["Body"].read() for key in keys
        }

    assert stored() == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    store.delete_object(Bucket="pictures", Key="some/where/0001-a-red-square-4.png")
    store.put_object(Bucket="pictures", Key="some/where/0002-a-blue-square-3.png", Body=b"damaged")
    assert draw_folder(artist, PROMPTS, [3, 4], place_of(address)).drawn == 2
    assert stored() == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(OutputError, match=r"s3://pictures/some/where/0001.* holds another picture .*--force"):
        draw_folder(artist, PROMPTS, [3, 4], place_of(address), artist.options(wildness=2))


def test_more_pictures_than_requests_at_once_are_all_written(artist: ShardedArtist, s3: str):
    assert draw_folder(artist, PROMPTS, range(50), place_of(f"{s3}/many"), suffix=".webp").drawn == 100
    assert draw_folder(artist, PROMPTS, range(50), place_of(f"{s3}/many"), suffix=".webp").drawn == 0


def test_errors_are_sentences(s3: str, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(OutputError, match="no bucket 'elsewhere'"):
        place_of("s3://elsewhere/x").check()
    with pytest.raises(OutputError, match=r"Cannot write s3://elsewhere/x/a: .*NO_SUCH_BUCKET"):
        place_of("s3://elsewhere/x").write(Path("a"), b"")
    for address in ("s3://", "gs://bucket/x", "http://host/x"):
        with pytest.raises(OutputError, match="into a folder or to s3://bucket/prefix"):
            place_of(address)
    monkeypatch.setattr(bucket, "MAX_BYTES", 3)
    place = Bucket(f"{s3}/large")
    place.write(Path("a"), b"1234")
    with pytest.raises(bucket.InvalidInputError, match="larger than 3 bytes"):
        place.open(Path("a"))
