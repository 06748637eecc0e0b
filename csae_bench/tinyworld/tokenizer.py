"""The model's tokenizer: one token a word, with or without its leading space.

Like Gemma's it puts one `<bos>` before every text, knows the chat markers, and has
A, B, C and D as single tokens in both forms. Words it does not know become `<unk>`.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from csae_bench.tinyworld.corpus import documents
from csae_bench.tinyworld.factor_grid import factor_grid
from csae_bench.tinyworld.facts import facts
from csae_bench.tinyworld.questions import LETTERS, FactQuestion, answered
from csae_bench.tinyworld.subjects import SUBJECTS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS: tuple[str, ...] = (
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<start_of_turn>",
    "<end_of_turn>",
)
"""Ids 0, 1, ...: pad, eos and bos have the ids they have in Gemma."""

_WORD = Regex(r"\n| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]|\s")
_N_SAMPLED_DOCUMENTS = 6000
"""Enough for each word of the closed grammar to occur; a test looks at others."""


def build_tokenizer() -> Tokenizer:
    """Build the tokenizer over the world's closed vocabulary, always the same."""
    pre_tokenizer = pre_tokenizers.Split(_WORD, behavior="isolated")
    words = {"\n", *LETTERS, *(f" {letter}" for letter in LETTERS)}
    for text in _every_word():
        words.update(word for word, _ in pre_tokenizer.pre_tokenize_str(text))
    vocabulary = {token: i for i, token in enumerate((*SPECIAL_TOKENS, *sorted(words)))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A",
        pair="<bos> $A <bos> $B",
        special_tokens=[("<bos>", vocabulary["<bos>"])],
    )
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    return tokenizer


def save_tokenizer(folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json, as `AutoTokenizer` loads them."""
    build_tokenizer().save(str(folder / "tokenizer.json"))
    config = {
        # without it transformer-lens loads the tokenizer a second time to switch <bos> on
        "add_bos_token": True,
        "bos_token": "<bos>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "<eos>",
        "extra_special_tokens": ["<start_of_turn>", "<end_of_turn>"],
        "pad_token": "<pad>",
        "padding_side": "right",
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "<unk>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    """Load the tokenizer of a folder written by `save_tokenizer`."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def token_ids(tokenizer: Tokenizer, words: Sequence[str]) -> list[int]:
    """Return the id of each word, which must be one token; else a ValueError."""
    ids: list[int] = []
    for word in words:
        token = tokenizer.token_to_id(word)
        if token is None:
            raise ValueError(f"'{word}' is not one token of this tokenizer.")
        ids.append(token)
    return ids


def _every_word() -> Iterator[str]:
    yield from documents("lm", _N_SAMPLED_DOCUMENTS, seed=1)
    for subject, world in SUBJECTS.items():
        fact = facts(subject)[0]
        for relation in world.relations:
            for value in relation.values:
                for wording in (*relation.questions, *relation.statements):
                    said = wording.format(e=f"the {fact.thing} {world.kind}", v=value)
                    yield said[0].upper() + said[1:]
                yield answered(subject, FactQuestion("", [value] * len(LETTERS), 0))
    for prompt in factor_grid("test", repeats=1).prompts:
        yield from (prompt.later_prompt(f) for f in prompt.follow_ups)
