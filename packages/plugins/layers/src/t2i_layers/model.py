"""The networks: words and z become things and places, things become sprites, and pictures become z."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, permutations
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from t2i.text import TextEmbedding
from t2i.toolbox.sentences import sentence_and_words
from t2i_cvae.config import GROUPS
from t2i_cvae.model import FEATURES, Block, PictureReader, mean_and_log_variance
from t2i_layers.compose import Placements, finer
from t2i_layers.config import LayersConfig
from t2i_layers.sharpen import smooth

NUMBERS = 5  # of a placement that may depend on z: x, y, side, tilt, mirrored
TEXT_FEATURES = 128  # width of the sentence that the encoder sees
LOG_2_PI = math.log(2 * math.pi)
STEEP = 8  # z soon decides between a thing and its mirror image; their mean would be symmetric, and stay so


class Scene(NamedTuple):
    """What a picture shows.

    Attributes:
        looks: what each thing looks like.
        places: where its copies are.
        background: its colour.
        orders: the log probability of each order in which the things can take the places of the first copies.
    """

    looks: Float[Tensor, "b t d"]
    places: Placements
    background: Float[Tensor, "b 3"]
    orders: Float[Tensor, "b o"]

    def only(self, thing: int) -> Scene:
        """The scene with one thing alone, fully visible, at the first place, whichever thing it is. If each
        thing had its own place, every place would learn to follow one thing, and in a picture of two things all would
        follow the same one."""
        first = Placements(*(numbers[..., :1] for numbers in self.places))
        visible = first._replace(presence=torch.ones_like(first.presence))
        return Scene(self.looks[:, thing : thing + 1], visible, self.background, torch.zeros_like(self.orders[:, :1]))

    def first_copies(self) -> Scene:
        """The scene with at most one copy of each thing."""
        first = self.first
        return self._replace(places=Placements(*(numbers[..., first] for numbers in self.places)))

    def dealt(self) -> Scene:
        """The scene with the places of each thing's copies, which look alike, in a fixed order: the most visible comes
        first, and one that lies upon another comes last. So three of a thing are always its first three copies, however
        they are arranged, and words can tell how many there are."""
        (thing, presence, *where), numbers = self.places, torch.arange(len(self.places.thing), device=self.looks.device)
        ranks = (2 * thing - presence + 1e-6 * numbers).argsort(1)  # each thing's copies together, no two keys alike
        x, y, side = (values.gather(1, ranks) for values in where[:3])
        near = (thing[:, None] == thing).expand(len(x), -1, -1)
        for values in (x, y):
            near = near & ((values[:, :, None] - values[:, None]).abs() < (side[:, :, None] + side[:, None]) / 4)
        upon = near.triu(1).any(1)
        source = ranks.gather(1, (len(thing) * (2 * thing + upon) + numbers).argsort(1))
        dealt = Placements(thing, presence.gather(1, ranks), *(values.gather(1, source) for values in where))
        return self._replace(places=dealt)

    def in_order(self, order: Int[Tensor, b]) -> Scene:
        """The scene with the places of the visible first copies exchanged: an order says which place each thing takes.
        Places are numbered from the upper left to the lower right, so an order means the same wherever z puts them, and
        words can tell it. A visible thing never takes the place of one that is not in the picture."""
        (thing, presence, *where), first = self.places, self.first
        hidden = 1000.0 * (presence[:, first] < 0.5)  # they come last, both as places and as things
        numbered = first[((self.places.x + self.places.y)[:, first] + hidden).argsort(1)]
        orders = torch.tensor(list(permutations(range(len(first)))), device=first.device)
        things = (orders[order] + hidden).argsort(1).argsort(1)  # the number of the place that each takes
        source = torch.arange(len(thing), device=first.device).repeat(len(order), 1)
        source[:, first] = numbered.gather(1, things)
        return self._replace(places=Placements(thing, presence, *(numbers.gather(1, source) for numbers in where)))

    def decided(self) -> Scene:
        """The scene with each presence and mirroring rounded to 0 or 1. Training needs numbers between; in a picture,
        they would be half-transparent things."""
        presence, mirrored = (finer(n).round().float() for n in (self.places.presence, self.places.mirrored))
        return self._replace(places=self.places._replace(presence=presence, mirrored=mirrored))

    @property
    def first(self) -> Int[Tensor, t]:
        """The placement of each thing's first copy."""
        return (self.places.thing < torch.arange(self.looks.shape[1], device=self.looks.device)[:, None]).sum(1)


