"""`t2i serve`: serve models on this machine, or to others who have a key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.cli.console import say
from t2i.cli.options import (
    DeviceOption,
    EngineOption,
    YesOption,
    check_engine,
    check_model,
    download_confirmed,
)
from t2i.errors import InvalidInputError
from t2i.registry.describe import DEFAULT_MODEL
from t2i_server.settings import ServerSettings

if TYPE_CHECKING:
    from t2i_server.keys import Keys
    from t2i_server.state import State

HELP = "Models to serve, the first is the default; ID=MODEL gives one a name for clients."
DEFAULT = ServerSettings()


def serve(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help=HELP)] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; any but a loopback one needs keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: any free one.")] = 8000,
    keys: Annotated[
        Path | None, typer.Option(help="File of keys, one line NAME KEY per client; or set T2I_SERVER_KEY.")
    ] = None,
    lm: Annotated[list[str] | None, typer.Option(help="Also serve this language model; repeatable.")] = None,
    search: Annotated[bool, typer.Option("--search", help="Let clients search this machine's index.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Folder for every picture; the index records them.")] = None,
    batch: Annotated[int, typer.Option(help="Maximum number of pictures drawn at once.")] = DEFAULT.batch,
    wait_ms: Annotated[
        float, typer.Option(help="Milliseconds that a batch waits for more requests.")
    ] = DEFAULT.wait_ms,
    queue: Annotated[int, typer.Option(help="Maximum number of pictures accepted and not yet drawn.")] = DEFAULT.queue,
    per_request: Annotated[int, typer.Option(help="Maximum number of pictures in one request.")] = DEFAULT.per_request,
    per_key: Annotated[
        int, typer.Option(help="Maximum number of pictures accepted and not yet drawn, for each key.")
    ] = DEFAULT.per_key,
    per_minute: Annotated[
        int, typer.Option(help="Maximum number of pictures per minute for each key; 0: no limit.")
    ] = DEFAULT.per_minute,
    deadline: Annotated[
        float, typer.Option(help="Maximum number of seconds for one request.")
    ] = DEFAULT.deadline_seconds,
    memory: Annotated[int, typer.Option(help="MiB for the weights of loaded models.")] = DEFAULT.memory_mib,
    log_prompts: Annotated[bool, typer.Option("--log-prompts", help="Write prompts into the access log.")] = False,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="Another website whose pages may use the API; repeatable.")
    ] = None,
    device: DeviceOption = None,
    engine: EngineOption = None,
    replicas: Annotated[
        int | None, typer.Option(min=1, help="With --engine: copies of the models. Default: one per worker.")
    ] = None,
    yes: YesOption = False,
) -> None:
    """Serve models: a page at /, and the OpenAI images API at /v1. Stops after Ctrl-C, when accepted requests are
    answered."""
    from t2i.config import parse_config
    from t2i_server.keys import read_keys
    from t2i_server.names import parse_names

    if replicas is not None and engine is None:
        raise InvalidInputError(f"Replicas are workers of an engine. Add --engine local:{replicas}")
    names = parse_names(models or [DEFAULT_MODEL])
    for name in names.values():
        check_model(name)
    check_engine(engine, device)
    given = {
        "batch": batch,
        "wait_ms": wait_ms,
        "queue": queue,
        "per_request": per_request,
        "per_key": per_key,
        "per_minute": per_minute,
        "deadline_seconds": deadline,
        "memory_mib": memory,
        "log_prompts": log_prompts,
        "keep": keep,
        "search": search,
        "allow_origins": allow_origin or [],
    }
    settings = parse_config(ServerSettings, given, "t2i serve")
    accepted = read_keys(keys)
    from t2i_server.build import build

    if engine is None:
        start(build(names, settings, lm or [], device, download_confirmed(yes)), accepted, host, port)
        return
    from t2i.create import create_engine
    from t2i.drawing.opening import agreed, refused

    say("starting the engine")
    with create_engine(engine) as workers:
        confirm = agreed if yes else refused
        start(build(names, settings, lm or [], device, confirm, workers, replicas), accepted, host, port)


def start(state: State, keys: Keys, host: str, port: int) -> None:
    """Bind, load and serve.

    Raises:
        InvalidInputError, OutputError: the address cannot be served, or needs keys.
        UnknownNameError, PluginError, SnapshotError: a model cannot be loaded.
        EngineError: the engine's replicas cannot start.
    """
    from t2i_server.app import application
    from t2i_server.run import address_of, bind, is_loopback, run

    listener = bind(host, port)
    if not is_loopback(listener) and not keys.required:
        listener.close()
        raise InvalidInputError(
            f"Serving on {host} lets others draw here, so it needs a key. Put one into the environment variable "
            f"T2I_SERVER_KEY, or several into a file: --keys FILE. Only for this machine: --host 127.0.0.1"
        )
    hosts = {"localhost", "127.0.0.1", "[::1]", host.lower()} if not keys.required else set()
    where = address_of(listener) + (" (with keys)" if keys.required else "")
    say("loading the models")
    run(application(state, keys, hosts), state, listener, lambda: say(f"{', '.join(state.models.served)} on {where}"))
