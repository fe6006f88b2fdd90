"""Publish on the Hub: a snapshot's files, its card, its pictures and the run's settings, in one commit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from t2i.create import load_dataset
from t2i.data.decode import MAX_PICTURE_BYTES
from t2i.drawing.provenance import png_bytes
from t2i.errors import InvalidInputError, SnapshotError, T2IError
from t2i.evaluation.card import with_scores_of
from t2i.files import atomic_folder, read_bytes
from t2i.hub.client import asking, client
from t2i.hub.download import REVISION
from t2i.hub.layout import CARD, CONFIG, GOLDEN, WEIGHTS
from t2i.images import grid
from t2i.registry.names import ModelName
from t2i.runs.folder import RunFolder
from t2i.snapshots.card import CardExtras, render_card
from t2i.snapshots.record import Snapshot, SnapshotConfig, SnapshotFacts
from t2i.snapshots.resolve import resolve
from t2i.snapshots.save import save_snapshot

if TYPE_CHECKING:
    from t2i.generator import Generator

PICTURES = "samples.png"
PICTURES_SHOWN = 16
PATIENCE = 120  # seconds; the Hub checks a commit before it answers


@dataclass(frozen=True)
class Target:
    """Where to publish.

    Attributes:
        repo: "org/name".
        private: create it so that only its owners can see it; an existing public repository is refused.
        create_pr: open a pull request on an existing repository instead of committing to it.
        revision: the branch, created if it does not exist; by default "main".
    """

    repo: str
    private: bool = False
    create_pr: bool = False
    revision: str | None = None

    def __post_init__(self) -> None:
        if self.repo.count("/") != 1:
            raise InvalidInputError(f"A Hub model must be named org/name, got {self.repo!r}.")
        if self.private and self.create_pr:
            raise InvalidInputError(
                "Everyone who can see a repository sees its pull requests, so none can be private. Leave private out."
            )
        if self.revision is not None and not REVISION.fullmatch(self.revision):
            raise InvalidInputError(f"A branch must have a name such as main or v2, got {self.revision!r}.")

    @property
    def name(self) -> str:
        """The name that loads the model from there."""
        return str(ModelName.on_hub(self.repo, "" if self.create_pr else self.revision or ""))


@dataclass(frozen=True)
class Pushed:
    """The result of publishing: the address of the commit or pull request, and the commit's hash."""

    address: str
    commit: str


def push(
    name: str,
    target: Target,
    *,
    prompts: Sequence[str] = (),
    warn: Callable[[str], None] = lambda message: None,
) -> Pushed:
    """Publish the model that `name` resolves to: its weights, unchanged, and a card with pictures.

    Args:
        prompts: what to draw for the card; by default the run's samples, else captions of its dataset.

    Raises:
        UnknownNameError, SnapshotError: as in `resolve`; or the Hub refuses, and the message says why.
    """
    snapshot = resolve(name)
    return _commit(_files(snapshot, target, prompts, warn), target, snapshot.config)


def write_folder(
    name: str,
    target: Target,
    folder: Path,
    *,
    prompts: Sequence[str] = (),
    warn: Callable[[str], None] = lambda message: None,
) -> None:
    """Write the files that `push` would publish into a new folder; makes no request.

    Raises:
        OutputError: `folder` already exists, or cannot be written.
    """
    snapshot = resolve(name)
    with atomic_folder(folder) as scratch:
        for file, content in _files(snapshot, target, prompts, warn).items():
            if isinstance(content, bytes):
                (scratch / file).write_bytes(content)
            else:
                shutil.copyfile(content, scratch / file)


