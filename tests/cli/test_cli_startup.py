"""Fast commands stay fast: listing and describing import neither torch nor a technique."""

from __future__ import annotations

import subprocess
import sys

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


def loaded_by(code: str, site: FakeSite, exits_with: int = 0) -> set[str]:
    """The modules a fresh Python has after `code`, which may exit."""
    watch = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('\\nMODULES', *sys.modules, file=sys.__stdout__))\n"
        f"sys.argv = ['t2i']\n{code}"
    )
    done = subprocess.run([sys.executable, "-c", watch], env=site.environment(), capture_output=True, text=True)
    assert done.returncode == exits_with, done.stderr
    return set(done.stdout.rpartition("MODULES ")[2].split())


def command(*arguments: str) -> str:
    return f"sys.argv += {list(arguments)!r}\nfrom t2i.cli.main import main\nmain()"


@pytest.mark.parametrize(
    "code",
    [
        "import t2i",
        "import t2i; t2i.list_models(installed=False); t2i.model_info('cgan')",
        command("--help"),
        command("generate", "--help"),
        command("models"),
        command("models", "--json"),
        command("plugins"),
    ],
    ids=["import", "list", "--help", "generate --help", "models", "models --json", "plugins"],
)
def test_listing_and_describing_import_nothing_heavy(code: str, site: FakeSite) -> None:
    modules = loaded_by(code, site)
    assert "t2i" in modules
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "x", "--model", "cgam"),
        ("generate", "x", "--model", "runs/none"),
        ("generate", "x", "-o", "x.gif"),
        ("serve", "cgam"),
        ("evaluate", "cgan.openmoji64", "--data", "nowhere"),
        ("evaluate", "cgan.openmoji64", "--metrics", "fie"),
        ("train", "cgam", "--data", "openmoji", "--out", "new"),
        ("train", "cgan", "--data", "nowhere", "--out", "new"),
        ("train", "cgan", "--data", "openmoji", "--out", ".."),
        ("train", "cgan", "--data", "openmoji", "--out", "new", "--recipe", "best"),
        ("train", "cgan", "--data", "openmoji", "--out", "new", "train.batchsize=3"),
        ("train", "cgan", "--data", "openmoji", "--out", "new", "model.depth=x"),
        ("train", "--resume", "nowhere"),
        ("data", "check", "nowhere"),
    ],
    ids=lambda arguments: " ".join(arguments[-2:]),
)
def test_a_common_mistake_is_reported_before_torch_is_imported(
    arguments: tuple[str, ...], t2i: T2I, site: FakeSite
) -> None:
    assert "torch" not in loaded_by(command(*arguments), site, exits_with=2)


def test_import_t2i_loads_no_plugin(site: FakeSite) -> None:
    plugin = site.install("probe", EMPTY)
    assert plugin not in loaded_by("import t2i", site)
    assert plugin in loaded_by("import t2i; t2i.list_models()", site)


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


def test_python_m_t2i_is_t2i() -> None:
    done = subprocess.run([sys.executable, "-m", "t2i", "--help"], capture_output=True, text=True, check=True)
    assert "generate" in done.stdout and "__main__" not in done.stdout
