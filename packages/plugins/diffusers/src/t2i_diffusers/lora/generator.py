"""A LoRA as a generator: its state is a LoRA file, and it draws with the pipeline that it belongs to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2i.config import Config
from t2i.errors import InvalidConfigError, InvalidInputError
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i_diffusers.config import LoRAConfig, LoRAOptions
from t2i_diffusers.lora.base import check_base, layers, open_base
from t2i_diffusers.lora.families import Read
from t2i_diffusers.unread import hushed


class _Node(nn.Module):
    """A place in the tree of names; its parameters and children are added from outside."""


@final
class DiffusersLoRA(Generator[LoRAOptions]):
    """The matrices of a LoRA, by the names that diffusers gives them, such as "unet.mid_block...to_q.lora_A.weight".

    Unlike other generators it needs another model's files: the constructor opens the pipeline `config.base`. The
    pipeline is frozen and shared, and no part of the state; the state of a snapshot can be loaded by diffusers' own
    `load_lora_weights`.
    """

    technique: ClassVar[str] = "diffusers-lora"
    config_type: ClassVar[type[Config]] = LoRAConfig
    options_type: ClassVar[type[Config]] = LoRAOptions

    def __init__(self, config: LoRAConfig) -> None:
        """
        Raises:
            InvalidConfigError: no layer has such a name, or the text embedding is too narrow.
            SnapshotError, OfflineError, IntegrityError, InvalidInputError: the pipeline cannot be used.
        """
        super().__init__()
        if torch.get_default_device().type == "meta":
            raise NotImplementedError("the pipeline is loaded from files, so it has no skeleton without weights")
        self.config: LoRAConfig = config
        self.base = open_base(config.base, config.precision)
        check_base(self.base, config.base_sha256)
        if config.text_dim < self.base.text_dim:
            raise InvalidConfigError(
                f"{config.base} reads text of width {self.base.text_dim}, but text_dim is "
                f"{config.text_dim}. Train with its own text encoders: --from {config.base}"
            )
        self._adapter = f"rank{config.rank}-{abs(hash(config.targets)) % 10**8}"
        self._add_adapter()
        self._places = layers(self.base.network, self._adapter)
        self._names = [f"{self.base.family.denoiser}.{name}" for name in self._places]
        for name, layer in zip(self._names, self._places.values(), strict=True):
            self._insert(name, nn.Parameter(torch.empty_like(layer.weight, dtype=torch.float32)))
        self._initialise()

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    @property
    def matrices(self) -> nn.Module:
        """The module that is trained."""
        part: nn.Module = getattr(self, self.base.family.denoiser)
        return part

    @contextmanager
    def worn(self) -> Iterator[Any]:
        """For the block, the frozen network draws with these matrices; yields the network."""
        network = self.base.network
        own = dict(self.named_parameters())
        self.base.to(next(iter(own.values())).device)
        self.base.activate(self._adapter)
        before = {name: layer._parameters["weight"] for name, layer in self._places.items()}
        try:
            for name, layer in zip(self._names, self._places.values(), strict=True):
                layer._parameters["weight"] = own[f"{name}.weight"]
            yield network
        finally:
            for name, layer in self._places.items():
                layer._parameters["weight"] = before[name]

    @property
    def not_one_graph(self) -> str:
        """The pipeline's loop is not a part of its networks."""
        return (
            "It draws with a pipeline of diffusers, whose scheduler runs in Python between its networks. The package "
            "optimum exports those."
        )

    def text_of(self, text: TextEmbedding) -> Read:
        """What the network reads, as it was before it was packed into an embedding."""
        return Read(text.words[..., : self.base.words_dim], text.mask, text.sentence[:, : self.base.pooled_dim])

    def generate(self, text: TextEmbedding, noise: Noise, options: LoRAOptions) -> Float[Tensor, "b 3 h w"]:
        pipe, family = self.base.pipe, self.base.family
        pipe.set_progress_bar_config(disable=True)
        if text.sentence.shape[1] != self.text_dim:
            raise InvalidInputError(f"The text must have width {self.text_dim}, got {text.sentence.shape[1]}.")
        latents = noise.normal(*self.latents_shape)
        read = self.text_of(text)
        images = torch.empty(len(text), 3, self.resolution, self.resolution, device=latents.device)
        with self.worn() as network, hushed():
            dtype = network.dtype
            for row in range(len(text)):  # one by one: the same bits in every batch, and the pipelines read no padding
                here, length = slice(row, row + 1), int(text.mask[row].sum())
                own = Read(read.words[here, :length], read.mask[here, :length], read.pooled[here])
                given = family.arguments(own.to(latents.device, dtype))
                empty = family.arguments(self.no_text(1, length).to(latents.device, dtype))
                drawn = pipe(
                    **given,
                    **{f"negative_{name}": value for name, value in empty.items() if self._is_guided(options)},
                    **family.call,
                    latents=family.packed(latents[here].to(dtype)),
                    generator=torch.Generator().manual_seed(noise.seeds[row] % 2**32),
                    num_inference_steps=options.steps,
                    guidance_scale=options.guidance,
                    width=self.resolution,
                    height=self.resolution,
                    output_type="pt",
                ).images
                images[here] = drawn.float() * 2 - 1
        return images

    @property
    def latents_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a picture's latents."""
        side = self.resolution // self.base.pipe.vae_scale_factor
        return self.base.family.channels(self.base.network), side, side

    def _is_guided(self, options: LoRAOptions) -> bool:
        """Whether the pipeline takes negative text: latent consistency models have guidance built in."""
        built_in = self.base.network.config.get("time_cond_proj_dim") is not None
        return options.guidance > 1 and self.base.family.guided and not built_in

    def no_text(self, rows: int, length: int) -> Read:
        """No text for each row, on the CPU, as long as the rows' own; its last word is repeated if it is too short."""
        null = self.base.null()
        index = torch.arange(length).clamp(max=null.words.shape[1] - 1)
        return Read(
            *(part.expand(rows, *part.shape[1:]) for part in (null.words[:, index], null.mask[:, index], null.pooled))
        )

    def _add_adapter(self) -> None:
        from peft import LoraConfig

        network = self.base.network
        if self._adapter in getattr(network, "peft_config", {}):
            return
        rank = self.config.rank
        with torch.random.fork_rng(devices=[]):
            try:
                network.add_adapter(
                    LoraConfig(r=rank, lora_alpha=rank, target_modules=list(self.config.targets)),
                    adapter_name=self._adapter,
                )
            except ValueError as error:
                raise InvalidConfigError(
                    f"The targets {', '.join(self.config.targets)} name no layers of a {type(network).__name__} "
                    f"({error})."
                ) from None
        network.requires_grad_(False)
        self.base.activate(self._adapter)

    def _insert(self, name: str, parameter: nn.Parameter) -> None:
        """Add a parameter under a dotted name."""
        node: nn.Module = self
        for part in name.split("."):
            if part not in node._modules:
                node.add_module(part, _Node())
            child = node._modules[part]
            assert child is not None
            node = child
        node.register_parameter("weight", parameter)

    def _initialise(self) -> None:
        """A as a linear layer's weights, B zero, so that training starts from the pipeline itself (Hu et al., 4.1)."""
        for name, parameter in self.named_parameters():
            if ".lora_A." in name:
                nn.init.kaiming_uniform_(parameter, a=math.sqrt(5))
            else:
                nn.init.zeros_(parameter)
