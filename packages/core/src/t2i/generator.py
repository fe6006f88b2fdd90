"""The contract of generators: text and noise in, pictures out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, cast, final

from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import TypeVar

from t2i.config import Config, parse_config
from t2i.noise import Noise
from t2i.text import TextEmbedding


class NoOptions(Config):
    """For generators whose pictures depend only on text and noise."""


OptionsT = TypeVar("OptionsT", bound=Config, default=Any)


class Generator(nn.Module, ABC, Generic[OptionsT]):
    """Text and noise in, pictures out. It opens no file and no socket; it can be rebuilt from `config` alone.

    `OptionsT` is its `options_type`: ``class ConditionalGAN(Generator[CGANOptions])``.
    """

    technique: ClassVar[str]
    """The name it is registered under, such as "cgan"."""
    config_type: ClassVar[type[Config]]
    """The class of `config`."""
    options_type: ClassVar[type[Config]] = NoOptions
    """The class of `options`: every field has a default, and is `--option name=value` on the command line."""

    config: Config

    @property
    @abstractmethod
    def resolution(self) -> int:
        """Height and width of a picture, in pixels."""

    @property
    @abstractmethod
    def text_dim(self) -> int:
        """Width d of the text embedding it takes."""

    @final
    def options(self, /, **values: Any) -> OptionsT:
        """The options to draw with: `values`, and the defaults of `options_type` for the rest.

        Raises:
            InvalidConfigError: a name is unknown, or its value does not fit.
        """
        return cast(OptionsT, parse_config(self.options_type, values, f"options of {self.technique}"))

    @abstractmethod
    def generate(self, text: TextEmbedding, noise: Noise, options: OptionsT) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption.

        Args:
            text: b captions.
            noise: b streams; picture i depends only on caption i, stream i and the options.
            options: of `options_type`; ``model.options(truncation=0.8)`` makes them.

        Returns:
            RGB in [-1, 1], float32, [b, 3, resolution, resolution].
        """

    @property
    def stage_resolutions(self) -> tuple[int, ...]:
        """The side in pixels of each picture that `stages` gives by default; the last is `resolution`."""
        return (self.resolution,)

    def stage_count(self, options: OptionsT) -> int:
        """How many stages `stages` gives with these options."""
        return len(self.stage_resolutions)

    def stages(self, text: TextEmbedding, noise: Noise, options: OptionsT) -> Iterator[Float[Tensor, "b 3 _ _"]]:
        """The pictures of each stage as soon as they are drawn, coarse to fine; the last are those of `generate`.

        Techniques that draw in several stages override this, `stage_resolutions`, and `stage_count` if options change
        it.
        """
        yield self.generate(text, noise, options)

    @property
    def not_one_graph(self) -> str:
        """Why `generate` cannot be exported as one graph of tensor operations, as a sentence; "" if it can.

        The graph takes the numbers that `generate` draws from `noise` as inputs. It must be the same for any number of
        captions and words: ``text.repeated(2)``, not ``text[list(range(b)) * 2]``.
        """
        return ""

    def for_drawing(self) -> Generator[OptionsT]:
        """The generator a pipeline draws with: this one, or a faster copy equal up to rounding.

        `t2i.toolbox.folding` makes such copies. A copy is never saved: its tensors may differ from the original's.
        """
        return self
