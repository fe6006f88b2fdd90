"""A picture depends only on the model, its prompt, its seed and the options."""

from __future__ import annotations

import copy
import pickle
import random
import warnings
from dataclasses import asdict, replace
from importlib.metadata import version

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import t2i
from fakes.arguments import NO_NUMBERS
from fakes.models import FakeConfig, FakeGenerator, FakeOptions, FakeTextEncoder
from t2i.devices import check_device
from t2i.drawing.artist import Request
from t2i.drawing.pipeline import Pipeline
from t2i.drawing.provenance import read_provenance
from t2i.drawing.reading import by_length
from t2i.errors import EncoderMismatchError, InvalidConfigError, InvalidInputError
from t2i.generator import Generator
from t2i.images import to_pil
from t2i.noise import Noise
from t2i.publishing.pretrained import save_pretrained
from t2i.registry.describe import DEFAULT_TEXT_ENCODER
from t2i.seeds import MAX_SEED, choose_seeds
from t2i.snapshots.load import load_generator
from t2i.snapshots.resolve import resolve
from t2i.text import TextEmbedding
from t2i_cgan.config import CGANConfig
from t2i_cgan.generator import ConditionalGAN

CONFIGS = {
    "modulated": CGANConfig(resolution=16, text_dim=24, noise_dim=10, condition_dim=40, hidden_dim=56, widths=(32, 16)),
    "paper": CGANConfig(architecture="paper", text_dim=24, noise_dim=10, condition_dim=16, ngf=8),
}
PROMPTS = ["a red heart", "pizza", "woman firefighter, dark skin tone", "flag of Japan"]
REQUESTS = st.lists(st.builds(Request, st.sampled_from(PROMPTS), st.integers(0, MAX_SEED)), min_size=1, max_size=9)


def piped(generator: Generator, encoder: FakeTextEncoder, folder) -> Pipeline:
    save_pretrained(generator.eval(), folder, text_encoder=encoder.identity)
    snapshot = resolve(f"local-dir:{folder}")
    return Pipeline(snapshot, load_generator(snapshot), encoder)


@pytest.fixture(scope="module")
def pipes(tmp_path_factory) -> dict[str, Pipeline]:
    made = {}
    for name, config in CONFIGS.items():
        torch.manual_seed(0)
        generator = ConditionalGAN(config)
        for buffer in generator.buffers():  # the running statistics of a trained network
            if buffer.is_floating_point():
                buffer.add_(torch.rand_like(buffer))
        made[name] = piped(generator, FakeTextEncoder(24), tmp_path_factory.mktemp("models") / name)
    return made


@pytest.fixture(scope="module")
def pipe(pipes) -> Pipeline:
    return pipes["modulated"]


