"""Fast commands stay fast: listing and describing import neither torch nor a technique."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fakes.command_line import T2I
from fakes.distributions import EMPTY, FakeSite
from t2i.registry.discovery import registry
from t2i.registry.specs import CommandSpec

HEAVY = (
    "torch", "torchvision", "timm", "transformers", "accelerate", "safetensors", "huggingface_hub", "numpy", "PIL",
    "datasets", "t2i.drawing.pipeline", "t2i.snapshots.resolve", "t2i_cgan.model", "t2i_cgan.generator",
    "t2i_cgan.training", "t2i_text_hf.minilm", "t2i_text_hf.huggingface", "t2i_openmoji.dataset",
)  # fmt: skip


RUN_ALL = """
import contextlib, io, json, sys
from t2i.cli.main import main

def run(arguments):
    sys.argv = ["t2i", *arguments]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            return [end.code, said.getvalue()]

print(json.dumps([[*run(arguments), list(sys.modules)] for arguments in json.loads(sys.argv[1])]))
"""


def loaded_by(code: str, site: FakeSite, *arguments: str) -> str:
    """What a fresh Python prints that runs `code`."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=site.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_all(commands: Sequence[Sequence[str]], site: FakeSite) -> Iterator[tuple[Sequence[str], int, str, set[str]]]:
    """Run commands one after another in a fresh Python: each with its exit code, output and the modules that it and
    those before it have imported."""
    results = json.loads(loaded_by(RUN_ALL, site, json.dumps(commands)))
    for command, (code, said, modules) in zip(commands, results, strict=True):
        yield command, code, said, {*modules}


LISTING = [["--help"], ["generate", "--help"], ["models"], ["models", "--json"], ["plugins"]]
MISTAKES = [
    ["generate", "x", "--model", "cgam"],
    ["generate", "x", "--model", "runs/none"],
    ["generate", "x", "-o", "x.gif"],
    ["generate", "x", "-o", "/proc/x"],
    ["generate", "x", "--option", "truncaton=1"],
    ["generate", "x", "--model", "cgan.world64", "--option", "truncation=9"],
    ["interpolate", "x", "--to-seed", "3", "--option", "truncaton=1"],
    ["reconstruct", __file__, "--prompt", "x", "--model", "cgam"],
    ["products", "none.csv", "--prompt", "{title}", "--name", "{sku}", "--option", "truncaton=1"],
    ["story", "none.txt", "--option", "truncaton=1"],
    ["board", "x", "--x", "seed=1..2", "--option", "truncaton=1"],
    ["export", "-o", "new", "--option", "truncaton=1"],
    ["serve", "cgam"],
    ["evaluate", "cgan.world64", "--data", "nowhere"],
    ["evaluate", "cgan.world64", "--metrics", "fie"],
    ["evaluate", "cgan.world64", "-n", "1"],
    ["evaluate", "cgan.world64", "-n", "0"],
    ["evaluate", "cgan.world64", "--option", "truncaton=1"],
    ["leaderboard", "cgan.world64", "-n", "9"],
    ["compare", "cgan.world64", "-p", "x", "--data", "openmoji", "-n", "9"],
    ["train", "cgam", "--data", "openmoji", "--out", "new"],
    ["train", "cgan", "--data", "nowhere", "--out", "new"],
    ["train", "cgan", "--data", "openmoji", "--out", ".."],
    ["train", "cgan", "--data", "openmoji", "--out", "new", "--recipe", "best"],
    ["train", "cgan", "--data", "openmoji", "--out", "new", "train.batchsize=3"],
    ["train", "cgan", "--data", "openmoji", "--out", "new", "model.depth=x"],
    ["train", "--resume", "nowhere"],
    ["data", "check", "nowhere"],
]


def test_listing_and_describing_import_nothing_heavy(site: FakeSite) -> None:
    for code in ("import t2i", "import t2i; t2i.list_models(installed=False); t2i.model_info('cgan')"):
        modules = {*loaded_by(f"{code}\nimport sys; print(*sys.modules)", site).split()}
        assert "t2i" in modules and modules.isdisjoint(HEAVY), code
    for command, code, said, modules in run_all(LISTING, site):
        assert code == 0, said
        assert modules.isdisjoint(HEAVY), command


def test_common_mistakes_are_reported_before_torch_is_imported(
    site: FakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for command, code, said, modules in run_all(MISTAKES, site):
        assert code == 2 and said.startswith("error: "), (command, said)
        assert "torch" not in modules, command
    assert not [*Path().iterdir()]


def test_a_device_is_checked_before_anything_is_loaded(site: FakeSite) -> None:
    device = ["--device", "fpga"]
    commands = [[*verb, *device] for verb in (["generate", "x"], ["evaluate", "cgan.world64"], ["serve"])]
    for command, code, said, modules in run_all(commands, site):
        assert code == 2 and "The device must be" in said, (command, said)
        assert modules.isdisjoint({"accelerate", "transformers", "t2i.drawing.pipeline"}), command


def test_import_t2i_loads_no_plugin(site: FakeSite) -> None:
    plugin = site.install("probe", EMPTY)
    assert plugin not in loaded_by("import sys, t2i; print(*sys.modules)", site).split()
    assert plugin in loaded_by("import sys, t2i; t2i.list_models(); print(*sys.modules)", site).split()


def test_drawing_imports_the_modules_named_heavy() -> None:
    """Otherwise the test above would always pass after a module is renamed."""
    from importlib.util import find_spec

    ours = [name for name in HEAVY if name.startswith("t2i")]
    assert all(find_spec(name) for name in ours)


@pytest.mark.parametrize("verb", [spec.name for spec, _ in registry().all(CommandSpec)])
def test_every_verb_has_help(verb: str, t2i: T2I) -> None:
    result = t2i(verb, "--help")
    assert result.code == 0 and f"t2i {verb}" in result.out


def test_without_a_verb_all_verbs_are_listed(t2i: T2I) -> None:
    result = t2i()
    assert result.code == 0
    assert result.out == t2i("--help").out
    assert all(verb in result.out for verb in ("generate", "train", "doctor"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["draw"], "draw"),
        (["generate", "x", "--sed", "7"], "--sed"),
        (["generate", "x", "--seed", "seven"], "--seed"),
        (["generate", "x", "-n", "1.5"], "-n"),
        (["generate", "x", "--seed"], "--seed"),
        (["info"], "name"),
        (["info", "a", "b"], "b"),
        (["train", "cgan", "--steps", "0"], "--steps"),
        (["doctor", "please"], "please"),
    ],
)
def test_a_malformed_command_is_a_one_line_error(t2i: T2I, arguments: list[str], message: str) -> None:
    error = t2i(*arguments).error
    assert message in error and "--help" in error


END = """
import atexit
from t2i.cli import main
from t2i.__main__ import program

class Freed:
    def __del__(self):
        print("memory was cleaned up")

kept = Freed()
main._code = lambda arguments: atexit.register(print, "what was registered ran") and 7
program()
"""


def test_the_program_ends_with_its_code_and_without_cleaning_up_memory(site: FakeSite) -> None:
    done = subprocess.run([sys.executable, "-c", END], env=site.environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, "what was registered ran\n", "")


def test_python_m_t2i_is_t2i() -> None:
    done = subprocess.run([sys.executable, "-m", "t2i", "--help"], capture_output=True, text=True, check=True)
    assert "generate" in done.stdout and "__main__" not in done.stdout
