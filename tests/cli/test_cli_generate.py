"""`t2i generate`: drawing, and every kind of bad request."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import t2i as library
from fakes.command_line import T2I, contents
from fakes.distributions import FakeSite
from fakes.forked import ForkedCommand
from fakes.waiting import wait_until
from t2i.cli import generate
from t2i.drawing.provenance import read_provenance
from t2i.registry.describe import DEFAULT_MODEL
from t2i.text import MAX_PROMPT_CHARACTERS
from t2i_starter.plugin import t2i_weights

PROMPTS = ["a red square", "a blue square", "a green square"]


@pytest.fixture
def copy(run_folder: Path, here: Path) -> Path:
    """A copy of the tiny run's newest snapshot that a test may damage."""
    (snapshot,) = (run_folder / "checkpoints" / "step-00000020").glob("snapshot")
    return Path(shutil.copytree(snapshot, here.parent / "copy"))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


class TestPictures:
    def test_one_prompt_is_one_file_that_records_its_provenance(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        assert t2i("generate", PROMPTS[0], "--model", run_folder, "--seed", 7, "-o", "heart.png").code == 0
        assert [path.name for path in here.iterdir()] == ["heart.png"]
        facts = read_provenance(here / "heart.png")
        assert (facts.prompt, facts.seed) == (PROMPTS[0], 7)
        with Image.open(here / "heart.png") as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (16, 16))

    def test_a_folder_has_one_file_per_picture_and_a_grid(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        result = t2i("generate", *PROMPTS[:2], "-n", 4, "--seed", 7, "--model", run_folder, "-o", "out/")
        assert result.code == 0
        names = [f"{n:04d}-{p.replace(' ', '-')}-{s}.png" for n, p in enumerate(PROMPTS[:2], 1) for s in range(7, 11)]
        assert sorted(path.name for path in (here / "out").iterdir()) == sorted([*names, "grid.png"])
        with Image.open(here / "out" / "grid.png") as grid, Image.open(here / "out" / names[0]) as picture:
            assert grid.width > 4 * picture.width and grid.height > 2 * picture.height

    def test_the_command_and_the_library_draw_the_same(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        t2i("generate", PROMPTS[0], "-n", 3, "--seed", 5, "--model", run_folder, "-o", "out", "--device", "cpu")
        again = library.pipeline(str(run_folder), device="cpu")(PROMPTS[0], num_images_per_prompt=3, seed=5)
        for seed, image in zip(again.seeds, again.images, strict=True):
            with Image.open(here / "out" / f"0001-a-red-square-{seed}.png") as picture:
                assert picture.tobytes() == image.tobytes()

    def test_batch_size_changes_no_picture(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        for size in (1, 3, 64):
            arguments = ("-n", 3, "--seed", 1, "--batch-size", size, "-o", f"out{size}", "--device", "cpu")
            assert t2i("generate", *PROMPTS[:2], "--model", run_folder, *arguments).code == 0
        pixels = [[Image.open(p).tobytes() for p in sorted((here / f"out{size}").iterdir())] for size in (1, 3, 64)]
        assert pixels[0] == pixels[1] == pixels[2]

    def test_an_option_reaches_the_technique(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        for seed in (1, 2):
            arguments = ("--seed", seed, "--option", "truncation=0", "-o", f"{seed}.png")
            assert t2i("generate", PROMPTS[0], "--model", run_folder, *arguments).code == 0
        assert read_provenance(here / "1.png").options == {"truncation": 0}
        with Image.open(here / "1.png") as first, Image.open(here / "2.png") as second:
            assert first.tobytes() == second.tobytes()  # without noise the seed has no effect

    def test_a_random_seed_is_reported(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        result = t2i("generate", PROMPTS[0], "--model", run_folder, "-o", "a.png")
        assert f"(seed {read_provenance(here / 'a.png').seed})" in result.err

    @pytest.mark.parametrize(
        "prompt", ["../../etc/passwd", "日本の旗", "a" * MAX_PROMPT_CHARACTERS, "-", "🙂\x00/", "a\tred square"]
    )
    def test_any_text_is_a_prompt_and_never_a_path(self, t2i: T2I, run_folder: Path, here: Path, prompt: str) -> None:
        Path("prompts.txt").write_text(prompt)
        result = t2i("generate", "--prompts", "prompts.txt", "--model", run_folder, "-o", "out")
        assert result.code == 0
        (picture,) = [path for path in (here / "out").iterdir() if path.name != "grid.png"]
        assert read_provenance(picture).prompt == prompt
        assert sorted(path.name for path in here.iterdir()) == ["out", "prompts.txt"]

    def test_a_prompt_of_several_lines_is_one_prompt(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        prompt = "a red\nsquare"
        assert t2i("generate", prompt, "--seed", 1, "--model", run_folder, "-o", "out").code == 0
        assert read_provenance(here / "out" / "0001-a-red-square-1.png").prompt == prompt


class TestPromptsFile:
    def test_only_missing_pictures_are_drawn(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        Path("prompts.txt").write_text("\n\n".join(PROMPTS) + "\r\n", encoding="utf-8-sig")
        arguments = ("generate", "--prompts", "prompts.txt", "-n", 2, "--model", run_folder, "-o", "out")
        assert t2i(*arguments).code == 0
        before = contents(here / "out")
        assert len(before) == 7
        (here / "out" / "0002-a-blue-square-1.png").unlink()
        result = t2i(*arguments)
        assert "1 pictures, 5 were there already" in result.err
        after = contents(here / "out")
        changed = {name for name in before if before[name][1] != after[name][1]}
        assert changed == {"0002-a-blue-square-1.png", "grid.png"}
        assert {name: content for name, (content, _) in before.items()} == {n: c for n, (c, _) in after.items()}

    @pytest.mark.parametrize("damage", [b"", b"no picture", None], ids=["empty", "no PNG", "cut short"])
    def test_a_damaged_picture_is_redrawn(self, t2i: T2I, run_folder: Path, here: Path, damage: bytes | None) -> None:
        arguments = ("generate", PROMPTS[0], "--seed", 1, "--model", run_folder, "-o", "out")
        t2i(*arguments)
        picture = here / "out" / "0001-a-red-square-1.png"
        whole = picture.read_bytes()
        picture.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
        assert t2i(*arguments).code == 0
        assert picture.read_bytes() == whole

    def test_other_options_redraw(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        arguments = ("generate", PROMPTS[0], "--seed", 1, "--model", run_folder, "-o", "out")
        t2i(*arguments)
        assert "holds another picture" in t2i(*arguments, "--option", "truncation=0.5").error
        t2i(*arguments, "--option", "truncation=0.5", "--force")
        assert read_provenance(here / "out" / "0001-a-red-square-1.png").options == {"truncation": 0.5}

    def test_a_bad_option_is_an_error_even_if_all_pictures_exist(self, t2i: T2I, run_folder: Path) -> None:
        arguments = ("generate", PROMPTS[0], "--seed", 1, "--model", run_folder, "-o", "out")
        t2i(*arguments)
        assert "bogus" in t2i(*arguments, "--option", "bogus=1").error

    def test_comments_are_left_out_and_repeated_lines_are_drawn_once(
        self, t2i: T2I, run_folder: Path, here: Path
    ) -> None:
        Path("prompts.txt").write_text("# warm colours\na red square\n\n  #2\n\\#1 medal\na red square \n")
        result = t2i("generate", "--prompts", "prompts.txt", "--model", run_folder, "-o", "out")
        assert result.code == 0 and "1 repeated prompts are drawn once" in result.err
        drawn = [read_provenance(path).prompt for path in sorted((here / "out").glob("0*.png"))]
        assert drawn == ["a red square", "#1 medal"]

    def test_prompts_come_from_standard_input(
        self, t2i: T2I, run_folder: Path, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("a red square\r\nкрасный\rx\u2028y".encode())))
        assert t2i("generate", "--prompts", "-", "--model", run_folder, "-o", "out").code == 0
        drawn = [read_provenance(path).prompt for path in sorted((here / "out").glob("0*.png"))]
        assert drawn == ["a red square", "красный", "x\u2028y"]


class TestOneFile:
    def test_standard_output_has_only_the_file(self, run_folder: Path, here: Path) -> None:
        arguments = ("--seed", 7, "--model", run_folder, "-o", "-", "--format", "webp")
        with ForkedCommand("generate", "a red square", *arguments) as command:
            assert command.wait() == 0, command.err
            (here / "x.webp").write_bytes(command.out_bytes)
            assert "standard output (seed 7)" in command.err
        assert read_provenance(here / "x.webp").seed == 7
        assert [path.name for path in here.iterdir()] == ["x.webp"]

    @pytest.mark.parametrize("suffix", [".jpg", ".webp"])
    def test_another_format_is_regenerated(self, t2i: T2I, run_folder: Path, here: Path, suffix: str) -> None:
        arguments = ("--seed", 7, "--model", run_folder, "--device", "cpu", "-o", f"x{suffix}")
        assert t2i("generate", "сердце ❤", *arguments).code == 0
        assert t2i("regenerate", f"x{suffix}").code == 0
        assert (here / f"again{suffix}").read_bytes() == (here / f"x{suffix}").read_bytes()

    def test_a_file_is_replaced_only_with_force(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        (here / "x.png").write_text("mine")
        arguments = ("generate", "a red square", "--model", run_folder, "-o", "x.png")
        assert "--force" in t2i(*arguments).error and (here / "x.png").read_text() == "mine"
        assert t2i(*arguments, "--force").code == 0 and read_provenance(here / "x.png")


class TestInterruption:
    @pytest.mark.parametrize(
        ("seed", "how"), [(["--seed", "5"], "The same command draws"), ([], "command with --seed")]
    )
    def test_ctrl_c_reports_progress_and_how_to_continue(
        self, run_folder: Path, here: Path, seed: list[str], how: str
    ) -> None:
        with ForkedCommand("generate", "a red square", "-n", 10**9, *seed, "--model", run_folder) as command:
            wait_until(lambda: list(here.glob("out/0*.png")), command)
            for _ in range(3):  # a runner such as `uv run` sends the terminal's signal again
                command.send_signal(signal.SIGINT)
                time.sleep(0.02)
            assert command.wait(60) == 130
            message = command.err
        drawn = len(list(here.glob("out/0*.png")))
        assert "Traceback" not in message
        assert f"Interrupted: out/ has {drawn:,} of 1,000,000,000 pictures." in message and how in message


class TestWordsWithoutQuotes:
    WORDS = ("generate", "a", "red", "square", "--seed", 7)

    def test_without_a_terminal_there_is_a_hint(self, t2i: T2I, run_folder: Path, here: Path) -> None:
        result = t2i(*self.WORDS, "--model", run_folder, "-o", "out")
        assert result.code == 0 and "If you meant one prompt, quote it: 'a red square'" in result.err
        assert len(list((here / "out").glob("0*.png"))) == 3

    @pytest.mark.parametrize(("answer", "drawn"), [(True, ["0001-a-red-square-7.png"]), (False, 3)])
    def test_in_a_terminal_the_user_is_asked(
        self, t2i: T2I, run_folder: Path, here: Path, monkeypatch: pytest.MonkeyPatch, answer: bool, drawn: object
    ) -> None:
        asked: list[str] = []
        monkeypatch.setattr(generate, "is_terminal", lambda: True)
        monkeypatch.setattr(generate.typer, "confirm", lambda text, **how: asked.append(text) or answer)
        assert t2i(*self.WORDS, "--model", run_folder, "-o", "out").code == 0
        names = sorted(path.name for path in (here / "out").glob("0*.png"))
        assert len(asked) == 1 and "'a red square'" in asked[0]
        assert names == drawn or len(names) == drawn

    def test_sentences_cause_no_question(self, t2i: T2I, run_folder: Path) -> None:
        result = t2i("generate", "a square", "red", "--model", run_folder, "-o", "out")
        assert result.code == 0 and "meant" not in result.err


class TestUnread:
    def test_each_prompt_has_one_warning(self, t2i: T2I, run_folder: Path) -> None:
        geese = [f"\U00013000 {number}" for number in range(2)]
        result = t2i("generate", "a red square", *geese, "-n", 3, "--batch-size", 2, "--model", run_folder, "-o", "out")
        told = [line for line in result.err.splitlines() if line.startswith("warning: ")]
        assert [repr(prompt) in line for prompt, line in zip(geese, told, strict=True)] == [True, True]

    def test_many_warnings_are_counted(self, t2i: T2I, run_folder: Path) -> None:
        prompts = [f"\U00013000 {number}" for number in range(15)]
        result = t2i("generate", *prompts, "--model", run_folder, "-o", "out")
        assert result.err.count("warning: The prompt") == 10
        assert "warning: 5 more prompts were not read completely" in result.err


BAD_REQUESTS = {
    "no prompt": ([], "needs a prompt"),
    "empty prompt": ([""], "empty"),
    "blank prompt": ([" \t"], "empty"),
    "second prompt empty": (["a", ""], "2 is empty"),
    "long prompt": (["x" * 10_000], "10000"),
    "a billion in one file": (["a", "-n", "1000000000", "-o", "x.png"], "holds one picture, got 1000000000"),
    "more than a billion": (["a", "-n", "1000000001"], "from 1 to 1000000000"),
    "no batch": (["a", "-o", "x.png", "--batch-size", "0"], "batch size must be a whole number of 1 or more, got 0"),
    "a file already": (["a", "-o", "old.png"], "old.png already exists"),
    "a file nowhere": (["a", "-o", "file/x.png"], "Cannot write file/x.png"),
    "a file that /proc never has": (["a", "-o", "/proc/x.png"], "Cannot write /proc/x.png"),
    "words as prompts for one file": (["a", "red", "heart", "-o", "x.png"], "holds one picture, got 3"),
    "two pictures on stdout": (["a", "-n", "2", "-o", "-"], "holds one picture"),
    "an unknown format": (["a", "--format", "tiff"], "got 'tiff'"),
    "prompts of a folder": (["--prompts", "."], "Cannot read the prompts in ."),
    "only a comment": (["--prompts", "comment.txt"], "comment.txt holds no prompt"),
    "bytes that are not text": (["a \udcff"], "Unicode"),
    "negative seed": (["a", "--seed", "-1"], "-1"),
    "seed too large": (["a", "--seed", str(2**63)], str(2**63)),
    "last seed too large": (["a", "-n", "2", "--seed", str(2**63 - 1)], str(2**63)),
    "no pictures": (["a", "-n", "0"], "0"),
    "minus pictures": (["a", "-n", "-3"], "-3"),
    "two pictures, one file": (["a", "-n", "2", "-o", "x.png"], "x/"),
    "two prompts, one file": (["a", "b", "-o", "x.png"], "x/"),
    "another format": (["a", "-o", "x.tif"], "x.png"),
    "upper-case format": (["a", "-o", "x.TIFF"], "x.png"),
    "folder for a file": (["a", "-o", "folder.png"], "folder.png is a folder"),
    "file for a folder": (["a", "-o", "file"], "file is a file"),
    "option without =": (["a", "--option", "truncation"], "got 'truncation'"),
    "option without name": (["a", "--option", "=1"], "got '=1'"),
    "option not YAML": (["a", "--option", "truncation=["], "truncation"),
    "unknown model": (["a", "--model", "cgna"], "Did you mean 'cgan'"),
    "unknown tag": (["a", "--model", "cgan.no-such-tag"], "no-such-tag"),
    "no folder": (["a", "--model", "runs/none"], "no folder runs/none"),
    "no local dir": (["a", "--model", "local-dir:none"], "no folder none"),
    "no model at all": (["a", "--model", ""], "There is no model ''"),
    "prompts missing": (["--prompts", "missing.txt"], "missing.txt"),
    "prompts a folder": (["--prompts", "folder.png"], "folder.png"),
    "prompts empty": (["--prompts", "empty.txt"], "empty.txt holds no prompt"),
    "prompts with a bad byte": (["--prompts", "bad.txt"], "line 3 has the byte 0xe9"),
    "prompts with a long line": (["--prompts", "long.txt"], "prompt 2"),
}


@pytest.fixture
def obstacles(here: Path) -> None:
    """Files and folders that make requests fail."""
    (here / "folder.png").mkdir()
    (here / "file").write_text("mine")
    (here / "old.png").write_text("mine")
    (here / "comment.txt").write_text("# a red heart\n")
    (here / "empty.txt").write_text("\n  \n\n")
    (here / "bad.txt").write_bytes(b"a caf\xc3\xa9\n\nun caf\xe9\nmore\n")
    (here / "long.txt").write_text("a\n" + "x" * 10_000 + "\n")


@pytest.mark.parametrize(("arguments", "message"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_bad_requests_are_one_line_errors_and_write_nothing(
    t2i: T2I, here: Path, obstacles: None, run_folder: Path, arguments: list[str], message: str
) -> None:
    before = contents(here)
    model = [] if "--model" in arguments else ["--model", run_folder]
    assert message in t2i("generate", *arguments, *model).error
    assert contents(here) == before


BAD_WITH_MODEL = {
    "unknown option": (["--option", "truncatoin=1"], "Did you mean 'truncation'"),
    "option out of range": (["--option", "truncation=9"], "truncation"),
    "option of another kind": (["--option", "truncation=much"], "got 'much'"),
    "no such device": (["--device", "toaster"], "got 'toaster'"),
    "a device this machine lacks": (["--device", "xpu"], "xpu"),
    "folder under a file": (["-o", "file/out"], "Cannot write"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_WITH_MODEL.values(), ids=BAD_WITH_MODEL)
def test_requests_the_model_cannot_fulfil_are_one_line_errors_and_write_nothing(
    t2i: T2I, here: Path, obstacles: None, run_folder: Path, arguments: list[str], message: str
) -> None:
    before = contents(here)
    assert message in t2i("generate", "a", "--model", run_folder, *arguments).error
    assert contents(here) == before


DAMAGE = {
    "weights cut short": (lambda folder: _cut(folder / "model.safetensors"), "sha256"),
    "weights changed": (lambda folder: _flip(folder / "model.safetensors"), "sha256"),
    "weights empty": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "sha256"),
    "weights missing": (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
    "config missing": (lambda folder: (folder / "config.json").unlink(), "has a config.json"),
    "config cut short": (lambda folder: _cut(folder / "config.json"), "not JSON"),
    "config not an object": (lambda folder: (folder / "config.json").write_text("[]"), "list"),
    "config not UTF-8": (lambda folder: (folder / "config.json").write_bytes(b"\xff{}"), "config.json"),
    "config with an unknown field": (lambda folder: edit(folder / "config.json", flavour=1), "'flavour'"),
    "config of a later format": (lambda folder: edit(folder / "config.json", format=2), "'format'"),
    "config of an unknown technique": (lambda folder: edit(folder / "config.json", technique="cgna"), "'cgan'"),
    "config with an unknown setting": (lambda folder: _set(folder, "config", "resolutoin", 16), "'resolution'"),
    "config of another shape": (lambda folder: _set(folder, "config", "widths", [24, 8]), "do not fit"),
    "text encoder unknown": (lambda folder: _encoder(folder, name="minilmm"), "text encoder 'minilmm'"),
    "text encoder with other weights": (lambda folder: _encoder(folder, sha256="0" * 64), "sha256"),
    "text encoder of another width": (lambda folder: _encoder(folder, dim=7), "dim"),
}


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _set(folder: Path, section: str, name: str, value: object) -> None:
    values = json.loads((folder / "config.json").read_text())
    edit(folder / "config.json", **{section: values[section] | {name: value}})


def _encoder(folder: Path, **changes: object) -> None:
    values = json.loads((folder / "config.json").read_text())
    _set(folder, "facts", "text_encoder", values["facts"]["text_encoder"] | changes)


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_model_is_a_one_line_error_and_draws_nothing(
    t2i: T2I, here: Path, copy: Path, damage: object, message: str
) -> None:
    damage(copy)  # type: ignore[operator]
    assert message in t2i("generate", "a", "--model", copy, "-o", "x.png").error
    assert list(here.iterdir()) == []


def test_weights_that_match_their_hash_but_are_not_safetensors_are_refused(t2i: T2I, here: Path, copy: Path) -> None:
    from t2i.files import sha256_of

    (copy / "model.safetensors").write_bytes(b"\x80\x04no tensors at all")
    edit(copy / "config.json", weights_sha256=sha256_of(copy / "model.safetensors"))
    assert "copy" in t2i("generate", "a", "--model", copy, "-o", "x.png").error
    assert list(here.iterdir()) == []


def test_a_run_without_a_checkpoint_is_not_a_model_yet(t2i: T2I, here: Path, run_folder: Path) -> None:
    run = here / "run"
    shutil.copytree(run_folder, run, ignore=shutil.ignore_patterns("checkpoints"))
    assert "no complete checkpoint" in t2i("generate", "a", "--model", run, "-o", "x.png").error


def test_a_run_with_a_damaged_newest_checkpoint_draws_with_the_previous_one(
    t2i: T2I, here: Path, run_folder: Path
) -> None:
    run = Path(shutil.copytree(run_folder, here / "run"))
    _cut(run / "checkpoints" / "step-00000020" / "state.safetensors")
    assert t2i("generate", "a", "--model", run, "-o", "x.png").code == 0
    sha256 = json.loads((run / "checkpoints/step-00000010/snapshot/config.json").read_text())["weights_sha256"]
    assert read_provenance(here / "x.png").artist.weights_sha256 == sha256


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("hf-hub:org/repo", "HF_HUB_OFFLINE"),
        (f"hf-hub:org/repo@{'0' * 40}", "HF_HUB_OFFLINE"),
        ("hf-hub:", "org/name"),
        ("hf-hub:a/b/c", "org/name"),
        ("hf-hub:../..", "org/name"),
    ],
)
def test_a_hub_model_that_cannot_be_downloaded_is_a_one_line_error(
    t2i: T2I, here: Path, model: str, message: str
) -> None:
    assert message in t2i("generate", "a", "--model", model, "-o", "x.png").error
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "message"), [("bad", "boom"), ("later", "plugin API 99"), ("twice", "first and second")]
)
def test_a_model_of_an_unusable_plugin_says_what_is_wrong(t2i: T2I, site: FakeSite, model: str, message: str) -> None:
    site.install("bad", "raise RuntimeError('boom')")
    site.install("later", "T2I_API = 99")
    site.install_plugin("first", models='[model("twice")]')
    site.install_plugin("second", models='[model("twice")]')
    assert message in t2i("generate", "a", "--model", model, "-o", "x.png").error


def test_a_technique_that_cannot_be_imported_is_a_one_line_error(t2i: T2I, site: FakeSite, copy: Path) -> None:
    site.install_plugin("empty", models='[model("no-code", target="no_such_module:Model")]')
    edit(copy / "config.json", technique="no-code")
    assert "No module named 'no_such_module'" in t2i("generate", "a", "--model", copy, "-o", "x.png").error


class TestFullDisk:
    @pytest.fixture(params=["mounted", "simulated"])
    def full(self, request: pytest.FixtureRequest, here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A folder on a full disk: a real one if this user may mount it, and one whose writes fail."""
        folder = here / "full"
        folder.mkdir()
        if request.param == "simulated":

            def fsync(descriptor: int) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            monkeypatch.setattr(os, "fsync", fsync)
            yield folder
            return
        command = ["mount", "-t", "tmpfs", "-o", "size=16k,nr_inodes=64", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("this user may not mount a small disk")
        try:
            with pytest.raises(OSError, match="No space"):
                (folder / "ballast").write_bytes(b"0" * 100_000)
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)

    @pytest.mark.parametrize("out", ["x.png", "out"])
    def test_a_full_disk_is_a_one_line_error_and_leaves_no_partial_picture(
        self, t2i: T2I, full: Path, run_folder: Path, out: str
    ) -> None:
        error = t2i("generate", "a", "--model", run_folder, "-o", full / out).error
        assert "No space left" in error
        assert [path for path in full.rglob("*") if path.is_file() and path.name != "ballast"] == []


class TestOtherProcesses:
    def test_a_fresh_offline_machine_gets_a_one_line_error(self, here: Path) -> None:
        """In a new process, because the environment is read when Python starts."""
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(here / "hf")}
        command = [sys.executable, "-m", "t2i", "generate", "a", "--model", "hf-hub:org/repo", "-o", "x.png"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith("error: org/repo is not on this machine") and done.stderr.count("\n") == 1
        assert not (here / "x.png").exists()


@pytest.mark.skipif(not t2i_weights(), reason="t2i-starter declares no weights yet")
class TestDefaultModel:
    def test_the_default_model_draws_a_file_and_a_folder(self, t2i: T2I, here: Path) -> None:
        assert t2i("generate", "a red heart", "-o", "heart.png").code == 0
        assert t2i("generate", "a red heart", "a panda", "-n", 2, "--seed", 7, "-o", "out").code == 0
        assert read_provenance(here / "heart.png").artist.name == DEFAULT_MODEL
        assert len(list((here / "out").iterdir())) == 5

    def test_its_pictures_are_regenerated_byte_for_byte(self, t2i: T2I, here: Path) -> None:
        t2i("generate", "a red heart", "-o", "heart.png")
        assert t2i("regenerate", "heart.png", "-o", "again.png").code == 0
        assert (here / "again.png").read_bytes() == (here / "heart.png").read_bytes()

    def test_its_golden_pictures_are_drawn_again(self, t2i: T2I) -> None:
        result = t2i("info", DEFAULT_MODEL, "--verify", "--json")
        golden = json.loads(result.out)["golden_pictures"]
        assert golden["reproduced"] and golden["largest_difference"] <= golden["allowed"]

    def test_a_wrong_tag_suggests_it(self, t2i: T2I) -> None:
        assert repr(DEFAULT_MODEL) in t2i("generate", "a", "--model", DEFAULT_MODEL[:-1]).error


def test_listening_plugins_are_notified_of_every_picture(
    t2i: T2I, site: FakeSite, run_folder: Path, here: Path
) -> None:
    source = (
        "from t2i.registry import hookimpl\nT2I_API = 1\n@hookimpl\ndef t2i_picture_written(path, provenance):\n"
        "    open('heard', 'a').write(f'{path.name} {provenance.seed}\\n')\n    raise RuntimeError('boom')"
    )
    site.install("listener", source)
    result = t2i(
        "generate", "a red square", "-n", 2, "--seed", 7, "--model", run_folder, "--device", "cpu", "-o", "out"
    )
    assert result.code == 0
    assert sorted(path.name for path in (here / "out").iterdir()) == [
        *("0001-a-red-square-7.png", "0001-a-red-square-8.png", "grid.png"),
    ]
    assert (here / "heard").read_text() == "0001-a-red-square-7.png 7\n0001-a-red-square-8.png 8\n"