class Gaussian(NamedTuple):
    """Independent normal distributions of z."""

    mean: Float[Tensor, "b z"]
    log_variance: Float[Tensor, "b z"]

    def at(self, normal: Float[Tensor, "b z"]) -> Float[Tensor, "b z"]:
        """The z that standard normal numbers stand for."""
        return self.mean + (0.5 * self.log_variance).exp() * normal

    @property
    def entropy(self) -> Float[Tensor, b]:
        """In nats."""
        return 0.5 * (self.log_variance + LOG_2_PI + 1).sum(-1)


class Mixture(NamedTuple):
    """A mixture of k normal distributions of z: a caption may leave open whether things are side by side or one above
    the other, but rarely anything in between."""

    log_weights: Float[Tensor, "b k"]
    means: Float[Tensor, "b k z"]
    log_variances: Float[Tensor, "b k z"]

    def log_density(self, z: Float[Tensor, "b z"]) -> Float[Tensor, b]:
        """In nats."""
        distances = (z[:, None] - self.means).square() * (-self.log_variances).exp()
        return (self.log_weights - 0.5 * (distances + self.log_variances + LOG_2_PI).sum(2)).logsumexp(1)

    def part(self, number: Int[Tensor, b]) -> Gaussian:
        """One of the normal distributions for each picture."""
        rows = torch.arange(len(number), device=number.device)
        return Gaussian(self.means[rows, number], self.log_variances[rows, number])


