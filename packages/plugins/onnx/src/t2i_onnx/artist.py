"""Draws with an exported folder as any other model of t2i."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated, Any, final

from PIL import Image
from pydantic import AfterValidator, create_model

from t2i.config import Config, parse_config
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, ArtistFiles, Request, check_drawing, in_batches
from t2i.drawing.opening import Opening
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import ArtistIdentity
from t2i.drawing.reading import warn_unread
from t2i.errors import InvalidInputError, SnapshotError
from t2i.registry.names import ModelName
from t2i.version import __version__
from t2i_onnx.drawing import Drawing
from t2i_onnx.errors import OnnxError
from t2i_onnx.folder import CARD, GENERATOR, TEXT
from t2i_onnx.provenance import artist as artist_facts


def open_artist(name: ModelName, opening: Opening) -> OnnxArtist:
    """Verify and load the named folder; it draws on the CPU, whatever the device.

    Raises:
        SnapshotError: the folder cannot be used.
        InvalidInputError: it is on the Hub, or memory or adapters were chosen.
    """
    if not opening.is_plain:
        raise InvalidInputError(
            f"{name} is an exported model, which has no memory modes and no adapters. Leave --memory and --lora out."
        )
    if name.kind != "folder":
        raise InvalidInputError(
            f"{name} is an exported model, which opens only from a local folder. Download it: hf download {name.repo} "
            f"--local-dir FOLDER, then --model local-dir:FOLDER"
        )
    try:
        return OnnxArtist(str(name), Drawing(name.folder))
    except OnnxError as error:
        raise SnapshotError(str(error)) from None


@final
class OnnxArtist(Artist):
    """An exported model; its pictures are torch's, up to rounding."""

    def __init__(self, name: str, drawing: Drawing) -> None:
        self._name, self._drawing = name, drawing

    def __repr__(self) -> str:
        return f"<OnnxArtist {self.name}: {self._drawing.record.model['technique']}, {self.resolution} px>"

    @cached_property
    def identity(self) -> ArtistIdentity:
        """The exported model, with the sha256 of its graphs and of the weights that were exported."""
        facts = artist_facts(self._drawing.record, self._name)
        return ArtistIdentity(**{**facts, "versions": {**facts["versions"], "t2i-core": __version__}})

    @property
    def resolution(self) -> int:
        return self._drawing.record.resolution

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def files(self) -> ArtistFiles:
        folder = self._drawing.folder
        size = sum((folder / name).stat().st_size for name in (GENERATOR, TEXT))
        return ArtistFiles(size, folder / CARD if (folder / CARD).is_file() else None, folder)

    @cached_property
    def options_type(self) -> type[Config]:
        """The options that are part of the graph; each has one value."""
        fields: dict[str, Any] = {
            name: (Annotated[Any, AfterValidator(_fixed(name, value))], value)
            for name, value in self._drawing.record.options.items()
        }
        return create_model("ExportedOptions", __base__=Config, __doc__="Options fixed at export.", **fields)

    def options(self, /, **values: Any) -> Config:
        return parse_config(self.options_type, values, f"options of {self.name}")

    def draw(
        self,
        requests: Iterable[Request],
        options: Config | None = None,
        *,
        batch_size: int = DEFAULT_BATCH_SIZE,
        stages: bool = False,
    ) -> Iterator[Picture]:
        options = check_drawing(self, options, batch_size)
        if stages:
            raise InvalidInputError(f"{self.name} is an exported model, which has no stages. Leave out --stages.")
        return self._draw(requests, options, batch_size)

    def _draw(self, requests: Iterable[Request], options: Config, batch_size: int) -> Iterator[Picture]:
        warned: dict[str, str] = {}
        for batch in in_batches(self, requests, options, lambda: batch_size):
            prompts, seeds = [asked.prompt for asked in batch], [asked.seed for asked in batch]
            for prompt in prompts:
                if prompt not in warned and (left := self._drawing.reader.unread(prompt)):
                    warn_unread(prompt, left)
                    warned[prompt] = left
            try:
                drawn = self._drawing.draw(prompts, seeds)
            except OnnxError as error:
                raise SnapshotError(str(error)) from None
            for pixels, asked in zip(drawn, batch, strict=True):
                yield Picture(Image.fromarray(pixels), asked, record=self.record, unread=warned.get(asked.prompt, ""))


def _fixed(name: str, value: Any) -> Any:
    def check(given: Any) -> Any:
        if given != value:
            raise ValueError(
                f"{name} is {value!r} in this export, got {given!r}; export again with --option {name}={given}"
            )
        return value

    return check
