"""Declares three language models, and the verbs that use them; imports no torch."""

from __future__ import annotations

from t2i.registry import CommandSpec, LanguageModelSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_language_models() -> list[LanguageModelSpec]:
    """Declare the language models."""
    return [
        LanguageModelSpec(
            name="smollm2",
            target="t2i_lm.smollm2:smollm2",
            summary="SmolLM2-135M-Instruct: small, no network needed with t2i-lm[offline] (the default)",
            license="Apache-2.0",
        ),
        LanguageModelSpec(
            name="hf",
            target="t2i_lm.huggingface:huggingface",
            summary="any causal language model on the Hugging Face Hub: hf:org/name[@revision] or hf:folder",
            license="unknown",
            takes_reference=True,
        ),
        LanguageModelSpec(
            name="openai",
            target="t2i_lm.server:ServedModel",
            summary="any server with the OpenAI chat API: openai:http://127.0.0.1:8080/v1#model",
            license="unknown",
            takes_reference=True,
        ),
    ]


@hookimpl
def t2i_commands() -> list[CommandSpec]:
    """Declare the verbs."""
    return [
        CommandSpec("write", "t2i_lm.cli.write:write", "Let a language model write prompts about a topic."),
        CommandSpec("widen", "t2i_lm.cli.widen:widen", "Let a language model add details to a prompt."),
        CommandSpec("vary", "t2i_lm.cli.vary:vary", "Write the variations of a template such as a {red|blue} house."),
        CommandSpec(
            "caption", "t2i_lm.cli.caption:caption", "Let a model describe pictures, in text files next to them."
        ),
    ]
