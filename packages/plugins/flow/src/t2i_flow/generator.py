"""The denoiser and its samplers as a Generator whose steps can be watched."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidConfigError
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i_flow import sampler
from t2i_flow.config import FlowConfig, FlowOptions
from t2i_flow.model import Denoiser, Reading


@final
class FlowTransformer(Generator[FlowOptions]):
    """Pictures out of noise, by a network that guesses the picture behind it again and again."""

    technique: ClassVar[str] = "flow"
    config_type: ClassVar[type[FlowConfig]] = FlowConfig
    options_type: ClassVar[type[FlowOptions]] = FlowOptions

    def __init__(self, config: FlowConfig) -> None:
        """
        Raises:
            InvalidConfigError: the resolution is not a whole number of patches, or the width not one of heads.
        """
        super().__init__()
        self.config: FlowConfig = config
        _check_shape(config)
        self.denoiser = Denoiser(config)

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    @property
    def stage_resolutions(self) -> tuple[int, ...]:
        """One for each step that is taken by default."""
        return (self.resolution,) * FlowOptions().steps

    def generate(self, text: TextEmbedding, noise: Noise, options: FlowOptions) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption."""
        return self.stages(text, noise, options)[-1]

    def stages(self, text: TextEmbedding, noise: Noise, options: FlowOptions) -> list[Float[Tensor, "b 3 h w"]]:
        """What the network takes for the picture at every step: first a blur of all it might be, last the picture."""
        start = noise.normal(3, self.resolution, self.resolution)
        solve = sampler.heun if options.sampler == "heun" else sampler.euler
        guesses = solve(self._guess(text, options), start, sampler.times(options.steps, options.shift))
        return [guess.clamp(-1, 1) for guess in guesses]

    def _guess(self, text: TextEmbedding, options: FlowOptions) -> sampler.Guess:
        """The network with its captions read; where it is guided, with and without them in one batch."""
        b = len(text)
        both = self.denoiser.read(text[list(range(b)) * 2], torch.arange(2 * b, device=text.mask.device) >= b)

        def ask(z: Tensor, t: float, reading: Reading) -> Tensor:
            return self.denoiser(z, torch.full((len(z),), t, device=z.device), reading)

        def guess(z: Float[Tensor, "b 3 h w"], t: float) -> Float[Tensor, "b 3 h w"]:
            if options.guidance == 1 or not options.guidance_until <= t <= options.guidance_from:
                return ask(z, t, both[:b])
            if options.guidance == 0:
                return ask(z, t, both[b:])
            told, free = ask(z.repeat(2, 1, 1, 1), t, both).chunk(2)
            return sampler.guided(told, free, options.guidance)

        return guess


def _check_shape(config: FlowConfig) -> None:
    if config.resolution % config.patch:
        raise InvalidConfigError(
            f"flow: a picture is a whole number of patches, but resolution={config.resolution} is not a multiple of "
            f"patch={config.patch}. Change one of them."
        )
    if config.dim % config.heads:
        raise InvalidConfigError(f"flow: heads divide dim={config.dim}, but heads={config.heads} does not. Change one.")
