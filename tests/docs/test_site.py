"""The site: all pages are linked, it builds without a warning, and it can be read without a network."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown import DOCS, ROOT, blocks, pages
from sphinx.util.inventory import InventoryFile

import t2i

TOCTREE = re.compile(r"^```\{toctree\}\n(?P<lines>.*?)^```$", re.M | re.S)
LOADED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"([^\"]+)\"|<link\b[^>]*\bhref=\"([^\"]+)\"")


def toctree(page: str) -> list[str]:
    """The pages in a page's toctrees."""
    found = [line for match in TOCTREE.finditer((ROOT / page).read_text()) for line in match["lines"].splitlines()]
    folder = Path(page).parent
    return [str(folder / f"{line}.md") for line in found if line and not line.startswith(":")]


def test_every_page_is_in_the_toctree() -> None:
    reached, waiting = set(), ["docs/index.md"]
    while waiting:
        page = waiting.pop()
        assert page not in reached, f"{page} is in two places"
        reached.add(page)
        waiting += toctree(page)
    assert reached == set(pages())


@pytest.mark.parametrize("page", ["README.md", *pages()])
def test_every_link_points_to_a_file(page: str) -> None:
    text = re.sub(r"`[^`\n]+`", "", (ROOT / page).read_text())
    for link in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(link).exists(), f"{page} links to {link}"


def test_the_snippets_of_every_page_are_read_by_a_test() -> None:
    """A test module names its pages in PAGE or PAGES, and passes them to `blocks` or `commands`."""
    run: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        read = {ast.unparse(call.args[0]) for call in calls if call.func.id in ("blocks", "commands") and call.args}
        for node in nodes:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("PAGE", "PAGES"):
                named = ast.literal_eval(node.value)
                run |= {named} if "PAGE" in read and isinstance(named, str) else set()
                run |= {*named} if "page" in read and not isinstance(named, str) else set()
    assert {page for page in pages() if blocks(page)} <= run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `nox -s site` does."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_it_has_every_page_and_loads_nothing_from_other_hosts(site: Path) -> None:
    for page in pages():
        path = site / Path(page).relative_to("docs").with_suffix(".html")
        loaded = [one or other for one, other in LOADED.findall(path.read_text())]
        assert loaded
        for address in loaded:
            assert ":" not in address and not address.startswith("/"), f"{path.name} loads {address}"
            file = path.parent / address.partition("?")[0].partition("#")[0]
            assert file.exists(), f"{path.name} loads {address}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", style.read_text())


def test_formulas_are_valid_mathml(site: Path) -> None:
    for name in ("cgan", "stackgan", "attngan", "dfgan", "cvae", "flow", "layers", "transformer", "vaegan"):
        formulas = re.findall(r"<math.*?</math>", (site / "techniques" / f"{name}.html").read_text(), re.S)
        assert any('display="block"' in formula for formula in formulas)
        for formula in formulas:
            assert "\\" not in formula and "&amp;" not in formula, f"a command was not understood: {formula}"


def test_it_shows_the_weights_that_are_bundled(site: Path) -> None:
    gallery, techniques = (site / "gallery.html").read_text(), site / "techniques"
    bundled = [w for name in t2i.list_models(pretrained=True) for w in t2i.model_info(name).weights if w.bundled]
    assert bundled
    for weights in bundled:
        assert f'src="_images/{weights.name}.png"' in gallery
        own = "".join(path.read_text() for path in techniques.glob("*.html") if path.stem != "index")
        for score in weights.scores.values():
            assert str(score) in gallery and str(score) in own


def test_every_public_name_is_described(site: Path) -> None:
    with (site / "objects.inv").open("rb") as stream:
        inventory = InventoryFile.load(stream, "", lambda base, path: path)
    described = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    assert described >= {f"{home}.{name}" for name, home in t2i._HOME.items()}
