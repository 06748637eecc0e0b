"""Training aids for questions: what the model should recall, and where it should look.

Before a question's answer is known in full nothing lowers the loss of its letter, so letters alone
teach nothing for thousands of steps. Two aids break that up, both at the bracket before the letter:
the default hook's layer should recall the answer (its residual, read by the unembedding, says it;
deep supervision, Lee et al. 2015, arXiv:1409.5185), and two heads of the layer after it should
attend to that choice (guided attention, Liu et al. 2016, arXiv:1609.04186).
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import Gemma2ForCausalLM

RECALL_LAYER = 2
GUIDED_LAYER = 3
N_GUIDED_HEADS = 2
_LONGEST_QUESTION = 64
"""Tokens before the bracket within which the choices stand."""


class Asked(NamedTuple):
    """The answered questions of a batch; int64 [n_questions] each."""

    row: Tensor
    bracket: Tensor
    """Position of the bracket: the next token is the letter."""
    answer: Tensor
    """Id of the right choice's token."""
    choice: Tensor
    """Position of the right choice."""


def find_questions(tokens: Tensor, is_answer: Tensor) -> Asked:
    """The questions whose letter, answer and choices all lie in the context.

    `tokens` int64 [n, context]; `is_answer` bool [n, context], true at the letters. After a letter
    stand a bracket and the answer.
    """
    row, letter = is_answer[:, :-2].nonzero(as_tuple=True)
    answer = tokens[row, letter + 2]
    bracket = letter - 1
    position = torch.arange(tokens.shape[1])
    is_choice = (
        (tokens[row] == answer[:, None])
        & (position < bracket[:, None])
        & (position >= bracket[:, None] - _LONGEST_QUESTION)
    )
    choice = torch.where(is_choice, position, -1).amax(1)
    found = choice >= 0
    return Asked(row[found], bracket[found], answer[found], choice[found])


def guidance_loss(
    model: "Gemma2ForCausalLM",
    asked: Asked,
    hidden_states: tuple[Tensor, ...],
    attentions: tuple[Tensor, ...],
) -> Tensor:
    """-log p(answer recalled) - mean log attention to the choice, in nats, summed."""
    residual = hidden_states[RECALL_LAYER + 1][asked.row, asked.bracket]
    logits = model.lm_head(model.model.norm(residual))
    cap: Any = model.config.final_logit_softcapping
    recall = torch.nn.functional.cross_entropy(
        cap * torch.tanh(logits / cap), asked.answer, reduction="sum"
    )
    weights = attentions[GUIDED_LAYER][asked.row, :N_GUIDED_HEADS, asked.bracket, asked.choice]
    return recall - (weights + 1e-6).log().mean(1).sum()
