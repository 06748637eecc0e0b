"""A language model whose activations say a word's first letter, and SAEs with latents for them.

Words are a letter, a z, and a number in letters: the fourth of `b` is "bzad".
"""

from __future__ import annotations

import string
import warnings
from pathlib import Path
from typing import Any

import torch
from sae_lens import SAE, StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata
from tokenizers import Tokenizer, models, pre_tokenizers
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformers import PreTrainedTokenizerFast

LETTERS = string.ascii_lowercase
TEMPLATE, POSITION = "{word} has the first letter:", -5
HOOK_NAME = "blocks.0.hook_resid_post"
D_IN = 64
N_WORDS = 30
"""Of each letter, besides the capital itself."""
_MARKS = ["<bos>", "<eos>", "<pad>", "<unk>", "has", "the", "first", "letter:"]


def words_of(letter: str) -> list[str]:
    return [f"{letter}z{LETTERS[i // 26]}{LETTERS[i % 26]}" for i in range(N_WORDS)]


def tokenizer(*, without: str = "") -> PreTrainedTokenizerFast:
    """Its tokens are the words; those of the letters in `without` are not there."""
    words = [word for letter in LETTERS if letter not in without for word in words_of(letter)]
    capitals = list(LETTERS.upper())
    tokens = {word: i for i, word in enumerate([*_MARKS[:4], *_MARKS[4:], *capitals, *words])}
    made = Tokenizer(models.WordLevel(tokens, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
    )


def spelling_model(folder: Path, *, known: str = LETTERS, without: str = "") -> HookedTransformer:
    """Return a model of one layer that adds nothing: an activation is the token's embedding.

    Args:
        folder: for the tokenizer's files.
        known: letters whose words point in a direction of the letter's.
        without: letters that no word begins with.
    """
    tokenizer(without=without).save_pretrained(folder)
    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)
    cfg = HookedTransformerConfig(
        model_name="speller",
        n_layers=1,
        d_model=D_IN,
        n_ctx=128,
        d_head=8,
        d_vocab=len(tokens),
        act_fn="gelu",
        seed=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = HookedTransformer(cfg, tokenizer=tokens).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("blocks") or name == "pos_embed.W_pos":
                parameter.zero_()
        embedded = 0.05 * torch.randn(len(tokens), D_IN, generator=generator)
        for token, place in tokens.get_vocab().items():
            letter = token[0].lower()
            if token.isalpha() and token not in _MARKS and letter in known:
                embedded[place, LETTERS.index(letter)] += 1.0
        model.embed.W_E.copy_(embedded)
    return model


def spelling_sae(model: HookedTransformer, *, absorbed: dict[str, str] | None = None) -> SAE[Any]:
    """Return an SAE with a latent for each letter, in order, and one for each absorbing word.

    Args:
        absorbed: word -> its letter, whose latent does not fire on it: a latent of the word's own
            carries the letter's direction in its place.
    """
    taken = absorbed or {}
    d_sae = len(LETTERS) + 12
    metadata = SAEMetadata(hook_name=HOOK_NAME, model_name="speller", prepend_bos=True)
    sae = StandardSAE(StandardSAEConfig(d_in=D_IN, d_sae=d_sae, metadata=metadata))
    with torch.no_grad():
        sae.W_enc.zero_()
        sae.W_dec.zero_()
        sae.b_enc.zero_()
        sae.b_dec.zero_()
        for i in range(len(LETTERS)):
            sae.W_enc[i, i] = sae.W_dec[i, i] = 1.0
            sae.b_enc[i] = -0.3
        vocabulary: Any = model.tokenizer
        for place, (word, letter) in enumerate(taken.items(), start=len(LETTERS)):
            embedded = model.embed.W_E[vocabulary.get_vocab()[word]]
            direction = embedded.clone()
            direction[: len(LETTERS)] = 0
            own = direction / direction.norm()
            main = LETTERS.index(letter)
            # fires on this word alone, and keeps the letter's latent silent there
            sae.W_enc[:, place] = 20 * own
            sae.b_enc[place] = -0.8 * 20 * direction.norm()
            sae.W_enc[:, main] -= 3.5 * own
            sae.W_dec[place, main] = 1.0
    return sae
