"""The objective of LoRA fine-tuning: the pipeline's own loss, on latents that are encoded once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from t2i.errors import TrainingError
from t2i.files import cache_home, write_atomic
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_diffusers.config import LoRAObjectiveConfig
from t2i_diffusers.lora.families import Read
from t2i_diffusers.lora.generator import DiffusersLoRA

AT_ONCE = 8  # pictures that the VAE encodes at once
LOGIT_MEAN, LOGIT_STD = 0.0, 1.0  # of times in flow matching (Esser et al. 2024, sec. 3.1)


@final
class LoRAObjective(Objective):
    """One player: the squared error of the noise (Ho et al. 2020, eq. 14) or of the velocity (Lipman et al. 2023)."""

    def __init__(self, generator: DiffusersLoRA, config: LoRAObjectiveConfig) -> None:
        from diffusers import DDPMScheduler

        self.generator: DiffusersLoRA = generator
        self._config, self._base = config, generator.base
        self._latents: tuple[Tensor, Tensor] | None = None
        own = self._base.pipe.scheduler
        self._schedule = own if self._base.family.flow else DDPMScheduler.from_config(own.config)  # type: ignore[no-untyped-call]

    @property
    def phases(self) -> Sequence[Phase]:
        player = Player("lora", {"lora": self.generator.matrices}, self.loss, self._config.optimizer)
        return [Phase("lora", [player], start=self._encode_all if self._config.cache_latents else None)]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The mean squared error of what the network predicts for the noisy latents."""
        generator, base = self.generator, self._base
        noise = batch.noise
        latents = self._latents_of(batch)
        added = noise.normal(*latents.shape[1:])
        text = self._text(batch, noise)
        with generator.worn() as network:
            dtype = network.dtype
            noisy, time, target = self._noised(latents, added, noise)
            text = text.to(noisy.device, dtype)
            found = base.family.predict(network, noisy.to(dtype), time, text, generator.resolution)
        return {"error": (found.float() - target).square().mean()}

    def _noised(self, latents: Tensor, added: Tensor, noise: Noise) -> tuple[Tensor, Tensor, Tensor]:
        """Noisy latents, the scheduler's step of each, and what the network should predict."""
        schedule = self._schedule
        total = schedule.config.num_train_timesteps
        if self._base.family.flow:
            share = (LOGIT_MEAN + LOGIT_STD * noise.normal()).sigmoid()
            side = latents.shape[-1] // self._base.family.patch(self._base.network)
            shift = flow_shift(schedule, side**2)
            share = shift * share / (1 + (shift - 1) * share)
            s = share[:, None, None, None]
            return (1 - s) * latents + s * added, share * total, added - latents
        time = (noise.uniform() * total).long()
        noisy = schedule.add_noise(latents, added, time)
        kind = schedule.config.prediction_type
        if kind == "v_prediction":
            return noisy, time, schedule.get_velocity(latents, added, time)
        return noisy, time, latents if kind == "sample" else added

    def _text(self, batch: Batch, noise: Noise) -> Read:
        """The captions as the network reads them, some replaced by no text."""
        text = self.generator.text_of(batch.text)
        dropped = noise.uniform() < self._config.caption_dropout
        if not dropped.any():
            return text
        none = self.generator.no_text(*text.mask.shape).to(text.words.device, text.words.dtype)
        return Read(
            torch.where(dropped[:, None, None], none.words, text.words),
            torch.where(dropped[:, None], none.mask, text.mask),
            torch.where(dropped[:, None], none.pooled, text.pooled),
        )

    def _latents_of(self, batch: Batch) -> Float[Tensor, "b c h w"]:
        """A sample of each picture's latents: from the cache, or encoded now."""
        if self._latents is None or not torch.is_grad_enabled():  # pictures that are only compared may be of other data
            mean, spread = self._encoded(batch.images)
        else:
            places = batch.pictures.cpu()
            mean, spread = (part[places].to(batch.images.device).float() for part in self._latents)
        return mean + spread * batch.noise.normal(*mean.shape[1:])

    @torch.no_grad()
    def _encoded(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
        """The mean and standard deviation of the pictures' latents, as the network reads them."""
        vae = self._base.pipe.vae
        self._base.to(images.device)
        found = vae.encode(images.to(vae.dtype))
        shift, scale = getattr(vae.config, "shift_factor", None) or 0.0, vae.config.scaling_factor
        if hasattr(found, "latent"):  # an autoencoder without randomness, such as Sana's
            return (found.latent.float() - shift) * scale, torch.zeros_like(found.latent, dtype=torch.float32)
        spread = found.latent_dist
        return (spread.mean.float() - shift) * scale, spread.std.float() * scale

    def _encode_all(self, pictures: UInt8[Tensor, "n 3 h w"]) -> None:
        """Encode every picture once, or take the latents from the cache; resumed runs find them there.

        Raises:
            TrainingError: the pictures are larger than those that are drawn, so crops would need other latents.
        """
        if pictures.shape[-1] != self.generator.resolution:
            raise TrainingError(
                f"Cached latents are of whole pictures, but pictures of {pictures.shape[-1]} px are cut to "
                f"{self.generator.resolution} px. Set train.crop_margin=0, or objective.cache_latents=false."
            )
        path = _cache_of(pictures, self._base.sha256)
        with suppress(OSError, SafetensorError, KeyError):
            tensors = load_file(path)
            self._latents = tensors["mean"], tensors["std"]
            return
        device = next(self.generator.parameters()).device
        parts = [self._encoded(from_uint8(part).to(device)) for part in torch.split(pictures, AT_ONCE)]
        mean, spread = (torch.cat([part[side].half().cpu() for part in parts]).contiguous() for side in (0, 1))
        write_atomic(path, save({"mean": mean, "std": spread}))
        self._latents = mean, spread


def flow_shift(scheduler: Any, tokens: int) -> float:
    """How far times are shifted towards noise, for pictures of so many tokens (Esser et al. 2024, eq. 23)."""
    settings = scheduler.config
    if not settings.get("use_dynamic_shifting"):
        return float(settings.get("flow_shift" if settings.get("use_flow_sigmas") else "shift", 1.0))
    fewest, most = settings.get("base_image_seq_len", 256), settings.get("max_image_seq_len", 4096)
    least, largest = settings.get("base_shift", 0.5), settings.get("max_shift", 1.15)
    log_shift = least + (largest - least) * (tokens - fewest) / (most - fewest)
    return log_shift if settings.get("time_shift_type") == "linear" else math.exp(log_shift)


def _cache_of(pictures: Tensor, base_sha256: str) -> Path:
    """The file for the latents of these pictures with this pipeline's VAE."""
    digest = hashlib.sha256(f"{base_sha256} {tuple(pictures.shape)}".encode())
    for part in torch.split(pictures, 64):
        digest.update(part.numpy().tobytes())
    return cache_home() / "latents" / f"{digest.hexdigest()[:32]}.safetensors"
