"""`t2i export`: write a model in another format."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import doing, say
from t2i.cli.options import MODEL_HELP, OwnOption, check_model, parse_options
from t2i.errors import InvalidInputError
from t2i.files import check_new
from t2i.registry.describe import DEFAULT_MODEL


def export(
    model: Annotated[str, typer.Argument(help=MODEL_HELP)] = DEFAULT_MODEL,
    out: Annotated[Path, typer.Option("-o", "--out", help="The new folder.")] = Path("exported"),
    format_: Annotated[str, typer.Option("--format", metavar="onnx", help="The format.")] = "onnx",
    option: OwnOption = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Round weights of matrix products to 8 bits; prints what that costs.")
    ] = False,
) -> None:
    """Write a model as ONNX graphs, which t2i-onnx draws with, without torch. Its options become part of the graphs."""
    if format_ != "onnx":
        raise InvalidInputError(f"Models are exported as onnx, got --format {format_}.")
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise InvalidInputError(
            f"Exporting needs {' and '.join(missing)}, which is not installed: pip install 't2i-onnx[export]'"
        )
    check_new(out)
    check_model(model)
    chosen = parse_options(option, model)
    from t2i.drawing.pipeline import pipeline
    from t2i.snapshots.golden import GOLDEN_TOLERANCE
    from t2i_onnx.export.model import export_model

    artist = pipeline(model, device="cpu")
    with doing(f"exporting {model}"):
        done = export_model(artist, out, artist.options(**chosen), int8=int8)
    say(f"{out}/: {', '.join(f'{name} {size / 1e6:.1f} MB' for name, size in done.sizes.items() if size > 50_000)}")
    say(
        f"largest difference from torch's pictures, in [-1, 1]: {done.difference:.1e} "
        f"(at most {GOLDEN_TOLERANCE:g} is allowed)"
    )
    if done.cost is not None:
        say(*(f"{what}: {value}" for what, value in done.cost.words.items()))
    say(f"draw with it: t2i-onnx {out} 'a red heart' -o heart.png")
