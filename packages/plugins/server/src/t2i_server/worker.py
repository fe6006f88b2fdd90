"""What draws: a worker of an engine's service, which holds the models and draws one batch after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from t2i.drawing.artist import Request
from t2i.drawing.opening import agreed
from t2i.drawing.picture import Picture
from t2i.drawing.pipeline import Pipeline
from t2i_server.models import Models, ServedModel


@dataclass(frozen=True)
class Batch:
    """Pictures that are drawn together.

    Attributes:
        model: the id of a served model.
        options: of the model, by name.
        partial: most stages of each picture that are wanted as soon as they are drawn.
    """

    model: str
    options: Mapping[str, Any]
    requests: tuple[Request, ...]
    partial: int = 0


@dataclass(frozen=True)
class Partial:
    """A stage of a batch.

    Attributes:
        number: of the stage.
        images: one for each request.
    """

    number: int
    images: tuple[Image.Image, ...]


Drawn = tuple[Picture | Exception, ...]
"""One for each request of a batch."""
Task = Batch | None
"""What to draw, or None: which models are served."""
Answer = Partial | Drawn | tuple[ServedModel, ...]


@dataclass(frozen=True)
class DrawingWorker:
    """Opens the models in a worker, from what can be sent to another process.

    Attributes:
        names, memory_bytes, device, record, confirm: as `Models` takes them.
    """

    names: Mapping[str, str]
    memory_bytes: int
    device: str | None = None
    record: bool = False
    confirm: Callable[[str], bool] = agreed

    def __call__(self) -> Callable[[Task], Iterator[Answer]]:
        """The function that answers a task.

        Raises:
            UnknownNameError, PluginError, SnapshotError: there is no usable model of a name.
        """
        models = Models(
            self.names, memory_bytes=self.memory_bytes, device=self.device, record=self.record, confirm=self.confirm
        )
        models.load()

        def answer(task: Task) -> Iterator[Answer]:
            if task is None:
                yield tuple(models.served.values())
            else:
                yield from _drawn(models, task)

        return answer


def _drawn(models: Models, batch: Batch) -> Iterator[Partial | Drawn]:
    """The batch's stages, then its pictures; if it fails, each is drawn alone, so that one cannot spoil the others."""
    try:
        artist = models.artist(batch.model)
        options = artist.options(**batch.options)
        pictures: list[Picture | Exception] = []
        if batch.partial and isinstance(artist, Pipeline):
            for each in artist.draw_live(batch.requests, options):
                if isinstance(each, Picture):
                    pictures.append(each)
                elif each.number in chosen(each.of, batch.partial):
                    yield Partial(each.number, each.images)
        else:
            pictures += artist.draw(batch.requests, options, batch_size=len(batch.requests))
        if len(pictures) != len(batch.requests):
            raise RuntimeError(f"{batch.model} drew {len(pictures)} pictures for {len(batch.requests)} requests")
        yield tuple(pictures)
    except Exception as error:  # of any plugin
        yield (error,) if len(batch.requests) == 1 else tuple(_alone(models, batch))


def _alone(models: Models, batch: Batch) -> Iterator[Picture | Exception]:
    for request in batch.requests:
        *_, drawn = _drawn(models, Batch(batch.model, batch.options, (request,)))
        assert isinstance(drawn, tuple)
        yield from drawn


def chosen(of: int, most: int) -> list[int]:
    """The numbers of at most `most` stages, evenly spread, without the last one, which is the picture."""
    count = min(most, of - 1)
    return [(number + 1) * (of - 1) // count - 1 for number in range(count)]
