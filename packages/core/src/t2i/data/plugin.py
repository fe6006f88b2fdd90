"""The core's own file readers, declared as any plugin declares its datasets."""

from __future__ import annotations

from t2i.registry import DatasetSpec, hookimpl

T2I_API = 1


def _reader(name: str, target: str, summary: str, splits: tuple[str, ...] = ()) -> DatasetSpec:
    return DatasetSpec(name, f"t2i.data.{target}", splits, "unknown", summary, takes_reference=True)


@hookimpl
def t2i_datasets() -> list[DatasetSpec]:
    """Declare the readers."""
    return [
        _reader("folder", "readers.folder:read_folder", "a folder or .zip with captions, metadata or class folders"),
        _reader("pack", "pack.dataset:read_pack", "a pack written by `t2i data pack`"),
        _reader("coco", "readers.coco:read_coco", "captions_*.json and its pictures"),
        _reader(
            "visual_genome",
            "readers.visual_genome:read_visual_genome",
            "region_descriptions.json: whole pictures, or each region cropped",
            splits=("pictures", "regions"),
        ),
        _reader(
            "cub",
            "readers.cub:read_cub",
            "CUB-200-2011 cropped to its birds, ten captions each",
            splits=("train", "test", "seen", "unseen", "all"),
        ),
        _reader("hf", "readers.hf:read_hf", "a dataset on the Hugging Face Hub, or local parquet"),
        _reader("webdataset", "readers.webdataset:read_webdataset", "tar shards of pictures and captions"),
    ]
