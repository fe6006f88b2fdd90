"""Generates parts of the pages whenever the site is built: pictures, scores, sizes and settings.

All of it comes from the registry, so new weights, recipes and settings are included automatically.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from torch import nn

import t2i
from t2i.config import Config
from t2i.drawing.pipeline import Pipeline
from t2i.evaluation.card import read_card_scores
from t2i.hub.layout import CARD
from t2i.images import grid
from t2i.registry import ModelSpec, WeightsSpec, roles
from t2i.registry.describe import DEFAULT_MODEL
from t2i.registry.specs import load_target
from t2i.snapshots.resolve import resolve
from t2i.training.config import OptimizerConfig, TrainConfig
from t2i.training.settings import read_recipe
from t2i_metrics.skills.answers import PHRASING
from t2i_metrics.skills.evaluator import score_name
from t2i_openmoji.world.scene import SKILLS

PROMPTS = Path(__file__).with_name("gallery.txt").read_text(encoding="utf-8").splitlines()
HISTORY = "openmoji-world:everyday-test"  # what all models of the history are asked
LOOKED_AT = {  # of docs/forty.txt with seed 0, named by a person; ms a picture, 16 at once on one core of an AMD EPYC
    "cvae.world64": (25, 4.4),
    "cgan.world64": (22, 4.3),
    "vaegan.world64": (25, 3.9),
    "layers.world64": (36, 9.2),
    "stackgan.world64": (18, 5.6),
    "attngan.world64": (23, 7.4),
    "stackgan-v2.world64": (23, 6.1),
    "transformer.world64": (14, 77),
    "dfgan.world64": (23, 5.7),
    "flow.world64": (20, 155),
}
SEED = 0
COLUMNS = 5


def make(folder: Path) -> None:
    """Write every page's part into `folder`, replacing its contents.

    Args:
        folder: gets gallery.md, front.md, public.md, roles.md, training.md, techniques.md and history.md; NAME.md
            (sizes and weights) and NAME-settings.md for each technique; and one sheet for each pretrained model.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    techniques = {name: _spec(name) for name in t2i.list_models()}
    pretrained = {weights.name: weights for weights in _bundled()}
    sections = {name: _drawn(weights, folder) for name, weights in pretrained.items()}
    shutil.copy(resolve(DEFAULT_MODEL).folder / "samples.png", folder / "front.png")
    parts = {
        "gallery": "\n".join(f"## {name}\n\n{text}" for name, text in sections.items()),
        "front": f"![Sentences drawn by {DEFAULT_MODEL}](/_generated/front.png)\n",
        "public": _public_names(),
        "roles": table(
            ("hook", "returns", "what it declares"),
            ([f"`{role.hook}`", f"`{role.spec.__name__}`", role.summary] for role in roles.ROLES),
        ),
        "training": f"### train\n\n{fields(TrainConfig)}\n### objective.PLAYER\n\n{fields(OptimizerConfig)}",
        "techniques": table(
            ("name", "what", "pretrained"),
            ([f"`{name}`", spec.summary, _listed(name, pretrained)] for name, spec in techniques.items()),
        ),
        "history": _history(pretrained.values(), techniques),
    }
    for name, spec in techniques.items():
        own = [f"### {key}\n\n{text}" for key, text in sections.items() if pretrained[key].model == name]
        parts[name] = "\n".join([_sizes(spec), *(own or [_not_yet(spec)])])
        parts[f"{name}-settings"] = _settings(spec)
    for name, text in parts.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def fields(config: type[Config]) -> str:
    """Every field of a config: its name, its default and what it means."""
    return table(
        ("field", "default", "meaning"),
        (
            [
                f"`{name}`",
                f"`{_said(field.get_default(call_default_factory=True))}`" if not field.is_required() else "",
                _meaning(field),
            ]
            for name, field in config.model_fields.items()
        ),
    )


def _meaning(field: FieldInfo) -> str:
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    listed = ", ".join(f"`{choice}`" for choice in choices)
    return "; ".join(filter(None, [listed, field.description]))


def _said(default: Any) -> str:
    if isinstance(default, BaseModel):
        return ", ".join(f"{name}={value}" for name, value in default.model_dump(exclude_unset=True).items())
    return str(list(default)) if isinstance(default, tuple) else str(default)


def _spec(name: str) -> ModelSpec:
    spec = t2i.model_info(name).spec
    assert spec is not None  # listed techniques are installed
    return spec


