"""Settings that follow from data, device and time: the rules, a measured step, and a run that uses them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.training import write_squares
from t2i.config import parse_config
from t2i.create import load_dataset
from t2i.data.dataset import CaptionedDataset, Example
from t2i.errors import InvalidConfigError, InvalidInputError
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.training.defaults import rules
from t2i.training.defaults.duration import seconds_of, shown_duration
from t2i.training.defaults.facts import LOOKED_AT, Facts, facts_of
from t2i.training.defaults.own import own_settings, shared_settings
from t2i.training.defaults.recommend import has_setting, length, nested, recommended
from t2i.training.settings import checked, merge, override, without_foreign_prompts

FINE_TUNES = "diffusers-lora"  # has no recipe `own`
TECHNIQUES = sorted(spec.name for spec, _ in registry().all(ModelSpec) if spec.objective and spec.name != FINE_TUNES)
ALL_CHANGES = ["colour", "translation", "cutout"]
DATA = {
    "fifty stamps": Facts(pictures=50, groups=50, captions=50, side=100),
    "fifty long photos": Facts(pictures=50, groups=50, captions=50, side=600, elongated=0.9, photos=True),
    "three thousand products": Facts(pictures=3_000, groups=3_000, captions=2_700, side=224, photos=True),
    "ten classes": Facts(pictures=9_000, groups=10, captions=10, uneven=20.0, side=40),
    "fifty thousand on a GPU": Facts(pictures=50_000, groups=50_000, captions=250_000, side=300, photos=True, gpu=True),
}


def chosen(technique: str, facts: Facts) -> dict[str, object]:
    spec, _ = registry().get(ModelSpec, technique)
    return {choice.setting: choice.value for choice in recommended(spec, facts)}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_every_technique_accepts_what_is_chosen_for_it(technique: str, name: str) -> None:
    spec, _ = registry().get(ModelSpec, technique)
    choices = [*recommended(spec, DATA[name]), *length(DATA[name].pictures, 0.2, 1800, 16)]
    settings = merge(own_settings(technique), nested(choices)) | {"technique": technique}
    config = checked(merge(settings, {"data": "openmoji"}))
    assert config.train.sample_first * 0.2 < 60 and not config.train.sample_prompts
    shape = parse_config(load_target(spec.config), config.model, technique)
    side = shape.resolution if hasattr(shape, "resolution") else shape.resolutions[-1]
    assert side == {c.setting: c.value for c in choices}["model.resolution"]


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_every_technique_says_what_it_needs_for_own_pictures(technique: str) -> None:
    settings = own_settings(technique)
    assert settings["objective"] and "data" not in settings
    assert not {"steps", "batch_size", "sample_prompts"} & settings.get("train", {}).keys()


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.setting)
def test_every_rule_applies_to_some_technique_and_gives_its_reason(rule: rules.Rule) -> None:
    assert any(has_setting(registry().get(ModelSpec, name)[0], rule.setting) for name in TECHNIQUES)
    assert "{" not in rule.why.format(**vars(DATA["ten classes"])) and len(rule.why) > 10


def test_choices_follow_the_data() -> None:
    assert chosen("cgan", DATA["fifty long photos"])["data.fit"] == "pad"
    assert "data.fit" not in chosen("cgan", DATA["three thousand products"])
    assert chosen("cgan", DATA["ten classes"])["train.balance"] == "group"
    assert chosen("cgan", DATA["ten classes"])["objective.nearest_of"] == 4
    assert chosen("cgan", DATA["ten classes"])["model.resolution"] == 32
    assert "train.horizontal_flip" in chosen("cgan", DATA["fifty long photos"])
    assert "train.horizontal_flip" not in chosen("cgan", DATA["fifty stamps"])
    assert chosen("cgan", DATA["fifty thousand on a GPU"])["model.resolution"] == 128
    assert chosen("cgan", replace(DATA["fifty stamps"], packed=32))["model.resolution"] == 32
    assert "objective.nearest_of" not in chosen("flow", DATA["ten classes"])


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_discriminators_see_changed_pictures_only_of_little_data(technique: str) -> None:
    spec, _ = registry().get(ModelSpec, technique)
    few, many = (chosen(technique, replace(DATA["fifty stamps"], pictures=count)) for count in (50, 50_000))
    assert ("objective.augment" in few) == has_setting(spec, "objective.augment")
    assert few.get("objective.augment", ALL_CHANGES) == ALL_CHANGES and "objective.augment" not in many


def test_a_technique_says_what_else_it_needs_if_many_pictures_share_a_caption() -> None:
    many, first, needed = DATA["ten classes"], "objective.reconstruct_first", shared_settings("cgan")["objective"]
    assert many.shared and not replace(many, captions=many.pictures // 9).shared
    assert chosen("cgan", many)[first] == needed["reconstruct_first"]
    assert needed["reconstruct_first"] < own_settings("cgan")["objective"]["reconstruct_first"]
    assert first not in chosen("cgan", DATA["three thousand products"]) and not shared_settings("flow")
    reasons = [choice.why for choice in recommended(registry().get(ModelSpec, "cgan")[0], many)]
    assert [why for why in reasons if "a caption has several right pictures" in why] and "likewise" in reasons


def test_facts_are_counted(tmp_path: Path) -> None:
    for number in range(6):
        Image.new("RGB", (20, 40) if number < 4 else (50, 50)).save(tmp_path / f"{number}.jpg")
        (tmp_path / f"{number}.txt").write_text("a cup left of a jug\n" if number == 5 else f"cup {number // 2}\n")
    facts = facts_of(load_dataset(str(tmp_path)))
    assert (facts.pictures, facts.captions, facts.groups, facts.side) == (6, 4, 6, 20)
    assert facts.elongated == pytest.approx(4 / 6) and facts.photos and facts.sides and not facts.gpu


def test_the_length_is_what_the_time_allows_up_to_learning_by_heart() -> None:
    many = {choice.setting: choice.value for choice in length(DATA["three thousand products"].pictures, 0.5, 600, 32)}
    assert many["train.steps"] == 1200 and many["train.sample_first"] == 90
    short = {choice.setting: choice.value for choice in length(3_000, 0.5, 60, 32)}
    assert (short["train.steps"], short["train.sample_every"], short["train.checkpoint_every"]) == (120, 40, 40)
    slow = {choice.setting: choice.value for choice in length(3_000, 12.0, 60, 32)}
    assert (slow["train.steps"], slow["train.sample_every"]) == (5, 1)
    few = {choice.setting: choice for choice in length(DATA["fifty stamps"].pictures, 0.01, 3600, 10)}
    assert few["train.steps"].value == 50 * rules.MOST_VISITS // 10 and "memorised" in few["train.steps"].why


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("30m", 1800), ("1h30m", 5400), ("2h", 7200), ("90M", 5400)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "30", "1.5h", "30 minutes", "0m", "-5m", "5m3h"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="30m"):
        seconds_of(text)


def test_durations_are_shown() -> None:
    assert [shown_duration(value) for value in (0.2, 45.2, 1800, 5400)] == ["1 s", "45 s", "30 min", "1 h 30 min"]


def test_a_recipes_prompts_are_those_of_its_own_data() -> None:
    recipe = {"data": "openmoji", "train": {"sample_prompts": ["a panda"], "steps": 5}}
    assert without_foreign_prompts(recipe | {"data": {"source": "mine"}}, recipe)["train"] == {"steps": 5}
    padded = recipe | {"data": {"source": "openmoji", "fit": "pad"}}
    chosen = {"data": "mine", "train": {"sample_prompts": ["my cup"]}}
    for kept in (recipe, padded, chosen):
        assert without_foreign_prompts(kept, recipe) == kept


@pytest.mark.parametrize("where", ["--data", "--config", "data.source="])
def test_a_recipes_prompts_are_not_drawn_for_other_data(
    t2i: T2I, fakes_installed: None, tmp_path: Path, where: str
) -> None:
    data = write_squares(tmp_path / "squares")
    (tmp_path / "mine.yaml").write_text(f"data: {data}\n")
    recipe = "data: openmoji\ntrain: {steps: 1, sample_prompts: [a panda], tracker: none}\ntext_encoder: fake\n"
    (tmp_path / "recipe.yaml").write_text(recipe)
    given = {"--data": ["--data", data], "--config": ["--config", tmp_path / "mine.yaml"]}
    how = given.get(where, [f"data.source={data}"])
    result = t2i("train", "cgan", *how, *SMALL, "--recipe", tmp_path / "recipe.yaml", "--out", tmp_path / "run")
    assert result.code == 0, result.err
    run = yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())
    assert run["train"]["sample_prompts"] == [] and run["data"]["source"] == str(data)


def test_settings_without_a_section_and_of_the_data_are_read() -> None:
    changed = override({"data": {"source": "x"}}, ["text_encoder=fake", "data.fit=pad"])
    assert changed == {"data": {"source": "x", "fit": "pad"}, "text_encoder": "fake"}
    with pytest.raises(InvalidConfigError, match="text_encoder=value"):
        override({}, ["technique=cgan"])


def test_settings_of_an_older_run_are_read() -> None:
    config = checked({"technique": "cgan", "data": "openmoji", "caption_column": "text", "image_column": ""})
    assert (config.data.source, config.data.caption_column, config.data.fit) == ("openmoji", "text", "crop")


SMALL = (
    *("model.resolution=16", "model.widths=[16, 8]", "model.condition_dim=16", "model.hidden_dim=16"),
    *("objective.discriminator_widths=[8, 8]", "train.tracker=none", "text_encoder=fake"),
)


def test_a_run_chooses_its_settings_says_so_and_keeps_them(
    t2i: T2I, fakes_installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_squares(tmp_path / "squares")
    monkeypatch.setattr("t2i.training.run.seconds_a_step", lambda *arguments: 0.25)
    given = ("objective.text_noise=0.3", "--data", data, "--out", tmp_path / "run", "--time", "1s", "--device", "cpu")
    result = t2i("train", "cgan", *SMALL, *given)
    assert result.code == 0 and "train.steps=4" in result.err and "train.batch_size=16" in result.err
    assert "model.resolution" not in result.err  # given by hand
    run = yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())
    assert (run["train"]["steps"], run["train"]["batch_size"], run["train"]["clip_norm"]) == (4, 16, 1.0)
    assert run["objective"]["reconstruct_first"] == own_settings("cgan")["objective"]["reconstruct_first"]
    assert (run["objective"]["text_noise"], run["model"]["widths"]) == (0.3, [16, 8])
    first = load_dataset(str(data)).examples[0].captions[0]
    assert first in (tmp_path / "run" / "index.html").read_text()


def test_a_recipe_leaves_nothing_to_choose(t2i: T2I, fakes_installed: None, tmp_path: Path) -> None:
    data = write_squares(tmp_path / "squares")
    given = ("--data", data, "--out", tmp_path / "run", "--steps", 2, "train.tracker=none", "text_encoder=fake")
    result = t2i("train", "cgan", "--recipe", "tiny", *given, "--device", "cpu")
    assert result.code == 0 and "Settings for" not in result.err
    assert yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())["train"]["clip_norm"] is None


def test_steps_and_time_are_one_too_many(t2i: T2I, tmp_path: Path) -> None:
    both = ("--steps", 5, "--time", "5m", "--data", "openmoji", "--out", tmp_path / "run")
    assert "--steps or --time, not both" in t2i("train", "cgan", *both).error


def test_recommend_says_the_same_without_training(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_squares(tmp_path / "squares")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("t2i.training.defaults.step_time.TIMED", 1)
    result = t2i("recommend", "squares", "flow", "--time", "1m", "--device", "cpu")
    assert result.code == 0 and "train.steps=" in result.out and "few pictures" in result.out
    assert "t2i train flow --data squares --time 1m" in result.out
    assert [path.name for path in tmp_path.iterdir()] == [data.name]


def test_recommend_pads_long_pictures(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        Image.new("RGB", (40, 80)).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(f"a door {number}\n")
    monkeypatch.setattr("t2i.training.defaults.step_time.TIMED", 1)
    result = t2i("recommend", tmp_path, "flow", "--time", "1m", "--device", "cpu")
    assert result.code == 0 and "data.fit=pad" in result.out


class Stamps(CaptionedDataset):
    """Squares of 8 px; records which of them were looked at."""

    name, license, examples = "stamps", "CC0-1.0", ()

    def __init__(self, count: int) -> None:
        self.examples = [Example(f"{number}.png", ("a stamp",), "") for number in range(count)]
        self.looked: list[int] = []

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        raise AssertionError("only headers are read")

    def size(self, index: int) -> tuple[int, int]:
        self.looked.append(index)
        return 8, 8


@pytest.mark.parametrize("count", [1, 200, 201, 399, 1_000])
def test_at_most_200_headers_are_read(count: int) -> None:
    dataset = Stamps(count)
    assert facts_of(dataset).side == 8
    assert dataset.looked[0] == 0 and len(set(dataset.looked)) == len(dataset.looked) <= LOOKED_AT
