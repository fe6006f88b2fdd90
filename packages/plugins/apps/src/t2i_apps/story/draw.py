"""Draw a story's pictures, all with one model and one seed, and make a book of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from t2i.config import Config
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, Request, check_drawing
from t2i.drawing.folder import draw_files
from t2i.drawing.picture import file_name
from t2i.errors import OutputError
from t2i.progress import Progress, silent
from t2i.seeds import check_seed
from t2i_apps.story.prompting import Prompt
from t2i_apps.story.text import Paragraph


@dataclass(frozen=True)
class Leaf:
    """A page of the book.

    Attributes:
        picture: a PNG file with provenance.
    """

    paragraph: Paragraph
    prompt: str
    picture: Path


def draw_leaves(
    artist: Artist,
    paragraphs: Sequence[Paragraph],
    prompts: Sequence[Prompt],
    folder: Path,
    options: Config | None = None,
    *,
    seed: int = 0,
    batch_size: int = DEFAULT_BATCH_SIZE,
    force: bool = False,
    progress: Progress = silent,
) -> list[Leaf]:
    """Draw each paragraph's picture into `folder`; those that are there already are kept.

    Args:
        prompts: one per paragraph.
        seed: of every picture.
        force: replace files that hold other pictures.

    Raises:
        InvalidInputError: a prompt or an option is invalid.
        OutputError: a file cannot be written, or holds another picture, and not `force`.
        KeyboardInterrupt: the message says how many pictures are complete.
    """
    chosen = check_drawing(artist, options, batch_size)
    check_seed(seed)
    leaves = [
        Leaf(paragraph, prompt.text, folder / file_name(number, prompt.text, seed))
        for number, (paragraph, prompt) in enumerate(zip(paragraphs, prompts, strict=True), start=1)
    ]
    wanted = (
        (Request(prompt.text, seed, prompt.widened), leaf.picture) for prompt, leaf in zip(prompts, leaves, strict=True)
    )
    done = 0
    with progress("Drawing", len(leaves)) as advance:
        try:
            for made in draw_files(artist, wanted, chosen, batch_size=batch_size, force=force):
                if made.problem:
                    raise OutputError(f"{made.problem} Choose another name for the book, or replace it with --force.")
                done += 1
                advance(1)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"Interrupted: {folder}/ has {done:,} of {len(leaves):,} pictures.") from None
    return leaves
