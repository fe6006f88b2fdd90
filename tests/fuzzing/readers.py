"""The readers of untrusted files, each as a function of the bytes of one file, and inputs for it."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save

from fakes.training import ToyConfig, ToyGenerator
from fuzzing import inputs
from t2i.data.dataset import CaptionedDataset
from t2i.data.decode import decode_picture
from t2i.data.readers.folder import read_folder
from t2i.data.readers.webdataset import read_webdataset
from t2i.drawing.provenance import ArtistIdentity, Provenance, read_provenance
from t2i.errors import CheckpointError, DataError, T2IError
from t2i.runs.checkpoints import latest_checkpoint
from t2i.snapshots.record import read_config
from t2i.snapshots.weights import load_weights
from t2i.training.checkpoint import save_checkpoint
from t2i.training.settings import read_settings
from t2i_apps.products.catalog import Catalog
from t2i_apps.products.naming import Naming
from t2i_apps.products.template import ColumnTemplate
from t2i_apps.story.prompting import prompts_for
from t2i_apps.story.text import read_story

TOY = ToyConfig(resolution=2, text_dim=1, noise_dim=1, width=1)
CONFIG = {
    "format": 1,
    "technique": "cgan",
    "config": {"resolution": 64},
    "facts": {"dataset": "x", "training_seconds": {"CPU": 1.0}},
    "weights_sha256": "0" * 64,
}
PROVENANCE = asdict(
    Provenance("a red heart", 7, {"truncation": 1.0}, ArtistIdentity("m", "", {"w": "0"}, {}, "cpu", {}))
)
SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">
<style>.a{fill:url(#g)}</style><linearGradient id="g"><stop offset="1" stop-color="red"/></linearGradient>
<g id="b"><rect class="a" width="9" height="4"/></g><use xlink:href="#b" y="4" clip-path="url(#c)"/>
<clipPath id="c"><path d="M0 0L9 9H0z"/></clipPath></svg>"""
STORY = (
    b"# A fox\n\nOnce a fox had a cake of the king.\n[picture: a cake]\n\n# Two\nIt's \xe2\x80\x9cgood\xe2\x80\x9d.\n"
)
YAML = "technique: cgan\ndata: &d openmoji\ntrain: {steps: 3, sample_prompts: [a, *d]}\nmodel: {<<: {x: 1}}\n"


@dataclass(frozen=True)
class Reader:
    """A reader of untrusted files.

    Attributes:
        name: what it reads.
        inputs: contents of the file.
        read: reads a file of this content; returns its messages, apart from the error that it may raise.
    """

    name: str
    inputs: st.SearchStrategy[bytes]
    read: Callable[[bytes], list[str]]


