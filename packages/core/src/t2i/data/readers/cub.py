"""CUB-200-2011 (Wah et al. 2011) with the captions of Reed et al. (CVPR 2016)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from t2i.data.decode import Box
from t2i.data.readers.captions import MAX_CAPTION_FILE_BYTES
from t2i.data.readers.files import FileDataset
from t2i.data.readers.findings import Findings
from t2i.data.readers.sidecars import caption_lines
from t2i.data.readers.sources import FilesIn
from t2i.data.readers.tree import FolderTree
from t2i.errors import DataError
from t2i.files import read_text
from t2i.plain_text import text_lines

HINT = (
    "Its layout is images.txt, classes.txt, image_class_labels.txt, train_test_split.txt, bounding_boxes.txt and "
    "images/, with the captions in text_c10/ or text/ inside or next to it."
)
MAX_TABLE_BYTES = 100_000_000
CROP = 0.75  # half the square's side, relative to the box's longer side (Zhang et al. 2017, official preprocessing)
UNSEEN_FILE, SEEN_FILE = "testclasses.txt", "trainvalclasses.txt"


def read_cub(reference: str | Path, split: str | None = None) -> FileDataset:
    """Birds cropped around their bounding boxes, with ten captions each; the species is the group.

    The crop is a square with half a side r = 0.75 * max(w, h) around the box's centre, clipped to the picture;
    if the result is not square, its central square is used, so that no bird is distorted.

    Args:
        reference: the folder CUB_200_2011.
        split: "train" or "test" (train_test_split.txt), "seen" or "unseen" (the 150 and 50 classes of the zero-shot
            split, from trainvalclasses.txt and testclasses.txt shipped with the captions), or "all" (default
            "train").

    Raises:
        DataError: the folder or a file of it is missing, or no bird can be used.
    """
    root, split = Path(reference), split or "train"
    found = Findings()
    names = dict(_table(root / "images.txt", found))
    boxes = dict(_table(root / "bounding_boxes.txt", found))
    species = _species(root, found)
    wanted = _wanted(root, split, names, species, found)
    texts, pictures = _caption_folder(root), FilesIn(root / "images")
    for number in (number for number in names if wanted(number)):
        name = names[number]
        where = f"images.txt: {number} {name}"
        try:
            box = _box(boxes.get(number))
            path = pictures.find(name)
            text = texts / Path(name).with_suffix(".txt")
            if not text.is_file():
                raise DataError(f"there is no caption file {text.relative_to(texts.parent)}")
            captions = _lines(text)
        except DataError as error:
            found.leave_out(where, str(error))
            continue
        found.add(where, name, captions, species.get(number, str(Path(name).parent)), path, box)
    return FileDataset(f"cub:{split}", found, HINT)


def _table(path: Path, found: Findings) -> Iterator[tuple[str, str]]:
    """The lines "id value" of one of CUB's files, each id once.

    Raises:
        DataError: the file is missing or not text.
    """
    try:
        lines = text_lines(read_text(path, MAX_TABLE_BYTES))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"CUB's {path.name} in {path.parent} cannot be read ({error}). {HINT}") from None
    seen = set()
    for place, line in enumerate(lines, start=1):
        number, _, value = line.strip().partition(" ")
        if not line.strip():
            continue
        if not value:
            found.leave_out(f"{path.name}:{place}", "not an id and a value")
        elif number in seen:
            found.leave_out(f"{path.name}:{place}", f"duplicate id {number}")
        else:
            seen.add(number)
            yield number, value.strip()


def _lines(path: Path) -> list[str]:
    """The lines of a caption file or a list of classes.

    Raises:
        DataError: it is too large, not UTF-8, or cannot be read.
    """
    return caption_lines(FolderTree(path.parent).read(path.name, MAX_CAPTION_FILE_BYTES), path.name)


def _species(root: Path, found: Findings) -> dict[str, str]:
    """Each picture's class, such as "001.Black_footed_Albatross"."""
    classes = dict(_table(root / "classes.txt", found))
    labels = _table(root / "image_class_labels.txt", found)
    return {number: classes[label] for number, label in labels if label in classes}


def _wanted(  # type: ignore[no-untyped-def]
    root: Path, split: str, names: Mapping[str, str], species: Mapping[str, str], found: Findings
):
    """A function that says whether a picture number is in the split."""
    if split == "all":
        return names.__contains__
    if split in ("train", "test"):
        flags = dict(_table(root / "train_test_split.txt", found))
        return lambda number: flags.get(number) == ("1" if split == "train" else "0")
    file = UNSEEN_FILE if split == "unseen" else SEEN_FILE
    paths = [folder / file for folder in (root, _caption_folder(root).parent, _caption_folder(root))]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise DataError(
            f"The split {split!r} of CUB needs the file {file}, which is shipped with the captions, but {root} has "
            f"none. Copy it there."
        )
    classes = {
        line.split()[-1] for line in _lines(path) if line.strip()
    }  # some copies number the classes, like classes.txt
    return lambda number: species.get(number, str(Path(names[number]).parent)) in classes


def _caption_folder(root: Path) -> Path:
    places = [place / name for place in (root, root.resolve().parent) for name in ("text_c10", "text")]
    for place in places:
        if place.is_dir():
            return place
    raise DataError(f"CUB's captions are neither in {root} nor next to it. {HINT}")


def _box(text: str | None) -> Box:
    try:
        x, y, width, height = map(float, (text or "").split())
        if not (width > 0 and height > 0 and abs(x) + abs(y) + width + height < 1e6):
            raise ValueError
    except ValueError:
        raise DataError(f"its bounding box must be x, y, width and height, got {text}") from None
    centre_x, centre_y, half = int(x + width / 2), int(y + height / 2), int(max(width, height) * CROP)
    return centre_x - half, centre_y - half, centre_x + half, centre_y + half
