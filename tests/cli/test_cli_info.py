"""`t2i info`: everything that is known about one model."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from fakes.command_line import T2I
from fakes.distributions import FakeSite
from t2i.create import create_model
from t2i.publishing.pretrained import save_pretrained
from t2i.registry import ModelSpec, catalogue
from t2i.registry.discovery import registry
from t2i.runs.checkpoints import latest_checkpoint
from t2i.training.config import TrainConfig
from t2i.training.settings import checked, override, read_run
from t2i_cgan.config import CGANConfig


def test_a_technique_lists_its_config_and_recipes(t2i: T2I) -> None:
    facts = json.loads(t2i("info", "cgan", "--json").out)
    assert facts["config"] == json.loads(CGANConfig().model_dump_json())
    assert "tiny" in facts["recipes"] and "ICML 2016" in facts["paper"]
    assert facts["from"].startswith("t2i-cgan ")


def test_the_text_has_the_same_facts_as_the_json(t2i: T2I) -> None:
    result = t2i("info", "cgan")
    assert result.code == 0
    assert "kind: gan" in result.out and "  noise_dim: 100" in result.out


@pytest.mark.parametrize("technique", sorted(spec.name for spec, _ in registry().all(ModelSpec) if spec.objective))
def test_every_setting_is_listed_with_its_default_and_can_be_set(t2i: T2I, technique: str) -> None:
    facts = json.loads(t2i("info", technique, "--json").out)
    listed = {setting["name"]: setting["default"] for setting in facts["settings"]}
    assert {"train.steps", "data.fit", "text_encoder", "model.text_dim"} <= listed.keys()
    assert listed["train.batch_size"] == 64 and "data.source" in listed
    given = [f"{name}={json.dumps(value)}" for name, value in listed.items() if value is not None]
    config = checked(override({"technique": technique, "data": {"source": "openmoji"}}, given))
    assert config.train == TrainConfig() and config.model["text_dim"] == listed["model.text_dim"]


def test_settings_are_shown_with_their_meaning(t2i: T2I) -> None:
    line = next(line for line in t2i("info", "stackgan-v2").out.splitlines() if line.startswith("model.resolution"))
    assert "pixels per side" in line
    assert "objective.generator.lr" in t2i("info", "cgan").out


def test_options_are_shown_with_the_defaults_of_the_weights(t2i: T2I, site: FakeSite) -> None:
    tiny = create_model("transformer", resolution=16, text_dim=12, widths=(8, 16), codes=64, code_dim=4, dim=12)
    save_pretrained(tiny, site.folder / "fakedist_drawn" / "mine", options={"guidance": 2.0, "top_p": 0.95})
    (site.folder / "fakedist_drawn" / "__init__.py").touch()
    site.install_plugin("zoo", weights='[weights("transformer", "mine", bundled="fakedist_drawn:mine")]')
    technique, weights = (
        json.loads(t2i("info", name, "--json").out)["options"] for name in ("transformer", "transformer.mine")
    )
    said, changed = ({option["name"]: option["default"] for option in options} for options in (technique, weights))
    assert changed == said | {"guidance": 2.0, "top_p": 0.95} != said
    out = t2i("info", "transformer.mine").out
    assert re.search(r"^option +default +meaning$", out, re.M) and re.search(r"^top_p +0.95 +\w", out, re.M)


def test_the_text_has_no_empty_facts(t2i: T2I) -> None:
    name = "cgan.world64"
    assert json.loads(t2i("info", name, "--json").out)["weights"][name]["facts"]["source"] == ""
    shown = t2i("info", name).out.splitlines()
    deeper = [indent(line) < indent(follows) for line, follows in zip(shown, [*shown[1:], ""], strict=True)]
    assert all(not line.rstrip().endswith(":") or below for line, below in zip(shown, deeper, strict=True))


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def test_a_tag_shows_its_weights_location_and_licence(t2i: T2I, site: FakeSite) -> None:
    site.install_plugin("zoo", models='[model("zoo-ant")]', weights='[weights("zoo-ant", "sand", license="MIT")]')
    facts = json.loads(t2i("info", "zoo-ant.sand", "--json").out)["weights"]["zoo-ant.sand"]
    assert (facts["license"], facts["sha256"], facts["text_encoder"]) == ("MIT", "0" * 64, "minilm")


def test_what_is_not_installed_says_how_to_get_it(t2i: T2I, site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalogue.KnownPlugin("t2i-yak", "gan", "a yak", {ModelSpec: ("yak",)})
    monkeypatch.setattr(catalogue, "KNOWN_PLUGINS", (known,))
    assert json.loads(t2i("info", "yak", "--json").out)["from"] == "pip install t2i-yak"


@pytest.mark.parametrize(
    ("name", "message"),
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
def test_what_cannot_be_described_is_a_one_line_error(t2i: T2I, site: FakeSite, name: str, message: str) -> None:
    site.install("broken", "1 / 0")
    site.install_plugin("first", models='[model("twice")]')
    site.install_plugin("second", models='[model("twice")]')
    models = '[model("no-code"), model("no-bundle"), model("no-package")]'
    bundles = {"no-bundle": "json:nothing", "no-package": "no_such_package:x"}
    weights = ", ".join(f'weights("{name}", "here", bundled="{bundle}")' for name, bundle in bundles.items())
    site.install_plugin("third", models=models, weights=f"[{weights}]")
    assert message in t2i("info", name).error


def test_bundled_weights_show_their_training_cost(t2i: T2I, site: FakeSite) -> None:
    from fakes.models import FakeGenerator

    seconds = {"AMD EPYC, 2 threads": 1893.4}
    save_pretrained(FakeGenerator(), site.folder / "fakedist_bundle" / "sand", steps=3, training_seconds=seconds)
    (site.folder / "fakedist_bundle" / "__init__.py").touch()
    weights = '[weights("zoo-ant", "sand", bundled="fakedist_bundle:sand")]'
    site.install_plugin("zoo", models='[model("zoo-ant")]', weights=weights)
    facts = json.loads(t2i("info", "zoo-ant.sand", "--json").out)["weights"]["zoo-ant.sand"]["facts"]
    assert facts["training_seconds"] == seconds
    assert "AMD EPYC, 2 threads: 1893.4" in t2i("info", "zoo-ant.sand").out


def spaced(value: object) -> list[str]:
    """The keys with a space, anywhere in JSON."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [key for key in value if " " in key] if isinstance(value, dict) else []
    return own + [key for each in inner for key in spaced(each)]


