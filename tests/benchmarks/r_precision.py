"""R-precision over 1,000 pictures against the official-style loop, which encodes 100 captions for each of them."""

from __future__ import annotations

import torch
from measure import functions, line, ratio

from t2i.create import load_dataset
from t2i.evaluation.pictures import read_pictures, to_images
from t2i.evaluation.plan import make_plan
from t2i_metrics.bundled_encoder import BundledEncoder
from t2i_metrics.caption_ranking import draw_candidates, first_ranked
from t2i_metrics.image_text import ImageTextEncoder
from t2i_metrics.r_precision import RPrecision

PICTURES, BATCH = 1000, 64
LOOPED = 20  # pictures the loop is timed on; each takes the same time


def run() -> None:
    data = load_dataset("openmoji", "train")
    plan = make_plan(data.examples, PICTURES, 0)[-PICTURES:]
    captions, groups = [request.caption for request in plan], [request.group for request in plan]
    images = to_images(read_pictures(data, plan, 64, print)[1], 64)
    encoder: ImageTextEncoder = BundledEncoder()
    seen = torch.cat([encoder.images(batch) for batch in images.split(BATCH)])
    candidates = draw(captions, groups).tolist()

    def whole() -> None:
        encoder.to("cpu")  # which forgets the captions it has encoded
        evaluator = RPrecision(encoder)
        for first in range(0, PICTURES, BATCH):
            part = slice(first, first + BATCH)
            evaluator.update(images[part], captions=captions[part], groups=groups[part])
        evaluator.compute()

    def ranking() -> None:
        encoder.to("cpu")
        first_ranked(seen, encoder.captions(captions), draw(captions, groups))

    def loop() -> None:
        for index in range(LOOPED):
            encoder.to("cpu")
            own = encoder.images(images[index : index + 1])
            others = encoder.captions([captions[other] for other in candidates[index]])
            (own @ others.T).argmax()

    def ranking_loop() -> None:
        for index in range(LOOPED):
            encoder.to("cpu")
            others = encoder.captions([captions[other] for other in candidates[index]])
            (seen[index : index + 1] @ others.T).argmax()

    ours, ours_ranking, theirs, theirs_ranking = functions(whole, ranking, loop, ranking_loop, runs=3)
    scale = PICTURES / LOOPED
    line(f"r_precision, {PICTURES} pictures of OpenMoji", f"{ours.median:.1f} s")
    line(f"the loop, timed on {LOOPED} of them", f"{scale * theirs.median:.1f} s")
    line("  ratio", f"{scale * ratio(theirs, ours):.0f} x", "goal: at least 50 x")
    line("  ratio, with the pictures' vectors already computed", f"{scale * ratio(theirs_ranking, ours_ranking):.0f} x")


def draw(captions: list[str], groups: list[str]) -> torch.Tensor:
    """Each caption's own position and those of 99 wrong ones."""
    return torch.from_numpy(draw_candidates(captions, groups, 99, 0))
