"""Pipeline throughput at batch 64 against the bare generator forward."""

from __future__ import annotations

import torch
from measure import functions, line, ratio

from t2i.drawing.pipeline import pipeline
from t2i.noise import Noise

BATCH, BATCHES = 64, 8


def run() -> None:
    pipe = pipeline(device="cpu")
    generator = pipe.generator
    text = pipe.encoder.encode(["a red heart"])[[0] * BATCH]
    words = [f"a {colour} {thing}" for colour in COLOURS for thing in THINGS]

    def bare() -> None:
        with torch.inference_mode():
            for first in range(0, BATCH * BATCHES, BATCH):
                generator.generate(text, Noise(range(first, first + BATCH)), generator.options())

    def one_prompt() -> None:
        pipe("a red heart", num_images_per_prompt=BATCH * BATCHES, seed=0, batch_size=BATCH)

    def many_prompts() -> None:
        pipe.encoder.to("cpu")  # which forgets the captions it has encoded
        pipe(words, seed=0, batch_size=BATCH)

    forward, one, many = functions(bare, one_prompt, many_prompts)
    images = BATCH * BATCHES
    line(f"bare generator, batch {BATCH}", f"{images / forward.median:.0f} images/s")
    line("pipeline, one prompt", f"{images / one.median:.0f} images/s")
    line("  throughput against bare", f"{1 / ratio(one, forward):.2f} x", "goal: at least 0.9 x")
    line(f"pipeline, {len(words)} distinct new prompts", f"{len(words) / many.median:.0f} images/s")
    line(
        "  throughput against bare", f"{1 / ratio(many, forward) * len(words) / images:.2f} x", "text encoding included"
    )


COLOURS = ("red", "green", "blue", "yellow", "black", "white", "pink", "brown")
THINGS = ("heart", "car", "house", "dog", "cat", "bird", "fish", "flower")
