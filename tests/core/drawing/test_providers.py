"""Which plugin opens a folder that is not a t2i snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.artist import ShardedArtist, write_artist
from fakes.distributions import FakeSite
from fakes.distributions import site as site
from t2i.drawing.pipeline import pipeline
from t2i.drawing.providers import provider_of
from t2i.errors import NameClashError, PluginBrokenError, UnknownNameError
from t2i.registry.names import ModelName

PLUGIN = """
    from t2i.registry import ArtistSpec, hookimpl

    T2I_API = 1

    @hookimpl
    def t2i_artists():
        return [ArtistSpec("{name}", "{target}", "{marker}", "fakes.artist:write_artist", "a fake")]
"""


def plugin(name: str, target: str = "fakes.artist:open_artist", marker: str = "shards.json") -> str:
    return PLUGIN.format(name=name, target=target, marker=marker)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_artist(tmp_path / "m")


def test_a_folder_is_opened_by_the_plugin_that_knows_a_file_in_it(site: FakeSite, model: Path) -> None:
    site.install("other", plugin("other", marker="other.json"))
    assert provider_of(ModelName.parse(str(model))) is None
    site.install("sharded", plugin("sharded"))
    for name in (str(model), f"local-dir:{model}"):
        artist = pipeline(name, device="cpu")
        assert isinstance(artist, ShardedArtist) and artist.name == name
    for name in ("cgan", "hf-hub:org/name", "x/" * 10_000, "/" + "x" * 10_000, str(model / "none")):
        assert provider_of(ModelName.parse(name)) is None


def test_a_folder_that_no_plugin_knows_is_not_a_model(site: FakeSite, model: Path) -> None:
    (model / "shards.json").unlink()
    site.install("sharded", plugin("sharded"))
    with pytest.raises(Exception, match="holds no model"):
        pipeline(str(model))
    with pytest.raises(UnknownNameError, match="There is no folder"):
        pipeline(str(model / "none"))


def test_two_plugins_that_claim_one_folder_are_a_clash(site: FakeSite, model: Path) -> None:
    site.install("sharded", plugin("sharded"))
    site.install("rival", plugin("rival"))
    with pytest.raises(NameClashError, match=r"claimed by rival and sharded\. Uninstall one"):
        pipeline(str(model))


def test_a_plugin_whose_code_cannot_be_imported_is_an_error(site: FakeSite, model: Path) -> None:
    site.install("sharded", plugin("sharded", target="no_such_module:open"))
    with pytest.raises(PluginBrokenError, match="No module named 'no_such_module'"):
        pipeline(str(model))
