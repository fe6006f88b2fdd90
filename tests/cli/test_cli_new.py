"""`t2i new`: writes a complete project or nothing; the project's tests pass before anything is edited."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from fakes.command_line import T2I, contents
from fakes.distributions import FakeSite, install_project
from t2i.cli.new import MOST_CHARACTERS, check_kind, check_name, kinds, render
from t2i.errors import InvalidInputError
from t2i.testing.checks.datasets import DATASET_CHECKS
from t2i.testing.checks.evaluators import EVALUATOR_CHECKS
from t2i.testing.checks.generators import GENERATOR_CHECKS
from t2i.testing.checks.objectives import OBJECTIVE_CHECKS
from t2i.testing.checks.plugins import PLUGIN_CHECKS
from t2i.testing.checks.text_encoders import TEXT_ENCODER_CHECKS
from t2i.version import __version__

LONGEST = "m" * MOST_CHARACTERS
FEWEST_TESTS = (
    4 * len(PLUGIN_CHECKS)
    + len(GENERATOR_CHECKS)
    + len(OBJECTIVE_CHECKS)
    + len(TEXT_ENCODER_CHECKS)
    + len(EVALUATOR_CHECKS)
    + len(DATASET_CHECKS)
)


def write(folder: Path, name: str, kind: str) -> Path:
    for path, text in render(name, check_kind(kind)).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def python(*arguments: str, paths: list[Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    known = [*map(str, paths), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(known), "T2I_STRICT_PLUGINS": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


def test_a_project_is_complete(t2i: T2I, here: Path) -> None:
    result = t2i("new", "my-technique")
    assert result.code == 0 and result.out == ""
    assert result.err.splitlines()[1:5] == [
        "  cd t2i-my-technique", '  pip install -e ".[test]"', "  pytest", "  t2i check my-technique",
    ]  # fmt: skip
    folder = here / "t2i-my-technique"
    assert {path for path, (content, _) in contents(folder).items() if (folder / path).is_file()} == {
        ".github/workflows/ci.yml", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml",
        "src/t2i_my_technique/__init__.py", "src/t2i_my_technique/config.py", "src/t2i_my_technique/generator.py",
        "src/t2i_my_technique/plugin.py", "src/t2i_my_technique/py.typed",
        "src/t2i_my_technique/recipes/tiny.yaml", "src/t2i_my_technique/training.py", "tests/test_my_technique.py",
    }  # fmt: skip
    assert [path.name for path in here.iterdir()] == ["t2i-my-technique"]


@pytest.mark.parametrize("kind", kinds())
def test_metadata_name_the_plugin_and_its_versions_of_core(kind: str) -> None:
    facts = tomllib.loads(render("my-technique", check_kind(kind))["pyproject.toml"])["project"]
    major, minor, _ = __version__.split(".")
    assert facts["name"] == "t2i-my-technique"
    encoder = ["t2i-text-hf"] if kind == "generator" else []
    assert facts["dependencies"] == [f"t2i-core>={major}.{minor},<{major}.{int(minor) + 1}", *encoder]
    assert facts["entry-points"]["t2i"] == {"my-technique": "t2i_my_technique.plugin"}


def test_the_folder_can_be_chosen(t2i: T2I, here: Path) -> None:
    assert t2i("new", "t2i-mine", "--kind", "dataset", "--out", "deep/er/folder").code == 0
    assert (here / "deep/er/folder/src/t2i_mine/dataset.py").is_file()


def test_an_existing_folder_is_not_changed(t2i: T2I, here: Path) -> None:
    (here / "t2i-mine").mkdir()
    (here / "t2i-mine" / "thesis.txt").write_text("years of work")
    before = contents(here)
    assert "already exists" in t2i("new", "mine").error
    assert contents(here) == before


def test_a_folder_that_cannot_be_written_leaves_nothing(t2i: T2I, here: Path) -> None:
    (here / "file").touch()
    assert "Cannot write" in t2i("new", "mine", "--out", "file/mine").error
    assert [path.name for path in here.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("My Technique", "my-technique"),
        ("my_technique", "my-technique"),
        ("my--technique", "my-technique"),
        ("9lives", "lives"),
        ("../../etc", "etc"),
        ("café", "caf"),
        ("", "my-technique"),
        ("-", "my-technique"),
        ("$name", "name"),
        ("x" * 99, "x" * MOST_CHARACTERS),
    ],
)
def test_an_invalid_name_is_refused_and_another_suggested(t2i: T2I, here: Path, name: str, offered: str) -> None:
    error = t2i("new", "--", name).error
    assert repr(offered) in error and "lower-case" in error
    assert list(here.iterdir()) == []
    assert check_name(offered) == offered


def test_a_plugin_cannot_be_named_core() -> None:
    for name in ("core", "t2i-core"):
        with pytest.raises(InvalidInputError, match="t2i-core is t2i's own distribution"):
            check_name(name)


def test_an_unknown_kind_is_refused(t2i: T2I) -> None:
    error = t2i("new", "mine", "--kind", "text-encodr").error
    assert "generator, text-encoder, evaluator, dataset" in error and "Did you mean 'text-encoder'" in error


def test_a_taken_name_gives_a_warning(t2i: T2I, site: FakeSite) -> None:
    site.install_plugin("zoo", models='[model("ant")]')
    message = t2i("new", "ant")
    assert message.code == 0 and "zoo already declares the model 'ant'" in message.err
    assert "zoo declares" not in t2i("new", "ant", "--kind", "dataset", "--out", "other").err
    assert "distribution t2i-attngan already exists" in t2i("new", "attngan").err


@pytest.mark.parametrize("name", ["x", "none", LONGEST])
def test_every_file_is_formatted(name: str, tmp_path: Path) -> None:
    for kind in kinds():
        write(tmp_path / kind, check_name(name), kind)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [shutil.which("ruff") or "ruff", *command, "."], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


def test_its_own_tests_pass_unedited(tmp_path: Path) -> None:
    """All four kinds in one process; install_project replaces `pip install -e`."""
    projects = [write(tmp_path / kind, f"try-{kind}", kind) for kind in kinds()]
    paths = [install_project(project) for project in projects]
    tests = [str(project / "tests") for project in projects]
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, paths=paths, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = int(done.stdout.rsplit(" passed", 1)[0].split()[-1])
    assert passed >= FEWEST_TESTS and "failed" not in done.stdout and "skipped" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds())
def test_the_wheel_has_everything_it_needs(kind: str, tmp_path: Path) -> None:
    project = write(tmp_path / "project", "mine", kind)
    subprocess.run(["uv", "build", "--wheel", "--out-dir", str(tmp_path)], cwd=project, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    assert (site / "t2i_mine" / "py.typed").is_file()
    assert list(site.glob("*.dist-info/licenses/LICENSE"))
    shutil.rmtree(project)
    done = python("-m", "t2i", "check", "mine", paths=[site], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    if kind == "generator":
        assert "mine" in python("-m", "t2i", "models", paths=[site], cwd=tmp_path).stdout


def test_writing_a_project_imports_no_torch(here: Path) -> None:
    code = "import sys; from t2i.cli.main import run; assert run(['new', 'mine']) == 0; print(*sys.modules)"
    done = python("-c", code, paths=[], cwd=here)
    assert done.returncode == 0 and (here / "t2i-mine").is_dir(), done.stderr
    assert {"torch", "numpy"}.isdisjoint(done.stdout.split())