def _files(
    snapshot: Snapshot, target: Target, prompts: Sequence[str], warn: Callable[[str], None]
) -> dict[str, Path | bytes]:
    """The published files, by name."""
    run = RunFolder.of_snapshot(snapshot.folder)
    files: dict[str, Path | bytes] = {
        file: snapshot.folder / file for file in (CONFIG, WEIGHTS, GOLDEN) if (snapshot.folder / file).is_file()
    }
    if run:
        files[run.settings.name] = run.settings
    try:
        files[PICTURES] = _pictures(snapshot, run, prompts)
    except T2IError as error:
        if prompts:
            raise
        warn(f"The card has no pictures, because none could be drawn: {error}")
    extras = CardExtras(
        name=target.name,
        title=target.repo.partition("/")[2],
        prompt=next(iter(prompts), CardExtras.prompt),
        picture=PICTURES if PICTURES in files else "",
        run_file=run.settings.name if run else "",
    )
    card = render_card(snapshot.config, extras)
    files[CARD] = with_scores_of(snapshot.folder / CARD, card, extras.title).encode()
    return files


def push_generator(generator: Generator, target: Target, facts: SnapshotFacts) -> Pushed:
    """Publish a generator as it is in memory.

    Raises:
        SnapshotError: the Hub refuses; the message says why.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = save_snapshot(generator, Path(scratch) / "snapshot", facts)
        config = resolve(str(folder)).config
        extras = CardExtras(name=target.name, title=target.repo.partition("/")[2])
        files: dict[str, Path | bytes] = {file: folder / file for file in (CONFIG, WEIGHTS, GOLDEN)}
        return _commit(files | {CARD: render_card(config, extras).encode()}, target, config)


def _commit(files: Mapping[str, Path | bytes], target: Target, config: SnapshotConfig) -> Pushed:
    from huggingface_hub import CommitOperationAdd

    def refused(reason: str, unreachable: bool) -> T2IError:
        rest = "Check there whether a commit was made before you try again" if unreachable else "No commit was made"
        return SnapshotError(f"{target.repo} could not be published on the Hub: {reason}. {rest}.")

    api = client()
    with asking(refused, PATIENCE):
        if not target.create_pr:
            api.create_repo(target.repo, private=target.private or None, exist_ok=True)
            if target.private and not api.model_info(target.repo).private:
                raise InvalidInputError(
                    f"{target.repo} already exists and is public, so nothing pushed to it stays private. Make it "
                    f"private in its settings on the Hub, or choose another name."
                )
            if target.revision:
                api.create_branch(target.repo, branch=target.revision, exist_ok=True)
        commit = api.create_commit(
            target.repo,
            [CommitOperationAdd(path_in_repo=name, path_or_fileobj=file) for name, file in files.items()],
            commit_message=f"{config.technique} after {config.facts.steps:,} steps, by t2i",
            revision=target.revision,
            create_pr=target.create_pr,
        )
    return Pushed(commit.pr_url or commit.commit_url, commit.oid)


def _pictures(snapshot: Snapshot, run: RunFolder | None, prompts: Sequence[str]) -> bytes:
    """A sheet of pictures by the model: the run's own sheet, or one drawn now.

    Raises:
        T2IError: there is no sheet, and none can be drawn.
    """
    steps, sheets = snapshot.config.facts.steps, run.samples() if run else {}
    drawn = [sheet for step, sheet in sheets.items() if step <= steps]
    if drawn and not prompts:
        return read_bytes(drawn[-1], MAX_PICTURE_BYTES)
    from t2i.drawing.pipeline import open_snapshot

    prompts = list(prompts) or _captions(snapshot.config.facts.dataset)
    images = open_snapshot(snapshot)(prompts, seed=0).images
    return png_bytes(grid(images, captions=prompts, scale=max(1, 96 // images[0].width)))


def _captions(dataset: str) -> list[str]:
    """Captions spread over the dataset."""
    if not dataset:
        raise InvalidInputError("The model does not record its dataset. Give prompts: --prompt 'a red heart'")
    examples = load_dataset(dataset).examples
    return [example.captions[0] for example in examples[:: max(1, -(-len(examples) // PICTURES_SHOWN))]]
