"""The rules by which settings follow from data and device: all of them, with their reasons. Imports no torch.

For each setting, the first rule that applies is used; a setting that a technique lacks is left out. The recipe `own`
of a technique says what it needs for any data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from t2i.training.defaults.facts import Facts


@dataclass(frozen=True)
class Rule:
    """A setting's value if `when` holds.

    Attributes:
        setting: its dotted name, such as "train.batch_size".
        value: or a function of the facts.
        why: half a sentence; may use the fields of Facts in braces.
        to_parent: whether it also applies to a run that starts from a parent's weights.
    """

    setting: str
    value: Any
    when: Callable[[Facts], bool]
    why: str
    to_parent: bool = True


def always(facts: Facts) -> bool:
    """True for any data."""
    return True


RULES = (
    Rule("data.fit", "pad", lambda f: f.long, "{elongated:.0%} of the pictures are longer than 1.5 to 1"),
    Rule(
        "model.resolution",
        lambda f: f.packed,
        lambda f: f.packed > 0,
        "the pack's pictures have {packed} px",
        to_parent=False,
    ),
    Rule("model.resolution", 32, lambda f: 0 < f.side < 48, "the pictures have about {side} px", to_parent=False),
    Rule("model.resolution", 128, lambda f: f.gpu and f.side >= 128, "a GPU draws 128 px fast enough", to_parent=False),
    Rule(
        "model.resolution",
        64,
        lambda f: f.gpu,
        "the pictures have fewer than 128 px, or an unknown size",
        to_parent=False,
    ),
    Rule("model.resolution", 64, always, "a CPU needs four times as long for 128 px", to_parent=False),
    Rule("train.batch_size", 64, lambda f: f.gpu and f.pictures >= 500, "a GPU takes many pictures at once"),
    Rule(
        "train.batch_size",
        16,
        lambda f: f.pictures < 2_000,
        "few pictures: many small steps teach more than few large ones",
    ),
    Rule("train.batch_size", 32, always, "with more pictures in each step, a CPU would take too few steps"),
    Rule(
        "train.horizontal_flip",
        True,
        lambda f: f.photos and f.pictures < 5_000 and not f.sides,
        "few photos, and no caption says left or right",
    ),
    Rule(
        "train.balance",
        "group",
        lambda f: f.uneven > 5 and f.groups > 1 and 2 * f.groups <= f.pictures,
        "the largest of {groups:,} groups has {uneven:.0f} times as many pictures as the usual one",
    ),
    Rule(
        "objective.augment",
        ["colour", "translation", "cutout"],
        lambda f: f.pictures < 1_000,
        "a discriminator would memorise {pictures:,} pictures, so it sees them changed (DiffAugment)",
    ),
    Rule(
        "objective.augment",
        ["translation", "cutout"],
        lambda f: f.pictures < 10_000,
        "a discriminator would memorise {pictures:,} pictures, so it sees them changed (DiffAugment)",
    ),
    Rule(
        "objective.nearest_of",
        4,
        lambda f: 3 * f.captions <= f.pictures,
        "{pictures:,} pictures share {captions:,} captions; the noise decides which of them is drawn",
        to_parent=False,
    ),
    Rule(
        "train.validation",
        0.1,
        lambda f: f.pictures >= 500 and f.groups >= 20,
        "enough pictures to hold a tenth out, and to keep the best step",
    ),
    Rule("train.mix", 0.25, lambda f: f.pictures < 1_000, "against forgetting what the parent can draw"),
    Rule("train.clip_norm", 1.0, always, "one odd batch must not undo a short run"),
)
"""In the order in which they are shown."""

MINUTES = 30
"""The default length of a run."""

MOST_VISITS = 1_500
"""A picture that is seen more often than this is only memorised."""

FIRST_SAMPLES_SECONDS = 45
"""When the first samples are drawn."""

SHEETS = 20
"""Sheets of samples in a run, and checkpoints."""

SHEETS_SECONDS = 20
"""The shortest time between two sheets, so that short runs, too, spend most of their time on steps."""

ROWS = 300
"""Rows of metrics.jsonl in a run."""
