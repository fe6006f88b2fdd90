"""The settings that a run would choose for data and device, without a run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from t2i.create import create_text_encoder
from t2i.devices import check_device
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.training.accelerator import make_accelerator
from t2i.training.defaults.facts import Facts, facts_of
from t2i.training.defaults.own import own_settings
from t2i.training.defaults.recommend import Choice, length, nested, recommended
from t2i.training.defaults.step_time import seconds_a_step
from t2i.training.processes import Processes
from t2i.training.run import make_objective, on_gpu
from t2i.training.run_data import open_data
from t2i.training.settings import checked, merge


def recommendation(technique: str, data: str, seconds: float, device: str | None = None) -> tuple[Facts, list[Choice]]:
    """The facts of the data, and the settings that a run of `seconds` would choose, each with its reason.

    Raises:
        UnknownNameError, PluginError, DataError: there is no such technique or data.
        TrainingError: the technique cannot be trained.
    """
    check_device(device)
    below = merge(own_settings(technique), {"technique": technique, "data": {"source": data}})
    facts = facts_of(open_data(checked(below).data), gpu=on_gpu(device))
    choices = recommended(registry().get(ModelSpec, technique)[0], facts)
    config = checked(merge(below, nested(choices)))
    dim = create_text_encoder(config.text_encoder).identity.dim
    with TemporaryDirectory() as folder:
        quiet = config.train.model_copy(update={"tracker": "none"})
        accelerator = make_accelerator(quiet, Path(folder), device)
        processes = Processes(accelerator, Path(folder))
        measured = seconds_a_step(make_objective(config, dim), config.train, dim, accelerator, processes)
    return facts, [*choices, *length(facts.pictures, measured, seconds, config.train.batch_size)]
