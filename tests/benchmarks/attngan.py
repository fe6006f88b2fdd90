"""AttnGAN: drawing at 256 px and training at 64 px, paper widths, against the arithmetic of the released code."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from measure import functions, line, ratio
from torch import Tensor

from fakes.official_attngan import Generator
from fakes.official_stackgan import TreeDiscriminator
from t2i.noise import Noise
from t2i.testing.checks.probes import captions_of_lengths
from t2i.testing.objectives import tiny_data
from t2i.training.config import TrainConfig
from t2i.training.trainer import Trainer
from t2i_attngan.config import AttnGANConfig, AttnGANObjectiveConfig, DAMSMConfig
from t2i_attngan.damsm import Seen, word_similarities
from t2i_attngan.generator import AttnGAN
from t2i_attngan.official import attngan
from t2i_attngan.training import AttnGANObjective

WORDS, LENGTH, C, Z, GF, DF, BATCH = 256, 18, 100, 100, 32, 64, 8
CAPTIONS, REGIONS = 48, 289  # of DAMSM's batch, and places of its pictures


def run() -> None:
    drawing()
    matching()
    training()


def drawing() -> None:
    official = Generator(WORDS, C, Z, GF, blocks=2, scales=3).eval().requires_grad_(False)
    ours = attngan(official.state_dict()).generator.eval().requires_grad_(False).for_drawing()
    text = captions_of_lengths([LENGTH] * BATCH, WORDS)
    with torch.inference_mode():
        mine, theirs = functions(
            lambda: ours.generate(text, Noise(range(BATCH)), ours.options()),
            lambda: official(text.sentence, text.words, text.mask, torch.randn(BATCH, Z), torch.randn(BATCH, C)),
        )
    line(f"attngan at 256 px, batch {BATCH}: as a pipeline draws", f"{BATCH / mine.median:.2f} images/s")
    line("  against the released module run eagerly", f"{ratio(theirs, mine):.2f} x", "goal: at least 1.5 x")


def matching() -> None:
    """DAMSM's table of words and pictures, with gradients."""
    text, config = captions_of_lengths([LENGTH] * CAPTIONS, WORDS), DAMSMConfig()
    regions = torch.randn(CAPTIONS, REGIONS, WORDS, requires_grad=True)

    def ours() -> None:
        word_similarities(Seen(regions, regions[:, 0]), text, config).sum().backward()

    def released() -> None:
        columns = [_one_caption(text.words[caption], regions, config) for caption in range(CAPTIONS)]
        torch.stack(columns).sum().backward()

    mine, theirs = functions(ours, released)
    line(f"DAMSM, {CAPTIONS} captions with {CAPTIONS} pictures of {REGIONS} regions", f"{mine.median * 1000:.0f} ms")
    line("  against the released loop over captions", f"{ratio(theirs, mine):.2f} x")


def _one_caption(words: Tensor, regions: Tensor, config: DAMSMConfig) -> Tensor:
    """As released, one caption with all pictures: softmaxes over explicit matrices, the words copied per picture."""
    copied = words.T[None].repeat(len(regions), 1, 1)  # p d l
    attention = F.softmax(torch.bmm(regions, copied).flatten(0, 1), 1).view(len(regions), -1, len(words))
    attention = F.softmax((config.gamma1 * attention.transpose(1, 2)).flatten(0, 1), 1)
    attention = attention.view(len(regions), len(words), -1)
    mixed = torch.bmm(regions.transpose(1, 2), attention.transpose(1, 2))
    cosines = F.cosine_similarity(copied.transpose(1, 2).flatten(0, 1), mixed.transpose(1, 2).flatten(0, 1), 1)
    return (config.gamma2 * cosines).exp().view(len(regions), -1).sum(1).log() / config.gamma2


