"""What every Artist promises."""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from t2i.config import Config
from t2i.drawing.artist import Artist, Request
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import Widened, read_provenance
from t2i.errors import InvalidConfigError, InvalidInputError, T2IError
from t2i.testing.checks.check import Checks
from t2i.testing.checks.probes import no_global_randomness

ARTIST_CHECKS: Checks[Artist] = Checks()
REQUESTS = [Request(prompt, seed) for prompt in ("a red square", "a blue heart", "pizza") for seed in (0, 7, 2**40)]
ROUNDING = 2  # of 255: a kernel for another batch size may change this much
SHA256 = re.compile("[0-9a-f]{64}")


class Strange(Config):
    """Options that no artist uses."""


@ARTIST_CHECKS.add(
    why="a picture records the model that drew it, and `t2i regenerate` refuses other weights",
    remedy="return the same ArtistIdentity every time: a name that t2i.pipeline opens, and the sha256 of every file",
)
def identity_names_every_weights_file(artist: Artist) -> None:
    identity = artist.identity
    assert identity.name, "an artist must have a name"
    assert identity.weights, "an artist must name its weights files, but there are none"
    odd = [name for name, sha256 in identity.weights.items() if not SHA256.fullmatch(sha256)]
    assert not odd, f"each weights file must have a sha256 of 64 hex digits, but {', '.join(odd)} has none"
    assert identity.device == artist.device.partition(":")[0], (
        f"it draws on {artist.device}, but its identity says {identity.device}"
    )
    assert identity == artist.identity, "the identity changes from call to call"
    assert json.loads(json.dumps(asdict(identity))) == asdict(identity), "the identity cannot be written as JSON"
    assert artist.files.size_bytes > 0, "the size of its weights must be above 0 bytes"


@ARTIST_CHECKS.add(
    why="sheets, pages and evaluators rely on the size of pictures",
    remedy="draw RGB squares of `resolution` pixels with the default options",
)
def pictures_are_rgb_squares_of_the_resolution(artist: Artist) -> None:
    (picture,) = artist.draw(REQUESTS[:1])
    found, side = (picture.image.mode, picture.image.size), artist.resolution
    assert found == ("RGB", (side, side)), f"a picture must be RGB of {side} x {side} pixels, got {found}"


@ARTIST_CHECKS.add(
    why="when picture 3 of 64 is drawn again alone, it must be the same picture",
    remedy="give every picture its own random stream, seeded by its request, and mask the padding of a batch",
)
def a_picture_does_not_depend_on_its_neighbours(artist: Artist) -> None:
    alone = {request: _drawn(artist, [request])[0] for request in REQUESTS}
    shuffled = random.Random(0).sample(REQUESTS, len(REQUESTS))  # noqa: S311
    for size in (1, 4, len(REQUESTS)):
        for request, picture in zip(shuffled, _drawn(artist, shuffled, batch_size=size), strict=True):
            off = _difference(picture, alone[request])
            assert off <= ROUNDING, f"{request} drawn among {size} differs by {off} of 255 from the same drawn alone"


@ARTIST_CHECKS.add(
    why="the seed is the only way to get another picture, or the same one again",
    remedy="derive all randomness from the request's seed, as t2i.noise.Noise does, and use the prompt",
)
def prompt_and_seed_decide_the_picture(artist: Artist) -> None:
    with no_global_randomness("drawing"):
        first, again = _drawn(artist, REQUESTS), _drawn(artist, REQUESTS)
    for request, one, other in zip(REQUESTS, first, again, strict=True):
        assert _difference(one, other) <= ROUNDING, f"{request} gives a different picture every time"
    same_prompt, same_seed = (0, 1), (0, 3)
    for what, (one_index, other_index) in (("seeds", same_prompt), ("prompts", same_seed)):
        assert _difference(first[one_index], first[other_index]) > 0, f"two {what} give the same picture"


