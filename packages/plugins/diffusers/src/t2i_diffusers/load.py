"""Builds a diffusers pipeline from verified files: its class, its weights, its precision, its place in memory."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from t2i.display import brief
from t2i.errors import InvalidInputError, SnapshotError
from t2i.hub.client import offline
from t2i.hub.transformers_folder import check_tokenizer
from t2i_diffusers.files.find import PipelineFiles
from t2i_diffusers.files.machine import gigabytes, main_memory
from t2i_diffusers.unread import LIBRARIES

ROOM = 0.7  # share of the device's memory that weights may take; activations need the rest
VIDEO = ("num_frames", "audio_length_in_s", "frame_rate")
HALF = ("fp16", "bf16")


def preferred_variants(device: str) -> tuple[str, ...]:
    """Variants of weights, best first: full precision on a CPU, which has no fast 16-bit arithmetic, else 16 bits."""
    return ("",) if device == "cpu" else (*HALF, "")


def precision(device: str, variant: str) -> torch.dtype:
    """The dtype to draw with on `device` from weights of `variant`."""
    if device == "cpu":
        return torch.float32
    if variant == "fp16" or device == "mps" or not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16


def too_small(parts: Mapping[str, int], variant: str, device: str, memory: str) -> str:
    """A sentence if this machine has too little memory for these weights, else "".

    Args:
        parts: bytes of each component's weights on disk.
    """
    whole = sum(parts.values()) * (2 if device == "cpu" and variant in HALF else 1)  # drawn with 32 bits
    have = main_memory()
    if have is not None and whole > have:
        return f"It needs {gigabytes(whole)} of main memory, but this machine has {gigabytes(have)}."
    if device == "cpu" or device == "mps":
        return ""
    _, total = torch.cuda.mem_get_info(device)
    needed = whole if memory == "fast" else max(parts.values())
    if needed > total:
        return f"It needs {gigabytes(needed)} on {device}, which has {gigabytes(total)}."
    return ""


def pipeline_class(files: PipelineFiles) -> Any:
    """The pipeline's class in diffusers, which draws from text alone.

    Raises:
        SnapshotError: diffusers has no such class, or it draws from something else.
    """
    import diffusers

    kind = getattr(diffusers, files.index.pipeline, None)
    if not (inspect.isclass(kind) and issubclass(kind, diffusers.DiffusionPipeline)):
        raise SnapshotError(
            f"{files.name} is a {files.index.pipeline}, which diffusers {diffusers.__version__} does not have. "
            f"Update it: pip install --upgrade diffusers"
        )
    if not draws_from_text(kind):
        drawing = _text_to_image(files.index.pipeline)
        if drawing is None:
            raise SnapshotError(
                f"{files.name} is a {files.index.pipeline}, which does not draw pictures from text alone. "
                f"Choose a text-to-image model."
            )
        kind = drawing
    return kind


def draws_from_text(kind: Any) -> bool:
    """Whether a pipeline class takes a prompt, needs no picture, and makes pictures."""
    parameters = inspect.signature(kind.__call__).parameters
    loads_others = getattr(kind, "_load_connected_pipes", False)  # from repositories that no lock names
    return (
        "prompt" in parameters
        and not {"image", "mask_image", "image_embeds", *VIDEO} & {*parameters}
        and not loads_others
    )


def _text_to_image(name: str) -> Any:
    """The class that draws from text with the same components, such as those of an image-to-image pipeline."""
    from diffusers.pipelines import auto_pipeline

    try:
        kind = auto_pipeline._get_task_class(auto_pipeline.AUTO_TEXT2IMAGE_PIPELINES_MAPPING, name)
    except ValueError:
        return None
    return kind if draws_from_text(kind) else None


def load_pipeline(files: PipelineFiles, device: str) -> Any:
    """The pipeline on the CPU, at the precision for `device`; no request is made, and no code of the model is run.

    Raises:
        SnapshotError: its files do not fit together, lack weights, or have weights that are not finite.
    """
    kind = pipeline_class(files)
    variant = files.selection.variant
    with offline(), _quiet(), _heard() as complaints:
        try:
            pipe = kind.from_pretrained(
                files.folder,
                use_safetensors=True,
                variant=variant or None,
                torch_dtype=precision(device, variant),
                local_files_only=True,
                trust_remote_code=False,
            )
            for name, part in pipe.components.items():
                if name.startswith("tokenizer") and part is not None:
                    check_tokenizer(part)
        except Exception as error:  # the libraries raise anything for unsuitable configs
            raise SnapshotError(
                f"{files.name} cannot be loaded: {_first_line(error)}. Download it again, or update diffusers."
            ) from error
    if complaints:
        raise SnapshotError(f"{files.name} lacks weights: {complaints[0]}. Choose another model.")
    pipe.set_progress_bar_config(disable=True)
    for name, module in modules(pipe).items():
        module.eval().requires_grad_(False)
        _check_finite(name, module, files)
    return pipe


def modules(pipe: Any) -> dict[str, nn.Module]:
    """The pipeline's networks by the names of its components."""
    return {name: part for name, part in pipe.components.items() if isinstance(part, nn.Module)}


def _check_finite(name: str, module: nn.Module, files: PipelineFiles) -> None:
    for parameter, value in module.named_parameters():
        if not value.isfinite().all():
            raise SnapshotError(
                f"Weights must be finite numbers, but some of {name}.{parameter} of {files.name} are not."
            )


def place(pipe: Any, device: str, memory: str) -> None:
    """Put the pipeline where it draws from.

    Raises:
        InvalidInputError: `memory` is "fast", and the device is too small.
    """
    size = sum(p.numel() * p.element_size() for module in modules(pipe).values() for p in module.parameters())
    vae: Any = getattr(pipe, "vae", None)
    if memory == "low" and hasattr(vae, "enable_slicing"):
        vae.enable_slicing()  # decodes one picture at a time; changes no pixel
    if device == "cpu":
        return
    if device != "mps" and memory != "fast" and (memory == "low" or size > ROOM * torch.cuda.mem_get_info(device)[0]):
        pipe.enable_model_cpu_offload(device=device)
        return
    try:
        pipe.to(device)
    except torch.OutOfMemoryError:
        raise InvalidInputError(
            f"The weights take {gigabytes(size)}, which {device} does not have. Use --memory low."
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Show no progress bars: loading takes seconds, and they would mix with ours."""
    import diffusers
    import transformers

    libraries: tuple[Any, ...] = (diffusers.utils.logging, transformers.utils.logging)
    shown = [library.is_progress_bar_enabled() for library in libraries]
    for library in libraries:
        library.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of `torch_dtype`, which older diffusers know
            yield
    finally:
        for library, was in zip(libraries, shown, strict=True):
            if was:
                library.enable_progress_bar()


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What the libraries say of weights that a model lacks, which they would fill with random numbers."""
    complaints: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if "newly initialized" in text or "MISSING" in text:
                complaints.append(brief(text))

    ear, loggers = Ear(), [logging.getLogger(name) for name in LIBRARIES]
    for logger in loggers:
        logger.addHandler(ear)
    try:
        yield complaints
    finally:
        for logger in loggers:
            logger.removeHandler(ear)


def _first_line(error: Exception) -> str:
    return brief(error).rstrip(".") or type(error).__name__
