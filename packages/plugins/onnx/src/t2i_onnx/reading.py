"""How prompts are read: emoji become words, words become tokens, and what was not read is said."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cached_property

from tokenizers import Encoding, Tokenizer

from t2i_onnx.errors import OnnxError

MOST_SHOWN, MOST_CHARACTERS = 5, 60  # of a warning: unknown words, and characters of each
UNKNOWN = ("[UNK]", "<unk>")
MOST_TOKENS = 4096  # of a prompt


class Reader:
    """Prompts as token ids."""

    def __init__(self, tokenizer: bytes, emoji: bytes, *, latin_only: bool) -> None:
        """
        Args:
            tokenizer: a tokenizer.json, which also says where long prompts are cut; its padding is not used.
            emoji: the words for each emoji, as JSON.
            latin_only: whether the text encoder has learned only words in Latin letters.

        Raises:
            OnnxError: the tokenizer cannot be read.
        """
        try:
            self._tokenizer = _loaded(tokenizer)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the package raises bare Exceptions, and Rust's panics are none
            raise OnnxError(f"The tokenizer cannot be read: {str(error)[:200]}. Export the model again.") from None
        self._emoji, self._latin_only = emoji, latin_only
        ids = (self._tokenizer.token_to_id(token) for token in UNKNOWN)
        self._unknown = {number for number in ids if number is not None}

    def ids(self, prompt: str) -> list[int]:
        """The tokens of a prompt; emoji are replaced by their names."""
        return list(self._encoding(prompt).ids)

    def unread(self, prompt: str) -> str:
        """The parts of a prompt that were not read, as a sentence; "" if everything was."""
        text, read = self.spelled(prompt), self._encoding(prompt)
        unknown: dict[str, None] = {}
        known, end = False, 0
        for number, (start, stop), special in zip(read.ids, read.offsets, read.special_tokens_mask, strict=True):
            if special and number not in self._unknown:
                continue
            piece, end = text[start:stop], max(end, stop)
            if number in self._unknown or (self._latin_only and not is_latin(piece)):
                unknown[piece] = None
            elif any(unicodedata.category(character)[0] != "P" for character in piece):
                known = True
        sentences = []
        if not known:
            sentences.append("The text encoder knows no word of this prompt, so the picture does not depend on it.")
        elif unknown:
            words = ", ".join(repr(word[:MOST_CHARACTERS]) for word in list(unknown)[:MOST_SHOWN])
            more = f" and {len(unknown) - MOST_SHOWN} more" if len(unknown) > MOST_SHOWN else ""
            sentences.append(f"The text encoder does not know {words}{more}.")
        if cut := text[end:].strip() if read.overflowing else "":
            more = "..." if len(cut) > MOST_CHARACTERS else ""
            sentences.append(
                f"The prompt is too long for the text encoder, which left out {cut[:MOST_CHARACTERS] + more!r}."
            )
        return " ".join(sentences)

    def spelled(self, prompt: str) -> str:
        """The prompt with each emoji replaced by its name, as `t2i.spelling` does."""
        if prompt.isascii():
            return prompt
        named = self._pattern.sub(lambda found: f" {self._names[found[1]]} ", prompt)
        return prompt if named == prompt else " ".join(named.split())

    @cached_property
    def _names(self) -> dict[str, str]:
        names = json.loads(self._emoji)
        if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
            raise OnnxError("The names of emoji must be a JSON object of strings. Export the model again.")
        return names

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self._names, key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, longest_first)) or '(?!)'})\ufe0f?")  # with a colour's selector

    def _encoding(self, prompt: str) -> Encoding:
        return self._tokenizer.encode(self.spelled(prompt))


def _loaded(content: bytes) -> Tokenizer:
    """The tokenizer, tried on a few words: some files are read without an error, and panic when they are used."""
    tokenizer = Tokenizer.from_buffer(content)
    tokenizer.no_padding()  # a file may ask for a billion tokens
    longest = tokenizer.truncation["max_length"] if tokenizer.truncation else MOST_TOKENS
    tokenizer.enable_truncation(min(longest, MOST_TOKENS))  # without overlaps, which panic if they are too long
    tokenizer.encode("a red heart")
    return tokenizer


def is_latin(text: str) -> bool:
    """Whether all letters and marks of `text` are Latin; so are texts without any."""
    letters = (c for c in text if not c.isascii() and unicodedata.category(c)[0] in "LM")
    return all(unicodedata.name(c, "").startswith(("LATIN", "COMBINING")) for c in letters)
