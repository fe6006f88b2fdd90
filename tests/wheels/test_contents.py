"""Every distribution as published: built from this tree, and its contents checked."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECTS = {
    tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"]: folder
    for folder in (ROOT, ROOT / "packages" / "core", *sorted(ROOT.glob("packages/plugins/*")))
}
PACKAGES = {name: "t2i" if name == "t2i-core" else name.replace("-", "_") for name in PROJECTS if name != "t2i"}
DRAWS = (
    "t2i-attngan",
    "t2i-cgan",
    "t2i-cvae",
    "t2i-layers",
    "t2i-dfgan",
    "t2i-flow",
    "t2i-stackgan",
    "t2i-transformer",
    "t2i-vaegan",
)
MOST_BYTES = {"t2i-starter": 80 * 2**20}  # it has weights; all others must be below OTHERS_BYTES
OTHERS_BYTES = 16 * 2**20
FOR_AUTHORS = {"pytest"}  # t2i.testing's classes report themselves that they need it
RELATIVE_LINK = re.compile(r"\]\((?!https?://|#)|(?:src|href)=\"(?!https?://|#)")


@dataclass(frozen=True)
class Built:
    """A distribution's wheel and sdist, and the wheel built directly from the tree."""

    name: str
    wheel: Path
    sdist: Path
    direct: Path

    @property
    def files(self) -> dict[str, bytes]:
        return contents(self.wheel)

    @property
    def metadata(self) -> Metadata:
        """
        Raises:
            ExceptionGroup: a field does not follow the standard.
        """
        (head,) = [data for path, data in self.files.items() if path.endswith(".dist-info/METADATA")]
        return Metadata.from_email(head)


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {path: archive.read(path) for path in archive.namelist()}


def build(out: Path, *how: str) -> Path:
    """Build as `nox -s build` does, in this environment."""
    command = ["uv", "build", "--quiet", "--all-packages", "--no-build-isolation", "--python", sys.executable]
    done = subprocess.run([*command, *how, "--out-dir", str(out)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of each distribution, and the wheel built from the sdist."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels built from the tree."""
    return build(tmp_path_factory.mktemp("direct"), "--wheel")


@pytest.fixture(params=PROJECTS)
def built(request: pytest.FixtureRequest, dist: Path, direct: Path) -> Built:
    stem = request.param.replace("-", "_")
    patterns = ((dist, ".whl"), (dist, ".tar.gz"), (direct, ".whl"))
    (wheel,), (sdist,), (again,) = (folder.glob(f"{stem}-[0-9]*{suffix}") for folder, suffix in patterns)
    return Built(request.param, wheel, sdist, again)


def test_each_distribution_is_built_once_and_nothing_else(dist: Path) -> None:
    names = {canonicalize_name(path.name.partition("-")[0]) for path in dist.glob("*.*") if path.name != ".gitignore"}
    assert names == set(PROJECTS)
    assert len(list(dist.glob("*.whl"))) == len(list(dist.glob("*.tar.gz"))) == len(PROJECTS)


def test_metadata_are_complete_and_follow_the_standard(built: Built) -> None:
    facts, found = tomllib.loads((PROJECTS[built.name] / "pyproject.toml").read_text())["project"], built.metadata
    assert (found.name, str(found.version), found.summary) == (facts["name"], facts["version"], facts["description"])
    assert found.requires_python == ">=3.11"
    if built.name != "t2i":  # which derives its own from README.md
        assert found.description == (PROJECTS[built.name] / facts["readme"]).read_text()
    assert found.description_content_type == "text/markdown"
    assert set(found.requires_dist or ()) >= {Requirement(line) for line in facts["dependencies"]}


def test_the_licence_covers_code_and_weights_and_its_files_are_inside(built: Built) -> None:
    has_weights = any(path.endswith(".safetensors") for path in built.files)
    assert built.metadata.license_expression == ("Apache-2.0 AND CC-BY-SA-4.0" if has_weights else "Apache-2.0")
    licences = {path.partition("/licenses/")[2]: data for path, data in built.files.items() if "/licenses/" in path}
    assert set(licences) == set(built.metadata.license_files or ())
    assert licences["LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert any(b"Attribution-ShareAlike 4.0" in data for data in licences.values()) == has_weights


def test_the_package_has_exactly_the_files_of_the_repository(built: Built) -> None:
    """So recipes, snapshots and py.typed are inside, and caches, tests and other files are not."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "src"]
    tracked = subprocess.run(listed, cwd=PROJECTS[built.name], capture_output=True, text=True, check=True).stdout
    source = {path for path in tracked.split("\0") if path and (PROJECTS[built.name] / path).is_file()}
    shipped = {path for path in built.files if ".dist-info/" not in path}
    assert shipped == {path.removeprefix("src/") for path in source}
    package = PACKAGES.get(built.name)
    assert {path.partition("/")[0] for path in shipped} == ({package} if package else set())
    assert package is None or f"{package}/py.typed" in shipped


def test_the_modules_of_entry_points_are_inside(built: Built) -> None:
    (text,) = [data for path, data in built.files.items() if path.endswith("entry_points.txt")] or [b""]
    modules = re.findall(r"^[\w-]+ = ([\w.]+)", text.decode(), re.M)
    assert bool(modules) == (built.name in PACKAGES)
    for module in modules:
        path = module.replace(".", "/")
        assert {f"{path}.py", f"{path}/__init__.py"} & set(built.files), module


def test_the_sdist_builds_the_same_wheel_as_the_tree(built: Built) -> None:
    assert contents(built.direct) == built.files


def test_the_sdist_has_only_its_project(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        inside = {path.partition("/")[2] for path in archive.getnames()}
    made = {"PKG-INFO", ".gitignore"}  # hatchling includes the repository's .gitignore
    assert {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= inside
    assert all((PROJECTS[built.name] / path).is_file() for path in inside - made)


def test_the_size_is_bounded(built: Built) -> None:
    assert max(built.wheel.stat().st_size, built.sdist.stat().st_size) <= MOST_BYTES.get(built.name, OTHERS_BYTES)


def test_every_import_is_a_requirement(built: Built) -> None:
    required = {canonicalize_name(requirement.name) for requirement in built.metadata.requires_dist or ()}
    homes = packages_distributions() | {package: [name] for name, package in PACKAGES.items()}
    for path, data in built.files.items():
        if path.endswith(".py"):
            for module in imported(data) - sys.stdlib_module_names - {PACKAGES[built.name]}:
                offered = {canonicalize_name(home) for home in homes[module]}
                assert offered & (required | FOR_AUTHORS), f"{path} imports {module}"


def imported(source: bytes) -> set[str]:
    """The top-level names of everything a module imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("name", DRAWS)
def test_a_technique_requires_a_text_encoder(name: str, dist: Path) -> None:
    """Otherwise it cannot draw if it is installed alone."""
    (wheel,) = dist.glob(f"{name.replace('-', '_')}-*.whl")
    required = {requirement.name for requirement in Built(name, wheel, wheel, wheel).metadata.requires_dist or ()}
    assert {"t2i-core", "t2i-text-hf"} <= required


def test_an_index_can_show_the_page(built: Built) -> None:
    text = built.metadata.description or ""
    assert text.startswith("# ") and not RELATIVE_LINK.search(text)
    if built.name == "t2i":
        assert "## Draw a picture" in text and "| `stackgan-v2.world64` |" in text and "![" not in text


def test_twine_accepts_every_file(dist: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, dist.glob("*-[0-9]*"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("PASSED") == 2 * len(PROJECTS), done.stdout
