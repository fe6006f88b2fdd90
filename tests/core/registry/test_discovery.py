"""Plugins are isolated: a problem of one is reported for that one, and never affects another."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

import t2i
from fakes.distributions import EMPTY, PLUGIN, PREFIX, FakeSite
from t2i.errors import (
    NameClashError,
    PluginBrokenError,
    PluginDisabledError,
    PluginError,
    PluginIncompatibleError,
    UnknownNameError,
)
from t2i.registry import API_VERSION, DatasetSpec, ModelSpec, catalogue
from t2i.registry.choice import unknown_choices
from t2i.registry.discovery import registry
from t2i.registry.installed import unmet
from t2i.registry.plugin import Plugin

GOOD = PLUGIN.format(models='[model("good-model")]', weights="[]", api="1")
BROKEN = {
    "raises at import": ("raise RuntimeError('boom')", "RuntimeError: boom"),
    "imports a missing module": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    "exits at import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "is not Python": ("def f(:", "SyntaxError"),
    "raises with no message": ("raise KeyError", "KeyError"),
    "raises several lines": ("raise ValueError('first line\\nsecond line')", "ValueError: first line"),
    "has a hook that raises": (PLUGIN.format(models="1 / 0", weights="[]", api="1"), "ZeroDivisionError"),
    "has a hook that exits": (PLUGIN.format(models="exit(3)", weights="[]", api="1"), "SystemExit: 3"),
    "has a hook that returns nothing": (PLUGIN.format(models="None", weights="[]", api="1"), "TypeError"),
    "has a hook that returns a name": (
        PLUGIN.format(models="['stackgan']", weights="[]", api="1"),
        "t2i_models returns ModelSpecs, not 'stackgan'",
    ),
    "returns another role's specs": (
        PLUGIN.format(models="[weights('a', 'b')]", weights="[]", api="1"),
        "t2i_models returns ModelSpecs, not WeightsSpec",
    ),
    "has a second hook that raises": (
        PLUGIN.format(models="[model('half')]", weights="1 / 0", api="1"),
        "ZeroDivisionError",
    ),
    "has a misspelt hook": (
        "from t2i.registry import hookimpl\nT2I_API = 1\n@hookimpl\ndef t2i_modles():\n    return []",
        "t2i_modles",
    ),
    "recurses endlessly": ("def f():\n    return f()\nf()", "RecursionError"),
    "has a hook that recurses": (PLUGIN.format(models="t2i_models()", weights="[]", api="1"), "RecursionError"),
    "raises an error whose str fails": (
        "class Unspeakable(Exception):\n    def __str__(self):\n        raise self\nraise Unspeakable",
        "Unspeakable",
    ),
    "raises an error that cannot be printed": ("raise ValueError('\\ud800')", "ValueError"),
    "raises a BaseException": ("raise BaseException('base')", "BaseException: base"),
    "returns endless specs": (
        PLUGIN.format(models="(model(f'm{n}') for n in iter(int, 1))", weights="[]", api="1"),
        "t2i_models returns more than 1000 specs",
    ),
    "names a model by a number": (
        PLUGIN.format(models="[(m := model('a'), object.__setattr__(m, 'name', 5))[0]]", weights="[]", api="1"),
        "name of a ModelSpec must be a str, not 5",
    ),
    "names a model with a dot": (PLUGIN.format(models="[model('a.b')]", weights="[]", api="1"), "got 'a.b'"),
    "lacks a field": (PLUGIN.format(models="[ModelSpec(name='a')]", weights="[]", api="1"), "TypeError"),
    "has a hook with arguments": (
        "from t2i.registry import hookimpl\nT2I_API = 1\n@hookimpl\ndef t2i_models(registry):\n    return []",
        "t2i_models",
    ),
}
INCOMPATIBLE = {
    "newer": (f"T2I_API = {API_VERSION + 1}", f"plugin API {API_VERSION + 1}", "pip install --upgrade t2i-core"),
    "older": (f"T2I_API = {API_VERSION - 1}", f"plugin API {API_VERSION - 1}", "pip install --upgrade bad"),
    "undeclared": ("", "declares no T2I_API", "pip install --upgrade bad"),
    "no number": ("T2I_API = 'one'", "plugin API one", "pip install --upgrade bad"),
}


def plugin(distribution: str) -> Plugin:
    (found,) = [found for found in registry().plugins if found.distribution == distribution]
    return found


def assert_others_are_well() -> None:
    assert t2i.list_models("good-model") == ["good-model"]
    assert plugin("good").state == plugin("t2i-cgan").state == "ok"
    assert "cgan" in t2i.list_models()


@pytest.mark.parametrize(("source", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_listed_with_the_fix_and_affects_no_other(
    site: FakeSite, source: str, expected: str
) -> None:
    site.install("good", GOOD)
    site.install("bad", source)
    found = plugin("bad")
    assert found.state == "broken"
    assert expected in found.reason and "\n" not in found.reason
    assert found.remedy.startswith("pip install") and "bad" in found.remedy
    assert found.specs == ()
    assert_others_are_well()


@pytest.mark.parametrize(("source", "expected", "remedy"), INCOMPATIBLE.values(), ids=INCOMPATIBLE)
def test_a_plugin_for_another_api_is_incompatible(site: FakeSite, source: str, expected: str, remedy: str) -> None:
    site.install("good", GOOD)
    site.install("bad", source)
    found = plugin("bad")
    assert (found.state, found.remedy) == ("incompatible", remedy)
    assert expected in found.reason and str(API_VERSION) in found.reason
    assert_others_are_well()


def test_a_plugin_for_a_newer_core_that_fails_to_import_is_incompatible(site: FakeSite) -> None:
    source = "from t2i.registry import something_of_a_later_core"
    site.install("later", source, requires=["torch>=2", "t2i-core>=99"])
    found = plugin("later")
    assert (found.state, found.remedy) == ("incompatible", "pip install --upgrade t2i-core")
    assert "t2i-core>=99" in found.reason and t2i.__version__ in found.reason


def test_a_plugin_for_this_core_that_fails_to_import_is_broken(site: FakeSite) -> None:
    site.install("same", "1 / 0", requires=["t2i-core>=0.1,<0.2", "not a requirement ]["])
    assert plugin("same").state == "broken"


@pytest.mark.parametrize("named", ["bad", "entry-of-bad", "other, bad ,"])
def test_a_disabled_plugin_is_not_imported(site: FakeSite, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    module = site.install("bad", "raise RuntimeError('boom')", entry="entry-of-bad")
    site.install("good", GOOD)
    monkeypatch.setenv("T2I_DISABLE_PLUGINS", named)
    found = plugin("bad")
    assert found.state == "disabled" and "T2I_DISABLE_PLUGINS" in found.reason + found.remedy
    assert module not in sys.modules
    assert_others_are_well()


@pytest.mark.parametrize(
    ("source", "disabled", "kind"),
    [
        ("raise RuntimeError('boom')", "", PluginBrokenError),
        ("T2I_API = 99", "", PluginIncompatibleError),
        (GOOD, "bad", PluginDisabledError),
    ],
)
def test_using_what_an_unusable_plugin_declares_raises_its_error(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, source: str, disabled: str, kind: type[PluginError]
) -> None:
    site.install("bad", source)
    monkeypatch.setenv("T2I_DISABLE_PLUGINS", disabled)
    found = plugin("bad")
    for ask in (t2i.model_info, t2i.create_model, t2i.create_text_encoder, t2i.create_evaluator, t2i.load_dataset):
        with pytest.raises(kind) as caught:
            ask("bad")
        assert found.reason in str(caught.value) and found.remedy in str(caught.value)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first-party plugin that is not installed: t2i-later with the model "later"."""
    known = catalogue.KnownPlugin("t2i-later", "gan", "words", {ModelSpec: ("later",)})
    monkeypatch.setattr(catalogue, "KNOWN_PLUGINS", (*catalogue.KNOWN_PLUGINS, known))


