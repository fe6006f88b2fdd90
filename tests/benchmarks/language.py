"""The default language model: tokens per second next to transformers' `generate`, and the share of usable lines."""

from __future__ import annotations

import os
from typing import Any

import torch
from measure import functions, line, ratio

from t2i.create import create_language_model
from t2i.language import WritingOptions
from t2i_lm.lines import cleaned, is_usable
from t2i_lm.smollm2 import converted, packaged_weights
from t2i_lm.writing import AT_ONCE, OPTIONS

TOKENS = 48
TOPICS = (
    *("things on a birthday card", "wild animals", "a medieval town", "kitchen tools", "the deep sea", "space travel"),
    *("autumn", "musical instruments", "robots", "desserts", "mountains", "a busy market", "insects", "toys", "trains"),
    *("flowers", "winter sports", "old books", "the desert", "city life at night"),
)
SEEDS_PER_TOPIC = int(os.environ.get("T2I_BENCH_SEEDS", "5"))


def run() -> None:
    speed()
    quality()


def speed() -> None:
    """One text, and sixteen at once, sampled with the same settings and to the same length."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = create_language_model("smollm2")
    packaged = packaged_weights()
    assert packaged is not None, "install t2i-lm[offline]"
    folder = converted(packaged)
    network: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    options = WritingOptions(max_tokens=TOKENS, temperature=0.8, top_p=0.95)
    question = "Tell a very long story about a cat and an astronaut."
    turns = [{"role": "user", "content": question}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    how = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": True, "temperature": 0.8, "top_p": 0.95}

    def plain() -> object:
        with torch.inference_mode():
            return network.generate(**ids, **how, top_k=0, pad_token_id=0)

    def one() -> object:
        return "".join(model.write(question, 7, options))

    def sixteen() -> object:
        return model.write_all([question] * AT_ONCE, range(AT_ONCE), options)

    theirs, single, batch = functions(plain, one, sixteen, runs=3)
    line("transformers generate, one text", f"{TOKENS / theirs.median:.1f} tokens/s")
    line("one text", f"{TOKENS / single.median:.1f} tokens/s")
    line("  beside generate", f"{ratio(theirs, single):.2f} x", "at least 1.0")
    line(f"{AT_ONCE} texts at once", f"{AT_ONCE * TOKENS / batch.median:.1f} tokens/s")
    line("  beside generate", f"{AT_ONCE * ratio(theirs, batch):.2f} x", "at least 3")


def quality() -> None:
    """The share of usable first answers."""
    model = create_language_model("smollm2")
    lines = [
        cleaned(answer)
        for topic in TOPICS
        for answer in model.write_all(
            [f"Describe one picture about: {topic}"] * SEEDS_PER_TOPIC, range(SEEDS_PER_TOPIC), OPTIONS
        )
    ]
    share = sum(map(is_usable, lines)) / len(lines)
    line(f"usable lines of {len(lines)} ({len(TOPICS)} topics)", f"{share:.3f}", "at least .9")
    line("  distinct", f"{len(set(lines)) / len(lines):.3f}")
