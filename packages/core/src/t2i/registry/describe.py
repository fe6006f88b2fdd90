"""List and describe models by name, installed or not."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from t2i.errors import UnknownNameError
from t2i.registry import catalogue
from t2i.registry.discovery import registry
from t2i.registry.names import ModelName
from t2i.registry.specs import ModelSpec, WeightsSpec

DEFAULT_MODEL = "layers.world64"
DEFAULT_TECHNIQUE = "cgan"
DEFAULT_TEXT_ENCODER = "minilm"
DEFAULT_LANGUAGE_MODEL = "smollm2"


@dataclass(frozen=True)
class ModelInfo:
    """A technique, or one set of its pretrained weights.

    Attributes:
        name: "technique" or "technique.tag".
        distribution, version: the package that provides it; version is "" if it is not installed.
        remedy: how to install it, if it is not installed.
        spec: the technique's spec; None if it is not installed.
        weights: its known pretrained weights, or only those named.
        kind, summary: as in the spec.
    """

    name: str
    kind: str
    summary: str
    distribution: str
    version: str
    spec: ModelSpec | None
    weights: tuple[WeightsSpec, ...]
    remedy: str = ""

    @property
    def installed(self) -> bool:
        return self.spec is not None


def list_models(
    filter: str = "",  # noqa: A002
    *,
    pretrained: bool = False,
    kind: str | None = None,
    dataset: str | None = None,
    license: str | None = None,  # noqa: A002
    installed: bool = True,
) -> list[str]:
    """Names of models, sorted; torch is not imported.

    Args:
        filter: part of the name, or a pattern with * and ?.
        pretrained: list "name.tag" of pretrained weights instead of techniques.
        kind: only this family, such as "gan".
        dataset, license: only techniques with weights trained on this dataset, or under this SPDX licence.
        installed: leave out first-party techniques that are known but not installed.
    """
    names = []
    for info in map(model_info, _known_techniques(installed)):
        if kind is not None and info.kind != kind:
            continue
        weights = [
            entry for entry in info.weights if dataset in (None, entry.dataset) and license in (None, entry.license)
        ]
        if (dataset or license) and not weights:
            continue
        names += [entry.name for entry in weights] if pretrained else [info.name]
    return sorted(name for name in names if fits(name, filter))


def fits(name: str, filter: str) -> bool:  # noqa: A002
    """Whether a name has `filter` in it, or fits it as a pattern with * and ?."""
    return fnmatch.fnmatchcase(name, filter if set(filter) & set("*?[") else f"*{filter}*")


def model_info(name: str) -> ModelInfo:
    """Describe "technique" or "technique.tag"; torch is not imported.

    Raises:
        UnknownNameError, NameClashError, PluginError: as in Registry.get.
    """
    asked = _registered(name)
    technique = asked.technique
    weights = tuple(spec for spec, _ in registry().all(WeightsSpec) if spec.model == technique)
    if asked.tag:
        weights = (weights_spec(name),)
    try:
        spec, plugin = registry().get(ModelSpec, technique)
    except UnknownNameError:
        for known in catalogue.KNOWN_PLUGINS:
            if technique in known.names_of(ModelSpec):
                return ModelInfo(name, known.kind, known.summary, known.distribution, "", None, weights, known.remedy)
        raise
    return ModelInfo(name, spec.kind, spec.summary, plugin.distribution, plugin.version, spec, weights)


def weights_spec(name: str) -> WeightsSpec:
    """The weights "technique.tag", or the first ones of "technique".

    Raises:
        UnknownNameError: the technique or the tag is unknown, or it has no weights.
    """
    asked = _registered(name)
    technique = asked.technique
    if any(name in known.names_of(WeightsSpec) for known in catalogue.KNOWN_PLUGINS):
        # If they are not installed, the error names their package, which also brings the technique.
        registry().get(WeightsSpec, name)
    registry().get(ModelSpec, technique, offered=[spec.name for spec, _ in registry().all(WeightsSpec)])
    known = {spec.tag: spec for spec, _ in registry().all(WeightsSpec) if spec.model == technique}
    if asked.tag:
        return registry().get(WeightsSpec, name)[0]
    if not known:
        raise UnknownNameError(
            f"{technique!r} has no pretrained weights on this machine. Train it (t2i train {technique} --data ...) "
            f"or install some (pip install t2i-starter)."
        )
    return next(iter(known.values()))


def _registered(name: str) -> ModelName:
    """The parsed name of a technique, with or without a tag.

    Raises:
        UnknownNameError: it is another kind of name.
    """
    asked = ModelName.parse(name)
    if asked.kind != "registered":
        raise UnknownNameError(f"There is no registered model {name!r}: its name must be technique or technique.tag.")
    return asked


def _known_techniques(installed: bool) -> list[str]:
    names = {spec.name for spec, _ in registry().all(ModelSpec)}
    if not installed:
        here = {plugin.distribution for plugin in registry().plugins}  # usable or not
        elsewhere = [known for known in catalogue.KNOWN_PLUGINS if known.distribution not in here]
        names |= {name for known in elsewhere for name in known.names_of(ModelSpec)}
        names -= {clash.name for clash in registry().clashes}
    return sorted(names)
