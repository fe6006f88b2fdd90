"""DAMSM's similarities and losses against the paper's equations, written out in loops."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from t2i.testing.checks.probes import captions_of_lengths
from t2i.text import TextEmbedding
from t2i_attngan.config import AttnGANConfig, DAMSMConfig
from t2i_attngan.damsm import (
    DAMSM,
    Seen,
    accuracy,
    matching_losses,
    sentence_similarities,
    word_similarities,
)

CONFIG = DAMSMConfig(gamma1=4, gamma2=5, gamma3=10)
LENGTHS = [3, 1, 4]


def given() -> tuple[Seen, TextEmbedding]:
    torch.manual_seed(0)
    text = captions_of_lengths(LENGTHS, 6)
    return Seen(torch.randn(3, 5, 6), torch.randn(3, 6)), TextEmbedding(text.sentence, 2 * text.words, text.mask)


def cosine(a: Tensor, b: Tensor) -> float:
    return (a @ b / (a.norm() * b.norm())).item()


def similarity(words: Tensor, regions: Tensor) -> float:
    """Eq. 7 to 10, a number at a time."""
    s = [[(w @ v).item() for v in regions] for w in words]
    over_words = [sum(math.exp(s[k][j]) for k in range(len(words))) for j in range(len(regions))]
    normal = [[math.exp(s[i][j]) / over_words[j] for j in range(len(regions))] for i in range(len(words))]
    heard = []
    for word, row in zip(words, normal, strict=True):
        shares = [math.exp(CONFIG.gamma1 * each) for each in row]
        mixed = sum(share / sum(shares) * v for share, v in zip(shares, regions, strict=True))
        assert isinstance(mixed, Tensor)
        heard.append(math.exp(CONFIG.gamma2 * cosine(mixed, word)))
    return math.log(sum(heard)) / CONFIG.gamma2


def test_words_and_pictures_are_compared_as_in_equations_7_to_10() -> None:
    seen, text = given()
    table = word_similarities(seen, text, CONFIG)
    wanted = [[similarity(text.words[c, :n], seen.regions[p]) for p in range(3)] for c, n in enumerate(LENGTHS)]
    torch.testing.assert_close(table, torch.tensor(wanted), atol=1e-5, rtol=1e-4)


def test_padding_changes_no_similarity() -> None:
    seen, text = given()
    noise = torch.randn(3, 2, 6)
    padded = TextEmbedding(text.sentence, torch.cat([text.words, noise], 1), F.pad(text.mask, (0, 2)))
    torch.testing.assert_close(word_similarities(seen, padded, CONFIG), word_similarities(seen, text, CONFIG))


def test_sentences_and_pictures_are_compared_by_cosine() -> None:
    seen, text = given()
    wanted = [[cosine(text.sentence[c], seen.whole[p]) for p in range(3)] for c in range(3)]
    torch.testing.assert_close(sentence_similarities(seen, text), torch.tensor(wanted))


@pytest.mark.parametrize("groups", [[0, 1, 2], [0, 1, 0]])
def test_losses_are_those_of_equations_11_to_13(groups: list[int]) -> None:
    """Other pictures of the same group do not count as wrong."""
    seen, text = given()
    terms = matching_losses(seen, text, torch.tensor(groups), CONFIG)
    tables = {"words": word_similarities(seen, text, CONFIG), "sentence": sentence_similarities(seen, text)}
    for name, table in tables.items():
        for key, rows in ((f"{name}_to_picture", table.tolist()), (f"picture_to_{name}", table.T.tolist())):
            loss = 0.0
            for i, row in enumerate(rows):
                asked = [j for j in range(3) if j == i or groups[j] != groups[i]]
                total = sum(math.exp(CONFIG.gamma3 * row[j]) for j in asked)
                loss -= math.log(math.exp(CONFIG.gamma3 * row[i]) / total) / 3
            assert terms[key].item() == pytest.approx(loss, rel=1e-4)
    assert len(terms) == 4


def test_accuracy_counts_captions_that_fit_their_picture_best() -> None:
    table = torch.tensor([[3.0, 1, 9], [2, 1, 0], [5, 0, 4]])
    assert accuracy(table, torch.tensor([0, 1, 2])).item() == 0
    assert accuracy(table, torch.tensor([0, 1, 0])).item() == pytest.approx(2 / 3)


def test_the_picture_side_projects_places_and_their_mean() -> None:
    torch.manual_seed(0)
    damsm = DAMSM(AttnGANConfig(text_dim=6, word_dim=8, backbone_channels=(3, 5)))
    local, last = torch.randn(2, 3, 2, 4), torch.randn(2, 5, 1, 2)
    seen = damsm.see((local, last))
    torch.testing.assert_close(seen.regions[1, 6], damsm.regions(local[1, :, 1, 2]))
    torch.testing.assert_close(seen.whole, damsm.whole(last.mean((2, 3))))