def readers(scratch: Path) -> list[Reader]:
    """All readers; their files are written in `scratch`."""
    run, weights, folder = scratch / "run", scratch / "model.safetensors", scratch / "pictures"
    state = save_checkpoint(run, 1, {"x": torch.zeros(2)}, lambda path: path.mkdir(), 1) / "state.json"
    folder.mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "a.png")

    def written(path: Path, read: Callable[[Path], list[str]]) -> Callable[[bytes], list[str]]:
        def reader(content: bytes) -> list[str]:
            path.write_bytes(content)
            return read(path)

        return reader

    def config(path: Path) -> list[str]:
        read_config(path.parent)
        return []

    def checkpoint(path: Path) -> list[str]:
        said: list[str] = []
        try:
            latest_checkpoint(run, said.append)
        except CheckpointError as error:
            said.append(str(error))
        return said

    def tensors(path: Path) -> list[str]:
        load_weights(lambda: ToyGenerator(TOY), path)
        return []

    def metadata(path: Path) -> list[str]:
        try:
            return problems(read_folder(folder))
        finally:
            path.unlink()

    def dataset(path: Path) -> list[str]:
        found = read_folder(path)
        for index in range(len(found)):
            found.picture(index, 8)
        return problems(found)

    def drawing(path: Path) -> list[str]:
        return [decode_picture(path, 8)[1]]

    def provenance(path: Path) -> list[str]:
        read_provenance(path)
        return []

    def settings(path: Path) -> list[str]:
        read_settings(path)
        return []

    def catalog(path: Path) -> list[str]:
        said: list[str] = []
        naming = Naming(ColumnTemplate.parse("{text}", "it"))
        for row in Catalog(path).rows(lambda where, reason: said.append(f"{where}: {reason}")):
            try:
                assert ".." not in naming.name({"text": row.cells.get("text", "")}).parts
            except DataError as error:
                said.append(str(error))
        return said

    def story(path: Path) -> list[str]:
        assert all(prompt.text for prompt in prompts_for(read_story(path).paragraphs))
        return []

    good_tar = inputs.tar([("a.png", (folder / "a.png").read_bytes(), b"0"), ("a.txt", b"a red square", b"0")])
    rows = inputs.json_like({"file_name": "a.png", "text": "a red square", "group": "squares"})
    return [
        Reader("config", inputs.json_like(CONFIG), written(scratch / "config.json", config)),
        Reader(
            "header",
            inputs.safetensors_like(save(ToyGenerator(TOY).state_dict())),
            written(weights, tensors),
        ),
        Reader("state", inputs.json_like(json.loads(state.read_text())), written(state, checkpoint)),
        Reader(
            "provenance",
            inputs.json_like(PROVENANCE).map(lambda text: inputs.png(text.decode("utf-8", "replace")))
            | inputs.edited(inputs.png(json.dumps(PROVENANCE))),
            written(scratch / "picture.png", provenance),
        ),
        Reader(
            "metadata.jsonl",
            st.lists(rows, max_size=4).map(b"\n".join),
            written(folder / "metadata.jsonl", metadata),
        ),
        Reader("metadata.csv", csv_tables(), written(folder / "metadata.csv", metadata)),
        Reader(
            "captions.json",
            inputs.json_like({"a.png": "a red square", "b": {"caption": ["x"]}}),
            written(folder / "captions.json", metadata),
        ),
        Reader("sidecar.json", inputs.json_like({"caption": "a red square"}), written(folder / "a.json", metadata)),
        Reader("zip", inputs.edited(inputs.zip_of(folder / "a.png")), written(scratch / "a.zip", dataset)),
        Reader("svg", inputs.edited(SVG), written(scratch / "a.svg", drawing)),
        Reader(
            "tar",
            inputs.TARS.map(inputs.tar) | inputs.edited(good_tar),
            written(scratch / "shard.tar", lambda path: problems(read_webdataset(path))),
        ),
        Reader(
            "settings",
            inputs.edited(YAML.encode()) | inputs.json_like({"technique": "cgan"}),
            written(scratch / "run.yaml", settings),
        ),
        Reader("catalog.csv", csv_tables(), written(scratch / "catalog.csv", catalog)),
        Reader(
            "catalog.jsonl",
            st.lists(rows, max_size=4).map(b"\n".join),
            written(scratch / "catalog.jsonl", catalog),
        ),
        Reader("story", inputs.edited(STORY), written(scratch / "story.txt", story)),
    ]


def csv_tables() -> st.SearchStrategy[bytes]:
    """Tables with a valid or another header, also with bytes changed."""

    def table(rows: list[list[str]]) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows([["file_name", "text"], *rows])
        return text.getvalue().encode("utf-8", "surrogatepass")

    rows = st.lists(st.lists(st.just("a.png") | inputs.ANY_TEXT, max_size=3), max_size=4)
    return rows.map(table) | st.builds(inputs.changed, rows.map(table), inputs.EDITS)


def problems(dataset: CaptionedDataset) -> list[str]:
    """A dataset's messages about what it left out."""
    return [*map(str, dataset.problems), *dataset.remarks]


def says(reader: Reader, content: bytes) -> tuple[bool, list[str]]:
    """Whether `content` could be read, and all messages about it."""
    try:
        return True, reader.read(content)
    except T2IError as error:
        return False, [str(error)]


def new_scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for the files, in memory if the system has such a place."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