class Reader(nn.Module):
    """Learned queries read the words (Vaswani et al. 2017)."""

    def __init__(self, config: LayersConfig, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(queries, config.dim))
        self.words = nn.Linear(config.text_dim, config.dim)
        self.blocks = nn.ModuleList(ReaderBlock(config.dim, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, text: TextEmbedding) -> Float[Tensor, "b q d"]:
        """The sentence is read as one more word."""
        return self.norm(self._read(text)[0])

    def attention(self, text: TextEmbedding) -> Float[Tensor, "b q l"]:
        """How much each query looks at each word: the mean over blocks and heads, without the sentence; sums to 1."""
        return F.normalize(torch.stack(self._read(text, look=True)[1]).mean(0)[..., 1:], p=1, dim=-1)

    def _read(self, text: TextEmbedding, *, look: bool = False) -> tuple[Float[Tensor, "b q d"], list[Tensor]]:
        """What the queries have read; with `look`, the attention of each block, too."""
        both, mask = sentence_and_words(text)
        words = self.words(both)
        words = words + _numbers(words)
        x, weights = self.queries.expand(len(words), -1, -1), []
        for block in self.blocks:
            assert isinstance(block, ReaderBlock)
            if look:
                weights.append(block.attention(x, words, mask))
            x = block(x, words, mask)
        return x, weights


def _numbers(words: Float[Tensor, "b l d"]) -> Float[Tensor, "l d"]:
    """What tells a word's place in the sentence (Vaswani et al. 2017, sec. 3.5)."""
    length, dim = words.shape[1:]
    rates = torch.logspace(0, -4, dim // 2, device=words.device)  # radians for each word
    angles = finer(torch.arange(length, device=words.device)[:, None] * rates)
    return torch.cat([angles.sin(), angles.cos()], 1).to(words.dtype)


class ReaderBlock(nn.Module):
    """The queries look at the words and at each other."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.words_norm = nn.LayerNorm(dim)
        self.q, self.kv, self.qkv = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, 3 * dim)
        self.outs = nn.ModuleList(nn.Linear(dim, dim) for _ in range(2))
        self.mlp = nn.Sequential(nn.Linear(dim, 3 * dim), nn.GELU(), nn.Linear(3 * dim, dim))

    def forward(
        self, x: Float[Tensor, "b q d"], words: Float[Tensor, "b l d"], mask: Bool[Tensor, "b 1 1 l"]
    ) -> Float[Tensor, "b q d"]:
        q, k, v = self._looks_at(x, words)
        x = x + self.outs[0](F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))
        q, k, v = self._split(self.qkv(self.norms[1](x)), 3)
        x = x + self.outs[1](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norms[2](x))

    def attention(
        self, x: Float[Tensor, "b q d"], words: Float[Tensor, "b l d"], mask: Bool[Tensor, "b 1 1 l"]
    ) -> Float[Tensor, "b q l"]:
        """The weight of each word for each query, the mean over heads."""
        q, k, _ = self._looks_at(x, words)
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
        return scores.masked_fill(~mask, -math.inf).softmax(3).mean(1)

    def _looks_at(self, x: Float[Tensor, "b q d"], words: Float[Tensor, "b l d"]) -> tuple[Tensor, Tensor, Tensor]:
        """The queries, and the words' keys and values, one for each head."""
        (q,) = self._split(self.q(self.norms[0](x)), 1)
        k, v = self._split(self.kv(self.words_norm(words)), 2)
        return q, k, v

    def _split(self, x: Float[Tensor, "b l e"], parts: int) -> Float[Tensor, "p b h l e2"]:
        return torch.unflatten(x, 2, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4)


class Planner(nn.Module):
    """Predicts from what was read how many copies of each thing there are, in which order the things take their places,
    the ground's colour and the distribution of z; and, with z, where the copies are. Number and order must not depend
    on z: they would be learned from pictures, not from words."""

    thing: Tensor
    start: Tensor

    def __init__(self, config: LayersConfig) -> None:
        super().__init__()
        start = _start(config.copies)
        read, dim = (len(config.copies) + 1) * config.dim, config.dim
        self.presence = _mlp(read, dim, dim, len(start))
        self.places = _mlp(read + config.latent_dim, 2 * dim, dim, len(start) * NUMBERS)
        self.orders = _mlp(dim, dim, math.factorial(len(config.copies)))
        self.parts = _mlp(read, dim, config.modes)
        self.prior = _mlp(read, dim, dim, 2 * config.modes * config.latent_dim)
        nn.init.normal_(cast(nn.Linear, self.prior[-1]).bias, std=0.5)  # parts that begin equal would stay equal
        self.ground = nn.Linear(dim, 3)
        thing = [number for number, count in enumerate(config.copies) for _ in range(count)]
        self.register_buffer("thing", torch.tensor(thing), persistent=False)
        self.register_buffer("start", start, persistent=False)

    def forward(
        self, read: Float[Tensor, "b q d"], z: Float[Tensor, "b z"]
    ) -> tuple[Placements, Float[Tensor, "b 3"], Float[Tensor, "b o"]]:
        with torch.autocast(z.device.type, enabled=False):  # bfloat16 would move things by a tenth of a pixel
            words, relation = read[:, :-1].float().flatten(1), read[:, -1].float()
            presence = finer(self.presence(words) + self.start[:, 0])
            orders = finer(self.orders(relation)).log_softmax(1)
            numbers = torch.unflatten(self.places(torch.cat([words, z], 1)), 1, (-1, NUMBERS))
            x, y, side, tilt, mirrored = finer(numbers + self.start[:, 1:]).unbind(-1)
        places = (
            presence.sigmoid(),
            0.5 * x.tanh(),
            0.5 * y.tanh(),
            0.1 + 0.9 * side.sigmoid(),
            0.3 * tilt.tanh(),
            (STEEP * mirrored).sigmoid(),
        )
        background = (self.ground(read[:, -2]) + 1).tanh()
        return Placements(self.thing, *(numbers.float() for numbers in places)), background, orders.float()

    def expected(self, read: Float[Tensor, "b q d"]) -> Mixture:
        """The prior: what the caption says about z (Sohn et al. 2015, sec. 4)."""
        with torch.autocast(read.device.type, enabled=False):
            words = read[:, :-1].float().flatten(1)
            log_weights = finer(self.parts(words)).log_softmax(1).float()
            mean, log_variance = mean_and_log_variance(self.prior(words))
        k = log_weights.shape[1]
        return Mixture(log_weights, *(torch.unflatten(numbers, 1, (k, -1)) for numbers in (mean, log_variance)))


def _mlp(inputs: int, *widths: int) -> nn.Sequential:
    """Linear layers with GELUs between; the last begins near zero."""
    layers: list[nn.Module] = []
    for width in widths[:-1]:
        layers += [nn.Linear(inputs, width), nn.GELU()]
        inputs = width
    last = nn.Linear(inputs, widths[-1])
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def _start(copies: Sequence[int]) -> Float[Tensor, "p n"]:
    """Numbers that place first copies from the middle to the lower right, and the other copies, fainter, around."""
    rows = []
    for thing, count in enumerate(copies):
        rows.append([2.0, 0.4 * thing, 0.4 * thing, 0.3, 0.0, 0.0])
        angles = [2 * math.pi * (copy + 0.5) / (count - 1) for copy in range(count - 1)]
        rows.extend([-1.5, 0.55 * math.cos(angle), 0.55 * math.sin(angle), -0.8, 0.0, 0.0] for angle in angles)
    return torch.tensor(rows)


class Artwork(nn.Module):
    """Draws a thing: residual blocks whose norms its look scales and shifts."""

    def __init__(self, config: LayersConfig) -> None:
        super().__init__()
        widths, self.base = config.widths, config.base
        self.start = nn.Linear(config.dim, widths[0] * config.base**2)
        self.blocks = nn.ModuleList(Block(i, o, config.dim, up=True) for i, o in pairwise(widths))
        self.norm = nn.GroupNorm(GROUPS, widths[-1])
        self.out = nn.Conv2d(widths[-1], 4 * config.patch**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(config.patch)

    def forward(self, look: Float[Tensor, "n d"]) -> Float[Tensor, "n 4 s s"]:
        x = self.start(look).unflatten(1, (-1, self.base, self.base)).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, look)
        drawn = self.shuffle(self.out(F.leaky_relu(self.norm(x), 0.2)))
        opacity = drawn[:, 3:].sigmoid()
        return smooth(torch.cat([drawn[:, :3].tanh() * opacity, opacity], 1))


class Decoder(nn.Module):
    """Words and z become a scene."""

    def __init__(self, config: LayersConfig) -> None:
        super().__init__()
        self.reader, self.planner, self.artwork = (
            Reader(config, len(config.copies) + 1),
            Planner(config),
            Artwork(config),
        )
        self.relations = Reader(config, 1)

    def read(self, text: TextEmbedding) -> Float[Tensor, "b q d"]:
        """What the words say of each thing, of the ground and, last, of how the things are related.

        Relations have layers of their own: the order of two things counts little beside thousands of pixel values, and
        shared layers would learn only what the pixels need.
        """
        return torch.cat([self.reader(text), self.relations(text)], 1)

    def scene(self, read: Float[Tensor, "b q d"], z: Float[Tensor, "b z"]) -> Scene:
        """
        Args:
            read: as `read` returns it.
        """
        return Scene(read[:, :-2], *self.planner(read, z))


class Encoder(PictureReader):
    """Picture and sentence become the posterior."""

    def __init__(self, config: LayersConfig) -> None:
        super().__init__(config.text_dim, TEXT_FEATURES, config.patch, config.encoder_widths)
        side = config.resolution // (config.patch * 2 ** (len(config.encoder_widths) - 1))
        self.posterior = nn.Sequential(
            nn.Linear(FEATURES * side**2, 256), nn.LeakyReLU(0.2), nn.Linear(256, 2 * config.latent_dim)
        )

    def forward(self, images: Float[Tensor, "b 3 h w"], sentence: Float[Tensor, "b d"]) -> Gaussian:
        return Gaussian(*mean_and_log_variance(self.posterior(self.features(images, sentence))))
