"""Hits as one sheet of pictures, or as one HTML page that needs no network and no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

from PIL import Image

from t2i.errors import InvalidInputError
from t2i_index.facts import facts
from t2i_index.index import Hit
from t2i_index.thumbnail import SIDE

STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 80em; margin: 2em auto; padding: 0 1em }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(11em, 1fr)); gap: 1em }
figure { margin: 0; overflow-wrap: anywhere }
img { width: 100%; image-rendering: pixelated }
blockquote { margin: 0; padding: .5em; background: #f4f4f4 }
small { color: #555 }
"""


def sheet(hits: Sequence[Hit]) -> bytes:
    """A PNG of all hits that have a picture, each with its prompt below.

    Raises:
        InvalidInputError: none of them has one.
    """
    from t2i.images import grid

    shown = [(hit, hit.thumbnail()) for hit in hits]
    pictures = [(hit, _square(small)) for hit, small in shown if small]
    if not pictures:
        raise InvalidInputError("A sheet shows pictures, but none of the hits has one. Search without -o.")
    buffer = io.BytesIO()
    grid([picture for _, picture in pictures], captions=[hit.record.prompt for hit, _ in pictures]).save(buffer, "PNG")
    return buffer.getvalue()


def page(hits: Sequence[Hit], title: str) -> bytes:
    """An HTML page with every hit, its thumbnail embedded."""
    figures = "\n".join(map(_figure, hits))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<main>
{figures}
</main>
</body>
</html>
""".encode("utf-8", "backslashreplace")


def _figure(hit: Hit) -> str:
    record, small = hit.record, hit.thumbnail()
    typed = f"<br><small>typed: {escape(record.typed)}</small>" if record.typed else ""
    if not small:
        return f"<figure><blockquote>{escape(record.meaning)}</blockquote><small>{escape(facts(hit))}</small></figure>"
    data = base64.b64encode(small).decode()
    return (
        f'<figure><img alt="{escape(record.prompt)}" src="data:image/webp;base64,{data}"><figcaption>'
        f"{escape(record.prompt)}{typed}<br><small>{escape(facts(hit))}<br>{escape(record.path)}</small>"
        "</figcaption></figure>"
    )


def _square(small: bytes) -> Image.Image:
    """The thumbnail, enlarged to SIDE pixels on its longer side, centred on white."""
    picture = Image.open(io.BytesIO(small)).convert("RGB")
    scale = SIDE / max(picture.size)
    picture = picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.NEAREST
    )
    square = Image.new("RGB", (SIDE, SIDE), "white")
    square.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2))
    return square
