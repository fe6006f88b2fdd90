"""`t2i info`: what is known about a name, without loading a model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from t2i.cli.console import report, report_json, table
from t2i.errors import SnapshotError, UnknownNameError
from t2i.files import read_json
from t2i.hub.layout import CONFIG, MAX_CONFIG_BYTES, WEIGHTS
from t2i.registry.describe import ModelInfo, model_info
from t2i.registry.discovery import registry
from t2i.registry.names import ModelName
from t2i.registry.roles import role_of
from t2i.registry.specs import ArtistSpec, ModelSpec, WeightsSpec, bundled_folder, load_target

TABLES = ("options", "settings")  # of a model: for --option in drawing, and of a run


def info(
    name: Annotated[
        str,
        typer.Argument(
            help='"technique", "technique.tag", a run folder or snapshot, hf-hub:org/repo, or what `t2i plugins` lists.'
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verify: Annotated[
        bool, typer.Option(help="Also check that the model still draws the test pictures stored with it.")
    ] = False,
) -> None:
    """Describe a model (config, options, sha256, text encoder, licence, scores) or anything else a plugin declares."""
    asked = ModelName.parse(name)
    if asked.kind == "hub" and asked.known is None:
        facts = _on_hub(asked)
    elif asked.kind == "folder":
        facts = _in_folder(asked)
    else:
        facts = _of_other_roles(name)
        try:
            facts = _of_model(model_info(name)) | facts
        except UnknownNameError:
            if not facts:
                raise
    if verify:
        facts["golden_pictures"] = _golden(name)
    if as_json:
        report_json(facts)
        return
    _print({name: fact for name, fact in facts.items() if name not in TABLES})
    for kind in TABLES:
        rows = [[each["name"], _value(each["default"]), each["meaning"]] for each in facts.get(kind, [])]
        table([kind.removesuffix("s"), "default", "meaning"], rows)


def _value(value: Any) -> str:
    return "" if value is None else ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _of_other_roles(name: str) -> dict[str, Any]:
    """What plugins declare under this name, except models."""
    return {
        role_of(type(spec)).word.lower().replace(" ", "_"): {"from": f"{plugin.distribution} {plugin.version}"}
        | {key: value for key, value in asdict(spec).items() if value not in ("", {}, ())}
        for spec, plugin in registry().named(name)
        if not isinstance(spec, ModelSpec | WeightsSpec)
    }


def _on_hub(name: ModelName) -> dict[str, Any]:
    """What the Hub says of a repository; no weights are downloaded."""
    from t2i.hub.download import download
    from t2i.hub.listing import ask, license_of

    found = ask(name.repo, name.revision or None)
    sizes = {file.rfilename: file.size or 0 for file in found.siblings or ()}
    facts: dict[str, Any] = {
        "name": str(name),
        "commit": found.sha,
        "license": license_of(found),
        "gated": bool(found.gated),
        "repository_bytes": sum(sizes.values()),
    }
    for spec, _ in registry().all(ArtistSpec):
        if spec.marker in sizes and spec.describe:
            return facts | {"artist": spec.name} | load_target(spec.describe)(name, found)
    if CONFIG in sizes and WEIGHTS in sizes:
        folder, _ = download(name.repo, found.sha, (CONFIG,), MAX_CONFIG_BYTES)
        facts["weights_bytes"] = sizes[WEIGHTS]
        facts["config"] = _json(folder / CONFIG)
    return facts


def _in_folder(name: ModelName) -> dict[str, Any]:
    """What a run, or the snapshot in a folder, records; its weights are not read."""
    from t2i.runs.checkpoints import has_checkpoints, latest_checkpoint
    from t2i.runs.folder import RunFolder
    from t2i.snapshots.resolve import model_folder
    from t2i.training.known_settings import known_options
    from t2i.training.settings import read_run

    facts: dict[str, Any] = {"name": str(name)}
    run = RunFolder(name.folder)
    if run.settings.is_file() and not (name.folder / CONFIG).is_file():
        config = read_run(name.folder)
        done = latest_checkpoint(name.folder).step if has_checkpoints(name.folder) else 0
        facts |= {"technique": config.technique, "recipe": config.recipe, "data": config.data.model_dump()}
        facts |= {"steps": f"{done} of {config.train.steps}", "parent": config.parent, "command": config.command}
        if not done:
            return facts
    snapshot = _json(model_folder(name.folder) / CONFIG)
    own = snapshot.get("facts", {})
    facts |= {"technique": snapshot.get("technique"), "weights_sha256": snapshot.get("weights_sha256")}
    facts |= {"config": snapshot.get("config", {}), "facts": own}
    spec = model_info(str(facts["technique"])).spec
    return facts | {"options": [vars(option) for option in known_options(spec, own.get("options", {}))] if spec else []}


def _of_model(info: ModelInfo) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": info.name,
        "kind": info.kind,
        "what": info.summary,
        "from": f"{info.distribution} {info.version}".strip() if info.installed else info.remedy,
    }
    if info.spec is None:
        return facts
    facts["paper"] = info.spec.paper
    facts["recipes"] = list(info.spec.recipes)
    from t2i.training.known_settings import known_options, known_settings

    tag = ModelName.parse(info.name).tag
    if not tag:
        facts["config"] = load_target(info.spec.config)().model_dump()
        facts["settings"] = [vars(setting) for setting in known_settings(info.spec)]
    facts["weights"] = {weights.name: _of_weights(weights, bool(tag)) for weights in info.weights}
    own = facts["weights"][info.name].get("facts", {}).get("options", {}) if tag else {}
    facts["options"] = [vars(option) for option in known_options(info.spec, own)]
    return facts


def _of_weights(weights: WeightsSpec, whole: bool) -> dict[str, Any]:
    """Its spec, and with `whole` the facts of a bundled snapshot."""
    entry = asdict(weights) | {"scores": weights.scores}
    if weights.bundled and whole:
        entry |= _bundled_config(weights)
    return {key: value for key, value in entry.items() if value not in ("", {})}


def _bundled_config(weights: WeightsSpec) -> dict[str, Any]:
    return _json(bundled_folder(weights) / CONFIG)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(read_json(path, MAX_CONFIG_BYTES))
    except (OSError, ValueError, TypeError) as error:
        raise SnapshotError(f"{path} cannot be read ({error}). Install or download the model again.") from None


def _golden(name: str) -> dict[str, Any]:
    from t2i.snapshots.golden import GOLDEN_TOLERANCE, golden_error
    from t2i.snapshots.load import load_generator
    from t2i.snapshots.resolve import resolve

    snapshot = resolve(name)
    error = golden_error(snapshot, load_generator(snapshot))
    return {"reproduced": error <= GOLDEN_TOLERANCE, "largest_difference": error, "allowed": GOLDEN_TOLERANCE}


def _print(facts: dict[str, Any], indent: int = 0) -> None:
    """Print all facts but empty ones, such as the source of a model that was not converted."""
    for key, value in facts.items():
        if isinstance(value, str | dict | list | tuple) and not value:
            continue
        if isinstance(value, dict):
            report(f"{'  ' * indent}{key}:")
            _print(value, indent + 1)
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
            shown = f"{value:,}" if key.endswith("_bytes") and isinstance(value, int) else shown
            report(f"{'  ' * indent}{key}: {shown}")
