"""The `parameters` text of AUTOMATIC1111's web UI, which Forge, SD.Next and others write, too.

The prompt comes first, then a line that begins with "Negative prompt: ". The last line is "Steps: 20, Seed: 7, ...".
"""

from __future__ import annotations

import re

from t2i.plain_text import text_lines
from t2i_index.metadata.values import as_seed, as_text, simple
from t2i_index.record import Record

NEGATIVE = "Negative prompt:"
SETTING = re.compile(r'\s*([A-Z][\w /+-]{0,60}):\s*("(?:\\.|[^"\\]){0,2000}"|[^,]{0,500})(?:,|$)')


def read_a1111(texts: dict[str, str]) -> Record | None:
    """How A1111 made a picture, from its text chunks; None if it did not."""
    text = as_text(texts.get("parameters"))
    lines = text_lines(text)
    if not lines:
        return None
    settings = dict(SETTING.findall(lines[-1])) if len(lines) > 1 or "Steps: " in lines[-1] else {}
    body = lines[:-1] if "Steps" in settings else lines
    if "Steps" not in settings:
        settings = {}
    split = next((index for index, line in enumerate(body) if line.startswith(NEGATIVE)), len(body))
    prompt = "\n".join(body[:split]).strip()
    if not prompt:
        return None
    negative = "\n".join(body[split:]).removeprefix(NEGATIVE).strip()
    options = {
        name.lower(): value.strip().strip('"') for name, value in settings.items() if name not in ("Seed", "Model")
    }
    if negative:
        options["negative prompt"] = negative
    model = settings.get("Model", "").strip().strip('"')
    seed = as_seed(settings.get("Seed", "").strip())
    return Record("picture", prompt, model=model, seed=seed, options=simple(options), source="a1111")
