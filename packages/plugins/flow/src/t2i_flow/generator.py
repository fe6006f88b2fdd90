"""The denoiser and its samplers as a Generator that returns every step's prediction."""

from __future__ import annotations

from collections.abc import Iterator
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
    """Draws a picture from noise in several steps, each of which predicts the picture again."""

    technique: ClassVar[str] = "flow"
    config_type: ClassVar[type[FlowConfig]] = FlowConfig
    options_type: ClassVar[type[FlowOptions]] = FlowOptions

    def __init__(self, config: FlowConfig) -> None:
        """
        Raises:
            InvalidConfigError: the resolution is not a multiple of the patch, or the width not a multiple of the heads.
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
        """The resolution, once for each of the default steps."""
        return (self.resolution,) * FlowOptions().steps

    def generate(self, text: TextEmbedding, noise: Noise, options: FlowOptions) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption."""
        *_, last = self.stages(text, noise, options)
        return last

    def stage_count(self, options: FlowOptions) -> int:
        return options.steps

    def stages(self, text: TextEmbedding, noise: Noise, options: FlowOptions) -> Iterator[Float[Tensor, "b 3 h w"]]:
        """The prediction of every step: the first is a blur of all likely pictures, the last is the picture."""
        start = noise.normal(3, self.resolution, self.resolution)
        solve = sampler.heun if options.sampler == "heun" else sampler.euler
        for prediction in solve(self._predictor(text, options), start, sampler.times(options.steps, options.shift)):
            yield prediction.clamp(-1, 1)

    def _predictor(self, text: TextEmbedding, options: FlowOptions) -> sampler.Predict:
        """The network for these captions; while guidance is on, one batch has rows with and without text."""
        b = len(text)
        both = self.denoiser.read(text.repeated(2), torch.arange(2 * b, device=text.mask.device) >= b)

        def run(z: Tensor, t: float, reading: Reading) -> Tensor:
            return self.denoiser(z, torch.full((len(z),), t, device=z.device), reading)

        def predict(z: Float[Tensor, "b 3 h w"], t: float) -> Float[Tensor, "b 3 h w"]:
            if options.guidance == 1 or not options.guidance_until <= t <= options.guidance_from:
                return run(z, t, both[:b])
            if options.guidance == 0:
                return run(z, t, both[b:])
            conditional, unconditional = torch.unflatten(run(z.repeat(2, 1, 1, 1), t, both), 0, (2, -1))
            return sampler.guided(conditional, unconditional, options.guidance)

        return predict


def _check_shape(config: FlowConfig) -> None:
    if config.resolution % config.patch:
        raise InvalidConfigError(
            f"flow: resolution must be a multiple of patch={config.patch}, got resolution={config.resolution}. "
            "Change one of them."
        )
    if config.dim % config.heads:
        raise InvalidConfigError(f"flow: heads must divide dim={config.dim}, got heads={config.heads}. Change one.")