@ARTIST_CHECKS.add(
    why="a picture without its provenance, or with a wrong one, cannot be reproduced",
    remedy="yield Picture(image, Provenance(prompt, seed, options.model_dump(mode='json'), self.identity))",
)
def provenance_draws_the_picture_again(artist: Artist) -> None:
    for request, picture in zip(REQUESTS, artist.draw(REQUESTS), strict=True):
        with tempfile.TemporaryDirectory() as scratch:
            recorded = read_provenance(picture.save(Path(scratch) / "picture.png"))
        assert Request(recorded.prompt, recorded.seed) == request, f"the picture of {request} records {recorded}"
        assert recorded.artist == artist.identity, f"the picture records the artist {recorded.artist}"
        (again,) = artist.draw([Request(recorded.prompt, recorded.seed)], artist.options(**recorded.options))
        assert _difference(picture, again) <= ROUNDING, f"{request} drawn from its own provenance differs"


@ARTIST_CHECKS.add(
    why="the index finds a picture by the prompt as typed, and records pictures only if the user wants it",
    remedy="yield Picture(image, Provenance(..., request.widened), record=self.record)",
)
def pictures_pass_on_widened_and_record(artist: Artist) -> None:
    widened, before = Widened("square", "smollm2", "0" * 64, 3), artist.record
    try:
        for record in (True, False):
            artist.record = record
            (picture,) = artist.draw([replace(REQUESTS[0], widened=widened)])
            assert picture.record is record, f"with record={record} a picture has record={picture.record}"
            assert picture.provenance.widened == widened, f"widened must be {widened}, got {picture.provenance.widened}"
    finally:
        artist.record = before


@ARTIST_CHECKS.add(
    why="a hundred thousand prompts must fit into memory, and a page shows pictures as they are finished",
    remedy="make draw check its arguments and return a generator that takes batch_size requests at a time",
)
def draws_as_requests_arrive(artist: Artist) -> None:
    asked = []

    def requests() -> Iterator[Request]:
        for request in REQUESTS:
            asked.append(request)
            yield request

    drawn = artist.draw(requests(), batch_size=2)
    next(drawn)
    assert len(asked) <= 2, (
        f"with batch_size=2 the first picture may read at most 2 requests, but {len(asked)} were read"
    )
    assert len(list(drawn)) == len(REQUESTS) - 1, "each request must give one picture"


@ARTIST_CHECKS.add(
    why="if a misspelt option is ignored, the picture is not the requested one",
    remedy="build options with t2i.config.parse_config(options_type, ...), and begin draw with check_drawing",
)
def options_are_checked(artist: Artist) -> None:
    assert isinstance(artist.options(), artist.options_type), "options() must return an instance of options_type"
    _refused("an unknown option", lambda: artist.options(no_such_option=1), InvalidConfigError)
    _refused("another artist's options", lambda: artist.draw(REQUESTS, Strange()))
    _refused("batch_size=0", lambda: artist.draw(REQUESTS, batch_size=0))


@ARTIST_CHECKS.add(
    why="a request that cannot be drawn must give a one-sentence error, on the command line and from a server",
    remedy="take the requests from t2i.drawing.artist.in_batches, which checks them",
)
def requests_are_checked(artist: Artist) -> None:
    for odd in (Request("", 0), Request(" ", 0), Request("x" * 10_000, 0), Request("a", -1), Request("a", 2**63)):
        _refused(f"a request such as {str(odd)[:60]}", partial(_drawn, artist, [odd]))


def _drawn(artist: Artist, requests: Sequence[Request], **how: Any) -> list[Picture]:
    return list(artist.draw(requests, **how))


def _difference(one: Picture, other: Picture) -> int:
    """The largest difference between two pictures, in 0..255."""
    first, second = (np.asarray(picture.image, dtype=np.int16) for picture in (one, other))
    return int(np.abs(first - second).max()) if first.shape == second.shape else 255


def _refused(what: str, call: Callable[[], object], error: type[T2IError] = InvalidInputError) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"{what} must be refused with {error.__name__}, but was accepted")
