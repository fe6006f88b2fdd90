"""A run as one HTML page that is opened from the disk: no server, no network, no files outside the run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from t2i.files import read_text
from t2i.runs.folder import RunFolder
from t2i.training.report.bounds import sentences
from t2i.training.report.curves import Row
from t2i.training.settings import MAX_SETTINGS_BYTES

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
img { max-width: 100%; height: auto }
#sheet { width: 96vw; max-width: none; max-height: 92vh; margin-left: calc(50% - 48vw);
  object-fit: contain; image-rendering: pixelated }
input[type=range] { width: 100% }
.warning { background: #fff3cd; border-left: 4px solid #d39e00; padding: .5rem 1rem; margin: .5rem 0 }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2.5rem } .facts b { display: block; font-size: 1.2rem }
pre { background: #f6f6f6; padding: 1rem; overflow: auto }
ol { columns: 3; font-size: .9rem }
"""
SCRIPT = """
const slider = document.getElementById("step"), sheet = document.getElementById("sheet");
const show = () => {
  sheet.src = slider.dataset.files.split(" ")[slider.value];
  const step = Number(slider.dataset.steps.split(" ")[slider.value]);
  document.getElementById("shown").textContent = step.toLocaleString("en");
};
slider.addEventListener("input", show);
"""


def run_page(
    run: RunFolder,
    rows: Sequence[Row],
    prompts: Sequence[str],
    warnings: Sequence[str],
    steps: int,
    measures: Mapping[str, str] | None = None,
    copies: str = "",
) -> str:
    """index.html of a run folder: its progress and speed, pictures over time, curves and settings.

    Args:
        run: the run folder; the page refers to pictures by relative paths.
        rows: the rows of metrics.jsonl.
        prompts: the prompts of the samples, any text.
        warnings: the run's warnings.
        steps: number of steps of the whole run.
        measures: further facts by name, such as the disk that the run takes.
        copies: a sentence on nearest.png.
    """
    title = escape(run.path.resolve().name)
    samples = {step: escape(path.relative_to(run.path).as_posix()) for step, path in run.samples().items()}
    newest = rows[-1] if rows else {}
    facts = {"step": f"{int(newest.get('step', 0)):,} of {steps:,}"}
    if "speed/images_per_second" in newest:
        facts["images per second"] = f"{newest['speed/images_per_second']:,.1f}"
        facts["of the time waiting for data"] = f"{newest['waiting/for_data']:.1%}"
    facts |= measures or {}
    parts = [
        f"<h1>{title}</h1>",
        '<div class="facts">'
        + "".join(f"<div><b>{escape(v)}</b>{escape(k)}</div>" for k, v in facts.items())
        + "</div>",
        *(f'<p class="warning">{escape(warning)}</p>' for warning in warnings),
        *(f'<p class="{kind}">{escape(score)}</p>' for score, kind in sentences(rows)),
    ]
    if samples:
        newest_step, last = max(samples), len(samples) - 1
        parts += [
            f'<h2>Samples at step <span id="shown">{newest_step:,}</span></h2>',
            f'<input type="range" id="step" min="0" max="{last}" value="{last}" '
            f'data-steps="{" ".join(map(str, samples))}" data-files="{" ".join(samples.values())}" aria-label="step">',
            f'<img id="sheet" src="{samples[newest_step]}" alt="pictures drawn for the prompts below">',
            "<ol>" + "".join(f"<li>{escape(prompt)}</li>" for prompt in prompts) + "</ol>",
        ]
    for name, sheets in run.all_watched().items():
        step, sheet = max(sheets.items())
        source = escape(sheet.relative_to(run.path).as_posix())
        parts += [f"<h2>{escape(name)} at step {step:,}</h2>", f'<img src="{source}" alt="{escape(name)}">']
    if rows:
        parts += ["<h2>Curves</h2>", f'<img src="{run.losses.name}" alt="one panel per player, one line per term">']
    if run.nearest.exists():
        alt = "drawn pictures, each next to the nearest training picture"
        parts += ["<h2>Nearest training pictures</h2>", f'<img src="{run.nearest.name}" alt="{alt}">']
        parts += [f"<p>{escape(copies)}</p>"]
    if run.reference.exists():
        picture = f'<img src="{run.reference.name}" alt="curves, reference dashed">'
        parts += ["<h2>Compared with the recipe's reference</h2>", picture]
    if run.settings.is_file():
        parts += ["<h2>Settings</h2>", f"<pre>{escape(read_text(run.settings, MAX_SETTINGS_BYTES))}</pre>"]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + (f"\n<script>{SCRIPT}</script>" if samples else "")
        + "\n</body>\n</html>\n"
    )
