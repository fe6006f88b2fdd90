"""The OpenAI images API, with the real client, against pictures that the pipeline draws alone."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image

import t2i
from fakes.artist import write_artist
from fakes.serving import Served, serving
from t2i.drawing.artist import Artist, Request
from t2i.drawing.provenance import read_provenance
from t2i_stackgan.generator import StackGANv2

MODEL = "stackgan-v2.world64"
SEED = {"seed": 7}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fakes_installed_for_module: None) -> Iterator[Served]:
    folder = write_artist(tmp_path_factory.mktemp("home-of-the-operator") / "painter")
    with serving({MODEL: MODEL, "painter": str(folder)}, wait_ms=20) as served:
        yield served


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def alone() -> Artist:
    return t2i.pipeline(MODEL, device="cpu")


def test_a_picture_is_the_file_that_the_pipeline_draws(client: openai.OpenAI, alone: Artist) -> None:
    answer = client.images.generate(model=MODEL, prompt="a red heart", extra_body={"seed": 7, "truncation": 0.8})
    (expected,) = alone.draw([Request("a red heart", 7)], alone.options(truncation=0.8))
    assert answer.data and base64.b64decode(str(answer.data[0].b64_json)) == expected.png()
    assert (answer.size, answer.output_format) == ("64x64", "png")


def test_several_pictures_have_consecutive_seeds(client: openai.OpenAI, alone: Artist) -> None:
    answer = client.images.generate(prompt="two hearts", n=3, extra_body={"seed": 41}, response_format="url")
    assert [image.seed for image in answer.data or []] == [41, 42, 43]  # type: ignore[attr-defined]
    drawn = alone("two hearts", num_images_per_prompt=3, seed=41)
    expected = [f"data:image/png;base64,{base64.b64encode(picture.png()).decode()}" for picture in drawn]
    assert [image.url for image in answer.data or []] == expected


def test_requests_at_once_are_drawn_together_and_equal_to_each_alone(server: Served, alone: Artist) -> None:
    asked = [(prompt, seed) for prompt in ("a red heart", "cat astronaut", "dog") for seed in range(8)]
    before = server.get("/metrics").body.decode()
    barrier = threading.Barrier(len(asked))

    def draw(prompt: str, seed: int) -> bytes:
        barrier.wait()
        return base64.b64decode(server.draw(prompt=prompt, seed=seed).json["data"][0]["b64_json"])

    with ThreadPoolExecutor(len(asked)) as pool:
        got = list(pool.map(lambda each: draw(*each), asked))
    for (prompt, seed), file in zip(asked, got, strict=True):
        assert file == next(alone.draw([Request(prompt, seed)])).png(), (prompt, seed)
    after = server.get("/metrics").body.decode()
    assert count(after, "pictures_total") - count(before, "pictures_total") == len(asked)
    assert count(after, "batch_pictures_count") - count(before, "batch_pictures_count") <= len(asked) / 2


def test_stages_are_streamed_before_the_picture(client: openai.OpenAI, alone: Artist) -> None:
    stream = client.images.generate(
        model=MODEL, prompt="a red heart", n=2, stream=True, partial_images=2, extra_body={"seed": 7}
    )
    events = list(stream)
    expected = list(alone.draw([Request("a red heart", seed) for seed in (7, 8)], stages=True))
    kinds = ["image_generation.partial_image"] * 4 + ["image_generation.completed"] * 2
    assert [event.type for event in events] == kinds
    of_each = [[event for event in events if event.index == index] for index in (0, 1)]  # type: ignore[union-attr]
    for picture, (small, large, whole) in zip(expected, of_each, strict=True):
        for stage, event in zip(picture.stages, (small, large), strict=False):
            assert decoded(event.b64_json).tobytes() == stage.tobytes()
        assert base64.b64decode(whole.b64_json) == picture.png()


def test_a_stage_is_sent_before_the_next_one_is_drawn(
    client: openai.OpenAI, alone: Artist, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, drawn = threading.Event(), StackGANv2.stages

    def waiting(*given: Any) -> Iterator[Any]:
        for number, images in enumerate(drawn(*given)):
            assert number == 0 or go_on.wait(30)
            yield images

    monkeypatch.setattr(StackGANv2, "stages", waiting)
    events = iter(client.images.generate(prompt="a red heart", n=2, stream=True, partial_images=2, extra_body=SEED))
    try:
        assert [next(events).index for _ in range(2)] == [0, 1]  # type: ignore[union-attr]
    finally:
        go_on.set()
    *stages, first, second = events
    assert [event.index for event in stages] == [0, 1]  # type: ignore[union-attr]
    for event, seed in ((first, 7), (second, 8)):
        assert base64.b64decode(event.b64_json) == next(alone.draw([Request("a red heart", seed)])).png()


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_other_formats_keep_the_provenance(client: openai.OpenAI, form: str, tmp_path: Path) -> None:
    answer = client.images.generate(prompt="a red heart", output_format=form, extra_body={"seed": 7})  # type: ignore[arg-type]
    path = tmp_path / f"picture.{form}"
    path.write_bytes(base64.b64decode(str((answer.data or [])[0].b64_json)))
    provenance = read_provenance(path)
    assert (provenance.prompt, provenance.seed, provenance.artist.name) == ("a red heart", 7, MODEL)


def test_no_path_of_the_operator_is_in_a_picture_or_a_list(server: Served) -> None:
    picture = base64.b64decode(server.draw(model="painter", seed=1).json["data"][0]["b64_json"])
    assert b'"name": "painter"' in picture
    assert b"operator" not in picture + server.get("/v1/models").body + server.get("/v1/models/painter").body


def test_models_are_listed_with_the_schema_of_their_options(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert list(listed) == [MODEL, "painter"]
    options = listed[MODEL].options  # type: ignore[attr-defined]
    assert options["truncation"]["default"] == 1.0 and options["truncation"]["maximum"] == 2
    assert client.models.retrieve("painter").resolution == 8  # type: ignore[attr-defined]
    with pytest.raises(openai.NotFoundError, match=r"not served here\. Served: .*painter"):
        client.models.retrieve("cgan")


@pytest.mark.filterwarnings("ignore::t2i.errors.UnreadPromptWarning")
def test_an_answer_says_what_was_not_read(server: Served) -> None:
    (picture,) = server.draw(prompt="red heart " * 60 + "and a whale", seed=1).json["data"]
    assert "too long" in picture["unread"]
    assert "unread" not in server.draw(prompt="a red heart").json["data"][0]


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"model": "cgan"}, "model", "not served"),
        ({"model": "/etc/passwd"}, "model", "not served"),
        ({"size": "1024x1024"}, "size", "64x64"),
        ({"n": 11}, "n", "10 pictures"),
        ({"n": 0}, "n", "greater than or equal"),
        ({"n": "3"}, "n", "valid integer"),
        ({"prompt": ""}, None, "empty"),
        ({"prompt": "x" * 2001}, None, "2000"),
        ({"prompt": "\ud800"}, None, "Unicode"),
        ({"prompt": None}, "prompt", "string"),
        ({"seed": -1}, "seed", "greater"),
        ({"seed": 2**63}, None, "seed"),
        ({"seed": 1.5}, "seed", "integer"),
        ({"trunction": 1}, None, "Did you mean 'truncation'"),
        ({"truncation": 9}, None, "less than or equal to 2"),
        ({"truncation": "\x1b[2J" * 100}, None, "truncation"),
        ({"response_format": "file"}, "response_format", "url"),
        ({"output_format": "svg"}, "output_format", "png"),
        ({"model": "painter", "stream": True, "partial_images": 1}, "partial_images", "one stage"),
    ],
)
def test_a_wrong_request_is_refused_in_one_sentence(
    server: Served, fields: dict[str, object], param: str | None, says: str
) -> None:
    answer = server.draw(**fields)
    error = answer.error
    assert answer.status == (404 if "not served" in says else 400), error
    assert says in error["message"] and error["param"] == param and error["type"] == "invalid_request_error"
    assert error["message"].isprintable() and len(error["message"]) <= 2000


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b"[]", b"null", b'{"prompt": 1' + b"0" * 5000 + b"}", b"\xff\xfe", b'"a"']
)
def test_a_body_that_is_no_object_is_refused(server: Served, body: bytes) -> None:
    answer = server.ask("POST", "/v1/images/generations", body, {"Content-Type": "application/json"})
    assert answer.status == 400, answer
    assert answer.error["type"] == "invalid_request_error"


def decoded(text: str) -> Image.Image:
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        return image.convert("RGB")


def count(metrics: str, name: str) -> float:
    lines = [line for line in metrics.splitlines() if line.startswith(f"t2i_{name}{{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
