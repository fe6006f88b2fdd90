"""The workflow that ComfyUI writes into a picture: a graph of nodes, as JSON under `prompt`.

The prompt is the text that leads to the input `positive` of a sampler. Nodes in between, such as ControlNet's, are
followed backwards along their links.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from t2i_index.metadata.values import as_seed, as_text, parse_object, simple
from t2i_index.record import Record

Graph = dict[str, Any]
MOST_NODES = 2_000  # visited from one sampler
TEXTS = ("text", "text_g", "text_l", "t5xxl", "clip_l", "prompt", "string", "value")
SETTINGS = ("steps", "cfg", "sampler_name", "scheduler", "denoise")


def read_comfyui(texts: dict[str, str]) -> Record | None:
    """How ComfyUI made a picture, from its text chunks; None if it did not."""
    graph = parse_object(texts.get("prompt", ""))
    if not graph:
        return None
    for id_, node in graph.items():
        inputs = _inputs(node)
        if "positive" not in inputs:
            continue
        prompt = next(filter(None, (_text(graph, other) for other in _before(graph, inputs["positive"]))), "")
        if prompt:
            seed = _seed(graph, id_)
            options = simple({name: inputs[name] for name in SETTINGS if name in inputs})
            return Record("picture", prompt, model=_model(graph), seed=seed, options=options, source="comfyui")
    return _without_sampler(graph)


def _without_sampler(graph: Graph) -> Record | None:
    """Workflows whose sampler takes a guider: the longest text that a text encoder reads."""
    prompts = [_text(graph, id_) for id_, node in graph.items() if "TextEncode" in _kind(node)]
    prompt = max(prompts, key=len, default="")
    seeds = [as_seed(_inputs(node).get("noise_seed")) for node in graph.values()]
    seed = next((seed for seed in seeds if seed is not None), None)
    return Record("picture", prompt, model=_model(graph), seed=seed, source="comfyui") if prompt else None


def _before(graph: Graph, link: object) -> Iterator[str]:
    """Ids of the nodes that lead to a link, the nearest first; circles end."""
    waiting, seen = [link], set[str]()
    while waiting and len(seen) < MOST_NODES:
        link = waiting.pop(0)
        id_ = link[0] if isinstance(link, list) and link and isinstance(link[0], str) else None
        if id_ is None or id_ in seen or id_ not in graph:
            continue
        seen.add(id_)
        yield id_
        waiting += [value for value in _inputs(graph[id_]).values() if isinstance(value, list)]


def _text(graph: Graph, id_: str) -> str:
    """The text that a node holds itself."""
    inputs = _inputs(graph[id_])
    return next(filter(None, (as_text(inputs.get(name)) for name in TEXTS)), "")


def _seed(graph: Graph, id_: str) -> int | None:
    """The seed of a node, or of one that leads to it."""
    for name in ("seed", "noise_seed"):
        value = _inputs(graph[id_]).get(name)
        if isinstance(value, list):
            found = (
                as_seed(_inputs(graph[other]).get(key)) for other in _before(graph, value) for key in (name, "value")
            )
            return next((seed for seed in found if seed is not None), None)
        if as_seed(value) is not None:
            return as_seed(value)
    return None


def _model(graph: Graph) -> str:
    for node in graph.values():
        for name in ("ckpt_name", "unet_name", "model_name"):
            if found := as_text(_inputs(node).get(name)):
                return found
    return ""


def _inputs(node: object) -> dict[str, Any]:
    inputs = node.get("inputs") if isinstance(node, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def _kind(node: object) -> str:
    return as_text(node.get("class_type")) if isinstance(node, dict) else ""
