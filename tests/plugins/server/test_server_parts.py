"""The models in memory, language models, the index, and pictures that are kept."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import openai
import pytest

import t2i_server.chat
from fakes.artist import write_artist
from fakes.serving import Served, serving
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import read_provenance
from t2i.drawing.regenerate import regenerate
from t2i.errors import InvalidInputError, LanguageModelError
from t2i.language import LanguageModel, LanguageModelIdentity, WritingOptions, check_questions
from t2i_server.errors import ApiError
from t2i_server.models import Models
from t2i_server.names import parse_names
from t2i_server.rate import Rate
from t2i_server.run import bind

pytestmark = pytest.mark.usefixtures("fakes_installed")


class Parrot(LanguageModel):
    """Repeats the question word by word, with its seed; `pause` is the seconds before each word."""

    def __init__(self) -> None:
        self.pause = 0.0
        self.spoken = 0
        self.asked: list[WritingOptions] = []

    @property
    def identity(self) -> LanguageModelIdentity:
        return LanguageModelIdentity("parrot", "", "")

    def write(self, question: str, seed: int, options: WritingOptions | None = None) -> Iterator[str]:
        check_questions([question], [seed])
        self.asked.append(options or WritingOptions())
        return self._speak(question, seed)

    def _speak(self, question: str, seed: int) -> Iterator[str]:
        for word in [*question.split(), str(seed)]:
            time.sleep(self.pause)
            if word == "curse":
                raise LanguageModelError("It is ill: /home/operator/model")
            self.spoken += 1
            yield f"{word} "

    def write_all(
        self, questions: Sequence[str], seeds: Sequence[int], options: WritingOptions | None = None
    ) -> list[str]:
        raise NotImplementedError


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> Parrot:
    parrot = Parrot()
    monkeypatch.setattr(t2i_server.chat, "create_language_model", lambda name: parrot)
    return parrot


@pytest.fixture
def painter(tmp_path: Path) -> Path:
    return write_artist(tmp_path / "painter")


@pytest.fixture
def server(painter: Path, parrot: Parrot) -> Iterator[Served]:
    with serving({"painter": str(painter)}, lm=["parrot"]) as served:
        yield served


@pytest.fixture
def client(server: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.address}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_a_conversation_is_continued(client: openai.OpenAI, parrot: Parrot) -> None:
    messages: Any = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Draw a cat"},
    ]
    answer = client.chat.completions.create(model="parrot", messages=messages, seed=7, temperature=0, stop=["x"])
    assert answer.choices[0].message.content == "Draw a cat 7 "
    assert parrot.asked == [WritingOptions(temperature=0, stop=("x",), examples=(("Be brief.\n\nHello", "Hi"),))]
    assert [model.id for model in client.models.list()] == ["painter", "parrot"]


def test_an_answer_is_streamed_word_by_word(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "Draw a cat"}]
    stream = client.chat.completions.create(model="parrot", messages=messages, seed=7, stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in stream]
    assert pieces == ["Draw ", "a ", "cat ", "7 ", None]


def test_writing_ends_when_the_client_leaves(client: openai.OpenAI, parrot: Parrot) -> None:
    messages: Any = [{"role": "user", "content": "word " * 60}]
    parrot.pause = 0.01
    with client.chat.completions.create(model="parrot", messages=messages, seed=1, stream=True) as stream:
        next(iter(stream))
    time.sleep(0.8)  # in which it would have said everything
    assert 1 <= parrot.spoken < 60


def test_a_wrong_conversation_or_an_ill_model_is_said(client: openai.OpenAI, server: Served) -> None:
    wrong: list[Any] = [
        [{"role": "assistant", "content": "Hi"}],
        [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
        [{"role": "user", "content": ""}],
        [{"role": "tool", "content": "a"}],
        [],
    ]
    for messages in wrong:
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="parrot", messages=messages)
    with pytest.raises(openai.NotFoundError, match="Served: parrot"):
        client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "a"}])
    ill = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "curse"}]})
    assert ill.status == 503 and b"operator" not in ill.body


def test_without_a_language_model_or_search_their_addresses_say_so(painter: Path) -> None:
    with serving({"painter": str(painter)}) as server:
        answer = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}]})
        assert answer.status == 404 and "--lm" in answer.error["message"]
        answer = server.get("/search?q=heart")
        assert answer.status == 404 and "--search" in answer.error["message"]


def test_kept_pictures_are_recorded_found_and_drawn_again(
    painter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T2I_INDEX", str(tmp_path / "index.sqlite"))
    with serving({"mine": str(painter)}, keep=tmp_path / "kept", search=True) as server:
        sent = server.draw(prompt="a red square", seed=7, n=2).json["data"]
        server.draw(prompt="a blue square", seed=1)
        (hit,) = server.get("/search?q=red").json["data"]
        assert (hit["prompt"], hit["model"], sorted(hit["seeds"])) == ("a red square", "painter", [7, 8])
        assert hit["thumbnail"].startswith("data:image/webp;base64,")
        body = server.get("/search").body
        assert str(tmp_path).encode() not in body and len(server.get("/search").json["data"]) == 2
        for query in ('"', "NOT", "a" * 1001, "\x00"):
            answer = server.get(f"/search?q={'%00' if query == chr(0) else query}")
            assert answer.status in (200, 400), answer
    files = sorted((tmp_path / "kept").iterdir())
    assert len(files) == 3 and all(path.suffix == ".png" for path in files)
    (seven,) = [path for path in files if read_provenance(path).seed == 7]
    assert regenerate(seven).difference == 0  # the file that is kept has the model's own name
    assert base64.b64decode(sent[0]["b64_json"]) != seven.read_bytes()  # the one that is sent has the client's


def test_a_full_disk_costs_no_client_its_picture(
    painter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Picture, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Picture, "save", full)
    with serving({"painter": str(painter)}, keep=tmp_path / "kept") as server:
        assert server.draw().status == 200
    assert "No space left on device" in capsys.readouterr().err


def test_the_least_recently_used_model_leaves_a_small_memory(tmp_path: Path) -> None:
    names = {name: str(write_artist(tmp_path / name, seed)) for seed, name in enumerate("abc")}
    size = sum(path.stat().st_size for path in (tmp_path / "a").glob("*.safetensors"))
    models = Models(names, memory_bytes=2 * size)
    models.load()
    assert list(models.served) == ["a", "b", "c"] and models.loaded == ["b", "a"]
    first = models.artist("a")
    models.artist("c")
    assert models.loaded == ["a", "c"] and models.artist("a") is first
    models.artist("b")
    assert models.loaded == ["a", "b"]
    tiny = Models(names, memory_bytes=1)
    tiny.load()
    assert tiny.loaded == ["a"]
    tiny.artist("b")
    assert tiny.loaded == ["b"]


def test_models_share_a_text_encoder(tmp_path: Path) -> None:
    names = ("cgan.world64", "stackgan-v2.world64")
    models = Models({name: name for name in names}, memory_bytes=2**30, device="cpu")
    models.load()
    encoders = {id(models.artist(name).encoder) for name in names}  # type: ignore[attr-defined]
    assert len(encoders) == 1


def test_names_for_clients(tmp_path: Path) -> None:
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    folder = str(tmp_path / "runs" / "mine")
    given = ["cgan.world64", folder, f"other={folder}", "hf-hub:org/repo@main"]
    expected = {"cgan.world64": given[0], "mine": folder, "other": folder, "org/repo": given[3]}
    assert parse_names(given) == expected
    for wrong in (["cgan", "cgan"], ["a="], ["a=cgan", "a=cvae"]):
        with pytest.raises(InvalidInputError):
            parse_names(wrong)


def test_a_minutes_pictures_come_back_evenly() -> None:
    now = 0.0
    rate = Rate(60, lambda: now)
    rate.spend("ann", 60)
    rate.spend("bob", 30)
    with pytest.raises(ApiError) as refused:
        rate.spend("ann", 10)
    assert refused.value.headers == {"Retry-After": "10"}
    now = 10.0
    rate.spend("ann", 10)
    rate.spend("bob", 40)
    with pytest.raises(ApiError):
        rate.spend("bob", 1)


def test_answers_are_not_held_back_by_nagles_algorithm() -> None:
    """It would add the 40 ms after which a client confirms the head of an answer."""

    async def accepted() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            found.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listener = bind("127.0.0.1", 0)
        async with await asyncio.start_server(connected, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            no_delay = await found
            writer.close()
        return no_delay

    assert asyncio.run(accepted())
