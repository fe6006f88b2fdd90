"""`t2i-onnx FOLDER PROMPT...`: draws with an exported folder, without torch."""

from __future__ import annotations

import argparse
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from t2i_onnx.errors import OnnxError
from t2i_onnx.request import check_prompt, check_seed

if TYPE_CHECKING:
    from t2i_onnx.drawing import Drawing

MOST_PICTURES = 100_000


def main() -> None:
    """Run the program; exits with 0, or with 2 after an error of the user's."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        run(sys.argv[1:])
    except OnnxError as error:
        print("error:", _printable(str(error)), file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def run(arguments: Sequence[str]) -> None:
    """Draw what the arguments ask for.

    Raises:
        OnnxError: they, or the folder, cannot be used.
    """
    asked = _parser().parse_args(arguments)
    pictures = len(asked.prompts) * asked.count
    if asked.count < 1:
        raise OnnxError(f"At least 1 picture per prompt must be drawn, got {asked.count}. Give -n 1 or more.")
    if pictures > MOST_PICTURES:
        raise OnnxError(f"At most {MOST_PICTURES:,} pictures can be drawn at once, got {pictures:,}. Lower -n.")
    if asked.out.suffix and asked.out.suffix.lower() != ".png":
        raise OnnxError(f"Pictures are written as .png, but {asked.out} is not. Try {asked.out.with_suffix('.png')}.")
    is_file = asked.out.suffix.lower() == ".png"
    if is_file and pictures > 1:
        raise OnnxError(f"{pictures} pictures do not fit into {asked.out}. Give a folder: -o {asked.out.stem}")
    prompts = [check_prompt(prompt) for prompt in asked.prompts]
    first = secrets.randbelow(2**31) if asked.seed is None else check_seed(asked.seed)
    check_seed(first + asked.count - 1)
    from t2i_onnx.drawing import Drawing  # after what can be checked without onnxruntime

    drawing = Drawing(asked.folder)
    number = 0
    for prompt in prompts:
        if left := drawing.reader.unread(prompt):
            print(f"warning: {_printable(left)}", file=sys.stderr)  # noqa: T201
        for seed in range(first, first + asked.count):
            number += 1
            path = asked.out if is_file else asked.out / file_name(number, prompt, seed)
            write(path, drawn(drawing, str(asked.folder), prompt, seed))
            print(f"{_printable(str(path))} (seed {seed})", file=sys.stderr)  # noqa: T201


def drawn(drawing: Drawing, name: str, prompt: str, seed: int) -> bytes:
    """One picture as a PNG file with its provenance.

    Args:
        name: of the folder, as provenance records it.
    """
    from t2i_onnx.png import png
    from t2i_onnx.provenance import texts

    (pixels,) = drawing.draw([prompt], [seed])
    return png(pixels, texts(drawing.record, name, prompt, seed))


def file_name(number: int, prompt: str, seed: int) -> str:
    """ "0003-a-red-heart-7.png"."""
    slug = "-".join(re.findall(r"\w+", prompt.lower()))[:60].encode()[:180].decode(errors="ignore").strip("-")
    return f"{number:04d}-{slug or 'picture'}-{seed}.png"


def write(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all.

    Raises:
        OnnxError: it cannot be written.
    """
    scratch = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except (OSError, ValueError) as error:
        if scratch:
            Path(scratch).unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise OnnxError(f"Cannot write {path}: {reason}. Choose a folder you may write to, with free space.") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "t2i-onnx", description="Draw with a folder that `t2i export --format onnx` wrote."
    )
    parser.add_argument("folder", type=Path, help="the exported folder")
    parser.add_argument("prompts", nargs="+", metavar="PROMPT", help="what to draw")
    parser.add_argument("-o", "--out", type=Path, default=Path("out"), help="a .png file for one picture, or a folder")
    parser.add_argument("-n", "--num-images", dest="count", type=int, default=1, help="pictures per prompt")
    parser.add_argument("--seed", type=int, help="of each prompt's first picture; by default random")
    return parser


def _printable(text: str) -> str:
    """With control characters made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)[:2000]