@pytest.mark.parametrize("name", CONFIGS)
@given(requests=REQUESTS, batch_size=st.integers(1, 10), order=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_pictures_are_bit_equal_in_any_order_and_batch_size(pipes, name, requests, batch_size, order):
    alone = {request: next(pipes[name].draw([request])) for request in requests}
    order.shuffle(requests)
    pictures = list(pipes[name].draw(requests, batch_size=batch_size))
    assert [Request(picture.prompt, picture.seed) for picture in pictures] == requests
    for picture, request in zip(pictures, requests, strict=True):
        assert picture.image.tobytes() == alone[request].image.tobytes()
        assert picture.provenance == alone[request].provenance


def test_a_picture_does_not_depend_on_the_longest_prompt_of_its_batch(fakes_installed):
    """The default model attends to words; a kernel sums 50 of them, most of them masked, in another order than 5."""
    pipe = t2i.pipeline()
    prompts = [" ".join(["a red heart and a green tree"] * count) for count in (1, 2, 3, 7, 1)]
    together = [*pipe.draw([Request(prompt, seed) for seed, prompt in enumerate(prompts)], batch_size=5)]
    for seed, (prompt, picture) in enumerate(zip(prompts, together, strict=True)):
        (alone,) = pipe.draw([Request(prompt, seed)])
        assert picture.image.tobytes() == alone.image.tobytes()


def test_a_prompt_is_padded_to_a_length_of_its_own():
    lengths = [3, 16, 17, 1, 40, 64]
    mask = torch.arange(70) < torch.tensor(lengths)[:, None]
    words = torch.randn(6, 70, 4) * mask[..., None]
    groups = by_length(TextEmbedding(torch.randn(6, 4), words, mask))
    assert [(rows, text.words.shape[1]) for rows, text in groups] == [([0, 1, 3], 16), ([2], 32), ([4, 5], 64)]
    for rows, text in groups:
        for row, own, real in zip(rows, text.words, text.mask, strict=True):
            assert real.tolist() == [place < lengths[row] for place in range(text.words.shape[1])]
            assert torch.equal(own[real], words[row, : lengths[row]])


def test_a_full_batch_draws_the_same_as_one_picture_alone(pipe):
    many = pipe(PROMPTS, num_images_per_prompt=16, seed=3)
    for index in random.Random(0).sample(range(64), 6):
        again = pipe(many.prompts[index], seed=many.seeds[index])[0].image
        assert again.tobytes() == many[index].image.tobytes()


def test_a_snapshots_own_options_are_the_defaults(pipe):
    facts = pipe.snapshot.config.facts.model_copy(update={"options": {"truncation": 0.25}})
    snapshot = replace(pipe.snapshot, config=pipe.snapshot.config.model_copy(update={"facts": facts}))
    own = Pipeline(snapshot, pipe.generator, pipe.encoder)
    drawn = own("pizza", seed=3)[0]
    assert drawn.provenance.options["truncation"] == 0.25
    assert drawn.image.tobytes() == pipe("pizza", seed=3, truncation=0.25)[0].image.tobytes()
    assert own("pizza", seed=3, truncation=1.0)[0].image.tobytes() == pipe("pizza", seed=3)[0].image.tobytes()


def test_prompt_seed_and_options_each_change_the_picture(pipe):
    drawn = [
        pipe(prompt, seed=seed, truncation=truncation)[0].image.tobytes()
        for prompt, seed, truncation in [
            ("a red heart", 0, 1.0),
            ("pizza", 0, 1.0),
            ("a red heart", 1, 1.0),
            ("a red heart", 0, 0.0),
        ]
    ]
    assert len(set(drawn)) == 4


def test_global_random_state_has_no_effect(pipe):
    torch.manual_seed(1)
    first = pipe("pizza", seed=5)[0].image
    torch.manual_seed(2)
    torch.rand(3)
    assert pipe("pizza", seed=5)[0].image.tobytes() == first.tobytes()


def test_the_pipeline_equals_encoder_generator_and_conversion(pipe):
    text = pipe.encoder.encode(["pizza"] * 4)
    with torch.inference_mode():
        images = pipe.generator.generate(text, Noise([2, 3, 4, 5]), pipe.generator.options(truncation=0.5))
    out = pipe("pizza", num_images_per_prompt=4, seed=2, truncation=0.5)
    assert [image.tobytes() for image in out.images] == [image.tobytes() for image in to_pil(images)]


def test_pictures_are_ordered_by_prompt_then_by_seed(pipe):
    out = pipe(["pizza", " a red heart "], num_images_per_prompt=2, seed=7)
    assert list(zip(out.prompts, out.seeds, strict=True)) == [
        ("pizza", 7),
        ("pizza", 8),
        ("a red heart", 7),
        ("a red heart", 8),
    ]


def test_a_random_seed_is_recorded_and_draws_the_picture_again(pipe):
    out = pipe("pizza", num_images_per_prompt=2)
    assert out.seeds[1] == out.seeds[0] + 1
    assert pipe("pizza", seed=out.seeds[1])[0].image.tobytes() == out[1].image.tobytes()


def test_each_prompt_is_encoded_once_per_batch(tmp_path):
    encoder = FakeTextEncoder(24)
    pipe = piped(ConditionalGAN(CONFIGS["modulated"]), encoder, tmp_path / "model")
    pipe(["pizza", "a red heart"], num_images_per_prompt=5, seed=0)
    assert sorted(encoder.encoded) == ["a red heart", "pizza"]


def test_the_provenance_of_a_picture_suffices_to_draw_it_again(pipe, tmp_path):
    picture = pipe(["pizza", "flag of Japan"], num_images_per_prompt=3, seed=11, truncation=0.8)[4]
    content = picture.save(tmp_path / "x.png").read_bytes()
    recorded = read_provenance(tmp_path / "x.png")
    snapshot = resolve(recorded.artist.name)
    assert snapshot.config.weights_sha256 == recorded.artist.weights_sha256
    assert recorded.artist.text_encoders == {"fake": pipe.encoder.identity.sha256}
    fresh = Pipeline(snapshot, load_generator(snapshot), FakeTextEncoder(24))
    again = fresh(recorded.prompt, seed=recorded.seed, **recorded.options)[0]
    assert again.png() == content


def test_provenance_names_the_versions_in_use(pipe):
    versions = pipe("pizza")[0].provenance.artist.versions
    assert versions == {
        "t2i-core": t2i.__version__,
        "torch": torch.__version__.partition("+")[0],
        "t2i-cgan": "0.1.0",
        "emoji": version("emoji"),
    }


def test_emoji_are_replaced_by_their_names(pipe):
    pipe.encoder.encoded.clear()
    emoji, words = (
        pipe(["a 🐼 and👩‍🚒", "🇯🇵"], seed=3),
        pipe(["a panda and woman firefighter", "flag of Japan"], seed=3),
    )
    assert pipe.encoder.encoded == ["a panda and woman firefighter", "flag of Japan"] * 2
    assert emoji.prompts == ["a 🐼 and👩‍🚒", "🇯🇵"]  # provenance has the prompt as typed
    assert [picture.tobytes() for picture in emoji.images] == [picture.tobytes() for picture in words.images]


def test_a_prompt_that_is_not_read_completely_gives_one_warning_per_call(pipe):
    """The fake encoder reads six words."""
    long = "one two three four five six \x1b[2J"
    for _ in range(2):
        with pytest.warns(t2i.UnreadPromptWarning) as caught:
            pipe([long, "pizza"], num_images_per_prompt=5, batch_size=2)
        (message,) = [str(warning.message) for warning in caught]
        assert message.startswith(f"The prompt {long!r}: ") and "left out '\\x1b[2J'" in message


def test_a_prompt_that_is_read_completely_gives_no_warning(pipe):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipe(["pizza", "a 🐼"])


@pytest.mark.usefixtures("signatures_unchecked")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"prompts": ""}, "Prompt 1 is empty"),
        ({"prompts": []}, "got none"),
        ({"prompts": "x" * 10_000}, "at most 2000 characters"),
        *(({"prompts": bad}, "^Prompts must be a string or a list of strings, got") for bad in (None, 7, b"pizza", {})),
        *(({"prompts": ["pizza", bad]}, "^Prompt 2 must be a string, got") for bad in (None, 7, ["pizza"], b"pizza")),
        *(({"seed": bad}, "^A seed must be a whole number from 0 to") for bad in (-1, *NO_NUMBERS[1:])),
        ({"seed": MAX_SEED, "num_images_per_prompt": 2}, "^A seed must be a whole number from 0 to"),
        *(
            ({"num_images_per_prompt": bad}, "^The number of pictures per prompt must be a whole number from 1 to")
            for bad in (0, -3, 10**9 + 1, *NO_NUMBERS)
        ),
        *(({"batch_size": bad}, "^The batch size must be a whole number of 1 or more") for bad in (0, *NO_NUMBERS)),
    ],
)
def test_an_argument_outside_its_range_is_refused(pipe, arguments, says):
    with pytest.raises(InvalidInputError, match=says):
        pipe(**{"prompts": "pizza", **arguments})


