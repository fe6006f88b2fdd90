"""Whether pictures look like those that the detector was trained on, and the caution if they do not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from t2i.evaluator import Score

FRAME = 2  # px around the picture in which openmoji-world shows nothing but its background
NEAR, MOST = 0.25, 0.8  # in units of [-1, 1], and a share of the frame's pixels: a plain ground may be noisy
LOW = 0.5  # of pictures with a plain ground, or of single things that are recognised
LOOK = (
    "Look at the pictures with what was found in them before you trust the score (in a checkout of t2i: "
    "nox -s skills-sheet -- MODEL OUT.webp)."
)


def plain_ground(images: Float[Tensor, "b 3 h w"]) -> Bool[Tensor, " b"]:
    """Whether the edge of each picture, in [-1, 1], has one colour."""
    edges = [images[:, :, :FRAME], images[:, :, -FRAME:]]
    edges += [images[..., FRAME:-FRAME, :FRAME], images[..., FRAME:-FRAME, -FRAME:]]
    frame = torch.cat([edge.flatten(2) for edge in edges], dim=2)  # b 3 n
    distance = (frame - frame.median(dim=2, keepdim=True).values).abs().amax(1)
    return (distance < NEAR).float().mean(1) > MOST


def caution(plain: Sequence[bool], single: Score | None, ceiling: Score | None) -> str:
    """Why the scores of generated pictures should not be trusted; "" if there is no known reason.

    Args:
        plain: whether each generated picture has a plain ground; at least one.
        single: the score of single things, if any were asked for.
        ceiling: that of real pictures of single things, if any were seen.
    """
    share = sum(plain) / len(plain)
    if ceiling is not None and ceiling.value < LOW:
        reason = f"recognises a single thing in only {ceiling.value:.0%} of the real pictures"
    elif share < LOW:
        reason = f"was trained on plain backgrounds, and only {share:.0%} of these pictures have one"
    elif single is not None and single.value < LOW:
        reason = (
            f"recognises a single thing in only {single.value:.0%} of these pictures: either the model does not draw "
            f"its captions, or it draws in another style"
        )
    else:
        return ""
    return f"The detector knows things as OpenMoji draws them. It {reason}. {LOOK}"
