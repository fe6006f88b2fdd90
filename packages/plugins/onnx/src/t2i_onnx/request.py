"""Checks of what a picture is asked for."""

from __future__ import annotations

from t2i_onnx.errors import OnnxError

MAX_PROMPT_CHARACTERS = 2000
MAX_SEED = 2**63 - 1


def check_prompt(prompt: str) -> str:
    """The prompt without surrounding white space.

    Raises:
        OnnxError: it is empty, too long, or not Unicode text.
    """
    stripped = prompt.strip()
    if not stripped:
        raise OnnxError('A prompt is empty. Say what to draw, for example "a red heart".')
    if len(stripped) > MAX_PROMPT_CHARACTERS:
        raise OnnxError(f"A prompt may have at most {MAX_PROMPT_CHARACTERS} characters, got {len(stripped)}.")
    if any("\ud800" <= character <= "\udfff" for character in stripped):
        raise OnnxError("A prompt must be Unicode text, but one has a byte that is not. Retype it.")
    return stripped


def check_seed(seed: int) -> int:
    """
    Raises:
        OnnxError: it is not in [0, 2**63).
    """
    if not 0 <= seed <= MAX_SEED:
        raise OnnxError(f"A seed must be a whole number from 0 to {MAX_SEED}, got {seed}.")
    return seed