@pytest.mark.parametrize("name", ["cgan", "cgan.world64", "minilm", "r_precision", "openmoji"])
def test_json_has_numbers_as_numbers_and_no_spaces_in_keys(t2i: T2I, name: str) -> None:
    facts = json.loads(t2i("info", name, "--json").out)
    for weights in facts.get("weights", {}).values():
        assert isinstance(weights["size_bytes"], int) and isinstance(weights["resolution"], int)
        assert all(isinstance(score["value"], float) for score in weights["scores"].values()) and weights["scores"]
        weights.get("facts", {}).pop("training_seconds", None)  # keys of protocols
    assert not spaced(facts)


def test_a_run_and_its_snapshot_are_described(t2i: T2I, run_folder: Path, tmp_path: Path) -> None:
    facts = json.loads(t2i("info", run_folder, "--json").out)
    config, checkpoint = read_run(run_folder), latest_checkpoint(run_folder)
    assert (facts["technique"], facts["data"]["source"]) == (config.technique, config.data.source)
    assert facts["steps"] == f"{checkpoint.step} of {config.train.steps}" and facts["parent"] == ""
    assert facts["config"] == config.model and facts["facts"]["steps"] == checkpoint.step
    assert "truncation" in {option["name"] for option in facts["options"]}
    result = t2i("info", run_folder)
    assert result.code == 0 and f"technique: {config.technique}" in result.out and "  text_encoder:" in result.out
    snapshot = json.loads(t2i("info", checkpoint.snapshot, "--json").out)
    assert snapshot["weights_sha256"] == facts["weights_sha256"] and "steps" not in snapshot
    shutil.copytree(run_folder, tmp_path / "begun", ignore=shutil.ignore_patterns("checkpoints"))
    begun = json.loads(t2i("info", tmp_path / "begun", "--json").out)
    assert begun["steps"] == f"0 of {config.train.steps}" and "facts" not in begun
    assert "holds no model" in t2i("info", tmp_path).error
