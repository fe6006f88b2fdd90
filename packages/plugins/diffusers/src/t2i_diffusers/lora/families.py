"""How the families that can be fine-tuned read text, and what their networks predict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2i.errors import InvalidInputError

Words = Float[Tensor, "b l d"]
Pooled = Float[Tensor, "b p"]


class Family(ABC):
    """A family of pipelines.

    Attributes:
        denoiser: the component that is trained; also the prefix of its weights in a LoRA file.
        flow: whether the network predicts a velocity between picture and noise, or the noise at a step.
    """

    denoiser: ClassVar[str]
    flow: ClassVar[bool]

    @abstractmethod
    def encode(self, pipe: Any, captions: Sequence[str]) -> tuple[Words, Pooled | None]:
        """What the pipeline's text encoders make of the captions."""

    @abstractmethod
    def arguments(self, words: Words, pooled: Tensor) -> dict[str, Any]:
        """The text as arguments of the pipeline's call."""

    @abstractmethod
    def predict(
        self, network: nn.Module, noisy: Float[Tensor, "b c h w"], time: Tensor, words: Words, pooled: Tensor, side: int
    ) -> Float[Tensor, "b c h w"]:
        """The network's prediction.

        Args:
            time: [b], steps of the scheduler, from 0 to its number of training steps.
            side: of the picture in pixels.
        """


@final
class StableDiffusion(Family):
    """Stable Diffusion 1 and 2, and latent consistency models."""

    denoiser, flow = "unet", False

    def encode(self, pipe: Any, captions: Sequence[str]) -> tuple[Words, Pooled | None]:
        return pipe.encode_prompt(list(captions), _device(pipe.text_encoder), 1, False)[0], None

    def arguments(self, words: Words, pooled: Tensor) -> dict[str, Any]:
        return {"prompt_embeds": words}

    def predict(
        self, network: nn.Module, noisy: Tensor, time: Tensor, words: Words, pooled: Tensor, side: int
    ) -> Tensor:
        return network(noisy, time, encoder_hidden_states=words).sample


@final
class StableDiffusionXL(Family):
    """SDXL: two text encoders, and the picture's size as an input (Podell et al. 2023, sec. 2.2)."""

    denoiser, flow = "unet", False

    def encode(self, pipe: Any, captions: Sequence[str]) -> tuple[Words, Pooled | None]:
        words, _, pooled, _ = pipe.encode_prompt(
            list(captions), device=_device(pipe.text_encoder), do_classifier_free_guidance=False
        )
        return words, pooled

    def arguments(self, words: Words, pooled: Tensor) -> dict[str, Any]:
        return {"prompt_embeds": words, "pooled_prompt_embeds": pooled}

    def predict(
        self, network: nn.Module, noisy: Tensor, time: Tensor, words: Words, pooled: Tensor, side: int
    ) -> Tensor:
        size = torch.tensor([[side, side, 0, 0, side, side]], device=noisy.device, dtype=words.dtype)
        added = {"text_embeds": pooled, "time_ids": size.expand(len(noisy), -1)}
        return network(noisy, time, encoder_hidden_states=words, added_cond_kwargs=added).sample


@final
class StableDiffusion3(Family):
    """Stable Diffusion 3 and 3.5: flow matching (Esser et al. 2024)."""

    denoiser, flow = "transformer", True

    def encode(self, pipe: Any, captions: Sequence[str]) -> tuple[Words, Pooled | None]:
        words, _, pooled, _ = pipe.encode_prompt(
            list(captions), None, None, device=_device(pipe.text_encoder), do_classifier_free_guidance=False
        )
        return words, pooled

    def arguments(self, words: Words, pooled: Tensor) -> dict[str, Any]:
        return {"prompt_embeds": words, "pooled_prompt_embeds": pooled}

    def predict(
        self, network: nn.Module, noisy: Tensor, time: Tensor, words: Words, pooled: Tensor, side: int
    ) -> Tensor:
        return network(
            hidden_states=noisy, timestep=time, encoder_hidden_states=words, pooled_projections=pooled
        ).sample


FAMILIES: dict[str, Family] = {
    "StableDiffusionPipeline": StableDiffusion(),
    "LatentConsistencyModelPipeline": StableDiffusion(),
    "StableDiffusionXLPipeline": StableDiffusionXL(),
    "StableDiffusion3Pipeline": StableDiffusion3(),
}


def family_of(pipe: Any, name: str) -> Family:
    """The family of a pipeline.

    Raises:
        InvalidInputError: it cannot be fine-tuned.
    """
    found = FAMILIES.get(type(pipe).__name__)
    if found is None:
        raise InvalidInputError(
            f"{name} is a {type(pipe).__name__}, which cannot be fine-tuned. Those that can: {', '.join(FAMILIES)}."
        )
    return found


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
