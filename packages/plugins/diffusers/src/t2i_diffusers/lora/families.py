"""How the families that can be fine-tuned read text, and what their networks predict."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from t2i.errors import InvalidInputError

UNGUIDED = 1.0  # the guidance input of FLUX.1 [dev] in training: none


@dataclass(frozen=True)
class Read:
    """What a pipeline's text encoders make of captions.

    Attributes:
        words: [b, l, d], one vector per token.
        mask: [b, l], True for tokens that the network attends to. They come first.
        pooled: [b, p], one vector per caption; p is 0 if the family has none.
    """

    words: Float[Tensor, "b l d"]
    mask: Bool[Tensor, "b l"]
    pooled: Float[Tensor, "b p"]

    @classmethod
    def whole(cls, words: Tensor, pooled: Tensor | None = None) -> Read:
        """Captions of which every token counts, padding too."""
        mask = torch.ones(words.shape[:2], dtype=torch.bool, device=words.device)
        return cls(words, mask, words.new_zeros(len(words), 0) if pooled is None else pooled)

    def to(self, device: torch.device, dtype: torch.dtype) -> Read:
        """On this device, with vectors of this dtype."""
        return Read(self.words.to(device, dtype), self.mask.to(device), self.pooled.to(device, dtype))


class Family(ABC):
    """A family of pipelines.

    Attributes:
        denoiser: the component that is trained; also the prefix of its weights in a LoRA file.
        flow: whether the network predicts a velocity between picture and noise, or the noise at a step.
        tokenizer: the component that cuts captions into the tokens of `Read.words`, or the first of several.
        guided: whether the pipeline compares with the prediction for no text; else guidance is an input or built in.
        call: more arguments of the pipeline's call.
    """

    denoiser: ClassVar[str]
    flow: ClassVar[bool]
    tokenizer: ClassVar[str] = "tokenizer"
    guided: ClassVar[bool] = True
    call: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def encode(self, pipe: Any, captions: Sequence[str]) -> Read:
        """What the pipeline's text encoders make of the captions; [""] is no text."""

    @abstractmethod
    def arguments(self, text: Read) -> dict[str, Any]:
        """The text as arguments of the pipeline's call."""

    @abstractmethod
    def predict(
        self, network: nn.Module, noisy: Float[Tensor, "b c h w"], time: Tensor, text: Read, side: int
    ) -> Float[Tensor, "b c h w"]:
        """The network's prediction.

        Args:
            time: [b], steps of the scheduler, from 0 to its number of training steps.
            side: of the picture in pixels.
        """

    def instruction(self, pipe: Any) -> str:
        """What the text encoder reads before every caption."""
        return ""

    def channels(self, network: Any) -> int:
        """Channels of a picture's latents."""
        return int(network.config.in_channels)

    def patch(self, network: Any) -> int:
        """Side in latents of the square that becomes one token of the network."""
        return int(network.config.get("patch_size", 1))

    def packed(self, latents: Float[Tensor, "b c h w"]) -> Tensor:
        """Latents as the pipeline's call takes them."""
        return latents


@final
class StableDiffusion(Family):
    """Stable Diffusion 1 and 2, and latent consistency models."""

    denoiser, flow = "unet", False

    def encode(self, pipe: Any, captions: Sequence[str]) -> Read:
        return Read.whole(pipe.encode_prompt(list(captions), _device(pipe.text_encoder), 1, False)[0])

    def arguments(self, text: Read) -> dict[str, Any]:
        return {"prompt_embeds": text.words}

    def predict(self, network: nn.Module, noisy: Tensor, time: Tensor, text: Read, side: int) -> Tensor:
        return network(noisy, time, encoder_hidden_states=text.words).sample


@final
class StableDiffusionXL(Family):
    """SDXL: two text encoders, and the picture's size as an input (Podell et al. 2023, sec. 2.2)."""

    denoiser, flow = "unet", False

    def encode(self, pipe: Any, captions: Sequence[str]) -> Read:
        words, _, pooled, _ = pipe.encode_prompt(
            list(captions), device=_device(pipe.text_encoder), do_classifier_free_guidance=False
        )
        return Read.whole(words, pooled)

    def arguments(self, text: Read) -> dict[str, Any]:
        return {"prompt_embeds": text.words, "pooled_prompt_embeds": text.pooled}

    def predict(self, network: nn.Module, noisy: Tensor, time: Tensor, text: Read, side: int) -> Tensor:
        size = torch.tensor([[side, side, 0, 0, side, side]], device=noisy.device, dtype=text.words.dtype)
        added = {"text_embeds": text.pooled, "time_ids": size.expand(len(noisy), -1)}
        return network(noisy, time, encoder_hidden_states=text.words, added_cond_kwargs=added).sample


