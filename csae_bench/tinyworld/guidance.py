"""Training aids for questions: what the model should recall, and where it should look.

Before a question's answer is known in full nothing lowers the loss of its letter, so letters alone
teach nothing for thousands of steps. Two aids break that up, both at the bracket before the letter:
the default hook's layer should recall the answer (its residual, read by the unembedding, says it;
deep supervision, Lee et al. 2015, arXiv:1409.5185), and two heads of the layer after it should
attend to that choice (guided attention, Liu et al. 2016, arXiv:1609.04186).

And at the end of training, for factors: linear heads on mean-pooled activations of the default
hook's layer must read each of them, so that the world's factors are there for an SAE to find.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from csae_bench.tinyworld.factor_grid import factor_grid
from csae_bench.tinyworld.reading import pooled_states, right_padded

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
    """Find the questions whose letter, answer and choices all lie in the context.

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
    is_question = choice >= 0
    return Asked(row[is_question], bracket[is_question], answer[is_question], choice[is_question])


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


class FactorReader(nn.Module):
    """A linear head for each factor, on mean-pooled activations of the default hook's layer.

    Prompts are grids of all templates and words, of another seed than the grid that is judged.
    """

    N_PROMPTS = 64

    def __init__(self, tokenizer: Tokenizer, d_model: int, seed: int) -> None:
        super().__init__()
        grids = [factor_grid(split, 6, seed=seed + 101) for split in ("train", "test")]
        self._ids = [
            e.ids for g in grids for e in tokenizer.encode_batch([p.text for p in g.prompts])
        ]
        self._factors = torch.cat([torch.from_numpy(g.factors) for g in grids])
        generator = torch.Generator().manual_seed(seed)
        self._order = torch.randperm(len(self._ids), generator=generator)
        self.heads = nn.ModuleList(nn.Linear(d_model, len(v)) for v in grids[0].value_names)
        for head in self.heads:
            for parameter in head.parameters():
                nn.init.zeros_(parameter)

    def loss(self, model: "Gemma2ForCausalLM", step: int) -> Tensor:
        """Mean cross-entropy over factors, in nats, on the prompts of a step."""
        n = self.N_PROMPTS
        rows = self._order[torch.arange(step * n, (step + 1) * n) % len(self._order)]
        tokens, lengths = right_padded([self._ids[i] for i in rows.tolist()])
        states = model.model(tokens, output_hidden_states=True).hidden_states
        pooled = pooled_states(states[RECALL_LAYER + 1], lengths)
        losses = [
            torch.nn.functional.cross_entropy(head(pooled), self._factors[rows, column])
            for column, head in enumerate(self.heads)
        ]
        return torch.stack(losses).mean()
