"""Listening plugins are notified of written pictures, and a plugin that fails has no effect on the picture."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from PIL import Image

from fakes.distributions import FakeSite
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import ArtistIdentity, Provenance
from t2i.registry import events
from t2i.registry.discovery import discover

LISTENER = """
    import sys
    from t2i.registry import hookimpl

    T2I_API = 1
    HEARD = []

    @hookimpl
    def t2i_picture_written({parameters}):
        {body}
"""


@pytest.fixture(autouse=True)
def nothing_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the warnings of earlier tests."""
    monkeypatch.setattr(events, "_failed", set())


@pytest.fixture
def picture() -> Picture:
    """A red square."""
    artist = ArtistIdentity("fake", "", {"model.safetensors": "0" * 64}, {}, "cpu", {})
    provenance = Provenance(prompt="a red square", seed=7, options={}, artist=artist)
    return Picture(Image.new("RGB", (8, 8), "red"), provenance)


def listen(site: FakeSite, name: str, body: str, parameters: str = "path, provenance") -> list[object]:
    """Install a listener; returns its list HEARD."""
    module = site.install(name, LISTENER.format(parameters=parameters, body=body))
    discover()
    heard: list[object] = sys.modules[module].HEARD
    return heard


def test_a_listener_is_called_for_every_complete_picture(site: FakeSite, tmp_path: Path, picture: Picture) -> None:
    heard = listen(site, "notes", "HEARD.append((path, path.read_bytes(), provenance))")
    written = [picture.save(tmp_path / name) for name in ("a.png", "b.png")]
    assert heard == [(path, picture.png(), picture.provenance) for path in written]


def test_a_listener_may_leave_arguments_out(site: FakeSite, tmp_path: Path, picture: Picture) -> None:
    heard = listen(site, "notes", "HEARD.append(provenance.seed)", parameters="provenance")
    picture.save(tmp_path / "a.png")
    assert heard == [7]


@pytest.mark.parametrize("deed", ["raise RuntimeError('boom')", "sys.exit(3)", "1 / 0"])
def test_a_failing_listener_has_no_effect_and_gives_one_warning(
    site: FakeSite, tmp_path: Path, picture: Picture, caplog: pytest.LogCaptureFixture, deed: str
) -> None:
    listen(site, "bad", deed)
    heard = listen(site, "notes", "HEARD.append(path.name)")
    with caplog.at_level(logging.WARNING):
        for name in ("a.png", "b.png", "c.png"):
            assert picture.save(tmp_path / name).read_bytes() == picture.png()
    assert heard == ["a.png", "b.png", "c.png"]
    (warning,) = caplog.messages
    assert "the plugin 'bad' failed in t2i_picture_written" in warning and "T2I_DISABLE_PLUGINS=bad" in warning


def test_ctrl_c_in_a_listener_is_not_swallowed(site: FakeSite, tmp_path: Path, picture: Picture) -> None:
    listen(site, "slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        picture.save(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == picture.png()


def test_what_a_listener_prints_goes_to_stderr(
    site: FakeSite, tmp_path: Path, picture: Picture, capsys: pytest.CaptureFixture[str]
) -> None:
    listen(site, "chatty", "print('heard')")
    picture.save(tmp_path / "a.png")
    assert capsys.readouterr() == ("", "heard\n")


def test_an_unusable_plugin_is_not_called(
    site: FakeSite, tmp_path: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = "HEARD.append(path)\n\n    @hookimpl\n    def t2i_models():\n        return ['no spec']"
    heard = [
        listen(site, "misdeclares", broken),
        listen(site, "listens-wrongly", "HEARD.append(colour)", parameters="colour"),
    ]
    states = {plugin.name: (plugin.state, plugin.reason) for plugin in discover().plugins}
    assert states["misdeclares"][0] == states["listens-wrongly"][0] == "broken"
    assert "for hook 't2i_picture_written'" in states["listens-wrongly"][1]
    picture.save(tmp_path / "a.png")
    assert heard == [[], []]


def test_a_disabled_plugin_is_not_called(
    site: FakeSite, tmp_path: Path, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2I_DISABLE_PLUGINS", "notes,index")
    site.install("notes", LISTENER.format(parameters="path", body="raise AssertionError"))
    assert discover().listeners == {}
    picture.save(tmp_path / "a.png")
