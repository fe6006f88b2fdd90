"""A declared text encoder."""

from __future__ import annotations

from functools import cache, partial
from typing import final

from t2i.create import create_text_encoder
from t2i.registry.specs import TextEncoderSpec
from t2i.testing.checks.roles.role import CheckedRole, Section
from t2i.testing.checks.text_encoders import TEXT_ENCODER_CHECKS


@final
class TextEncoders(CheckedRole[TextEncoderSpec]):
    """Text encoders; one that takes a reference is only made if one is given."""

    def sections(self, spec: TextEncoderSpec, reference: str) -> list[Section]:
        if spec.takes_reference and not reference:
            return []
        name = f"{spec.name}:{reference}" if reference else spec.name
        make = cache(partial(create_text_encoder, name))  # it is frozen, so all checks can share it
        return [Section(f"the text encoder {spec.name}", TEXT_ENCODER_CHECKS, make, spec.expected_failures)]

    def check_files(self, spec: TextEncoderSpec) -> None:
        pass  # it names no files

    def make(self, spec: TextEncoderSpec) -> None:
        if not spec.takes_reference:
            create_text_encoder(spec.name)

    def says(self, spec: TextEncoderSpec) -> tuple[dict[str, object], dict[str, object]]:
        if spec.takes_reference:
            return {}, {}
        return {"name": spec.name}, {"name": create_text_encoder(spec.name).identity.name}
