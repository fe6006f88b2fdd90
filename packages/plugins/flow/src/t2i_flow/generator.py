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
from t2i_flow.autoencoder import Autoencoder, open_autoencoder
from t2i_flow.config import FlowConfig, FlowOptions
from t2i_flow.model import Denoiser, Reading


@final
class FlowTransformer(Generator[FlowOptions]):
    """Draws a picture from noise in several steps, each of which predicts the picture again.

    With `config.autoencoder` it draws that model's latents: then the constructor opens that model's files, which are no
    part of the state, and two buffers hold the mean and standard deviation of the training pictures' latents.
    """

    latent_mean: Tensor
    latent_std: Tensor

    technique: ClassVar[str] = "flow"
    config_type: ClassVar[type[FlowConfig]] = FlowConfig
    options_type: ClassVar[type[FlowOptions]] = FlowOptions

    def __init__(self, config: FlowConfig) -> None:
        """
        Raises:
            InvalidConfigError: the resolution is not a multiple of the patch or not the autoencoder's, or the width not
                a multiple of the heads.
            InvalidInputError, UnknownNameError, OfflineError, SnapshotError, IntegrityError: the autoencoder cannot be
                used.
        """
        super().__init__()
        self.autoencoder: Autoencoder | None = None
        self.drawn_shape: tuple[int, int, int] = (3, config.resolution, config.resolution)
        if config.autoencoder:
            self.autoencoder = open_autoencoder(config.autoencoder, config.autoencoder_sha256)
            config = config.model_copy(update={"autoencoder_sha256": self.autoencoder.sha256})
            self.drawn_shape = self.autoencoder.shape
            self.register_buffer("latent_mean", torch.zeros(self.drawn_shape[0], 1, 1))
            self.register_buffer("latent_std", torch.ones(self.drawn_shape[0], 1, 1))
        self.config: FlowConfig = config
        _check_shape(config, self.autoencoder)
        self.denoiser = Denoiser(config, self.drawn_shape[0], self.drawn_shape[1])

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

    @property
    def not_one_graph(self) -> str:
        """Another model decodes latents."""
        if self.autoencoder is None:
            return ""
        return "It draws latents, and the autoencoder that decodes them belongs to another model."

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c y x"]:
        """What is drawn for pictures: they themselves, or their latents with mean 0 and standard deviation 1."""
        if self.autoencoder is None:
            return images
        return (self.autoencoder.encode(images) - self.latent_mean) / self.latent_std

    def decode(self, drawn: Float[Tensor, "b c y x"]) -> Float[Tensor, "b 3 h w"]:
        """The pictures of what was drawn."""
        if self.autoencoder is None:
            return drawn.clamp(-1, 1)
        return self.autoencoder.decode(drawn * self.latent_std + self.latent_mean)

    def generate(self, text: TextEmbedding, noise: Noise, options: FlowOptions) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption."""
        *_, last = self._predictions(text, noise, options)
        return self.decode(last)

    def stage_count(self, options: FlowOptions) -> int:
        return options.steps

    def stages(self, text: TextEmbedding, noise: Noise, options: FlowOptions) -> Iterator[Float[Tensor, "b 3 h w"]]:
        """The prediction of every step: the first is a blur of all likely pictures, the last is the picture."""
        for prediction in self._predictions(text, noise, options):
            yield self.decode(prediction)

    def _predictions(
        self, text: TextEmbedding, noise: Noise, options: FlowOptions
    ) -> Iterator[Float[Tensor, "b c y x"]]:
        solve = sampler.heun if options.sampler == "heun" else sampler.euler
        times = sampler.times(options.steps, options.shift)
        return solve(self._predictor(text, options), noise.normal(*self.drawn_shape), times)

    def _predictor(self, text: TextEmbedding, options: FlowOptions) -> sampler.Predict:
        """The network for these captions; while guidance is on, one batch has rows with and without text."""
        b = len(text)
        both = self.denoiser.read(text.repeated(2), torch.arange(2 * b, device=text.mask.device) >= b)

        def run(z: Tensor, t: float, reading: Reading) -> Tensor:
            return self.denoiser(z, torch.full((len(z),), t, device=z.device), reading)

        def predict(z: Float[Tensor, "b c y x"], t: float) -> Float[Tensor, "b c y x"]:
            if options.guidance == 0:
                return run(z, t, both[b:])
            if options.guidance == 1 or not options.guidance_until <= t <= options.guidance_from:
                return run(z, t, both[:b])
            conditional, unconditional = torch.unflatten(run(z.repeat(2, 1, 1, 1), t, both), 0, (2, -1))
            return sampler.guided(conditional, unconditional, options.guidance)

        return predict


def _check_shape(config: FlowConfig, autoencoder: Autoencoder | None) -> None:
    side, what = config.resolution, f"resolution={config.resolution}"
    if autoencoder is not None:
        side, what = autoencoder.shape[1], f"{autoencoder.shape[1]} latents per side of {config.autoencoder}"
        if config.resolution != autoencoder.resolution:
            raise InvalidConfigError(
                f"flow: pictures of {config.autoencoder} have {autoencoder.resolution} px, got "
                f"resolution={config.resolution}. Set model.resolution={autoencoder.resolution}."
            )
    if side % config.patch:
        raise InvalidConfigError(
            f"flow: resolution must be a multiple of patch={config.patch}, got {what}. Change one of them."
        )
    if config.dim % config.heads:
        raise InvalidConfigError(f"flow: heads must divide dim={config.dim}, got heads={config.heads}. Change one.")
