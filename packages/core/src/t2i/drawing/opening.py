"""How a model is opened: on which device, within how much memory, with which adapters, and what may be downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast, get_args

from t2i.arguments import shown
from t2i.errors import InvalidInputError

Memory = Literal["low", "auto", "fast"]


def check_memory(mode: str) -> Memory:
    """The memory mode of this name.

    Raises:
        InvalidInputError: there is no such mode.
    """
    if mode not in get_args(Memory):
        raise InvalidInputError(f"The memory mode must be low, auto or fast, got {shown(mode)}.")
    return cast(Memory, mode)


def agreed(question: str) -> bool:
    """Confirms everything: a caller in Python has already decided."""
    return True


def refused(question: str) -> bool:
    """The answer if nobody can be asked: a large download needs `--yes`.

    Raises:
        InvalidInputError: always; it has the question's first line.
    """
    raise InvalidInputError(f"{question.partition(chr(10))[0]} Confirm it: --yes")


@dataclass(frozen=True)
class Opening:
    """Choices of whoever opens a model that is not a snapshot.

    Attributes:
        device: a torch device, such as "cpu" or "cuda".
        memory: "low" needs the least memory and is slower, "fast" keeps everything on the device, "auto" does
            whatever fits.
        adapters: LoRAs to load on top of the weights: safetensors files, folders, or hf-hub:org/repo[@revision].
        accept_new: use the new files of a repository that has changed since it was first used.
        confirm: asks whether to start a large download; takes the question, with licence and size.
    """

    device: str
    memory: Memory = "auto"
    adapters: tuple[str, ...] = ()
    accept_new: bool = False
    confirm: Callable[[str], bool] = agreed

    def __post_init__(self) -> None:
        check_memory(self.memory)

    @property
    def is_plain(self) -> bool:
        """Whether neither memory nor adapters were chosen, which only some artists support."""
        return self.memory == "auto" and not self.adapters