@final
class StableDiffusion3(Family):
    """Stable Diffusion 3 and 3.5: flow matching (Esser et al. 2024)."""

    denoiser, flow = "transformer", True

    def encode(self, pipe: Any, captions: Sequence[str]) -> Read:
        words, _, pooled, _ = pipe.encode_prompt(
            list(captions), None, None, device=_device(pipe.text_encoder), do_classifier_free_guidance=False
        )
        return Read.whole(words, pooled)

    def arguments(self, text: Read) -> dict[str, Any]:
        return {"prompt_embeds": text.words, "pooled_prompt_embeds": text.pooled}

    def predict(self, network: nn.Module, noisy: Tensor, time: Tensor, text: Read, side: int) -> Tensor:
        return network(
            hidden_states=noisy, timestep=time, encoder_hidden_states=text.words, pooled_projections=text.pooled
        ).sample


@final
class Flux(Family):
    """FLUX.1: squares of 2 x 2 latents are tokens with a place, and guidance is an input or built in."""

    denoiser, flow, tokenizer, guided = "transformer", True, "tokenizer_2", False

    def encode(self, pipe: Any, captions: Sequence[str]) -> Read:
        words, pooled, _ = pipe.encode_prompt(list(captions), device=_device(pipe.text_encoder))
        return Read.whole(words, pooled)

    def arguments(self, text: Read) -> dict[str, Any]:
        return {"prompt_embeds": text.words, "pooled_prompt_embeds": text.pooled}

    def predict(self, network: nn.Module, noisy: Tensor, time: Tensor, text: Read, side: int) -> Tensor:
        rows, columns = (size // 2 for size in noisy.shape[-2:])
        settings: Any = network.config
        guidance = torch.full_like(time, UNGUIDED) if settings.guidance_embeds else None
        found = network(
            hidden_states=self.packed(noisy),
            timestep=time / 1000,
            guidance=guidance,
            pooled_projections=text.pooled,
            encoder_hidden_states=text.words,
            txt_ids=text.words.new_zeros(text.words.shape[1], 3),
            img_ids=_places(rows, columns).to(noisy),
        ).sample
        return F.pixel_shuffle(found.transpose(1, 2).unflatten(2, (rows, columns)), 2)  # [b, c, 2 rows, 2 columns]

    def channels(self, network: Any) -> int:
        return int(network.config.in_channels) // 4

    def patch(self, network: Any) -> int:
        return 2

    def packed(self, latents: Tensor) -> Tensor:
        return F.pixel_unshuffle(latents, 2).flatten(2).transpose(1, 2)  # [b, h / 2 * w / 2, 4 c]


@final
class Sana(Family):
    """Sana: a language model reads an instruction and the caption (Xie et al. 2024, sec. 2.3); flow matching."""

    denoiser, flow = "transformer", True
    call: ClassVar[Mapping[str, Any]] = {"use_resolution_binning": False, "negative_prompt": None}

    def encode(self, pipe: Any, captions: Sequence[str]) -> Read:
        no_text = list(captions) == [""]  # the pipeline, too, reads it without the instruction
        words, mask, _, _ = pipe.encode_prompt(
            list(captions),
            do_classifier_free_guidance=False,
            device=_device(pipe.text_encoder),
            complex_human_instruction=None if no_text else _instruction(pipe),
        )
        return Read(words, mask.bool(), words.new_zeros(len(words), 0))

    def arguments(self, text: Read) -> dict[str, Any]:
        return {"prompt_embeds": text.words, "prompt_attention_mask": text.mask.long()}

    def predict(self, network: nn.Module, noisy: Tensor, time: Tensor, text: Read, side: int) -> Tensor:
        settings: Any = network.config
        return network(
            noisy,
            encoder_hidden_states=text.words,
            encoder_attention_mask=text.mask.long(),
            timestep=time * settings.timestep_scale,
        ).sample[:, : noisy.shape[1]]  # some networks also predict a variance

    def instruction(self, pipe: Any) -> str:
        return "\n".join(_instruction(pipe))


FAMILIES: dict[str, Family] = {
    "StableDiffusionPipeline": StableDiffusion(),
    "LatentConsistencyModelPipeline": StableDiffusion(),
    "StableDiffusionXLPipeline": StableDiffusionXL(),
    "StableDiffusion3Pipeline": StableDiffusion3(),
    "FluxPipeline": Flux(),
    "SanaPipeline": Sana(),
}


def family_of(pipe: Any, name: str) -> Family:
    """The family of a pipeline.

    Raises:
        InvalidInputError: it cannot be fine-tuned.
    """
    kind = type(pipe).__name__
    found = FAMILIES.get(kind)
    if found is None:
        if not hasattr(pipe, "load_lora_weights"):
            reason = "diffusers loads no LoRAs into it, so nothing could draw with the result"
        else:
            reason = "t2i does not know how its network is trained"
        raise InvalidInputError(
            f"{name} is a {kind}, which cannot be fine-tuned: {reason}. Those that can: {', '.join(FAMILIES)}."
        )
    return found


def _instruction(pipe: Any) -> list[str]:
    return list(inspect.signature(type(pipe).__call__).parameters["complex_human_instruction"].default)


def _places(rows: int, columns: int) -> Float[Tensor, "n 3"]:
    """Row and column of each token of a picture; the first number is that of the picture."""
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack([torch.zeros_like(row), row, column], dim=-1).reshape(-1, 3).float()


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