@pytest.mark.usefixtures("later")
def test_a_first_party_name_raises_the_error_of_its_broken_distribution(site: FakeSite) -> None:
    site.install("t2i-later", "raise RuntimeError('boom')", entry="words")
    with pytest.raises(PluginBrokenError, match=r"t2i-later.*boom"):
        t2i.model_info("later")
    with pytest.raises(PluginBrokenError):
        t2i.create_model("later.coco", pretrained=True)


@pytest.mark.usefixtures("later")
def test_a_broken_first_party_plugin_does_not_stop_listing(site: FakeSite) -> None:
    assert "later" in t2i.list_models(installed=False)
    site.install("t2i-later", "raise RuntimeError('boom')")
    assert "cgan" in t2i.list_models(installed=False)
    assert "later" not in t2i.list_models(installed=False)


def test_two_distributions_with_one_name_are_an_error_naming_both(site: FakeSite) -> None:
    site.install_plugin("first", models='[model("twice"), model("only-first")]')
    site.install_plugin("second", models='[model("twice"), model("only-second")]')
    for ask in (t2i.model_info, t2i.create_model):
        with pytest.raises(NameClashError, match=r"first.*second.*pip uninstall first or pip uninstall second"):
            ask("twice")
    assert t2i.list_models("only-*") == ["only-first", "only-second"]
    assert t2i.list_models("twice") == [] == t2i.list_models("twice", installed=False)
    (clash,) = registry().clashes
    assert (clash.name, clash.distributions) == ("twice", ("first", "second"))