def training() -> None:
    """Both players of the game at 16, 32 and 64 px, without DAMSM, whose share is measured above."""
    shape = AttnGANConfig(
        text_dim=WORDS, word_dim=WORDS, reader="none", backbone="", widths=(128, 64, 32), branch_widths=(32, 32),
        skip=False, normalize_text=False,
    )  # fmt: skip
    game = AttnGANObjectiveConfig(
        damsm_share=0.0, matching=0.0, discriminator_width=DF, spectral_norm=False, loss="bce", kl=1.0
    )
    generator = AttnGAN(shape)
    objective = AttnGANObjective(generator, game)
    settings = {"steps": 10**6, "checkpoint_every": 10**6, "sample_every": 0, "precision": "no", "tracker": "none"}
    config = TrainConfig.model_validate(settings | {"batch_size": BATCH})
    released = Released(generator, objective)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(objective, tiny_data(generator, 2 * BATCH), config, Path(scratch), device="cpu")

        def ours() -> None:
            trainer.one_step()
            trainer.step += 1

        trained, theirs = functions(ours, released)
    line(f"attngan at 16 to 64 px, batch {BATCH}: released loop", f"{theirs.median * 1000:.0f} ms/step")
    line("  Trainer", f"{trained.median * 1000:.0f} ms/step")
    line("  ratio", f"{ratio(theirs, trained):.2f} x", "goal: at least 1.2 x")


class Released:
    """The released loop's arithmetic over plain networks of the same sizes: a real picture's features once for both
    captions, the next caption as mismatch, and the discriminators' own gradients in the generator's move, too."""

    def __init__(self, generator: AttnGAN, objective: AttnGANObjective) -> None:
        self.generator = Generator(WORDS, C, Z, GF, blocks=2, scales=3, ups=2)
        self.judges = [TreeDiscriminator(side, WORDS, DF) for side in (16, 32, 64)]
        ours = [sum(p.numel() for p in network.parameters()) for network in (generator.tree, self.generator)]
        assert ours[0] == ours[1], ours
        self.optimizers = [
            torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (self.generator, *self.judges)
        ]
        self.real = [torch.rand(BATCH, 3, side, side) * 2 - 1 for side in (16, 32, 64)]
        self.text = captions_of_lengths([LENGTH] * BATCH, WORDS)
        self.ones, self.zeros = torch.ones(BATCH), torch.zeros(BATCH)

    def __call__(self) -> None:
        text, loss = self.text, F.binary_cross_entropy
        mu, logvar = F.glu(self.generator.ca_net.fc(text.sentence)).chunk(2, 1)
        fakes, _ = self.generator(text.sentence, text.words, text.mask, torch.randn(BATCH, Z), torch.randn(BATCH, C))
        for judge, optimizer, real, fake in zip(self.judges, self.optimizers[1:], self.real, fakes, strict=True):
            optimizer.zero_grad()
            features = judge.img_code(real)
            right, alone = _answers(judge, features, text.sentence)
            wrong, _ = _answers(judge, features, text.sentence.roll(-1, 0))
            told, seen = _answers(judge, judge.img_code(fake.detach()), text.sentence)
            real_loss = (loss(right, self.ones) + loss(alone, self.ones)) / 2
            (real_loss + sum(loss(each, self.zeros) for each in (wrong, told, seen)) / 3).backward()
            optimizer.step()
        self.optimizers[0].zero_grad()
        total = -0.5 * (1 + logvar - mu.square() - logvar.exp()).mean()
        for judge, fake in zip(self.judges, fakes, strict=True):
            total = total + sum(loss(answer, self.ones) for answer in judge(fake, text.sentence))
        total.backward()
        self.optimizers[0].step()


def _answers(judge: TreeDiscriminator, features: Tensor, sentence: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities with the sentence and alone, from features that are computed once."""
    planes = sentence[:, :, None, None].repeat(1, 1, 4, 4)
    joint = judge.jointConv(torch.cat([planes, features], 1))
    return judge.logits(joint).flatten(), judge.uncond_logits(features).flatten()
