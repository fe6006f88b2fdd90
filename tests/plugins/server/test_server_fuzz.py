"""schemathesis sends requests made from the API's schema, right and wrong ones: no answer is a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from fakes.artist import write_artist
from fakes.serving import Served, serving

pytestmark = pytest.mark.slow
EXAMPLES = 25  # of each operation and kind
OPERATIONS = {
    *{"/v1/images/generations", "/v1/chat/completions", "/v1/models", "/v1/models/{model}", "/search"},
    *{"/v1/provenance", "/healthz", "/readyz", "/metrics", "/", "/static/{name}"},
}
CAN_BE_WRONG = {"/v1/images/generations", "/v1/chat/completions", "/search"}  # the schema allows the others anything
KNOWN = {200, 400, 401, 403, 404, 405, 413, 415, 429, 503, 504}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fakes_installed_for_module: None) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("T2I_INDEX", str(folder / "index.sqlite"))
        painter = write_artist(folder / "painter")
        with serving({"painter": str(painter)}, keep=folder / "kept", search=True, wait_ms=0) as served:
            served.draw()
            yield served


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_made_from_the_schema_fails_the_server(
    server: Served, mode: GenerationMode, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {operation.path for operation in operations} == OPERATIONS
    statuses = set()
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and operation.path not in CAN_BE_WRONG:
            continue

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: schemathesis.Case) -> None:
            answer = case.call(timeout=30)
            statuses.add(answer.status_code)
            assert answer.status_code in KNOWN, answer.text
            if answer.status_code >= 400 and case.method != "OPTIONS":
                assert set(answer.json()["error"]) == {"message", "type", "param", "code"}

        send()
    assert {200, 400} <= statuses | ({200} if mode is GenerationMode.NEGATIVE else {400})
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith('{"time"')]
    assert not [line for line in logged if "traceback" in line]


def test_the_server_still_draws(server: Served) -> None:
    assert server.draw(seed=7).status == 200
