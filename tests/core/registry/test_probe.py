"""A plugin that ends the process, never returns or prints to stdout is reported, and does not affect others."""

from __future__ import annotations

import json
import logging
import os
import time

import pytest

from fakes.distributions import FakeSite
from t2i.errors import PluginError
from t2i.registry import probe, watch
from t2i.registry.discovery import discover, examine

KEYS = [("a", "t2i-a"), ("b", "t2i-b"), ("c", "t2i-c")]


def script(*lines: object, then: str) -> str:
    """The code of a child that reports these lines and then runs `then`."""
    said = "".join(json.dumps(line) + "\n" for line in lines)
    return f"import os, sys, time; sys.stdout.write({said!r}); sys.stdout.flush(); {then}"


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ("os._exit(0)", "importing b.plugin ends the process with exit code 0"),
        ("os._exit(3)", "importing b.plugin ends the process with exit code 3"),
        ("os.kill(os.getpid(), 9)", "importing b.plugin kills the process with signal 9"),
        ("time.sleep(600)", "importing b.plugin takes more than 1 s"),
    ],
)
def test_the_plugin_of_the_last_step_is_reported(monkeypatch: pytest.MonkeyPatch, then: str, reason: str) -> None:
    monkeypatch.setattr(probe, "CHILD", script([0, "importing", "a.plugin"], [1, "importing", "b.plugin"], then=then))
    found, limits = probe.Findings(), {"importing": 1.0, "resolving": 1.0}
    assert probe._watch(found, KEYS, 0, None, limits) == 2, "the next child begins after it"
    assert found.fatal == {("b", "t2i-b"): reason}


def test_a_child_that_cannot_start_is_an_error_without_a_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "CHILD", "raise SystemExit(7)")
    with pytest.raises(PluginError, match=r"that process ended \(exit code 7\)"):
        probe._watch(probe.Findings(), KEYS, 0, None, probe.LIMITS)


def test_unresolvable_targets_are_problems_and_ended_processes_are_fatal(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("exits", "import os; os._exit(0)")
    missing, deadly = (
        f'[model("{name}", target="{target}")]' for name, target in (("lost", "nowhere:X"), ("dead", "zoo_dead:X"))
    )
    site.install_plugin("lost", models=missing)
    (site.folder / "zoo_dead.py").write_text("import os; os._exit(5)")
    site.install_plugin("dead", models=deadly)
    site.install_plugin("zoo", models='[model("zoo-ant", target="pathlib:Path")]')
    stale = '[model("stale", target="pathlib:Path", recipes={"tiny": "json:gone.yaml"})]'
    site.install_plugin("stale", models=stale)
    monkeypatch.setenv("T2I_LOAD_PLUGINS", "exits,lost,dead,stale,zoo")
    found = examine()
    assert found.fatal["exits", "exits"].endswith("ends the process with exit code 0")
    assert found.fatal["dead", "dead"] == "resolving zoo_dead:X ends the process with exit code 5"
    assert any("nowhere:X" in problem for problem in found.problems["lost", "lost"])
    assert any("gone.yaml cannot be read" in problem for problem in found.problems["stale", "stale"])
    states = {plugin.name: plugin for plugin in discover().plugins}
    assert states["exits"].state == "broken" and "T2I_DISABLE_PLUGINS=exits" in states["exits"].remedy
    assert states["zoo"].state == "ok" and states["lost"].state == "ok"


def test_a_slow_plugin_is_reported_while_it_loads(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "SLOW_SECONDS", 0.05)
    site.install("slow", "import time\ntime.sleep(1)\nT2I_API = 1")
    with caplog.at_level(logging.WARNING):
        discover()
    assert "the plugin 'slow'" in caplog.text and "T2I_DISABLE_PLUGINS=slow" in caplog.text


def test_a_fast_plugin_is_not_reported(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "SLOW_SECONDS", 0.5)
    monkeypatch.setenv("T2I_LOAD_PLUGINS", "zoo")
    site.install_plugin("zoo")
    discover()
    time.sleep(0.6)
    assert not caplog.text


def test_output_to_descriptor_1_goes_to_stderr(site: FakeSite, capfd: pytest.CaptureFixture[str]) -> None:
    noise = "import os, subprocess, sys\nos.write(1, b'raw')\nprint('printed')\nsubprocess.run(['echo', 'echoed'])\n"
    site.install("noisy", noise + "T2I_API = 1")
    os.write(1, b"before ")
    discover()
    os.write(1, b"after")
    said = capfd.readouterr()
    assert said.out == "before after"
    assert all(word in said.err for word in ("raw", "printed", "echoed"))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("T2I_API = 1", "it implements no hook"),
        ("T2I_API = 1\ndef t2i_models():\n    return []", "t2i_models lacks the decorator @hookimpl"),
        ("T2I_API = 1\ndef t2i_picture_written(path):\n    pass", "t2i_picture_written lacks the decorator"),
    ],
)
def test_a_module_that_declares_nothing_is_broken(site: FakeSite, source: str, reason: str) -> None:
    site.install("bare", source)
    (plugin,) = (plugin for plugin in discover().plugins if plugin.name == "bare")
    assert plugin.state == "broken" and reason in plugin.reason


def test_the_fix_of_an_editable_installation_is_its_folder(site: FakeSite) -> None:
    origin = {"url": "file:///home/me/my%20zoo", "dir_info": {"editable": True}}
    site.install("mine", "raise RuntimeError", files={"direct_url.json": json.dumps(origin)})
    (plugin,) = (plugin for plugin in discover().plugins if plugin.name == "mine")
    assert plugin.remedy == "correct it in /home/me/my zoo"


def test_an_unknown_kind_is_an_error_that_lists_the_known_ones(site: FakeSite) -> None:
    site.install_plugin("zoo", models='[model("zoo-ant", kind="difusion")]')
    (plugin,) = (plugin for plugin in discover().plugins if plugin.name == "zoo")
    assert plugin.state == "broken"
    assert "must be one of gan, vae, transformer, hybrid, diffusion, other, not 'difusion'" in plugin.reason
