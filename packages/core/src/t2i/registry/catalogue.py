"""First-party plugins and the names they provide, so that an unknown name's error can say which package has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from t2i.registry.specs import (
    CommandSpec,
    DatasetSpec,
    EngineSpec,
    EvaluatorSpec,
    HubModelSpec,
    LanguageModelSpec,
    ModelSpec,
    Spec,
    TextEncoderSpec,
    WeightsSpec,
)


@dataclass(frozen=True)
class KnownPlugin:
    """A distribution and the names it provides.

    Attributes:
        names: the names by type of spec.
        released: whether it can be installed today; if not, messages say that it is not released yet.
    """

    distribution: str
    kind: str
    summary: str
    names: Mapping[type[Spec], tuple[str, ...]] = field(default_factory=dict, hash=False)
    released: bool = True

    def names_of(self, kind: type[Spec]) -> tuple[str, ...]:
        """The names it provides for one role."""
        return self.names.get(kind, ())

    @property
    def remedy(self) -> str:
        """How to install it."""
        return f"pip install {self.distribution}" if self.released else f"{self.distribution}, not released yet"


STARTER = (
    *("attngan.world64", "cgan.world64", "cvae.world64", "dfgan.world64", "flow.world64", "layers.world64"),
    *("stackgan-v2.world64", "stackgan.world64", "transformer.world64", "vaegan.world64"),
)
METRICS = (
    *("fid", "kid", "is", "prdc", "memorisation", "diversity"),
    *("r_precision", "clip_score", "pick_score", "image_reward", "skills"),
)
HUB_MODELS = (
    *("sd15", "sd-turbo", "sdxl", "sdxl-turbo", "sd35-medium"),
    *("pixart-sigma", "sana", "flux-schnell", "qwen-image"),
)

KNOWN_PLUGINS = (
    KnownPlugin("t2i-cgan", "gan", "GAN-INT-CLS, the first text-to-image GAN", {ModelSpec: ("cgan",)}),
    KnownPlugin(
        "t2i-starter",
        "weights",
        "small pretrained weights, bundled",
        {WeightsSpec: STARTER},
    ),
    KnownPlugin("t2i-text-hf", "text", "Hugging Face text encoders", {TextEncoderSpec: ("minilm", "hf")}),
    KnownPlugin("t2i-openmoji", "data", "named emoji in one style", {DatasetSpec: ("openmoji", "openmoji-world")}),
    KnownPlugin("t2i-stackgan", "gan", "StackGAN and StackGAN++", {ModelSpec: ("stackgan", "stackgan-v2")}),
    KnownPlugin(
        "t2i-attngan",
        "gan",
        "AttnGAN: every region attends to the words; DAMSM",
        {ModelSpec: ("attngan",), TextEncoderSpec: ("damsm",), EvaluatorSpec: ("damsm",)},
    ),
    KnownPlugin("t2i-cvae", "vae", "text-modulated variational autoencoder", {ModelSpec: ("cvae",)}),
    KnownPlugin("t2i-dfgan", "gan", "one generator that fuses the text into every block", {ModelSpec: ("dfgan",)}),
    KnownPlugin(
        "t2i-diffusers",
        "diffusion",
        "Stable Diffusion, SDXL, PixArt, SD 3, FLUX and others from the Hub; LoRA",
        {
            ModelSpec: ("diffusers-lora",),
            HubModelSpec: HUB_MODELS,
            TextEncoderSpec: ("diffusers",),
            CommandSpec: ("edit",),
        },
    ),
    KnownPlugin("t2i-flow", "diffusion", "flow matching with a transformer on pixels", {ModelSpec: ("flow",)}),
    KnownPlugin(
        "t2i-layers",
        "vae",
        "draws each thing of a caption once, and places it",
        {ModelSpec: ("layers",)},
    ),
    KnownPlugin("t2i-transformer", "transformer", "image tokens, DALL-E style", {ModelSpec: ("transformer",)}),
    KnownPlugin("t2i-index", "memory", "searches what was drawn and written", {CommandSpec: ("search", "index")}),
    KnownPlugin("t2i-ray", "engine", "spreads work over processes or machines", {EngineSpec: ("local", "ray")}),
    KnownPlugin(
        "t2i-server", "serving", "a page and the OpenAI images API for served models", {CommandSpec: ("serve",)}
    ),
    KnownPlugin("t2i-onnx", "export", "models as ONNX graphs, and drawing without torch", {CommandSpec: ("export",)}),
    KnownPlugin(
        "t2i-vaegan",
        "hybrid",
        "autoencoder that compares pictures by a discriminator's features",
        {ModelSpec: ("vaegan",)},
    ),
    KnownPlugin(
        "t2i-lm",
        "words",
        "language models that write and widen prompts",
        {LanguageModelSpec: ("smollm2", "hf", "openai"), CommandSpec: ("write", "widen", "vary", "caption")},
    ),
    KnownPlugin(
        "t2i-apps",
        "applications",
        "pictures for tables of products, illustrated stories, boards",
        {CommandSpec: ("products", "story", "board", "album")},
    ),
    KnownPlugin(
        "t2i-metrics",
        "evaluator",
        "FID, KID, IS, PRDC, memorisation, diversity, R-precision, CLIP score, PickScore",
        {EvaluatorSpec: METRICS, CommandSpec: ("judge",)},
    ),
)
