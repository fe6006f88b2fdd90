"""The interface of everything that turns prompts and seeds into pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, final

from t2i.arguments import check_whole_number, shown
from t2i.config import Config
from t2i.drawing.output import PipelineOutput
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import ArtistIdentity, Provenance, Widened
from t2i.errors import InvalidInputError
from t2i.seeds import check_seeds, choose_seeds
from t2i.text import check_prompts

DEFAULT_BATCH_SIZE = 64


@dataclass(frozen=True)
class Request:
    """One picture to draw.

    Attributes:
        prompt: 1 to 2000 characters.
        seed: in [0, 2**63).
        widened: how a language model wrote the prompt; the picture's provenance carries it.
    """

    prompt: str
    seed: int
    widened: Widened | None = None


@dataclass(frozen=True)
class ArtistFiles:
    """An artist's files on this machine.

    Attributes:
        size_bytes: total size of its weight files.
        card: its model card, from which its scores are read; None if it has none.
        home: the user's own folder that it was loaded from, where its scores are stored; None for files that are not
            the user's to change, such as bundled or downloaded ones.
    """

    size_bytes: int
    card: Path | None = None
    home: Path | None = None


class Artist(ABC):
    """Prompts and seeds in, pictures out.

    A picture depends only on the artist, its prompt, its seed and the options, not on the rest of the batch or the
    batch's size or order.

    Attributes:
        record: whether its pictures are recorded in the index when they are saved (`Picture.record`).
    """

    record: bool = False

    @property
    @abstractmethod
    def identity(self) -> ArtistIdentity:
        """The artist with its weights and versions, as recorded in provenance."""

    @property
    @final
    def name(self) -> str:
        """The name that `t2i.pipeline` opens it by."""
        return self.identity.name

    @property
    @abstractmethod
    def resolution(self) -> int:
        """Height and width of a picture drawn with the default options, in pixels."""

    @property
    @abstractmethod
    def device(self) -> str:
        """The device it draws on, such as "cpu" or "cuda:1"."""

    @property
    @abstractmethod
    def files(self) -> ArtistFiles:
        """Its files on this machine."""

    @property
    @abstractmethod
    def options_type(self) -> type[Config]:
        """The type of its options; a field is `--option name=value` on the command line."""

    @abstractmethod
    def options(self, /, **values: Any) -> Config:
        """The options to draw with: `values`, and defaults for the rest.

        Raises:
            InvalidConfigError: a name is unknown, or its value does not fit.
        """

    @abstractmethod
    def draw(
        self,
        requests: Iterable[Request],
        options: Config | None = None,
        *,
        batch_size: int = DEFAULT_BATCH_SIZE,
        stages: bool = False,
    ) -> Iterator[Picture]:
        """Draw one picture per request, in order and batch by batch, so that a long list needs little memory.

        Args:
            requests: read as they are drawn.
            options: made by `options`; by default its defaults.
            batch_size: most pictures drawn at once; changes memory and speed, not the pictures.
            stages: also return each picture's stages.

        Raises:
            InvalidInputError: at once if `options`, `batch_size` or `stages` is invalid; while drawing if a request
                is.
        """

    @final
    def __call__(
        self,
        prompts: str | Sequence[str],
        *,
        num_images_per_prompt: int = 1,
        seed: int | None = None,
        batch_size: int = DEFAULT_BATCH_SIZE,
        **options: Any,
    ) -> PipelineOutput:
        """Draw pictures.

        Args:
            prompts: what to draw, each 1 to 2000 characters.
            num_images_per_prompt: at least 1.
            seed: seed of each prompt's first picture; the next ones get seed + 1, seed + 2, ... By default it is
                chosen at random (see the output's `seeds`).
            batch_size: pictures drawn at once; changes memory and speed, not the pictures.
            options: the artist's options, see its `options_type`.

        Raises:
            InvalidInputError: an argument is outside its range.
        """
        prompts = check_prompts(prompts)
        seeds = choose_seeds(seed, num_images_per_prompt)
        requests = (Request(prompt, seed) for prompt in prompts for seed in seeds)
        drawn = self.draw(requests, self.options(**options), batch_size=batch_size)
        return PipelineOutput(tuple(drawn), num_images_per_prompt)


def check_drawing(artist: Artist, options: Config | None, batch_size: int) -> Config:
    """The options to draw with: those given, or the artist's defaults.

    Raises:
        InvalidInputError: they are another artist's, or `batch_size` is not a whole number above 0.
    """
    check_whole_number(batch_size, "The batch size", 1)
    if options is None:
        return artist.options()
    if not isinstance(options, artist.options_type):
        raise InvalidInputError(
            f"{artist.name} draws with {artist.options_type.__name__}, got a {type(options).__name__}. "
            f"Make options with its options(name=value)."
        )
    return options


def in_batches(
    artist: Artist, requests: Iterable[Request], options: Config, size: Callable[[], int]
) -> Iterator[list[Provenance]]:
    """Checked requests, batch by batch, each as the provenance of the picture that it asks for.

    Args:
        requests: read as they are drawn.
        size: of the next batch; asked before each, because an artist may find that fewer pictures fit into memory.

    Raises:
        InvalidInputError: a request is invalid.
    """
    used, identity, todo = options.model_dump(mode="json"), artist.identity, iter(requests)
    while batch := list(islice(todo, size())):
        asked = zip(*check_requests(batch), batch, strict=True)
        yield [Provenance(prompt, seed, used, identity, request.widened) for prompt, seed, request in asked]


def check_requests(requests: Iterable[Request]) -> tuple[list[str], tuple[int, ...]]:
    """The prompts, stripped of surrounding white space, and the seeds of `requests`.

    Raises:
        InvalidInputError: one is not a Request, or its prompt or seed is invalid.
    """
    requests = list(requests)
    for request in requests:
        if not isinstance(request, Request):
            raise InvalidInputError(f'A request must be Request("a red heart", 7) or the like, got {shown(request)}.')
    return check_prompts(request.prompt for request in requests), check_seeds(request.seed for request in requests)