def _bundled() -> list[WeightsSpec]:
    """Pretrained weights that need no network."""
    known = (t2i.model_info(name).weights[0] for name in t2i.list_models(pretrained=True))
    return [weights for weights in known if weights.bundled]


def _drawn(weights: WeightsSpec, folder: Path) -> str:
    """Draw the sheet of a pretrained model; returns Markdown with the sheet, its facts and its scores."""
    pipe = t2i.pipeline(weights.name)
    assert isinstance(pipe, Pipeline)  # true for all of ours
    sheet = grid(pipe(PROMPTS, seed=SEED).images, COLUMNS, PROMPTS, scale=max(1, 128 // weights.resolution))
    sheet.save(folder / f"{weights.name}.png")
    return "\n".join(
        [
            f"![Prompts drawn by {weights.name}](/_generated/{weights.name}.png)\n",
            _facts(weights, pipe),
            table(("score", ""), [(name, str(score)) for name, score in weights.scores.items()])
            if weights.scores
            else "It has no scores yet.\n",
        ]
    )


def _facts(weights: WeightsSpec, pipe: Pipeline) -> str:
    facts = {
        "parameters": _count(pipe.generator),
        "file": f"{weights.size_bytes / 2**20:.1f} MiB",
        "pixels per side": str(weights.resolution),
        "trained on": f"`{weights.dataset}`",
        "text encoder": f"`{weights.text_encoder}`",
        "licence": weights.license,
        "sha256": f"`{weights.sha256[:16]}…`",
    }
    return table(("weights", f"`{weights.name}`"), facts.items())


def _sizes(spec: ModelSpec) -> str:
    """The size of each recipe's generator."""
    rows = []
    for recipe in spec.recipes:
        generator = t2i.create_model(spec.name, **read_recipe(spec.name, recipe).get("model", {}))
        rows.append([f"`{recipe}`", str(generator.resolution), _count(generator)])
    return table((f"recipe of `{spec.name}`", "pixels per side", "parameters"), rows)


def _count(network: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in network.parameters()):,}"


def _settings(spec: ModelSpec) -> str:
    """The settings of `t2i train` and `t2i generate`."""
    of = {
        f"{spec.name}: model.FIELD=VALUE": load_target(spec.config),
        f"{spec.name}: objective.FIELD=VALUE": load_target(spec.objective_config),
        f"{spec.name}: --option NAME=VALUE": load_target(spec.target).options_type,
    }
    return "\n".join(f"### {title}\n\n{fields(config)}" for title, config in of.items())


def _listed(technique: str, pretrained: dict[str, WeightsSpec]) -> str:
    return ", ".join(f"`{name}`" for name, weights in pretrained.items() if weights.model == technique) or "none yet"


def _not_yet(spec: ModelSpec) -> str:
    return f"No weights of `{spec.name}` are bundled yet.\n"


def _history(pretrained: Iterable[WeightsSpec], techniques: dict[str, ModelSpec]) -> str:
    """What each bundled model that was asked about HISTORY can do, and what it cost, by the year of its paper."""
    names = [*(score_name(skill) for skill in (*SKILLS, PHRASING[True])), "skills"]
    rows = []
    for weights in pretrained:
        snapshot = resolve(weights.name)
        facts, scored = snapshot.config.facts, read_card_scores(snapshot.folder / CARD)
        scores = {row.metric: row.score.value for row in scored if row.score.protocol["data"] == HISTORY}
        if "skills" in scores:
            year, minutes = techniques[weights.model].paper[-4:], sum(facts.training_seconds.values()) / 60
            cost = (f"{minutes:.0f}{' + its parents' if facts.parent else ''}", f"{weights.size_bytes / 2**20:.1f}")
            shown = [f"{scores[name]:.2f}" for name in names]
            named, drawing = LOOKED_AT[weights.name]
            rows.append([year, f"`{weights.name}`", *shown, f"{scores['kid']:.3f}", f"{named}", *cost, f"{drawing}"])
    heads = (
        "year",
        "model",
        *SKILLS,
        PHRASING[True],
        "mean",
        "KID",
        "named of forty",
        "minutes",
        "MiB",
        "ms a picture",
    )
    return table(heads, sorted(rows))


def _public_names() -> str:
    """Every name of `import t2i`, with the first line of its docstring."""
    rows = []
    for name in sorted(t2i._HOME):
        first = (getattr(t2i, name).__doc__ or "").strip().split("\n")[0]
        rows.append([f"{{py:obj}}`t2i.{name} <{t2i._HOME[name]}.{name}>`", first])
    return table(("name", "what"), rows)
