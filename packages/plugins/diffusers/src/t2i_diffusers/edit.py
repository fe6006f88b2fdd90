"""Edits pictures with the networks of an artist: change a picture, fill a masked part, enlarge it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from t2i.arguments import check_whole_number
from t2i.config import Config, parse_config
from t2i.data.decode import on_background
from t2i.drawing.artist import Artist, Request, check_requests
from t2i.drawing.picture import Picture
from t2i.drawing.picture_file import picture_at
from t2i.drawing.provenance import Provenance, Source, pixels_sha256
from t2i.errors import InvalidInputError
from t2i_diffusers.artist import DiffusersArtist
from t2i_diffusers.batches import Batches

MULTIPLE = 32  # of a picture's sides in pixels; fits every family's latents
MOST_TIMES = 4
FEWEST_STEPS = 4  # only the share `strength` of the steps is taken, at least one
ENLARGING_STRENGTH = 0.3  # enlarging adds details, and should not change the picture


class Editor:
    """One way to edit pictures with an artist's networks.

    Attributes:
        how: "image-to-image", "inpainting" or "enlarging"; recorded in provenance.
        options_type: the type of its options: `strength`, and those of the artist that fit.
    """

    def __init__(self, artist: Artist, how: str) -> None:
        """
        Raises:
            InvalidInputError: the artist cannot edit pictures in this way.
        """
        if not isinstance(artist, DiffusersArtist):
            raise InvalidInputError(
                f"Pictures are edited by pipelines of diffusers, but {artist.name} is a {type(artist).__name__}. "
                f"Choose another model: --model sd15"
            )
        self.how, self._artist = how, artist
        self._pipe = _editing_pipeline(artist, how)
        defaults: dict[str, Any] = {"strength": ENLARGING_STRENGTH} if how == "enlarging" else {}
        if known := artist.model_files.name.known:
            defaults |= {"steps": max(known.steps, FEWEST_STEPS), "guidance": known.guidance}
        self.options_type = artist.options_for(type(self._pipe), None, defaults)

    def options(self, /, **values: Any) -> Config:
        """The options to edit with: `values`, and defaults for the rest.

        Raises:
            InvalidConfigError: a name is unknown, or its value does not fit.
        """
        return parse_config(self.options_type, values, f"options of {self.how} with {self._artist.name}")

    def edit(
        self,
        picture: Image.Image,
        request: Request,
        options: Config | None = None,
        *,
        mask: Image.Image | None = None,
        times: int = 1,
    ) -> Picture:
        """The edited picture, in the proportions of `picture`, up to multiples of MULTIPLE pixels.

        Args:
            mask: white where the picture is to be filled; needed for inpainting, and only there.
            times: how much larger the result is, 2 to 4, for enlarging; otherwise its longer side has the artist's
                resolution.

        Raises:
            InvalidInputError: an argument does not fit, or the pipeline refuses an option.
        """
        if (mask is not None) != (self.how == "inpainting"):
            raise InvalidInputError(f"Give a mask for inpainting, and only for inpainting; this is {self.how}.")
        (prompt,), (seed,) = check_requests([request])
        options = self.options() if options is None else options
        size = self._size(picture, times)
        given: dict[str, Any] = {"image": [picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)]}
        if mask is not None:
            given["mask_image"] = [mask.convert("L").resize(size, Image.Resampling.NEAREST)]
        known = inspect.signature(type(self._pipe).__call__).parameters
        given |= {name: side for name, side in zip(("width", "height"), size, strict=True) if name in known}
        (image,) = Batches(1).each(
            [(prompt, seed)],
            lambda part: self._artist.call(self._pipe, part, options, **given),
            "Edit a smaller picture, or use --memory low.",
        )
        source = Source(pixels_sha256(picture), self.how, pixels_sha256(mask) if mask is not None else "")
        used = options.model_dump(mode="json")
        provenance = Provenance(prompt, seed, used, self._artist.identity, request.widened, source)
        return Picture(image, provenance, record=self._artist.record)

    def _size(self, picture: Image.Image, times: int) -> tuple[int, int]:
        if self.how == "enlarging":
            check_whole_number(times, "How much larger the picture becomes", 2, MOST_TIMES)
            scale = float(times)
        else:
            scale = self._artist.resolution / max(picture.size)
        width, height = (max(MULTIPLE, round(side * scale / MULTIPLE) * MULTIPLE) for side in picture.size)
        return width, height


def _editing_pipeline(artist: DiffusersArtist, how: str) -> Any:
    """The family's pipeline that edits, with the networks that the artist has loaded."""
    import diffusers

    library: Any = diffusers
    auto = library.AutoPipelineForInpainting if how == "inpainting" else library.AutoPipelineForImage2Image
    try:
        pipe = auto.from_pipe(artist.pipe)
    except (ValueError, TypeError, AttributeError):
        raise InvalidInputError(
            f"{artist.name} is a {type(artist.pipe).__name__}, and diffusers has no {how} for these. "
            f"Choose another model, such as sd15 or sdxl."
        ) from None
    pipe.set_progress_bar_config(disable=True)
    return pipe


def read_picture(path: Path) -> Image.Image:
    """A PNG, JPEG or WebP file as an upright RGB picture; transparent parts become white.

    Raises:
        InvalidInputError: it is missing, damaged, of another format, or has more than MAX_PIXELS.
    """
    with picture_at(path) as opened:
        return on_background(ImageOps.exif_transpose(opened), "white")
