"""`t2i info`: everything known of one model."""

from __future__ import annotations

import json

import pytest

from fakes.command_line import T2I
from fakes.distributions import FakeSite
from t2i.publishing.pretrained import save_pretrained
from t2i.registry import ModelSpec, catalogue
from t2i_cgan.config import CGANConfig


def test_a_technique_tells_its_config_and_recipes(t2i: T2I) -> None:
    facts = json.loads(t2i("info", "cgan", "--json").out)
    assert facts["config"] == json.loads(CGANConfig().model_dump_json())
    assert "tiny" in facts["recipes"] and "ICML 2016" in facts["paper"]
    assert facts["from"].startswith("t2i-cgan ")


def test_people_read_the_same_facts(t2i: T2I) -> None:
    result = t2i("info", "cgan")
    assert result.code == 0
    assert "kind: gan" in result.out and "  noise_dim: 100" in result.out


def test_a_tag_tells_where_its_weights_are_and_what_they_may_be_used_for(t2i: T2I, site: FakeSite) -> None:
    site.install_plugin("zoo", models='[model("zoo-ant")]', weights='[weights("zoo-ant", "sand", license="MIT")]')
    facts = json.loads(t2i("info", "zoo-ant.sand", "--json").out)["weights zoo-ant.sand"]
    assert (facts["license"], facts["sha256"], facts["text_encoder"]) == ("MIT", "0" * 64, "minilm")


def test_what_is_not_installed_tells_how_to_get_it(t2i: T2I, site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalogue.KnownPlugin("t2i-yak", "gan", "a yak", {ModelSpec: ("yak",)})
    monkeypatch.setattr(catalogue, "KNOWN_PLUGINS", (known,))
    assert json.loads(t2i("info", "yak", "--json").out)["from"] == "pip install t2i-yak"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cgna", "Did you mean 'cgan'"),
        ("cgan.no-such-tag", "no-such-tag"),
        ("", "''"),
        ("broken", "ZeroDivisionError"),
        ("twice", "first and second"),
        ("no-code", "nowhere:Nothing"),
        ("no-bundle.here", "config.json"),
        ("no-package.here", "no_such_package"),
    ],
)
def test_what_cannot_be_described_is_one_line(t2i: T2I, site: FakeSite, name: str, told: str) -> None:
    site.install("broken", "1 / 0")
    site.install_plugin("first", models='[model("twice")]')
    site.install_plugin("second", models='[model("twice")]')
    models = '[model("no-code"), model("no-bundle"), model("no-package")]'
    bundles = {"no-bundle": "json:nothing", "no-package": "no_such_package:x"}
    weights = ", ".join(f'weights("{name}", "here", bundled="{bundle}")' for name, bundle in bundles.items())
    site.install_plugin("third", models=models, weights=f"[{weights}]")
    assert told in t2i("info", name).error


def test_bundled_weights_tell_what_they_cost(t2i: T2I, site: FakeSite) -> None:
    from fakes.models import FakeGenerator

    seconds = {"AMD EPYC, 2 threads": 1893.4}
    save_pretrained(FakeGenerator(), site.folder / "fakedist_bundle" / "sand", steps=3, training_seconds=seconds)
    (site.folder / "fakedist_bundle" / "__init__.py").touch()
    weights = '[weights("zoo-ant", "sand", bundled="fakedist_bundle:sand")]'
    site.install_plugin("zoo", models='[model("zoo-ant")]', weights=weights)
    facts = json.loads(t2i("info", "zoo-ant.sand", "--json").out)["weights zoo-ant.sand"]["facts"]
    assert facts["training_seconds"] == seconds
    assert "AMD EPYC, 2 threads: 1893.4" in t2i("info", "zoo-ant.sand").out
