"""The worker of an evaluation that an engine spreads: it draws batches and shows them to its own evaluators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from t2i.create import load_dataset
from t2i.drawing.pipeline import pipeline
from t2i.evaluation.evaluate import Seen, create_evaluators, look, suited_to
from t2i.evaluation.fitting import fitted_for
from t2i.evaluation.plan import Plan, Planned


@dataclass(frozen=True)
class EvaluationWorker:
    """Opens model, dataset and evaluators in a worker, from what can be sent to another machine.

    It returns the evaluators' states after each batch alone. Merged in the order of the batches, they equal the states
    of one process that saw all of them.

    Attributes:
        model, device: as `t2i.drawing.pipeline.pipeline` takes them.
        data: the dataset's name, as `t2i.load_dataset` takes it.
        options: of the model, by name.
    """

    model: str
    data: str
    plan: Plan
    options: Mapping[str, Any] = field(default_factory=dict)
    device: str | None = None

    def __call__(self) -> Callable[[Sequence[Planned]], Seen]:
        """The function that draws a batch and shows it to the evaluators.

        Raises:
            T2IError: model, options, dataset or evaluators cannot be used.
        """
        artist = pipeline(self.model, device=self.device)
        options, dataset = artist.options(**self.options), fitted_for([artist], load_dataset(self.data))
        evaluators = create_evaluators(suited_to(self.plan, dataset))
        side = self.plan.resolution or artist.resolution

        def see(batch: Sequence[Planned]) -> Seen:
            for evaluator in evaluators.values():
                evaluator.reset()
            seen = look(artist, dataset, evaluators, batch, side, options)
            return replace(seen, states={name: evaluator.state() for name, evaluator in evaluators.items()})

        return see