@pytest.mark.usefixtures("signatures_unchecked")
@pytest.mark.parametrize(
    ("prompt", "seed", "says"),
    [
        *(("pizza", bad, "A seed must be a whole number") for bad in (-1, *NO_NUMBERS)),
        *((bad, 7, "Prompt 1 must be a string, got") for bad in (None, 7, ["pizza"])),
        (" ", 7, "Prompt 1 is empty"),
    ],
)
def test_a_request_that_cannot_be_drawn_is_refused(pipe, prompt, seed, says):
    with pytest.raises(InvalidInputError, match=f"^{says}"):
        next(pipe.draw([Request(prompt, seed)]))


@pytest.mark.usefixtures("signatures_unchecked")
@pytest.mark.parametrize("bad", ["pizza", None, ("pizza", 7), 7])
def test_an_object_that_is_not_a_request_is_refused(pipe, bad):
    with pytest.raises(InvalidInputError, match=r"^A request must be Request\("):
        next(pipe.draw([bad]))


@pytest.mark.usefixtures("signatures_unchecked")
def test_numpys_numbers_are_numbers(pipe):
    one, other = (pipe("pizza", seed=kind(7), num_images_per_prompt=kind(1))[0] for kind in (int, np.int64))
    assert one.png() == other.png()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"truncatoin": 1}, "Did you mean 'truncation'"),
        ({"truncation": None}, "got None"),
        ({"truncation": [[0.5]]}, r"got \[\[0.5\]\]"),
        ({"truncation": 9}, "less than or equal to 2"),
        ({"truncation": "wild"}, "got 'wild'"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(pipe, options, says):
    with pytest.raises(InvalidConfigError, match=f"options of cgan: .*{says}"):
        pipe("pizza", **options)


@pytest.mark.parametrize("encoder", [FakeTextEncoder(24, "1" * 64), FakeTextEncoder(8)], ids=["sha256", "dim"])
def test_an_encoder_the_model_was_not_trained_with_is_refused(pipe, encoder, request):
    with pytest.raises(EncoderMismatchError, match=f"whose {request.node.callspec.id} is"):
        Pipeline(pipe.snapshot, pipe.generator, encoder)


def test_a_plugin_s_model_opens_by_name_with_its_text_encoder(fakes_installed, tmp_path):
    save_pretrained(FakeGenerator(), tmp_path / "m", text_encoder=FakeTextEncoder().identity)
    pipe = t2i.pipeline(str(tmp_path / "m"), device="cpu")
    assert isinstance(pipe.encoder, FakeTextEncoder)
    assert pipe("pizza", seed=1)[0].image.size == (8, 8)


def test_a_model_whose_text_encoder_is_not_installed_is_refused(tmp_path):
    facts = asdict(FakeTextEncoder(24).identity) | {"name": "clip-vit"}
    save_pretrained(ConditionalGAN(CONFIGS["modulated"]), tmp_path / "m", text_encoder=facts)
    with pytest.raises(t2i.T2IError, match=f"no text encoder 'clip-vit'.*Installed: .*{DEFAULT_TEXT_ENCODER}"):
        t2i.pipeline(str(tmp_path / "m"), device="cpu")


def test_a_model_without_a_recorded_encoder_that_does_not_fit_the_default_is_refused(fakes_installed, tmp_path):
    save_pretrained(FakeGenerator(FakeConfig(text_dim=8)), tmp_path / "m")
    with pytest.raises(EncoderMismatchError, match=r"reads text embeddings of width 8, but .* returns 384"):
        t2i.pipeline(str(tmp_path / "m"), device="cpu")


@pytest.mark.usefixtures("signatures_unchecked")
@pytest.mark.parametrize("device", ["tpu", "", "cuda:x", True, ["cpu"], 1.5])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(InvalidInputError, match="must be cpu on this machine"):
        check_device(device)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has an accelerator")
def test_an_accelerator_this_machine_lacks_is_refused():
    with pytest.raises(InvalidInputError, match="must be cpu on this machine, got 'cuda'"):
        check_device("cuda")
    assert check_device(None) == torch.device("cpu")


@given(st.integers(0, MAX_SEED - 100), st.integers(1, 100))
def test_seeds_count_up_from_the_first(seed, count):
    assert list(choose_seeds(seed, count)) == [seed + index for index in range(count)]


def test_the_repr_of_a_pipeline_describes_it(pipe):
    millions = sum(parameter.numel() for parameter in pipe.generator.parameters()) / 1e6
    name = pipe.snapshot.name
    assert repr(pipe) == f"<Pipeline {name}: cgan, 16 px, {millions:.1f} M parameters, text encoder fake, on cpu>"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pipe: pickle.loads(pickle.dumps(pipe))])
