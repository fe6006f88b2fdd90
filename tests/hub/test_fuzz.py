"""Any config.json and any safetensors file either loads or raises a T2IError."""

from __future__ import annotations

import hashlib
import json
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.models import FakeConfig, FakeGenerator
from t2i.errors import T2IError
from t2i.publishing.pretrained import save_pretrained
from t2i.snapshots.load import load_generator
from t2i.snapshots.resolve import resolve

pytestmark = pytest.mark.usefixtures("fakes_installed_for_module")

bounded = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = save_pretrained(FakeGenerator(), tmp_path_factory.mktemp("good") / "m")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def loads_or_says_why(files: dict[str, bytes]) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            (Path(scratch) / name).write_bytes(content)
        try:
            load_generator(resolve(f"local-dir:{scratch}"))
        except T2IError as error:
            assert str(error) and len(str(error)) < 5000
            return False
        return True


@bounded
@given(st.dictionaries(st.sampled_from(["format", "technique", "config", "facts", "weights_sha256", "x"]), json_values))
def test_a_config_with_other_values(good, changes):
    loaded = loads_or_says_why(good | {"config.json": json.dumps(json.loads(good["config.json"]) | changes).encode()})
    assert not (loaded and "x" in changes)


@bounded
@given(st.dictionaries(st.sampled_from(list(FakeConfig.model_fields)), json_values, min_size=1))
def test_a_techniques_config_with_other_values(good, changes):
    values = json.loads(good["config.json"])
    values["config"] |= changes
    loads_or_says_why(good | {"config.json": json.dumps(values).encode()})


@bounded
@given(st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_a_config_with_other_bytes(good, where, what):
    text = good["config.json"]
    loads_or_says_why(good | {"config.json": text[:where] + what + text[where + len(what) :]})


def honestly_hashed(good: dict[str, bytes], weights: bytes) -> dict[str, bytes]:
    config = json.loads(good["config.json"]) | {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    return good | {"model.safetensors": weights, "config.json": json.dumps(config).encode()}


@bounded
@given(st.integers(0, 300), st.binary(min_size=1, max_size=4))
def test_a_safetensors_header_with_other_bytes(good, where, what):
    weights = good["model.safetensors"]
    loads_or_says_why(honestly_hashed(good, weights[:where] + what + weights[where + len(what) :]))


entry = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "BF16", "I64", "BOOL", "F4", "x"]) | json_values,
        "shape": st.lists(st.integers(-1, 2**40), max_size=4) | json_values,
        "data_offsets": st.lists(st.integers(-1, 2**64), min_size=2, max_size=2) | json_values,
    }
)
headers = st.dictionaries(
    st.sampled_from(["to_pixels.weight", "to_pixels.bias", "x", "__metadata__"]), entry | json_values
)


@bounded
@given(headers, st.binary(max_size=16), st.none() | st.integers(0, 2**64 - 1))
def test_a_safetensors_header_made_up(good, header, data, length):
    text = json.dumps(header).encode()
    weights = struct.pack("<Q", len(text) if length is None else length) + text + data
    assert not loads_or_says_why(honestly_hashed(good, weights))