@pytest.mark.usefixtures("later")
def test_a_clash_over_a_first_party_name_does_not_stop_listing(site: FakeSite) -> None:
    site.install_plugin("first", models='[model("later")]')
    site.install_plugin("second", models='[model("later")]')
    assert "cgan" in t2i.list_models(installed=False)
    with pytest.raises(NameClashError):
        t2i.model_info("later")


def test_one_name_in_two_roles_is_no_clash(site: FakeSite) -> None:
    site.install_plugin("first", models='[model("same")]')
    site.install(
        "second",
        """
        from t2i.registry import EvaluatorSpec, hookimpl
        T2I_API = 1

        @hookimpl
        def t2i_evaluators():
            return [EvaluatorSpec("same", "collections:Counter", "counts")]
        """,
    )
    assert registry().clashes == ()
    assert t2i.model_info("same").distribution == "first"
    assert t2i.create_evaluator("same") == {}


@pytest.mark.parametrize(
    "files",
    [
        {"entry_points.txt": "[t2i]\nno equals sign\n"},
        {"entry_points.txt": "[t2i\nbad = nowhere\n"},
        {"entry_points.txt": "[t2i]\nbad = not a module at all !\n"},
        {"entry_points.txt": "bad = outside_of_a_section\n"},
        {"METADATA": ""},
    ],
    ids=["a line without =", "an open bracket", "no object reference", "no section", "empty metadata"],
)
def test_damaged_metadata_of_one_distribution_affects_no_other(site: FakeSite, files: dict[str, str]) -> None:
    site.install("good", GOOD)
    site.install("bad", GOOD.replace("good-model", "bad-model"), files=files)
    assert_others_are_well()


def test_metadata_that_is_not_text_is_reported(site: FakeSite) -> None:
    site.install("good", GOOD)
    site.install("bad", GOOD.replace("good-model", "bad-model"))
    (site.folder / "bad-1.0.dist-info" / "METADATA").write_bytes(b"Name: bad\nVersion: \xff\n")
    site.refresh()
    assert plugin("bad").state == "broken" and "METADATA cannot be read" in plugin("bad").reason
    assert_others_are_well()


def test_unreadable_entry_points_are_reported(site: FakeSite) -> None:
    site.install("good", GOOD)
    site.install("bad", GOOD, files={"entry_points.txt": "[t2i]\nbad = not a module at all !\n"})
    assert plugin("bad").state == "broken" and "entry_points.txt cannot be read" in plugin("bad").reason
    assert "pip uninstall bad" in plugin("bad").remedy
    assert_others_are_well()


def test_the_remains_of_an_interrupted_uninstall_affect_no_plugin(site: FakeSite) -> None:
    site.install("good", GOOD)
    site.install("bad", GOOD.replace("good-model", "bad-model"))
    (site.folder / "bad-1.0.dist-info" / "METADATA").unlink()
    assert_others_are_well()


