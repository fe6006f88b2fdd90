"""The model card, read by the Hub's own parser and by a Markdown renderer."""

from __future__ import annotations

import ast
import shlex
from html.parser import HTMLParser

import pytest
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fakes.models import FakeTextEncoder
from t2i.snapshots.card import CardExtras, card_head, render_card
from t2i.snapshots.markdown import fence, plain
from t2i.snapshots.record import SnapshotConfig, SnapshotFacts

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def config(technique: str = "cgan", **facts) -> SnapshotConfig:
    settings = {"resolution": 64}
    return SnapshotConfig(technique=technique, config=settings, facts=SnapshotFacts(**facts), weights_sha256="a" * 64)


class Reader(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [f"{name}={value}" for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_hub_parses_the_cards_header():
    card = ModelCard(render_card(config(license="CC-BY-SA-4.0")))
    assert card.data.pipeline_tag == "text-to-image"
    assert card.data.library_name == "t2i"
    assert card.data.license == "cc-by-sa-4.0"
    assert card.data.tags == ["t2i", "cgan"]


@pytest.mark.parametrize(
    ("spdx", "hub", "name"),
    [
        ("Apache-2.0", "apache-2.0", None),
        ("GPL-3.0-only", "gpl-3.0", None),
        ("LGPL-3.0-or-later", "lgpl-3.0", None),
        ("unknown", "unknown", None),
        ("CC-BY-SA-9.9", "other", "CC-BY-SA-9.9"),
        ("no: yaml\n- here", "other", "no: yaml\n- here"),
    ],
)
def test_an_unknown_licence_is_other_with_its_name(spdx, hub, name):
    data = ModelCard(render_card(config(license=spdx))).data
    assert (data.license, data.license_name) == (hub, name)


def test_the_card_states_every_fact():
    facts = {"dataset": "openmoji:train", "license": "CC-BY-SA-4.0", "steps": 12_345, "images_seen": 6_789_000}
    facts["training_seconds"] = {"AMD EPYC, 2 threads": 1893.4}
    text = render_card(config(text_encoder=FakeTextEncoder().identity, command="t2i train cgan --steps 9", **facts))
    encoder = f"| text encoder | fake, 8-d, sha256 {'0' * 64} |"
    weights = f"| model.safetensors | sha256 {'a' * 64} |"
    assert "| training took | 32 min on AMD EPYC, 2 threads |" in text
    for said in (encoder, weights, "openmoji:train", "CC-BY-SA-4.0", "12,345", "6,789,000", "t2i train cgan --steps 9"):
        assert said in text
    assert "64 x 64 pixels" in text and "pip install t2i-cgan\n" in text and "Reed" in text


def test_a_card_says_which_facts_are_not_recorded():
    text = render_card(config("nobodys"))
    for row in ("dataset", "text encoder", "trained for", "training took"):
        assert f"| {row} | not stated |" in text
    assert "Command:" not in text and "How it was made is not recorded" in text and "None measured yet" in text


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        ({"A": 0.2}, "0 s on A"),
        ({"A": 59.6}, "1 min on A"),
        ({"A": 3569.0}, "59 min on A"),
        ({"A": 3599.0}, "1 h 00 min on A"),
        ({"A": 14_700.0, "B, 2 processes": 90_000.0}, "4 h 05 min on A; then 25 h 00 min on B, 2 processes"),
    ],
)
def test_a_card_says_how_long_training_took_and_on_which_device(seconds, message):
    assert f"| training took | {message} |" in render_card(config(training_seconds=seconds))


@pytest.mark.parametrize("prompt", ["a red heart", "it's a \"quoted\" 'heart'\n", "$(rm -rf /) `x` \\"])
def test_the_snippet_of_a_card_is_three_lines_of_python(prompt):
    page = render_card(config(), CardExtras(name="hf-hub:org/name", prompt=prompt))
    (snippet,) = [token.content for token in MARKDOWN.parse(page) if token.info == "python"]
    compile(snippet, "card", "exec")
    assert len(snippet.splitlines()) == 3 and "hf-hub:org/name" in snippet
    call = ast.parse(snippet).body[2].value.func.value.value
    assert ast.literal_eval(call.args[0]) == prompt
    (command, *_) = [token.content for token in MARKDOWN.parse(page) if token.info == "sh"]
    assert shlex.split(command)[-4:] == ["generate", prompt, "--model", "hf-hub:org/name"]


MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/pixel.png)",
    "[click](javascript:alert(1))",
    "https://evil.example www.evil.example me@evil.example",
    "a | b | c\n|---|---|\n# heading\n- list",
    "**bold** _it_ `code` ~~gone~~ $x$ &lt; \\",
    "```\n</code></pre><script>x</script>\n```",
    "---\nlicense: mit\n---",
    "{{ jinja }} {% raw %}",
    "\u202egnp.exe \x1b[31m \0 \r\n",
    "<!-- -->",
    "1. one",
    "# a",
]


@pytest.mark.parametrize("text", MARKUP)
def test_user_input_is_escaped(text):
    facts = {"dataset": text, "license": text, "command": text}
    extras = CardExtras(title=text, prompt=text, picture="samples.png")
    wild = render_card(config(text, **facts), extras)
    tame = render_card(
        config("word", dataset="word", license="word", command="word"),
        CardExtras(title="word", picture="samples.png"),
    )
    found, expected = (Reader(MARKDOWN.render(ModelCard(card).text)) for card in (wild, tame))
    assert found.tags == expected.tags
    assert found.attributes == expected.attributes
    assert not {"\x1b", "\u202e", "\0"} & set(found.text)
    assert ModelCard(wild).data.tags == ["t2i", text]


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_renders_literally(text):
    rendered = Reader(MARKDOWN.render(f"x {plain(text)} y"))
    assert rendered.tags == ["p"]
    assert rendered.text.split() == ["x", *plain_words(text), "y"]


@settings(max_examples=100, deadline=None)
@given(st.text("-+=*#>1234567890.) _~`|", max_size=8))
def test_any_start_of_a_line_renders_literally(text):
    for form, tags in (("{}", ["p"]), ("- {}", ["ul", "li"]), ("# {}", ["h1"])):
        rendered = Reader(MARKDOWN.render(form.format(f"{plain(f'{text} x')}")))
        assert rendered.tags == tags
        assert rendered.text.split() == [*plain_words(text), "x"]


def plain_words(text: str) -> list[str]:
    import unicodedata

    return "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text).split()


@settings(max_examples=100, deadline=None)
@given(st.text("`~\n a#<>", max_size=30))
def test_no_code_can_close_its_fence(code):
    tokens = MARKDOWN.parse(f"{fence(code, 'sh')}\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == f"{code}\n"


def test_the_header_has_only_plain_values():
    """The YAML has no Python tags."""
    import yaml

    head = card_head(config(license="MIT"))
    assert yaml.safe_load(yaml.safe_dump(head)) == head


def test_the_parents_licence_is_that_of_the_weights_not_of_the_data() -> None:
    facts = {"license": "unknown", "parent": f"cgan.world64, sha256 {'a' * 64}", "parent_license": "CC-BY-SA-4.0"}
    card = render_card(config(**facts))
    assert ModelCard(card).data.license == "unknown"
    assert "unknown; weights started from cgan.world64 (CC-BY-SA-4.0)" in card
    assert "(licence unknown)" in render_card(config(**facts | {"parent_license": ""}))
    assert "weights started" not in render_card(config(license="MIT"))
