"""Queries of the registry about plugins installed for the test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

import t2i
from fakes.distributions import FakeSite
from t2i.errors import InvalidConfigError, InvalidInputError, PluginBrokenError, T2IError, UnknownNameError
from t2i.registry import catalogue
from t2i.registry.catalogue import KnownPlugin
from t2i.registry.describe import weights_spec
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, WeightsSpec

MODELS = '[model("zoo-ant"), model("zoo-bee", kind="vae"), model("zoo-cow")]'
WEIGHTS = """[
    weights("zoo-ant", "leaves"),
    weights("zoo-ant", "sand", dataset="sand", license="MIT"),
    weights("zoo-bee", "leaves", license="MIT"),
]"""


@pytest.fixture(autouse=True)
def zoo(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three techniques, two of them with weights, and one that is known but not installed."""
    site.install_plugin("zoo", models=MODELS, weights=WEIGHTS)
    unborn = KnownPlugin("t2i-zoo-yak", "gan", "a yak", {ModelSpec: ("zoo-yak",)})
    monkeypatch.setattr(catalogue, "KNOWN_PLUGINS", (*catalogue.KNOWN_PLUGINS, unborn))


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["zoo-ant", "zoo-bee", "zoo-cow"]),
        ({"kind": "vae"}, ["zoo-bee"]),
        ({"kind": "no such kind"}, []),
        ({"dataset": "sand"}, ["zoo-ant"]),
        ({"dataset": "shapes"}, ["zoo-ant", "zoo-bee"]),
        ({"license": "MIT"}, ["zoo-ant", "zoo-bee"]),
        ({"license": "MIT", "dataset": "shapes"}, ["zoo-bee"]),
        ({"license": "MIT", "kind": "gan"}, ["zoo-ant"]),
        ({"pretrained": True}, ["zoo-ant.leaves", "zoo-ant.sand", "zoo-bee.leaves"]),
        ({"pretrained": True, "license": "MIT"}, ["zoo-ant.sand", "zoo-bee.leaves"]),
        ({"pretrained": True, "dataset": "shapes", "kind": "gan"}, ["zoo-ant.leaves"]),
        ({"installed": False}, ["zoo-ant", "zoo-bee", "zoo-cow", "zoo-yak"]),
        ({"installed": False, "dataset": "shapes"}, ["zoo-ant", "zoo-bee"]),
        ({"installed": False, "pretrained": True}, ["zoo-ant.leaves", "zoo-ant.sand", "zoo-bee.leaves"]),
    ],
)
def test_each_filter_keeps_what_matches(filters: dict[str, object], names: list[str]) -> None:
    assert t2i.list_models("zoo-", **filters) == names


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("zoo-ant", ["zoo-ant"]),
        ("oo-b", ["zoo-bee"]),
        ("zoo-?ee", ["zoo-bee"]),
        ("zoo-*t", ["zoo-ant"]),
        ("zoo-[ab]*", ["zoo-ant", "zoo-bee"]),
        ("?oo-cow", ["zoo-cow"]),
        ("ZOO-ANT", []),
        ("oo-?ee", []),
    ],
)
def test_the_filter_is_a_part_of_the_name_or_a_pattern(pattern: str, names: list[str]) -> None:
    assert t2i.list_models(pattern) == names


def test_no_filter_lists_everything_installed_in_order() -> None:
    names = t2i.list_models()
    assert names == sorted(set(names))
    assert {"cgan", "zoo-ant"} <= set(names)
    assert all(t2i.model_info(name).installed for name in names)


def test_a_technique_is_described_by_its_spec_and_all_its_weights() -> None:
    info = t2i.model_info("zoo-ant")
    assert (info.name, info.kind, info.summary) == ("zoo-ant", "gan", "a fake")
    assert (info.distribution, info.version, info.remedy) == ("zoo", "1.0", "")
    assert info.installed and info.spec is not None and info.spec.name == "zoo-ant"
    assert [weights.tag for weights in info.weights] == ["leaves", "sand"]


def test_a_tag_is_described_by_its_own_weights_alone() -> None:
    assert [weights.name for weights in t2i.model_info("zoo-ant.sand").weights] == ["zoo-ant.sand"]


def test_a_technique_not_installed_says_how_to_get_it() -> None:
    info = t2i.model_info("zoo-yak")
    assert not info.installed and info.spec is None
    assert (info.distribution, info.version, info.remedy) == ("t2i-zoo-yak", "", "pip install t2i-zoo-yak")


