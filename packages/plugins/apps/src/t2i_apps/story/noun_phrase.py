"""Finds what an English paragraph is about without a language model: its noun phrases, by a short rule.

A phrase begins with an article, a possessive or a number, and ends before punctuation, a function word or a verb. Verbs
are those of a short list, and words in -ed or -ing that no noun follows, so some phrases end too late: "the old
man smiles". Phrases of time, such as "one morning", are left out. Other languages have no phrases here; their first
sentence is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

MOST_WORDS = 7  # of a phrase, without its first
MOST_SENTENCE = 200  # characters
TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|\d+|[^\w\s]")
SENTENCE = re.compile(r".+?[.!?\u2026\u3002](?=\s|$|[\"'\u201d\u2019\u300d])|.+", re.DOTALL)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STARTS = _words(
    "a an the this that these those my your his her its our their some every each another no "
    "one two three four five six seven eight nine ten eleven twelve twenty thirty hundred many several"
)
ENDS = _words(
    "and or but nor so yet for to in on at by with without from into onto over under above below between among through "
    "across along around behind beside beyond near off out up down about against during until till after before since "
    "as than like if because although though while when where why how who whom whose which what there here then now "
    "not never always often sometimes again once also too only just even still already soon almost very i you he she "
    "it we they me him them us himself herself itself themselves myself yourself is are was were be been being am has "
    "have had do does did will would shall should can could may might must"
)
VERBS = _words(
    "said says went goes came comes saw sees sat sits stood stands ran runs got gets gave gives took takes made makes "
    "found finds knew knows thought thinks told tells felt feels left leaves kept keeps held holds brought brings "
    "began begins heard hears grew grows fell falls flew flies threw throws drew draws drank drinks ate eats slept "
    "sleeps woke wakes spoke speaks swam swims sang sings rang rose hung lay lies led lit lost met paid put puts read "
    "rode rides sent sends set shook shone shot showed shows shut sold spent swept taught tore understood wore wears "
    "won wrote writes built bought caught fought sought broke chose drove forgot froze hid spread stole stuck struck "
    "swung wept bent crept dug fed fled bit blew became becomes looks lives loves wants opens turns walks calls asks"
)
NOT_PLAIN = ENDS | VERBS | STARTS
NO_VERBS = _words("king ring wing thing string spring bed sled shed red seed weed breed steed hundred")
TIMES = _words(
    "time times day days morning afternoon evening night midnight noon dawn dusk moment moments while hour hours "
    "minute minutes second week weeks month months year years summer winter autumn spring way ways thing things end "
    "beginning lot bit kind sort part rest reason idea word words name place side one ones more most few"
)


def noun_phrases(text: str) -> Iterator[str]:
    """The phrases, in order, as they are written."""
    tokens = TOKEN.findall(text)
    place = 0
    while place < len(tokens):
        if tokens[place].lower() not in STARTS:
            place += 1
            continue
        words = list(_phrase(tokens[place + 1 : place + 1 + MOST_WORDS]))
        if words and words[words.index("of") - 1 if "of" in words else -1].lower() not in TIMES:
            yield " ".join([tokens[place], *words])
        place += 1 + len(words)


def first_sentence(text: str) -> str:
    """The first sentence, of at most MOST_SENTENCE characters, cut between words where there are spaces."""
    match = SENTENCE.match(text)
    sentence = match[0].strip() if match else text
    if len(sentence) <= MOST_SENTENCE:
        return sentence
    cut = sentence[:MOST_SENTENCE]
    return cut.rpartition(" ")[0] or cut


def _phrase(following: list[str]) -> Iterator[str]:
    """The words of a phrase after its first."""
    for number, (token, after) in enumerate(pairwise([*following, "."])):
        word = token.lower()
        is_joined = word == "of" and number and (_is_plain(after) or after.lower() in STARTS)
        is_of_what = word in STARTS and number and following[number - 1].lower() == "of"
        if not (is_joined or is_of_what):
            looks_like_a_verb = word.endswith(("ed", "ing")) and word not in NO_VERBS and "-" not in word
            if not _is_plain(token) or (number and looks_like_a_verb and not _is_plain(after)):
                return
        yield token


def _is_plain(token: str) -> bool:
    """Whether the token may be a noun or an adjective."""
    return token[0].isalnum() and token.lower() not in NOT_PLAIN
