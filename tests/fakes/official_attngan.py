"""AttnGAN's generator and text encoder plainly, from the paper (Xu et al. 2018), under the released code's names."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fakes.official_stackgan import Holder, conv, residual, up


class Generator(nn.Module):
    """A trunk of `ups` blocks from 4 px (4 as released); for each further scale attention, residuals and a block up."""

    def __init__(self, words: int, c: int, z: int, gf: int, blocks: int, scales: int, ups: int = 4) -> None:
        super().__init__()
        n = gf * 2**ups
        self.scales, self.ups = scales, ups
        self.ca_net = Holder(fc=nn.Linear(words, 4 * c))
        start = nn.Sequential(nn.Linear(c + z, n * 32, bias=False), nn.BatchNorm1d(n * 32), nn.GLU(1))
        self.h_net1 = Holder(
            fc=start, **{f"upsample{i + 1}": up(n // 2**i, n // 2 ** (i + 1), gated=True) for i in range(ups)}
        )
        for scale in range(1, scales + 1):
            self.add_module(f"img_net{scale}", Holder(img=nn.Sequential(conv(gf, 3), nn.Tanh())))
            if scale > 1:
                attention = Holder(conv_context=nn.Conv2d(words, gf, 1, bias=False))
                residuals = nn.Sequential(*(residual(2 * gf, gated=True) for _ in range(blocks)))
                net = Holder(att=attention, residual=residuals, upsample=up(2 * gf, gf, gated=True))
                self.add_module(f"h_net{scale}", net)

    def forward(
        self, sentence: Tensor, words: Tensor, mask: Tensor, z: Tensor, eps: Tensor, *, legacy: bool = False
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Pictures and attention maps; `legacy` repeats the mask as a whole beside rows that are ordered by caption."""
        mu, logvar = F.glu(self.ca_net.fc(sentence)).chunk(2, 1)
        x = self.h_net1.fc(torch.cat([mu + eps * torch.exp(logvar / 2), z], 1))
        x = x.view(len(x), -1, 4, 4)
        for i in range(1, self.ups + 1):
            x = getattr(self.h_net1, f"upsample{i}")(x)
        pictures, maps = [self.img_net1.img(x)], []
        for scale in range(2, self.scales + 1):
            net = getattr(self, f"h_net{scale}")
            source = net.att.conv_context(words.transpose(1, 2)[..., None])[..., 0]  # b c l
            b, side = len(x), x.shape[2]
            scores = (x.flatten(2).transpose(1, 2) @ source).reshape(b * side**2, -1)
            repeated = mask.repeat(side**2, 1) if legacy else mask.repeat_interleave(side**2, 0)
            weights = scores.masked_fill(~repeated, -torch.inf).softmax(1).view(b, side**2, -1)
            context = (source @ weights.transpose(1, 2)).view(b, -1, side, side)
            maps.append(weights.transpose(1, 2).reshape(b, -1, side, side))
            x = torch.cat([x, context], 1)
            for each in net.residual:
                x = x + each.block(x)
            x = net.upsample(x)
            pictures.append(getattr(self, f"img_net{scale}").img(x))
        return pictures, maps


class TextEncoder(nn.Module):
    """A table of words and a bidirectional LSTM over packed captions, longest first."""

    def __init__(self, vocabulary: int, inputs: int, width: int) -> None:
        super().__init__()
        self.encoder = nn.Embedding(vocabulary, inputs)
        self.rnn = nn.LSTM(inputs, width // 2, batch_first=True, bidirectional=True)

    def forward(self, rows: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Words and sentence."""
        return read_by(self.rnn, [self.encoder(torch.tensor(row)) for row in rows])


def read_by(rnn: nn.LSTM, captions: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The states at each word of packed captions, and the last state of each direction."""
    packed = nn.utils.rnn.pack_sequence(captions, enforce_sorted=False)
    states, (last, _) = rnn(packed)
    words, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
    return words, torch.cat([last[0], last[1]], 1)
