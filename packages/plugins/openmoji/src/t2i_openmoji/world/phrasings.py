"""The phrasings of captions; a fifth of each list is withheld from training.

{x} is everything the picture shows, {a} and {b} are the first and the second part, {n} is a number. {is}, {was}, {has},
{do}, {it} and {its} agree with the part that comes first, {is_last} with the other. "right of" and "below" say "left
of" and "above" with the parts swapped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

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
PROMPTS = (  # of the split "prompts" alone: words around {x} that say nothing about it; none is withheld
    "a photo of {x}",
    "photograph of {x}",
    "a painting of {x}",
    "an oil painting of {x}",
    "a watercolour of {x}",
    "watercolor painting of {x}",
    "a doodle of {x}",
    "a logo of {x}",
    "a logo that shows {x}",
    "a poster of {x}",
    "a poster with {x}",
    "a print of {x}",
    "pixel art of {x}",
    "line art of {x}",
    "digital art of {x}",
    "street art of {x}",
    "concept art of {x}",
    "fan art of {x}",
    "artwork of {x}",
    "vector art with {x}",
    "a vector graphic of {x}",
    "a mosaic of {x}",
    "a mural of {x}",
    "a portrait of {x}",
    "a close-up of {x}",
    "a snapshot of {x}",
    "a render of {x}",
    "a 3d render of {x}",
    "a symbol of {x}",
    "a pictogram of {x}",
    "a silhouette of {x}",
    "a stencil of {x}",
    "a tattoo of {x}",
    "a woodcut of {x}",
    "an engraving of {x}",
    "a chalk drawing of {x}",
    "a charcoal drawing of {x}",
    "a comic of {x}",
    "a comic panel with {x}",
    "a wallpaper with {x}",
    "a thumbnail of {x}",
    "a graphic of {x}",
    "a design with {x}",
    "a decal of {x}",
    "an avatar of {x}",
    "a cut-out of {x}",
    "a scan of {x}",
    "a copy of {x}",
    "a view of {x}",
    "a study of {x}",
    "an example of {x}",
    "a version of {x}",
    "one more picture of {x}",
    "a nice picture of {x}",
    "a pretty little picture with {x}",
    "minimalist design of {x}",
    "design {x}",
    "render {x}",
    "illustrate {x}",
    "produce {x}",
    "now draw {x}",
    "next, draw {x}",
    "try to draw {x}",
    "hello, please draw {x}",
    "could you paint {x}?",
    "can i have {x}?",
    "may i see {x}?",
    "i need {x}",
    "i would love to see {x}",
    "my son asks for {x}",
    "for my daughter: {x}",
    "surprise me with {x}",
    "think of {x}",
    "picture {x}",
    "behold, {x}",
    "prompt: {x}",
    "title: {x}",
    "{x}, please",
    "{x}, thank you",
    "{x} for a birthday party",
    "{x}, pixel art",
    "{x}, line art",
    "{x}, digital art",
    "{x}, flat design",
    "{x}, high quality",
    "{x}, highly detailed",
    "{x}, minimalist",
    "{x} in a simple style",
    "{x} as a logo",
    "{x} in vector style",
    "oh, {x}!",
    "wow, {x}!",
    "hey, {x}!",
    "ah, {x}",
    "yes, {x}!",
    "see, {x}!",
    "what a sight: {x}!",
    "notice {x}",
    "spot {x}",
    "this is {x}",
    "the answer is {x}",
    "today it is {x}",
    "a scene with {x}",
    "a postcard of {x}",
    "a page with {x}",
    "a card that has {x} on it",
    "the artist drew {x}",
    "somebody painted {x}",
    "every child knows {x}",
    "my class wants {x} today",
    "for homework i have to draw {x}",
    "my grandmother likes {x}",
    "we would all enjoy {x}",
    "be so kind as to draw {x}",
    "would you mind painting {x}?",
    "sorry, could i get {x}?",
    "dear machine, make {x}",
    "{x}, if possible",
    "{x}, as you like",
    "{x}, whenever you have time",
    "{x}, that would be lovely",
    "{x} and that is all",
    "{x}: that is what i need",
    "{x} would make me happy",
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
PROMPT_PAIRS: Mapping[Relation, tuple[str, ...]] = {  # of the split "prompts", beside PAIRS; none is withheld
    "and": (
        "{a} & {b}",
        "{a} along with {b}",
        "{a}, and {b} too",
        "{a} accompanied by {b}",
        "{a} in addition to {b}",
        "{a} besides {b}",
    ),
    "next to": (
        "{a} right next to {b}",
        "{a} right beside {b}",
        "{a} by the side of {b}",
        "{a} placed beside {b}",
        "{a} sitting beside {b}",
        "{a} adjacent to {b}",
        "{a} not far from {b}",
        "{a} and beside {it} {b}",
        "{a} in the neighbourhood of {b}",
    ),
    "left of": (
        "{a} at the left side of {b}",
        "{b} at the right side of {a}",
        "{a} standing to the left of {b}",
        "{b} standing to the right of {a}",
        "{a} and to {its} right {b}",
        "{b} and to {its} left {a}",
        "{a}, {b} to the right of {it}",
        "{b}, {a} to the left of {it}",
        "{b} and {a} left of {it}",
        "{a} and {b} right of {it}",
    ),
    "above": (
        "{a} atop {b}",
        "{a} higher than {b}",
        "{b} lower than {a}",
        "{a} hovering above {b}",
        "{a} sitting on top of {b}",
        "{b} down below {a}",
        "{b} right under {a}",
        "{a} and under {it} {b}",
        "{b} and over {it} {a}",
        "{a}, {b} below {it}",
        "{b}, {a} above {it}",
        "{a} up there and {b} down there",
        "{b} down there and {a} up there",
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
PROMPT_SENTENCES: Mapping[Relation, tuple[str, ...]] = {  # of the split "prompts", beside SENTENCES; none is withheld
    "and": (
        "two things: {a} and {b}",
        "{a}; also {b}",
        "first {a}, second {b}",
        "{b}, but not without {a}",
        "add {a} to {b}",
    ),
    "next to": (
        "{b} {has} {a} beside {it}",
        "{a} and {b} are neighbours",
        "{a} {is} placed beside {b}",
        "beside {b}: {a}",
        "place {a} beside {b}",
    ),
    "left of": (
        "left: {a}, right: {b}",
        "right: {b}, left: {a}",
        "from left to right: {a}, {b}",
        "from right to left: {b}, {a}",
        "{a} {has} {b} on {its} right side",
        "{b} {has} {a} on {its} left side",
        "first comes {a} and to the right of {it} {b}",
        "place {a} on the left and {b} on the right",
        "look for {a} on the left and for {b} on the right",
    ),
    "above": (
        "top: {a}, bottom: {b}",
        "bottom: {b}, top: {a}",
        "from top to bottom: {a}, {b}",
        "from bottom to top: {b}, {a}",
        "{a} {has} {b} below {it}",
        "{b} {has} {a} above {it}",
        "{b} {is} lower than {a}",
        "{a} {is} sitting on top of {b}",
        "place {a} over {b}",
    ),
}
BACKGROUNDS = (
    "{x} on {a_colour} background",
    "{x} on {colour}",
    "{x} in front of {a_colour} background",
    "{x} with {a_colour} background",
    "{x} against {a_colour} background",
)


class Wording(NamedTuple):
    """What captions are made of.

    Attributes:
        frames: phrasings of everything together.
        pairs: phrasings of two things.
        sentences: complete sentences about two things.
        synonyms: whether things may have their synonyms, too.
    """

    frames: tuple[str, ...]
    pairs: Mapping[Relation, tuple[str, ...]]
    sentences: Mapping[Relation, tuple[str, ...]]
    synonyms: bool


USUAL = Wording(FRAMES, PAIRS, SENTENCES, synonyms=False)
OF_PROMPTS = Wording(
    PROMPTS,
    {relation: (*shapes, *PROMPT_PAIRS[relation]) for relation, shapes in PAIRS.items()},
    {relation: (*shapes, *PROMPT_SENTENCES[relation]) for relation, shapes in SENTENCES.items()},
    synonyms=True,
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
