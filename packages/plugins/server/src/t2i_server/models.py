"""The models a server draws with: those it was started with, loaded as long as the memory for them lasts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

from t2i.config import Config, parse_config
from t2i.drawing.artist import Artist
from t2i.drawing.opening import agreed
from t2i.drawing.picture import Picture
from t2i.drawing.pipeline import Pipeline, pipeline
from t2i.registry.discovery import registry
from t2i.registry.names import ModelName
from t2i.registry.specs import ModelSpec
from t2i.text import TextEncoder


@dataclass(frozen=True)
class ServedModel:
    """A model that clients can name.

    Attributes:
        id: the name clients use.
        name: the model's name on this machine; never shown.
        summary: one line.
        resolution: of its pictures by default, in pixels.
        stages: how many pictures its stages are; 1 if it draws in one stage.
        options_type, defaults: its options.
        weights_sha256: one hash of its weights.
        size_bytes: of its weights' files.
    """

    id: str
    name: str
    summary: str
    resolution: int
    stages: int
    options_type: type[Config]
    defaults: Config
    weights_sha256: str
    size_bytes: int

    def options(self, values: Mapping[str, Any]) -> Config:
        """
        Raises:
            InvalidConfigError: a name is unknown, or its value does not fit.
        """
        given = {**self.defaults.model_dump(mode="json"), **values}
        return parse_config(self.options_type, given, f"options of {self.id}")


@final
class Models:
    """Opens models by the names that clients use, in the one thread that draws.

    Attributes:
        served: what is served, by id, in the order given; complete after `load`.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        *,
        memory_bytes: int,
        device: str | None = None,
        record: bool = False,
        confirm: Callable[[str], bool] = agreed,
    ) -> None:
        """
        Args:
            names: the model's name on this machine, by the id that clients use.
            memory_bytes: for the weights of loaded models; the model in use is loaded even if it needs more.
            record: whether the index records pictures that are saved.
            confirm: asks whether to start a large download.
        """
        self.served: dict[str, ServedModel] = {}
        encoders: dict[str, TextEncoder] = {}
        self._names, self._memory_bytes = dict(names), memory_bytes
        self._open = partial(pipeline, device=device, record=record, encoders=encoders, confirm=confirm)
        self._loaded: OrderedDict[str, Artist] = OrderedDict()

    @property
    def loaded(self) -> list[str]:
        """The ids of the loaded models, the least recently used first."""
        return list(self._loaded)

    def load(self) -> None:
        """Load every model once, so that one that cannot be loaded is an error at the start.

        Raises:
            UnknownNameError, PluginError, SnapshotError: there is no usable model of a name.
        """
        for id_ in reversed(self._names):  # the first one, which is the default, is the last to be unloaded
            self.artist(id_)
        self.served = {id_: self.served[id_] for id_ in self._names}

    def artist(self, id_: str) -> Artist:
        """The loaded model; loads it, and unloads those used least recently, if need be.

        Raises:
            UnknownNameError, PluginError, SnapshotError: it cannot be loaded.
        """
        if id_ not in self._loaded:
            if id_ in self.served:
                self._make_room(self.served[id_].size_bytes)
            name = self._names[id_]
            artist = self._open(name)
            self.served.setdefault(id_, _described(id_, name, artist))
            self._loaded[id_] = artist
            self._make_room(0)
        self._loaded.move_to_end(id_)
        return self._loaded[id_]

    def _make_room(self, size_bytes: int) -> None:
        """Unload models until `size_bytes` more fit, but never the last one while that is zero."""
        least = 0 if size_bytes else 1
        while len(self._loaded) > least and self._used() + size_bytes > self._memory_bytes:
            self._loaded.popitem(last=False)

    def _used(self) -> int:
        return sum(self.served[id_].size_bytes for id_ in self._loaded)


def public(id_: str, picture: Picture) -> Picture:
    """The picture as clients get it: the id of a model that is a folder of this machine replaces its path."""
    artist = picture.provenance.artist
    if ModelName.parse(artist.name).kind != "folder":
        return picture
    return replace(picture, provenance=replace(picture.provenance, artist=replace(artist, name=id_)))


def _described(id_: str, name: str, artist: Artist) -> ServedModel:
    generator = artist.generator if isinstance(artist, Pipeline) else None
    return ServedModel(
        id=id_,
        name=name,
        summary=registry().get(ModelSpec, generator.technique)[0].summary if generator else "",
        resolution=artist.resolution,
        stages=len(generator.stage_resolutions) if generator else 1,
        options_type=artist.options_type,
        defaults=artist.options(),
        weights_sha256=artist.identity.weights_sha256,
        size_bytes=artist.files.size_bytes,
    )
