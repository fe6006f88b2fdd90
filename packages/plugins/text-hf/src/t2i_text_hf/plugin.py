"""Declares the text encoders `minilm` and `hf:org/name[@revision]`; imports no torch."""

from __future__ import annotations

from t2i.registry import TextEncoderSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_text_encoders() -> list[TextEncoderSpec]:
    """Declare both encoders."""
    return [
        TextEncoderSpec(
            name="minilm",
            target="t2i_text_hf.minilm:MiniLM",
            summary="all-MiniLM-L6-v2: words and sentence, 384-d, no network needed (the default)",
            license="Apache-2.0",
        ),
        TextEncoderSpec(
            name="hf",
            target="t2i_text_hf.huggingface:HuggingFaceEncoder",
            summary="any text encoder on the Hugging Face Hub: hf:org/name[@revision] or hf:folder",
            license="unknown",
            takes_reference=True,
        ),
    ]
