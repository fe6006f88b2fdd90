"""A role is one row: with a row for songs, songs are listed, described, checked, suggested and compared."""

from __future__ import annotations

import dataclasses
import json

import pytest

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.distributions import FakeSite
from fakes.songs import ROLE, SongSpec
from t2i.errors import NameClashError, PluginBrokenError, UnknownNameError
from t2i.registry import catalogue, roles
from t2i.registry.discovery import registry
from t2i.registry.specs import load_target
from t2i.testing.checks.roles.role import CheckedRole
from t2i.testing.installed import sections

SINGER = """
    from fakes.songs import SongSpec
    from t2i.registry import hookimpl

    T2I_API = 1
    WORDS = "hush, little baby"
    SILENCE = ""

    @hookimpl
    def t2i_songs():
        return [{songs}]
"""
LULLABY = 'SongSpec("lullaby", __name__ + ":WORDS", "an evening song")'
PAUSE = 'SongSpec("pause", __name__ + ":SILENCE", "four minutes of silence")'


@pytest.fixture(autouse=True)
def songs(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The role "song" and a plugin that declares songs."""
    monkeypatch.setattr(roles, "ROLES", (*roles.ROLES, ROLE))
    site.install("singer", SINGER.format(songs=f"{LULLABY}, {PAUSE}"))


def test_its_specs_are_found_by_their_type_and_name() -> None:
    assert [spec.name for spec, _ in registry().all(SongSpec)] == ["lullaby", "pause"]
    spec, plugin = registry().get(SongSpec, "lullaby")
    assert (spec.summary, plugin.distribution) == ("an evening song", "singer")
    assert load_target(spec.target) == "hush, little baby"


def test_it_is_listed(t2i: T2I, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    assert "songs lullaby, pause" in t2i("plugins").out


def test_it_is_described(t2i: T2I) -> None:
    facts = json.loads(t2i("info", "lullaby", "--json").out)["song"]
    assert (facts["from"], facts["summary"]) == ("singer 1.0", "an evening song")
    assert "summary: an evening song" in t2i("info", "lullaby").out


def test_it_is_checked(t2i: T2I) -> None:
    result = t2i("check", "pause")
    assert result.code == 1
    assert "the song pause" in result.out and "a song has words, but this one has none" in result.out
    titles = [section.title for section in sections("singer")]
    assert titles == ["the distribution singer", "the song lullaby", "the song pause"]


def test_a_hook_that_returns_something_else_is_broken(site: FakeSite) -> None:
    site.install("bad", SINGER.format(songs="'la la la'"))
    (plugin,) = [plugin for plugin in registry().plugins if plugin.name == "bad"]
    assert "t2i_songs returns SongSpecs, not 'la la la'" in plugin.reason
    with pytest.raises(PluginBrokenError):
        registry().get(SongSpec, "bad")


def test_one_song_of_two_plugins_is_a_clash(t2i: T2I, site: FakeSite) -> None:
    site.install("choir", SINGER.format(songs=LULLABY))
    site.load_only("choir", "singer")
    message = "the song 'lullaby' is declared by choir and singer"
    with pytest.raises(NameClashError, match=message):
        registry().get(SongSpec, "lullaby")
    result = t2i("doctor")
    assert result.code == 1 and message in result.out


def test_an_unknown_name_is_suggested(t2i: T2I) -> None:
    with pytest.raises(UnknownNameError, match=r"There is no song 'lulaby'. Did you mean 'lullaby'\? Installed: lull"):
        registry().get(SongSpec, "lulaby")
    assert "Did you mean 'lullaby'" in t2i("check", "lulaby").error


def test_a_name_known_but_not_installed_says_how_to_get_it(t2i: T2I, monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalogue.KnownPlugin("t2i-hymns", "song", "hymns", {SongSpec: ("hymn",)})
    monkeypatch.setattr(catalogue, "KNOWN_PLUGINS", (known,))
    message = "The song 'hymn' is not installed. Get it: pip install t2i-hymns"
    with pytest.raises(UnknownNameError, match=message):
        registry().get(SongSpec, "hymn")
    assert "'hymn' is not installed. Get it: pip install t2i-hymns" in t2i("check", "hymn").error


def test_t2i_new_lists_it(t2i: T2I) -> None:
    assert "dataset, song, got 'sonata'" in t2i("new", "mine", "--kind", "sonata").error


@pytest.mark.parametrize("role", roles.ROLES, ids=lambda role: role.hook)
def test_every_row_is_complete(role: roles.Role) -> None:
    assert role.hook.startswith("t2i_") and role.plural.startswith(role.word)
    assert role.summary.endswith(".") and len(role.summary) < 100
    assert dataclasses.is_dataclass(role.spec) and roles.role_of(role.spec) is role
    assert isinstance(load_target(role.checks)(), CheckedRole)
