"""What this distribution declares; imports neither torch nor Ray."""

from __future__ import annotations

from t2i.registry import EngineSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_engines() -> list[EngineSpec]:
    return [
        EngineSpec(
            name="local",
            target="t2i_ray.connect:open_local",
            summary="local or local:N: processes of this machine, one for each GPU or core, or N",
            check_reference="2",
        ),
        EngineSpec(
            name="ray",
            target="t2i_ray.connect:open_cluster",
            summary="a Ray cluster: ray from one of its machines, ray:HOST:PORT, or ray://HOST:PORT from outside",
        ),
    ]