def test_a_technique_alone_means_its_first_weights() -> None:
    assert weights_spec("zoo-ant").tag == "leaves"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zoo-ant.leafs", "Did you mean 'zoo-ant.leaves'"),
        ("zoo-cow", "no pretrained weights"),
        ("zoo-cow.sand", "zoo-cow.sand"),
        ("zoo-eel", r"There is no model 'zoo-eel'.* Installed: (?!cgan,).*zoo-ant.leaves"),  # what can draw
        ("", "There is no model ''"),
        (".", "There is no registered model '.'"),
        ("runs/a", "There is no registered model 'runs/a'"),
    ],
)
def test_unknown_weights_are_an_error(name: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        weights_spec(name)


def test_weights_not_installed_name_the_distribution_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    starter = KnownPlugin("t2i-zoo-starter", "weights", "", {WeightsSpec: ("zoo-yak.leaves", "zoo-cow.leaves")})
    monkeypatch.setattr(catalogue, "KNOWN_PLUGINS", (*catalogue.KNOWN_PLUGINS, starter))
    for name in starter.names_of(WeightsSpec):  # the technique may be installed or not
        with pytest.raises(UnknownNameError, match=f"'{name}' is not installed. Get it: pip install t2i-zoo-starter"):
            weights_spec(name)


def test_the_catalogue_lists_the_weights_of_the_starter() -> None:
    (known,) = [known for known in catalogue.KNOWN_PLUGINS if known.distribution == "t2i-starter"]
    brought = [spec.name for spec, plugin in registry().all(WeightsSpec) if plugin.distribution == "t2i-starter"]
    assert list(known.names_of(WeightsSpec)) == brought


@pytest.mark.parametrize("ask", [t2i.model_info, t2i.create_model])
def test_an_unknown_model_suggests_a_similar_name(ask: object) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'zoo-bee'"):
        ask("zoo-be")  # type: ignore[operator]


def test_a_model_is_created_with_its_config() -> None:
    generator = t2i.create_model("cgan", resolution=16, widths=[8, 8], noise_dim=4, condition_dim=8, hidden_dim=8)
    assert isinstance(generator, t2i.Generator)
    assert (generator.resolution, generator.technique) == (16, "cgan")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"resolutoin": 32}, "Did you mean 'resolution'"),
        ({"resolution": "many"}, "'resolution'.*got 'many'"),
        ({"resolution": 3}, "'resolution'.*16"),
        ({"noise_dim": float("nan")}, "'noise_dim'"),
    ],
)
def test_a_config_that_does_not_fit_is_an_error(config: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        t2i.create_model("cgan", **config)


@pytest.mark.parametrize(("name", "pretrained"), [("zoo-ant", True), ("zoo-ant.sand", False), ("./run", False)])
def test_weights_have_their_own_config(name: str, pretrained: bool) -> None:
    with pytest.raises(InvalidInputError, match="resolution"):
        t2i.create_model(name, pretrained, resolution=16)


def test_a_technique_that_cannot_be_imported_is_an_error_only_on_use() -> None:
    assert "zoo-cow" in t2i.list_models()
    with pytest.raises(PluginBrokenError, match="nowhere:Nothing"):
        t2i.create_model("zoo-cow")


@pytest.mark.parametrize(("name", "message"), [("hf", "hf:reference"), ("minilm:large", "got 'minilm:large'")])
def test_a_text_encoder_takes_a_reference_or_does_not(name: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        t2i.create_text_encoder(name)


@pytest.mark.parametrize(
    ("ask", "name", "word"),
    [
        (t2i.create_text_encoder, "minilmm", "text encoder 'minilmm'"),
        (t2i.create_evaluator, "fidd", "evaluator 'fidd'"),
        (t2i.load_dataset, "openmojii", "dataset 'openmojii'"),
    ],
)
def test_an_unknown_name_suggests_a_similar_one(ask: object, name: str, word: str) -> None:
    with pytest.raises(UnknownNameError, match=f"There is no {word}. Did you mean '{name[:-1]}'"):
        ask(name)  # type: ignore[operator]


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "openmoji"
    folder.mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "red.png")
    (folder / "red.txt").write_text("a red square\n")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_folder_is_a_dataset(pictures: Path) -> None:
    for name in (str(pictures), "./openmoji", "openmoji/"):
        assert [example.captions for example in t2i.load_dataset(name)] == [("a red square",)]


def test_a_registered_dataset_takes_precedence_over_a_folder(pictures: Path) -> None:
    assert t2i.load_dataset("openmoji").name == "openmoji:train"


def test_a_split_can_be_named_in_two_ways() -> None:
    assert t2i.load_dataset("openmoji:compose").name == t2i.load_dataset("openmoji", "compose").name


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("openmoji", "validation", "train, compose, all"),
        ("openmoji:validation", None, "got 'validation'"),
        ("no/such/folder", None, "no file or folder no/such/folder"),
        ("nowhere", None, "no dataset 'nowhere'"),
    ],
)
def test_an_unknown_dataset_or_split_is_an_error(name: str, split: str | None, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        t2i.load_dataset(name, split)


def test_every_listed_name_can_be_described() -> None:
    for name in [*t2i.list_models(installed=False), *t2i.list_models(installed=False, pretrained=True)]:
        assert t2i.model_info(name).name == name


def test_every_error_is_a_t2i_error() -> None:
    from t2i import errors

    raised = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    raised = [kind for kind in raised if not issubclass(kind, Warning)]
    assert len(raised) > 10
    assert all(issubclass(error, T2IError) for error in raised)


def test_listing_does_not_import_a_technique(site: FakeSite) -> None:
    technique = site.install("technique-code", "raise RuntimeError('imported')")
    target = f"{technique}:Generator"
    site.install_plugin("lazy", models=f'[model("zoo-lazy", target="{target}")]')
    assert t2i.model_info("zoo-lazy").spec is not None
    assert "zoo-lazy" in t2i.list_models()
    assert target.partition(":")[0] not in sys.modules