def test_a_copy_draws_the_same_and_shares_nothing(pipe, copied):
    again = copied(pipe)
    assert again("pizza", seed=3)[0].png() == pipe("pizza", seed=3)[0].png()
    with torch.no_grad():
        for parameter in again.generator.parameters():
            parameter.zero_()
    assert pipe("pizza", seed=4)[0].png() == copied(pipe)("pizza", seed=4)[0].png() != again("pizza", seed=4)[0].png()


def test_the_default_model_can_be_copied(tmp_path):
    """Its text encoder has a tokenizer and a cache of its own."""
    pipe = t2i.pipeline(device="cpu")
    picture = pipe("a red heart", seed=3)[0]
    for again in (copy.deepcopy(pipe), pickle.loads(pickle.dumps(pipe))):
        assert again("a red heart", seed=3)[0].png() == picture.png()
        assert repr(again) == repr(pipe)


def test_to_moves_everything_and_draws_the_same(pipe):
    moved = copy.deepcopy(pipe)
    before = moved("pizza", seed=3)[0]
    with pytest.raises(InvalidInputError, match="must be cpu on this machine"):
        moved.to("tpu")
    assert moved.to(torch.device("cpu")) is moved and moved.device == "cpu"
    assert moved("pizza", seed=3)[0].png() == before.png()


@pytest.mark.gpu
def test_to_an_accelerator_and_back(pipe):
    moved = copy.deepcopy(pipe).to("cuda")
    assert moved.identity.device == "cuda" and moved.device == "cuda:0"
    there = np.asarray(moved("pizza", seed=3)[0].image, dtype=int)
    assert abs(there - np.asarray(pipe("pizza", seed=3)[0].image, dtype=int)).max() <= 1
    assert moved.to("cpu")("pizza", seed=3)[0].png() == pipe("pizza", seed=3)[0].png()


def test_foreign_options_and_missing_stages_are_refused_at_once(pipe):
    request = Request("pizza", 3)
    for how in ({"options": FakeOptions()}, {"stages": True}, {"batch_size": 0}):
        with pytest.raises(InvalidInputError):
            pipe.draw([request], **how)


def test_requests_are_read_as_they_are_drawn(pipe):
    asked = []

    def requests():
        for seed in range(10):
            asked.append(seed)
            yield Request("pizza", seed)

    drawn = pipe.draw(requests(), batch_size=2)
    assert asked == []
    next(drawn)
    assert asked == [0, 1]
