"""A complete plugin in two small files, without weights or network; the fixture `fakes_installed` installs it."""

from __future__ import annotations

from t2i.registry import ArtistSpec, EvaluatorSpec, ModelSpec, TextEncoderSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="fake",
            target="fakes.models:FakeGenerator",
            config="fakes.models:FakeConfig",
            options="fakes.models:FakeOptions",
            kind="gan",
            summary="one linear layer",
            paper="none",
        )
    ]


@hookimpl
def t2i_text_encoders() -> list[TextEncoderSpec]:
    return [
        TextEncoderSpec(
            name="fake", target="fakes.models:FakeTextEncoder", summary="a hash per word", license="Apache-2.0"
        )
    ]


@hookimpl
def t2i_evaluators() -> list[EvaluatorSpec]:
    return [EvaluatorSpec(name="bright", target="fakes.evaluators:Brightness", summary="the mean pixel")]


@hookimpl
def t2i_artists() -> list[ArtistSpec]:
    return [
        ArtistSpec(
            name="sharded",
            target="fakes.artist:open_artist",
            marker="shards.json",
            tiny="fakes.artist:write_artist",
            summary="three shards and a tokenizer of its own",
        )
    ]