def test_a_folder_that_is_twice_on_the_path_declares_once(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("good", GOOD)
    monkeypatch.setattr(sys, "path", [str(site.folder), *sys.path])
    site.refresh()
    assert registry().clashes == ()
    assert_others_are_well()


def test_ctrl_c_while_plugins_load_is_not_swallowed(site: FakeSite) -> None:
    site.install("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        registry()


def test_hooks_are_called_once_per_process(site: FakeSite) -> None:
    asked = site.folder / "asked"
    site.install_plugin("counting", models=f"[print('asked', file=open({str(asked)!r}, 'a')), model('counted')][1:]")
    assert t2i.list_models("counted") == t2i.list_models("counted") == ["counted"]
    assert asked.read_text() == "asked\n"


def test_torch_is_not_imported_when_plugins_are_loaded(site: FakeSite) -> None:
    site.install("looks", f"import sys\nassert 'torch' not in sys.modules\n{EMPTY}")
    code = (
        "from t2i.registry.discovery import registry; print([p.reason for p in registry().plugins if p.state != 'ok'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=site.environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["latter", "latr", "later.coco"])
def test_a_name_similar_to_one_not_installed_says_how_to_install_it(
    name: str, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = catalogue.KnownPlugin("t2i-later", "gan", "words", {ModelSpec: ("later",)})
    monkeypatch.setattr(catalogue, "KNOWN_PLUGINS", (known,))
    with pytest.raises(UnknownNameError, match="pip install t2i-later"):
        registry().get(ModelSpec, name)


def test_a_similar_installed_name_is_suggested(site: FakeSite) -> None:
    site.install("good", GOOD)
    with pytest.raises(UnknownNameError, match=r"Did you mean 'good-model'.*Installed: .*cgan"):
        registry().get(ModelSpec, "god-model")


def test_a_first_party_plugin_not_released_yet_is_not_suggested_for_installation() -> None:
    assert "pip install" not in catalogue.KnownPlugin("t2i-later", "gan", "", released=False).remedy
    assert catalogue.KnownPlugin("t2i-now", "gan", "").remedy == "pip install t2i-now"


UNFIT = {
    "newer": ("t2i-core>=99", "pip install --upgrade t2i-core"),
    "newer, with an upper bound": ("t2i-core >=99,<100", "pip install --upgrade t2i-core"),
    "newer, as a wheel spells it": ("T2I_Core (~=99.0)", "pip install --upgrade t2i-core"),
    "one only": ("t2i-core==99.*", "pip install --upgrade t2i-core"),
    "older": ("t2i-core<0.1", "pip install --upgrade bad"),
    "no version": ("t2i-core >= one", "pip install --upgrade bad"),
}


@pytest.mark.parametrize(("requirement", "remedy"), UNFIT.values(), ids=UNFIT)
def test_a_plugin_for_another_core_is_never_imported(site: FakeSite, requirement: str, remedy: str) -> None:
    site.install("good", GOOD)
    module = site.install("bad", "raise RuntimeError('boom')", requires=["torch>=2", requirement])
    found = plugin("bad")
    assert (found.state, found.remedy) == ("incompatible", remedy)
    assert "requires" in found.reason or "requirement" in found.reason
    assert module not in sys.modules
    assert_others_are_well()


@pytest.mark.parametrize(
    "requirement",
    [
        "t2i-core>=0.1,<0.2",
        "t2i-core",
        "t2i-core>=99; extra == 'later'",
        "t2i-core>=99; python_version < '3'",
        "t2i-cored>=99",
    ],
)
def test_a_plugin_for_this_core_is_imported(site: FakeSite, requirement: str) -> None:
    site.install("good", GOOD, requires=[requirement])
    assert_others_are_well()


@pytest.mark.parametrize("requirement", ["t2i-core[s3]>=99; extra == 's3'", 't2i-core>=99 ; extra=="later"'])
def test_requirements_of_extras_are_met_without_being_parsed(monkeypatch: pytest.MonkeyPatch, requirement: str) -> None:
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)  # its import takes longer than finding plugins
    assert unmet(requirement, "0.1.0") is None


RELEASES = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda numbers: ".".join(map(str, numbers)))


@given(
    RELEASES, RELEASES, st.one_of(RELEASES, st.sampled_from(["0.2a1", "0.2.dev3", "1!0.1", "0.1.post1", "0.1+local"]))
)
def test_plain_ranges_are_read_as_packaging_reads_them(low: str, high: str, version: str) -> None:
    expected = SpecifierSet(f">={low},<{high}").contains(version, prereleases=True)
    for specifier in (f">={low},<{high}", f"<{high},>={low}"):  # setuptools sorts them
        assert (unmet(f"t2i-core{specifier}", version) is None) == expected


def test_a_plain_range_that_holds_this_core_needs_no_packaging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "packaging.specifiers", None)
    assert unmet("t2i-core<7.3,>=0.1", "0.1.0") is None


@pytest.mark.parametrize(
    ("named", "loaded"),
    [("good", {"good"}), ("entry-of-bad, good", {"good", "bad"}), ("t2i-cgan", {"t2i-cgan"}), ("", set())],
)
def test_only_the_requested_plugins_are_imported(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, named: str, loaded: set[str]
) -> None:
    site.install("good", GOOD)
    module = site.install("bad", EMPTY, entry="entry-of-bad")
    monkeypatch.setenv("T2I_LOAD_PLUGINS", named)
    states = {found.distribution: found.state for found in registry().plugins}
    assert {name for name, state in states.items() if state != "disabled"} == loaded | {"t2i-core"}
    assert (module in sys.modules) == (states["bad"] == "ok")
    if states["bad"] == "disabled":
        with pytest.raises(PluginDisabledError, match="add it to T2I_LOAD_PLUGINS"):
            t2i.create_model("entry-of-bad")


def test_what_the_core_declares_keeps_its_name(site: FakeSite) -> None:
    """Otherwise a plugin could replace `t2i doctor`, which reports such clashes."""
    site.install(
        "greedy",
        """
        from t2i.registry import DatasetSpec, hookimpl
        T2I_API = 1

        @hookimpl
        def t2i_datasets():
            return [DatasetSpec("folder", "nowhere:Nothing", (), "MIT", "not the core's")]
        """,
    )
    assert registry().get(DatasetSpec, "folder")[1].distribution == "t2i-core"
    assert "folder" in {spec.name for spec, _ in registry().all(DatasetSpec)}
    (clash,) = registry().clashes
    assert clash.reason == "the dataset 'folder' is declared by greedy and t2i-core (t2i-core keeps it)"
    assert clash.remedy == "pip uninstall greedy"


def test_disabling_takes_precedence_over_loading(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("good", GOOD)
    monkeypatch.setenv("T2I_LOAD_PLUGINS", "good")
    monkeypatch.setenv("T2I_DISABLE_PLUGINS", "good")
    assert plugin("good").state == "disabled"


STRICT = {
    "broken": ("raise RuntimeError('boom')", PluginBrokenError),
    "incompatible": ("T2I_API = 99", PluginIncompatibleError),
    "clash": (GOOD, NameClashError),
}


@pytest.mark.parametrize(("source", "kind"), STRICT.values(), ids=STRICT)
def test_strict_plugins_raise_at_once(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, source: str, kind: type[PluginError]
) -> None:
    site.install("good", GOOD)
    site.install("bad", source)
    monkeypatch.setenv("T2I_STRICT_PLUGINS", "1")
    with pytest.raises(kind, match="bad"):
        t2i.list_models()
    monkeypatch.setenv("T2I_STRICT_PLUGINS", "0")
    assert "cgan" in t2i.list_models()


def test_strict_plugins_may_be_disabled(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("bad", "raise RuntimeError('boom')")
    monkeypatch.setenv("T2I_STRICT_PLUGINS", "1")
    monkeypatch.setenv("T2I_DISABLE_PLUGINS", "bad")
    assert "cgan" in t2i.list_models()


def test_a_variable_that_names_an_unknown_plugin_is_reported(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2I_DISABLE_PLUGINS", "cgna,t2i-openmoji")
    (sentence,) = unknown_choices(registry().plugins)
    assert sentence == "T2I_DISABLE_PLUGINS names 'cgna', but no plugin has that name. Did you mean 'cgan'?"


def test_what_a_plugin_prints_goes_to_stderr(site: FakeSite, capsys: pytest.CaptureFixture[str]) -> None:
    site.install(
        "chatty", "print('hello')\n" + dedent(PLUGIN).format(models="print('again') or []", weights="[]", api="1")
    )
    assert plugin("chatty").state == "ok"
    written = capsys.readouterr()
    assert (written.out, written.err) == ("", "hello\nagain\n")


def test_two_entry_points_may_name_one_module(site: FakeSite) -> None:
    files = {"entry_points.txt": f"[t2i]\none = {PREFIX}twin\ntwo = {PREFIX}twin\n"}
    site.install("twin", EMPTY, files=files)
    assert [found.state for found in registry().plugins if found.distribution == "twin"] == ["ok", "ok"]
