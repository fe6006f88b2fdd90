"""The phrasings of captions; a fifth of each list is withheld from training.

{x} is everything the picture shows, {a} and {b} are the first and the second part, {n} is a number. {is}, {was}, {do},
{it} and {its} agree with the part that comes first, {is_last} with the other. "right of" and "below" say "left of" and
"above" with the parts swapped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from t2i_openmoji.world.scene import Relation, fraction

WITHHELD = 5  # every fifth one

FRAMES = (
    "{x}",
    "draw {x}",
    "draw me {x}",
    "please draw {x}",
    "can you draw {x}?",
    "a picture of {x}",
    "a drawing of {x}",
    "an image of {x}",
    "an emoji of {x}",
    "show me {x}",
    "there {is} {x}",
    "paint {x}",
    "make a picture of {x}",
    "generate an image of {x}",
    "i want to see {x}",
    "give me {x}",
    "please draw {x} for me",
    "could you please draw {x} for me?",
    "i would like you to draw {x}",
    "a picture that shows {x}",
    "a simple picture of {x} and nothing else",
    "i would like to have a picture of {x}, please",
    "for my little sister i need a picture of {x}",
    "the picture shows {x}",
    "in this picture there {is} {x}",
    "a little drawing that shows {x}",
    "create an image that contains {x}",
    "an illustration of {x}",
    "a flat illustration of {x} with black outlines",
    "an emoji that shows {x}",
    "an icon of {x}",
    "a cartoon of {x}",
    "a sticker of {x}",
    "a sketch of {x}",
    "clip art of {x}",
    "paint me {x}, please",
    "please show me what {x} {do} look like",
    "let me see {x}",
    "i want {x}",
    "here {is} {x}",
    "there {is} {x} in the picture",
    "once upon a time there {was} {x}",
    "we see {x}",
    "all you can see {is} {x}",
    "imagine {x}",
    "just {x}",
    "nothing but {x}",
    "how about {x}?",
    "look, {x}!",
    "my favourite picture is the one with {x}",
)
COLOURED = (
    "{colour} {noun}",
    "{noun} that {is} {colour}",
    "{noun} in {colour}",
    "{noun} coloured {colour}",
    "{noun} painted {colour}",
    "{colour} coloured {noun}",
)
COUNTED = (
    "{n} {noun}",
    "exactly {n} {noun}",
    "a group of {n} {noun}",
    "a set of {n} {noun}",
    "{n} {noun} together",
    "not one but {n} {noun}",
)
PAIRS: Mapping[Relation, tuple[str, ...]] = {
    "and": (
        "{a} and {b}",
        "{a} with {b}",
        "{a} together with {b}",
        "{a} as well as {b}",
        "both {a} and {b}",
        "{a}, {b}",
        "{a} plus {b}",
        "not only {a} but also {b}",
        "{a} in the company of {b}",
        "{a} and also {b}",
    ),
    "next to": (
        "{a} next to {b}",
        "{a} beside {b}",
        "{a} and {b} side by side",
        "{a} and {b} next to each other",
        "{a} near {b}",
        "{a} with {b} next to {it}",
        "{a} alongside {b}",
        "{a} close to {b}",
        "{a} standing next to {b}",
        "{a} at the side of {b}",
    ),
    "left of": (
        "{a} to the left of {b}",
        "{a} left of {b}",
        "{a} on the left of {b}",
        "{a} on the left side of {b}",
        "{a} on the left and {b} on the right",
        "{a} with {b} to {its} right",
        "{a} with {b} on the right of {it}",
        "{b} to the right of {a}",
        "{b} right of {a}",
        "{b} on the right of {a}",
        "{b} on the right side of {a}",
        "{b} on the right and {a} on the left",
        "{b} with {a} to {its} left",
        "{b} with {a} on the left of {it}",
        "{a} at the left and {b} at the right",
    ),
    "above": (
        "{a} above {b}",
        "{a} over {b}",
        "{a} on top of {b}",
        "{a} right above {b}",
        "{a} somewhere above {b}",
        "{a} at the top and {b} at the bottom",
        "{a} with {b} below {it}",
        "{a} with {b} underneath",
        "{b} below {a}",
        "{b} under {a}",
        "{b} beneath {a}",
        "{b} underneath {a}",
        "{b} at the bottom and {a} at the top",
        "{b} with {a} above {it}",
        "{b} with {a} over {it}",
    ),
}
SENTENCES: Mapping[Relation, tuple[str, ...]] = {  # complete sentences, without a frame
    "and": (
        "one thing in the picture is {a} and the other one is {b}",
        "i see {a} here and {b} there",
        "draw {a} and then also draw {b}",
        "{a} and {b} meet",
        "where there {is} {a} there {is_last} {b}, too",
    ),
    "next to": (
        "next to {b} there {is_last} {a}",
        "{a} {is} standing next to {b}",
        "put {a} next to {b}",
        "beside {b} you can see {a}",
        "draw {b} and next to {it} {a}",
    ),
    "left of": (
        "to the left of {b} there {is_last} {a}",
        "to the right of {a} there {is_last} {b}",
        "on the left there {is} {a} and on the right there {is_last} {b}",
        "{a} {is} left of {b}",
        "{b} {is} right of {a}",
        "put {a} to the left of {b}",
        "put {b} to the right of {a}",
        "the thing on the left is {a}, the one on the right is {b}",
        "if you look to the right of {a} you will see {b}",
    ),
    "above": (
        "above {b} there {is_last} {a}",
        "below {a} there {is_last} {b}",
        "at the top there {is} {a} and at the bottom there {is_last} {b}",
        "{a} {is} above {b}",
        "{b} {is} below {a}",
        "put {a} above {b}",
        "put {b} below {a}",
        "the thing at the top is {a}, the one at the bottom is {b}",
        "if you look under {a} you will see {b}",
    ),
}
BACKGROUNDS = (
    "{x} on {a_colour} background",
    "{x} on {colour}",
    "{x} in front of {a_colour} background",
    "{x} with {a_colour} background",
    "{x} against {a_colour} background",
)
LISTS: Sequence[tuple[str, ...]] = (FRAMES, COLOURED, COUNTED, BACKGROUNDS, *PAIRS.values(), *SENTENCES.values())


@cache
def withheld_phrasings() -> frozenset[str]:
    """A fifth of each list, chosen by a fixed hash; never one of its first third, the simplest ones."""
    return frozenset(
        phrasing
        for phrasings in LISTS
        for phrasing in sorted(phrasings[-(-len(phrasings) // 3) :], key=lambda each: fraction("phrasing", each))[
            : len(phrasings) // WITHHELD
        ]
    )


@cache
def seen(phrasings: tuple[str, ...]) -> tuple[str, ...]:
    """The phrasings of a list that training uses."""
    return tuple(each for each in phrasings if each not in withheld_phrasings())
