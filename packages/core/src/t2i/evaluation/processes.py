"""Several processes (through accelerate) that share one evaluation."""

from __future__ import annotations

from collections.abc import Mapping

from accelerate import PartialState
from accelerate.utils import gather_object

from t2i.drawing.artist import Artist
from t2i.drawing.pipeline import pipeline
from t2i.evaluator import Evaluator


def load_artist(model: str, device: str | None) -> Artist:
    """The model on `device`; with several processes, on the process's own device."""
    state = PartialState(cpu=device == "cpu")
    return pipeline(model, device=str(state.device) if state.num_processes > 1 else device)


def merge_processes(evaluators: Mapping[str, Evaluator], state: PartialState) -> None:
    """Merge the states of all processes' evaluators into the first process's, in the order of the plan."""
    if state.num_processes == 1:
        return
    everything = gather_object([{name: evaluator.state() for name, evaluator in evaluators.items()}])
    if state.is_main_process:
        for states in everything[1:]:
            for name, evaluator in evaluators.items():
                evaluator.merge(states[name])
