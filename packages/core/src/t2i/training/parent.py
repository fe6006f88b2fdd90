"""Fine-tuning: a run that starts from the weights of another model, its parent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from t2i.drawing.opening import Opening
from t2i.drawing.providers import artist_spec_of
from t2i.errors import InvalidConfigError, InvalidInputError
from t2i.registry.names import ModelName
from t2i.registry.specs import load_target
from t2i.runs.checkpoints import Checkpoint
from t2i.runs.folder import STEP, RunFolder
from t2i.snapshots.load import load_generator
from t2i.snapshots.record import Snapshot
from t2i.snapshots.resolve import resolve
from t2i.text import EncoderIdentity
from t2i.training.objective import Objective
from t2i.training.settings import read_run
from t2i.training.validation import modules_of

LR_FACTOR = 0.3
"""The default of train.lr_factor in a fine-tuning run: pretrained weights should change slowly."""


def settings_from(parent: str, opening: Opening | None = None) -> dict[str, Any]:
    """The parent's settings for a new run: its technique, networks, text encoder and options; if it is a run, also its
    objective. A recipe overrides them. For a model of another layout, they come from the artist that draws with it.

    Args:
        parent: the name of a model: registered, a run folder, a snapshot, or on the Hub.
        opening: whether to use new files of a repository, and whether to start a large download.

    Raises:
        InvalidInputError: it was trained with an unknown text encoder, or cannot be fine-tuned.
    """
    spec = artist_spec_of(ModelName.parse(parent))
    if spec is not None:
        if not spec.fine_tuning:
            raise InvalidInputError(
                f"{parent} is drawn by {spec.name}, whose models cannot be fine-tuned. Choose another parent."
            )
        return dict(load_target(spec.fine_tuning)(ModelName.parse(parent), opening or Opening("cpu")))
    snapshot = resolve(parent)
    facts = snapshot.config.facts
    if facts.text_encoder is None:
        raise InvalidInputError(f"{parent} does not record its text encoder. Choose another parent.")
    run = RunFolder.of_snapshot(snapshot.folder)
    return {
        "parent": parent,
        "parent_license": "" if facts.license == "unknown" else facts.license,
        "technique": snapshot.config.technique,
        "text_encoder": facts.text_encoder.name,
        "model": snapshot.config.config,
        "objective": read_run(run.path).objective if run else {},
        "train": {"lr_factor": LR_FACTOR, "sample_options": facts.options},
    }


def start_from(parent: str, objective: Objective, encoder: EncoderIdentity, warn: Callable[[str], None]) -> Snapshot:
    """Load the parent's weights into the objective: its generator's and, if it is a run, those of the other networks.

    Raises:
        InvalidConfigError: the generator's shape is not the parent's.
        EncoderMismatchError: the text encoder is not the parent's.
    """
    snapshot = resolve(parent)
    if snapshot.config.facts.text_encoder is not None:
        snapshot.config.facts.text_encoder.require(encoder, parent)
    weights = load_generator(snapshot).state_dict()
    try:
        objective.generator.load_state_dict(weights)
    except RuntimeError as error:
        raise InvalidConfigError(
            f"A run that starts from {parent} must have its technique and its model settings, but the weights do not "
            f"fit ({error}). Leave out the settings of `model`."
        ) from None
    new = _load_others(objective, snapshot)
    if new:
        warn(f"{', '.join(new)}: {parent} has no weights that fit, so training starts from new ones.")
    return snapshot


def _load_others(objective: Objective, snapshot: Snapshot) -> list[str]:
    """Load the other networks from the parent's checkpoint; returns the names of those without weights there."""
    drawn = {id(parameter) for parameter in objective.generator.parameters()}
    others = {
        name: module
        for name, module in modules_of(objective).items()
        if not all(id(parameter) in drawn for parameter in module.parameters())
    }
    run, folder = RunFolder.of_snapshot(snapshot.folder), snapshot.folder.parent
    match = STEP.fullmatch(folder.name)
    tensors = Checkpoint(folder, int(match[1])).tensors() if run and match and others else {}
    new = []
    for name, module in others.items():
        prefix = f"module.{name}."
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        wanted = module.state_dict()
        if own.keys() == wanted.keys() and all(own[key].shape == wanted[key].shape for key in wanted):
            module.load_state_dict(own)
        else:
            new.append(name)
    return new
