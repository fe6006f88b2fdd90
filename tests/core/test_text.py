"""Prompts and the embedding they become."""
from __future__ import annotations
from fakes.models import FakeTextEncoder, FakeGenerator
from t2i.generator import Noise
import t2i.pipelines
def test_x(fakes_installed):
    import t2i
    e = t2i.create_text_encoder("fake").encode(["a red heart", "b"])
    g = t2i.create_model("fake")
    assert g.generate(e[[1, 0]], Noise([1, 2])).shape == (2,3,8,8)
    g = t2i.create_model("cgan", resolution=16, widths=(8,8), text_dim=8)
    import t2i_cgan.training, t2i.training.trainer, t2i.training.run, t2i.cli.main
