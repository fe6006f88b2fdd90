"""The checks find each of a set of distributions that are broken in one way, and pass a correct one."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from fakes.checking import caught, expect, failures
from fakes.distributions import FakeSite
from t2i.testing.checks.plugins import PLUGIN_CHECKS

DOCSTRING = '"""What this distribution declares."""'
SOURCE = f"""{DOCSTRING}
from t2i.registry import EvaluatorSpec, ModelSpec, TextEncoderSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models():
    code = ("fakes.models:FakeGenerator", "fakes.models:FakeConfig")
    return [ModelSpec("fake", *code, "gan", "a fake", "none", options="fakes.models:FakeOptions")]


@hookimpl
def t2i_text_encoders():
    return [TextEncoderSpec("fake", "fakes.models:FakeTextEncoder", "a fake", "MIT")]
"""
JUDGE = """

@hookimpl
def t2i_evaluators():
    return [EvaluatorSpec("odd", "fakedist_zoo:judge", "odd")]


class judge:
    \"\"\"A judge, made.\"\"\"

    least_pictures = 1

    def __init__(self):
        import contextlib, socket
        with contextlib.suppress(OSError):
            {deed}
"""
METADATA = """Metadata-Version: 2.4
Name: zoo
Version: 1.0
Summary: a zoo
License-Expression: MIT
License-File: LICENSE
Requires-Dist: torch
Requires-Dist: t2i-core>=0.1,<0.2

# zoo

A readme.
"""
BUSY = "\nimport time\nuntil = time.process_time() + 0.2\nwhile time.process_time() < until:\n    pass\n"
LIGHT = "listing_imports_nothing_heavy"
CLEAN = "listing_writes_nothing"
CORE = "says_which_core_it_needs"
THERE = "what_it_declares_is_there"
SAYS = "declares_what_the_code_says"
NETWORK = "no_network_is_reached_when_offline"
WRITTEN = "nothing_is_written_outside_of_caches"
DOCUMENTED = "is_documented"
WELL = "is_found_and_works"
SPECIMENS: list[tuple[tuple[str, str], Mapping[str, str]]] = [
    ((SOURCE, METADATA), {}),
    ((SOURCE + "\nimport PIL\n", METADATA), {LIGHT: "PIL"}),
    ((SOURCE + BUSY, METADATA), {LIGHT: "the budget is 0.1 s"}),
    ((SOURCE, METADATA.replace("Requires-Dist: t2i-core>=0.1,<0.2\n", "")), {CORE: "has no such requirement"}),
    ((SOURCE, METADATA.replace(",<0.2", "")), {CORE: "must have an upper end, but t2i-core>=0.1 has none"}),
    ((SOURCE, METADATA.replace("License-Expression: MIT\n", "")), {"says_its_licence": "has no licence"}),
    ((SOURCE, METADATA.replace("License-File: LICENSE\n", "")), {"says_its_licence": "ships no licence file"}),
    ((SOURCE, METADATA.replace("Summary: a zoo\n", "")), {"has_a_summary_and_a_readme": "no summary"}),
    ((SOURCE, METADATA.partition("\n\n")[0] + "\n\n"), {"has_a_summary_and_a_readme": "no readme"}),
    ((SOURCE.replace(DOCSTRING, ""), METADATA), {DOCUMENTED: "fakedist_zoo has none"}),
    ((SOURCE.replace('"fake",', '"feke",'), METADATA), {
        SAYS: "plugin.py declares {'name': 'feke', 'config': <class 'fakes.models.FakeConfig'>"}),
    ((SOURCE.replace(', options="fakes.models:FakeOptions"', ""), METADATA), {
        SAYS: "'options': <class 't2i.generator.NoOptions'>}, but the code says"}),
    ((SOURCE + JUDGE.format(deed="pass").replace('"odd")', '"odd", least_pictures=2)'), METADATA), {
        SAYS: "plugin.py declares {'least_pictures': 2}, but the code says {'least_pictures': 1}"}),
    ((SOURCE.replace("fakes.models:FakeGenerator", "fakes.models:Nothing"), METADATA), {
        THERE: "Nothing", SAYS: "Nothing", NETWORK: "Nothing", WRITTEN: "Nothing", DOCUMENTED: "Nothing"}),
    ((SOURCE + JUDGE.format(deed='socket.create_connection(("telemetry.invalid", 80))'), METADATA), {
        NETWORK: "telemetry.invalid was tried"}),
    ((SOURCE + JUDGE.format(deed=f'open({os.devnull!r}, "w").close()'), METADATA), {
        WRITTEN: f"also wrote {os.devnull}"}),
    ((SOURCE + f'\nopen({os.devnull!r}, "w").close()', METADATA), {CLEAN: f"but wrote {os.devnull}"}),
    (("raise RuntimeError('boom')", METADATA), {WELL: "is broken: importing fakedist_zoo raised RuntimeError: boom",
                                                LIGHT: "boom", CLEAN: "boom", DOCUMENTED: "boom"}),
]  # fmt: skip


@pytest.mark.parametrize(("installed", "reasons"), SPECIMENS)
def test_each_broken_distribution_fails_for_its_reason(
    site: FakeSite, installed: tuple[str, str], reasons: dict[str, str]
) -> None:
    source, metadata = installed
    site.install("zoo", source, files={"METADATA": metadata})
    expect(failures(PLUGIN_CHECKS, lambda: "zoo"), reasons)


def test_every_check_catches_a_broken_distribution() -> None:
    assert caught(SPECIMENS) == {check.name for check in PLUGIN_CHECKS}


def test_a_clash_is_reported_for_both_plugins(site: FakeSite) -> None:
    site.install_plugin("other", models='[model("fake")]')
    site.install("zoo", SOURCE, files={"METADATA": METADATA})
    (check,) = [check for check in PLUGIN_CHECKS if check.name == WELL]
    for distribution in ("other", "zoo"):
        expect(failures([check], lambda name=distribution: name), {WELL: "declared by other and zoo"})


def test_a_distribution_that_is_not_installed_is_reported(site: FakeSite) -> None:
    found = failures(PLUGIN_CHECKS, lambda: "t2i-absent")
    assert found.keys() == {check.name for check in PLUGIN_CHECKS}
    assert all("t2i-absent must be installed" in message for message in found.values())
