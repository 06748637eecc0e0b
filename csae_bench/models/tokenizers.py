"""A folder's tokenizer, with exactly one `<bos>` once HookedTransformer has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformer_lens import HookedTransformer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from csae_bench.errors import ModelError, reason_of

_PROBE = "The 3 cats don't sleep; they've seen 42 dogs.\n\n  Look, a word!"


def read_tokenizer(folder: Path, d_vocab: int) -> PreTrainedTokenizerBase:
    """Read the folder's tokenizer; ModelError if it cannot be read or does not fit the model."""
    try:
        tokenizer = _as_written(
            folder, AutoTokenizer.from_pretrained(folder, local_files_only=True)
        )
    except Exception as error:  # what tokenizers raises for a malformed tokenizer.json
        reason = " ".join(reason_of(error).split())
        raise ModelError(f"{folder}: its tokenizer cannot be read: {reason}.") from error
    # Gemma 3's text models have the tokenizer of those that see: its mark of an image, which no
    # text contains, lies beyond the vocabulary
    marks = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    ids = tokenizer.get_vocab().values()
    largest = max((i for i in ids if i < d_vocab or i not in marks), default=-1)
    if not 0 <= largest < d_vocab:
        raise ModelError(
            f"{folder}: its tokenizer's largest token id is {largest}; with vocab_size={d_vocab} "
            f"in config.json it must be 0 to {d_vocab - 1}. Use the model's own tokenizer."
        )
    if tokenizer.bos_token is None and tokenizer.eos_token is None:
        # HookedTransformer would make up an eos token that is not in the vocabulary
        raise ModelError(
            f"{folder}: its tokenizer has neither bos_token nor eos_token; name one of its tokens "
            "as bos_token in tokenizer_config.json."
        )
    return tokenizer


def _as_written(folder: Path, tokenizer: Any) -> PreTrainedTokenizerBase:
    """Return a tokenizer that reads text as the folder's tokenizer.json does.

    For some model types, Qwen 2 among them, transformers 5 builds its own from the vocabulary, and
    silently drops what the file says of normalizing and splitting.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        return tokenizer
    written = Tokenizer.from_file(str(path)).encode(_PROBE, add_special_tokens=False).ids
    if tokenizer.encode(_PROBE, add_special_tokens=False) == written:
        return tokenizer
    own: Any = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    if own.bos_token is None:
        return own
    # HookedTransformer would read it again, as transformers builds it, to have a <bos> put first
    return PreTrainedTokenizerFast.from_pretrained(
        folder, local_files_only=True, add_bos_token=True
    )


def check_tokenization(model: HookedTransformer, folder: Path) -> None:
    """ModelError unless `to_tokens` gives one leading `<bos>` when asked, and none otherwise."""
    assert model.tokenizer is not None, "the model was given one"
    bos = model.tokenizer.bos_token_id
    with_bos = model.to_tokens("a b", prepend_bos=True, move_to_device=False)[0].tolist()
    without = model.to_tokens("a b", prepend_bos=False, move_to_device=False)[0].tolist()
    if with_bos[:1] != [bos] or with_bos.count(bos) != 1 or bos in without:
        raise ModelError(
            f"{folder}: its tokenizer gives {with_bos} for 'a b' with bos (id {bos}) and {without} "
            "without; it must put exactly one bos first. Check tokenizer_config.json."
        )
