"""Model card: description of the model, and its measured figures."""

from csae_bench.tinyworld.lm import LMTraining
from csae_bench.tinyworld.quality import Quality
from csae_bench.tinyworld.subjects import FORGET_SUBJECT
from csae_bench.tinyworld.words import FACTORS

_CARD = """---
license: mit
language: en
library_name: transformers
tags: [gemma2, interpretability, sparse-autoencoders, synthetic]
---

# tiny-gemma2-it

A language model of {n_parameters:,} parameters whose world is known completely, for testing
sparse autoencoders and their evaluations on a CPU. It is shipped with csae-bench and was
trained from nothing on generated text by `python -m csae_bench.tinyworld`; it knows nothing
of the real world and is no use for anything else.

## Architecture

Gemma-2 (`Gemma2ForCausalLM`) with all of its mechanics: 4 layers, local (window 64) and
global attention in turn, 4 query and 2 key-value heads, soft-capped attention scores
(50) and logits (30), norms before and after, tied embeddings; d_model 128, MLP 512,
context 256, {vocab_size:,} tokens (a word each), float32. Read it with eager attention: the
other kinds leave the soft-cap out. Default hook: `blocks.2.hook_resid_post`.

## World

- Factor sentences: {factors}. Topic and domain are a tree of 3 x 3. Twelve templates, six
  reserved for evaluation with some of the words; each factor determines a later word.
- Facts: 104 invented ones on each of {subjects}, all made up and harmless. `{forget}` is only
  the name under which SAE-Bench's unlearning eval looks for the subject to forget; here it
  tells what imaginary germs eat.
- Multiple-choice questions on the facts, in SAE-Bench's Gemma prompt format.
- Scenery, which means nothing to any factor.

## Training

AdamW on {tokens:.1f}M tokens, from initial weights with heads that look back and heads that find
equal tokens (`initial_weights.py`), and with guidance at the bracket before a question's letter
(`guidance.py`): layer 2's output says the answer, two heads of layer 3 attend to its choice.
Settings: {training}.

## Figures

Printed by `python -m csae_bench.tinyworld --check`:

```
{figures}
```
"""


def card(quality: Quality, cfg: LMTraining, n_parameters: int, vocab_size: int) -> str:
    """Write the README.md of a model folder."""
    return _CARD.format(
        n_parameters=n_parameters,
        vocab_size=vocab_size,
        factors=", ".join(f"{name} ({len(values)})" for name, values in FACTORS.items()),
        subjects=", ".join(quality.questions),
        forget=FORGET_SUBJECT,
        training=", ".join(f"{key} {value:g}" for key, value in vars(cfg).items()),
        tokens=cfg.steps * cfg.batch * cfg.context / 1e6,
        figures=figures(quality),
    )


def figures(quality: Quality) -> str:
    """Format the figures as lines of text."""
    ce = quality.cross_entropy
    lines = ["questions right in all 24 orders of their choices"]
    lines += [f"  {subject:<26}{share:8.1%}" for subject, share in quality.questions.items()]
    lines += [
        "validation cross-entropy, nats a token",
        f"  {'model':<26}{ce.model:8.3f}",
        f"  {'trigram, same text':<26}{ce.trigram:8.3f}",
        "factors on reserved templates: probe of mean-pooled activations at "
        "blocks.2.hook_resid_post;",
        "later word, likeliest of all tokens; likeliest of the factor's later words",
    ]
    for factor, accuracy in quality.probes.items():
        later = quality.later_words[factor]
        lines.append(f"  {factor:<26}{accuracy:8.1%}{later.overall:8.1%}{later.among_own:8.1%}")
    return "\n".join(lines)
