"""The plugin passes `t2i check`, and listing its models imports no heavy library."""

from __future__ import annotations

import subprocess
import sys

import pytest

from t2i.registry.catalogue import KNOWN_PLUGINS
from t2i.registry.specs import HubModelSpec
from t2i.testing.installed import sections
from t2i_diffusers.catalogue import MODELS

IMPORTED = """
import sys
from t2i.registry.describe import list_models
list_models(installed=False)
heavy = {"torch", "diffusers", "transformers", "peft", "numpy", "PIL"} & {*sys.modules}
assert "t2i_diffusers.catalogue" in sys.modules and not heavy, heavy
"""


@pytest.mark.usefixtures("t2i_cache")
def test_it_passes_every_check() -> None:
    found = [outcome for section in sections("diffusers") for outcome in section.outcomes()]
    assert len(found) > 8
    assert {outcome.check: outcome.message for outcome in found if outcome.is_bad} == {}


def test_every_short_name_passes_every_check_and_is_known_without_the_plugin() -> None:
    checked = [section for spec in MODELS for section in sections(spec.name) if "the Hub" in section.title]
    assert len(checked) == len(MODELS)
    assert not [outcome for section in checked for outcome in section.outcomes() if outcome.is_bad]
    (known,) = [plugin for plugin in KNOWN_PLUGINS if plugin.distribution == "t2i-diffusers"]
    assert {*known.names_of(HubModelSpec)} == {spec.name for spec in MODELS}


def test_listing_models_imports_no_heavy_library() -> None:
    subprocess.run([sys.executable, "-c", IMPORTED], check=True, timeout=120)
