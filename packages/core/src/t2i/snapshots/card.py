"""The model card: a snapshot's README.md, in the Hub's own format. All user input is escaped."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from t2i.errors import T2IError
from t2i.registry.discovery import registry
from t2i.registry.plugin import Plugin
from t2i.registry.specs import ModelSpec, SpecT, TextEncoderSpec
from t2i.snapshots.markdown import fence, plain, table

if TYPE_CHECKING:
    from t2i.snapshots.record import SnapshotConfig, SnapshotFacts

HERE = "local-dir:PATH_TO_THIS_FOLDER"
SCORES_BEGIN, SCORES_END = "<!-- scores, written by t2i evaluate -->", "<!-- end of scores -->"
HUB_LICENSES = {  # those of https://huggingface.co/docs/hub/repositories-licenses that apply to pictures
    *("afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "bsl-1.0"),
    *("cc", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0"),
    *("cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0"),
    *("cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "gpl", "gpl-2.0", "gpl-3.0", "isc", "lgpl", "lgpl-2.1", "lgpl-3.0"),
    *("mit", "mpl-2.0", "openrail", "pddl", "unknown", "unlicense", "wtfpl", "zlib"),
}


@dataclass(frozen=True)
class CardExtras:
    """The contents of a card beyond its snapshot's config.json.

    Attributes:
        name: the name that loads the model, such as "hf-hub:org/name".
        packages: what to install to use it; by default the distributions of its technique and text encoder.
        title: by default the technique.
        prompt: an example prompt.
        picture: a PNG next to the card, or "".
        run_file: a run's settings next to the card, or "".
    """

    name: str = HERE
    packages: str = ""
    title: str = ""
    prompt: str = "a red heart"
    picture: str = ""
    run_file: str = ""


def render_card(config: SnapshotConfig, extras: CardExtras | None = None) -> str:
    """The card of a snapshot as Markdown with a YAML header."""
    extras = extras or CardExtras()
    head = yaml.safe_dump(card_head(config), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n{card_body(config, extras)}"


def card_head(config: SnapshotConfig) -> dict[str, Any]:
    """The card's metadata, in the Hub's format."""
    license_id = re.sub(r"-(only|or-later)$", "", config.facts.license.lower())
    known = license_id in HUB_LICENSES
    return {
        "library_name": "t2i",
        "pipeline_tag": "text-to-image",
        "license": license_id if known else "other",
        **({} if known else {"license_name": config.facts.license}),
        "tags": ["t2i", config.technique],
    }


def card_body(config: SnapshotConfig, extras: CardExtras) -> str:
    """The readable part: pictures, how to use it, what it is made of, scores, limits, how to reproduce it."""
    sections = [
        f"# {plain(extras.title or f'{config.technique} by t2i')}",
        _what(config, extras),
        _use(config, extras),
        _made_of(config),
        f"{SCORES_BEGIN}\n## Scores\n\nNone measured yet.\n{SCORES_END}",
        _limits(config),
        _again(config, extras),
    ]
    return "\n\n".join(sections) + "\n"


def _what(config: SnapshotConfig, extras: CardExtras) -> str:
    side = config.config.get("resolution")
    pixels = f" of {side} x {side} pixels" if isinstance(side, int) else ""
    owner = _owner(ModelSpec, config.technique)
    about = f" The technique: {plain(owner[0].summary)} ({plain(owner[0].paper)})." if owner else ""
    shown = f"\n\n![Pictures drawn by the model, each above its caption]({extras.picture})" if extras.picture else ""
    return (
        f"Draws pictures{pixels} from a caption, with the technique {plain(config.technique)} of "
        f"[t2i](https://pypi.org/project/t2i/).{about}{shown}"
    )


def _use(config: SnapshotConfig, extras: CardExtras) -> str:
    encoder = config.facts.text_encoder.name.partition(":")[0] if config.facts.text_encoder else ""
    owners = [_owner(ModelSpec, config.technique), _owner(TextEncoderSpec, encoder)]
    named = " ".join(dict.fromkeys(owner[1].distribution for owner in owners if owner)) or "t2i"
    packages = extras.packages or named
    command = f"pip install {packages}\nt2i generate {shlex.quote(extras.prompt)} --model {shlex.quote(extras.name)}"
    snippet = (
        f"import t2i\n"
        f"pipe = t2i.pipeline({json.dumps(extras.name)})\n"
        f'pipe({json.dumps(extras.prompt)}, seed=7)[0].save("picture.png")'
    )
    return f"## Use it\n\n{fence(command, 'sh')}\n\nOr in Python:\n\n{fence(snippet, 'python')}"


def _made_of(config: SnapshotConfig) -> str:
    facts, encoder = config.facts, config.facts.text_encoder
    rows = {
        "technique": config.technique,
        "dataset": facts.dataset or "not stated",
        "licence": _licence(facts),
        **({"pictures that are not square": f"{facts.fit}, {facts.position}"} if facts.fit != "crop" else {}),
        "text encoder": f"{encoder.name}, {encoder.dim}-d, sha256 {encoder.sha256 or 'unknown'}"
        if encoder
        else "not stated",
        **({"drawn with": ", ".join(f"{k}={v}" for k, v in facts.options.items())} if facts.options else {}),
        **({"converted from": facts.source} if facts.source else {}),
        **({"fine-tuned from": facts.parent} if facts.parent else {}),
        "trained for": f"{facts.steps:,} steps, {facts.images_seen:,} pictures" if facts.steps else "not stated",
        "training took": _took(facts.training_seconds) or "not stated",
        "model.safetensors": f"sha256 {config.weights_sha256}",
    }
    return f"## What it is made of\n\n{table(['', ''], list(rows.items()))}"


def _licence(facts: SnapshotFacts) -> str:
    """The data's licence, and that of the weights that training started from, which does not hold for the data."""
    if not facts.parent:
        return facts.license
    parent = facts.parent.rpartition(", sha256 ")[0] or facts.parent
    return f"{facts.license}; weights started from {parent} ({facts.parent_license or 'licence unknown'})"


def _took(seconds: Mapping[str, float]) -> str:
    """ "31 min on AMD EPYC, 2 threads", in order if there were several devices."""
    return "; then ".join(f"{_duration(spent)} on {device}" for device, spent in seconds.items())


def _duration(seconds: float) -> str:
    """ "42 s", "31 min" or "4 h 05 min"."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _limits(config: SnapshotConfig) -> str:
    data = plain(config.facts.dataset) if config.facts.dataset else "the pictures it was trained on"
    return (
        f"## Limits\n\n"
        f"- It knows what {data} shows and the words of its captions; for other captions it draws the closest match.\n"
        f"- Its pictures have one size, and it inherits the licence and biases of that data.\n"
        f"- A seed gives the same picture every time, but other devices and library versions round differently.\n"
        f"- It is not intended to depict real people or to inform decisions, and its output is not filtered."
    )


def _again(config: SnapshotConfig, extras: CardExtras) -> str:
    parts = ["## Reproduce it"]
    if config.facts.command:
        parts += ["Command:", fence(config.facts.command, "sh")]
    if extras.run_file:
        recipe = f"t2i train {shlex.quote(config.technique)} --recipe {extras.run_file} --out runs/again"
        parts += [f"{extras.run_file} next to this card holds every setting:", fence(recipe, "sh")]
    return "\n\n".join(parts if len(parts) > 1 else [*parts, "How it was made is not recorded."])


def _owner(kind: type[SpecT], name: str) -> tuple[SpecT, Plugin] | None:
    """The spec registered under `name` and its plugin; None if it is not installed."""
    try:
        return registry().get(kind, name)
    except T2IError:
        return None
