"""Finding an extractor's weights, and verifying that they are the published ones."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from t2i.errors import IntegrityError, InvalidInputError, OfflineError
from t2i.files import regular, sha256_of


@dataclass(frozen=True)
class PublishedWeights:
    """One published file.

    Attributes:
        names: its file names in PyTorch's cache (torch.hub.get_dir()/checkpoints) or in `package`; a download is saved
            under the first.
        sha256: in hex; only its first digits if no more was published.
        url: where it is downloaded from, or "" if `package` holds it.
        package: "import_name/folder" in an installed distribution that holds it, or "".
        distribution: the name of that distribution for pip.
    """

    names: tuple[str, ...]
    sha256: str
    url: str = ""
    package: str = ""
    distribution: str = ""

    def find(self) -> Path:
        """The verified file: packaged, in PyTorch's cache, or downloaded to it once.

        Raises:
            OfflineError: it is not on this machine and cannot be fetched.
            IntegrityError: the file is not the published one.
        """
        path = self._packaged() if self.package else self._cached()
        if path is None:
            path = self._download()
        found = sha256_of(path)
        if not found.startswith(self.sha256):
            remedy = f"pip install --force-reinstall --no-deps {self.distribution}" if self.package else f"rm {path}"
            raise IntegrityError(
                f"The sha256 of {path} must begin with {self.sha256}, but it is {found}: the file is damaged or was "
                f"changed. Replace it ({remedy})."
            )
        return path

    def _packaged(self) -> Path | None:
        name, _, folder = self.package.partition("/")
        spec = importlib.util.find_spec(name)  # finds the package without running it
        places = [Path(place) / folder / self.names[0] for place in (spec and spec.submodule_search_locations) or ()]
        return next((place for place in places if place.is_file()), None)

    def _cached(self) -> Path | None:
        places = [Path(torch.hub.get_dir()) / "checkpoints" / name for name in self.names]
        return next((place for place in places if place.is_file()), None)

    def _download(self) -> Path:
        from huggingface_hub.constants import HF_HUB_OFFLINE

        path = Path(torch.hub.get_dir()) / "checkpoints" / self.names[0]
        reason = "HF_HUB_OFFLINE is set"
        if self.url and not HF_HUB_OFFLINE:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                torch.hub.download_url_to_file(self.url, str(path), hash_prefix=self.sha256)
                return path
            except OSError as error:
                reason = str(error)
            except RuntimeError as error:
                raise IntegrityError(f"{self.url} did not send the published file: {error}. Try again.") from None
        if self.package:
            raise OfflineError(
                f"The weights {self.names[0]} come with {self.distribution}, which is not installed. "
                f"Install it: pip install {self.distribution}"
            )
        raise OfflineError(
            f"{self.names[0]} is not on this machine and cannot be fetched ({reason}). Connect once; or download "
            f"{self.url} to {path}; or set extractor_weights to your copy; or use protocol='effnet-lite0', which needs "
            f"no network."
        )


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """The tensors in a .safetensors file or a PyTorch state dict; no code in the file is run.

    Raises:
        InvalidInputError: there is no such file, or it is in neither format.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(regular(path))
        tensors = torch.load(regular(path), map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InvalidInputError(
            f"An extractor's weights must be a .safetensors file or a PyTorch state dict, but {path} cannot be read as "
            f"either ({reason}). Save the network's state_dict()."
        ) from None
    if not isinstance(tensors, Mapping) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise InvalidInputError(
            f"An extractor's weights must be tensors by name, but {path} holds something else. Save the network's "
            f"state_dict()."
        )
    return tensors
