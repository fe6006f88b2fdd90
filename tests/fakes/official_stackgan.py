"""Plain torch networks written from the papers, with state dicts in the layout of the authors' checkpoints."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def up(inputs: int, outputs: int, gated: bool) -> nn.Sequential:
    """v1 sec. 3.5: nearest-neighbour upsampling, a 3x3 convolution, batch norm, ReLU; in v2 a GLU halves the width."""
    width = outputs * (1 + gated)
    return nn.Sequential(nn.Upsample(scale_factor=2), conv(inputs, width), nn.BatchNorm2d(width), act(gated))


def act(gated: bool) -> nn.Module:
    return nn.GLU(1) if gated else nn.ReLU()


class Holder(nn.Module):
    """A module that only names its children."""

    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


def residual(width: int, gated: bool) -> Holder:
    inner = width * (1 + gated)
    return Holder(
        block=nn.Sequential(
            conv(width, inner), nn.BatchNorm2d(inner), act(gated), conv(width, width), nn.BatchNorm2d(width)
        )
    )


class StageOne(nn.Module):
    """v1 sec. 3.3; fc starts at 4x4, four blocks up, 64 px; with fewer blocks, fewer pixels."""

    def __init__(self, text: int, c: int, z: int, gf: int, ups: int = 4) -> None:
        super().__init__()
        n = gf // 2 * 2**ups
        self.ups = ups
        self.ca_net = Holder(fc=nn.Linear(text, 2 * c))
        self.fc = nn.Sequential(nn.Linear(z + c, n * 16, bias=False), nn.BatchNorm1d(n * 16), nn.ReLU())
        for i in range(ups):
            self.add_module(f"upsample{i + 1}", up(n // 2**i, n // 2 ** (i + 1), gated=False))
        self.img = nn.Sequential(conv(gf // 2, 3), nn.Tanh())

    def forward(self, text: Tensor, z: Tensor, eps: Tensor) -> Tensor:
        c = augmented_relu(self.ca_net.fc, text, eps)
        x = self.fc(torch.cat([z, c], 1))
        x = x.view(len(x), -1, 4, 4)
        for i in range(1, self.ups + 1):
            x = getattr(self, f"upsample{i}")(x)
        return self.img(x)


class StageTwo(nn.Module):
    """v1 sec. 3.4: stage I's 64 px down to 16, the text is added, residual blocks, four blocks up to 256 px."""

    def __init__(self, text: int, c: int, z: int, gf: int, blocks: int, ups: int = 4) -> None:
        super().__init__()
        self.STAGE1_G = StageOne(text, c, z, gf, ups)
        self.ca_net = Holder(fc=nn.Linear(text, 2 * c))
        self.encoder = nn.Sequential(
            conv(3, gf), nn.ReLU(),
            nn.Conv2d(gf, 2 * gf, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * gf), nn.ReLU(),
            nn.Conv2d(2 * gf, 4 * gf, 4, 2, 1, bias=False), nn.BatchNorm2d(4 * gf), nn.ReLU(),
        )  # fmt: skip
        self.hr_joint = nn.Sequential(conv(c + 4 * gf, 4 * gf), nn.BatchNorm2d(4 * gf), nn.ReLU())
        self.residual = nn.Sequential(*(residual(4 * gf, gated=False) for _ in range(blocks)))
        for i in range(4):
            self.add_module(f"upsample{i + 1}", up(4 * gf // 2**i, 4 * gf // 2 ** (i + 1), gated=False))
        self.img = nn.Sequential(conv(gf // 4, 3), nn.Tanh())

    def forward(self, text: Tensor, z: Tensor, eps: tuple[Tensor, Tensor]) -> list[Tensor]:
        first = self.STAGE1_G(text, z, eps[0])
        c = augmented_relu(self.ca_net.fc, text, eps[1])
        x = self.encoder(first)
        x = self.hr_joint(torch.cat([x, c[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1))
        for each in self.residual:
            x = F.relu(x + each.block(x))
        for i in range(1, 5):
            x = getattr(self, f"upsample{i}")(x)
        return [first, self.img(x)]


class Tree(nn.Module):
    """v2 sec. 4.1: GLU blocks; each branch adds the condition, has residual blocks and doubles the side."""

    def __init__(self, text: int, c: int, z: int, gf: int, blocks: int, scales: int) -> None:
        super().__init__()
        n = 16 * gf
        self.scales = scales  # the fourth always has one residual block
        self.ca_net = Holder(fc=nn.Linear(text, 4 * c))
        ups = {f"upsample{i + 1}": up(n // 2**i, n // 2 ** (i + 1), gated=True) for i in range(4)}
        start = nn.Sequential(nn.Linear(c + z, n * 32, bias=False), nn.BatchNorm1d(n * 32), nn.GLU(1))
        self.h_net1 = Holder(fc=start, **ups)
        self.img_net1 = Holder(img=nn.Sequential(conv(gf, 3), nn.Tanh()))
        for scale in range(2, scales + 1):
            width = gf // 2 ** (scale - 2)
            net = Holder(
                jointConv=nn.Sequential(conv(c + width, 2 * width), nn.BatchNorm2d(2 * width), nn.GLU(1)),
                residual=nn.Sequential(*(residual(width, gated=True) for _ in range(blocks if scale < 4 else 1))),
                upsample=up(width, width // 2, gated=True),
            )
            self.add_module(f"h_net{scale}", net)
            self.add_module(f"img_net{scale}", Holder(img=nn.Sequential(conv(width // 2, 3), nn.Tanh())))

    def forward(self, text: Tensor, z: Tensor, eps: Tensor) -> list[Tensor]:
        return self.drawn(text, z, eps)[0]

    def drawn(self, text: Tensor, z: Tensor, eps: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """The pictures, mu and log sigma^2."""
        mu, logvar = F.glu(self.ca_net.fc(text)).chunk(2, 1)
        c = mu + eps * torch.exp(logvar / 2)
        x = self.h_net1.fc(torch.cat([c, z], 1))
        x = x.view(len(x), -1, 4, 4)
        for i in range(1, 5):
            x = getattr(self.h_net1, f"upsample{i}")(x)
        pictures = [self.img_net1.img(x)]
        for scale in range(2, self.scales + 1):
            net = getattr(self, f"h_net{scale}")
            x = net.jointConv(torch.cat([c[:, :, None, None].expand(-1, -1, *x.shape[2:]), x], 1))
            for each in net.residual:
                x = x + each.block(x)
            x = net.upsample(x)
            pictures.append(getattr(self, f"img_net{scale}").img(x))
        return pictures, mu, logvar


class TreeDiscriminator(nn.Module):
    """v2 sec. 4.1: down to 4 px while the width doubles, back to 8 times the first, then two probabilities."""

    def __init__(self, side: int, c: int, df: int) -> None:
        super().__init__()
        halvings = side.bit_length() - 3
        widths = [df * 2**n for n in range(halvings)]
        widths += [df * 2**n for n in reversed(range(3, halvings - 1))]
        layers: list[nn.Module] = [nn.Conv2d(3, df, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
        for n, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
            down = n < halvings
            layer = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False) if down else conv(inputs, outputs)
            layers += [layer, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
        self.img_code = nn.Sequential(*layers)
        top = widths[-1]
        self.jointConv = nn.Sequential(conv(top + c, top), nn.BatchNorm2d(top), nn.LeakyReLU(0.2, inplace=True))
        self.logits = nn.Sequential(nn.Conv2d(top, 1, 4, 4), nn.Sigmoid())
        self.uncond_logits = nn.Sequential(nn.Conv2d(top, 1, 4, 4), nn.Sigmoid())

    def forward(self, images: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        x = self.img_code(images)
        planes = c[:, :, None, None].repeat(1, 1, 4, 4)
        joint = self.jointConv(torch.cat([planes, x], 1))
        return self.logits(joint).flatten(), self.uncond_logits(x).flatten()


def augmented_relu(fc: nn.Linear, text: Tensor, eps: Tensor) -> Tensor:
    """A quirk of the released v1 code: ReLU on mu and on log sigma^2."""
    mu, logvar = torch.relu(fc(text)).chunk(2, 1)
    return mu + eps * torch.exp(logvar / 2)


def with_batch_statistics(network: nn.Module) -> nn.Module:
    """`network` with random batch norm statistics, as after training."""
    stream = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=stream)
            module.running_var.uniform_(0.5, 2, generator=stream)
            nn.init.normal_(module.weight, 1, 0.2, generator=stream)
            nn.init.normal_(module.bias, 0.3, 0.2, generator=stream)
            module.num_batches_tracked.fill_(7)
    return network.eval().requires_grad_(False)
