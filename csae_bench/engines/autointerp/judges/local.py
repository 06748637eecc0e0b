"""A judge that is a language model on this machine.

It writes its explanation as it is asked to. Of each example it is then asked whether the latent
fires on it, and the logits of Yes and No are compared, less the same difference for a text without
content (contextual calibration: Zhao et al. 2021, arXiv:2102.09690): a small model says Yes, or No,
to everything. That it is cheap is its only merit: a model of 135M parameters explains little.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from csae_bench.engines.autointerp.judges.judge import Judge, JudgeSettings, Opening
from csae_bench.engines.autointerp.messages import (
    Messages,
    ScoringRequest,
    numbers_answer,
    scoring_request,
)
from csae_bench.errors import CsaeBenchError, EvalError, ModelError
from csae_bench.evals.inputs import Input, Status

if TYPE_CHECKING:
    from torch import Tensor
    from transformer_lens import HookedTransformer

NO_TEXT = "N/A"
"""The text without content."""
YES, NO = ("Yes", " Yes"), ("No", " No")
_QUESTION = "Text: {text}\n\nDoes this text contain {explanation}? Answer with one word, Yes or No."


class LocalJudge(JudgeSettings):
    """A language model on this machine."""

    kind: Literal["local"] = "local"

    model: Annotated[str, Field(min_length=1)] = "smollm2-135m-instruct"
    """Name or folder of an instruction-tuned language model."""

    @override
    def open(self, opening: Opening) -> Judge:
        return LocalAnswers(opening.load_model(self.model), self.model)

    @override
    def called(self, model: str) -> str:
        return f"{self.model}, yes or no"

    @override
    def inputs(self, model: str) -> tuple[Input, ...]:
        return (JudgeModelInput(self.model),)

    @property
    @override
    def n_control(self) -> int:
        return 5


@dataclass(frozen=True)
class JudgeModelInput:
    """The language model that judges."""

    name: str
    key: str = "judge.model"
    kind: str = "judge"

    def status(self) -> list[Status]:
        """Return whether the model is known and, where it is no hub model, there."""
        from csae_bench import models

        try:
            info = models.describe(self.name)
        except CsaeBenchError as error:
            return [("problem", str(error))]
        if info.kind == "hub":
            return [("unknown", f"the judge {info.name} is on the hub: not checkable here")]
        return [("ok", f"the judge is {info.name}")]

    def fingerprint(self) -> str:
        """Return a hash of its weights."""
        from csae_bench import models

        return models.weights_fingerprint(self.name)


class LocalAnswers:
    """The judge itself; one request at a time.

    Args:
        name: what the model is called in messages.

    Raises:
        ModelError: its tokenizer has no single token for Yes or for No.
    """

    def __init__(self, model: HookedTransformer, name: str) -> None:
        self._model, self._name = model, name
        self._lock = threading.Lock()
        self._yes, self._no = (self._single_tokens(words) for words in (YES, NO))

    def __call__(self, messages: Messages, max_tokens: int) -> str:
        """Return an explanation in the model's words, or the numbers of examples it says Yes to.

        Raises:
            EvalError: the chat does not fit the model's context.
        """
        asked = scoring_request(messages)
        with self._lock:
            if asked is None:
                return self._written(messages, max_tokens)
            return numbers_answer(self._said_yes(asked))

    def _written(self, messages: Messages, max_tokens: int) -> str:
        import torch

        tokens = self._tokens(messages, room=max_tokens)
        with torch.no_grad():
            written: Any = self._model.generate(
                tokens[None].to(self._model.cfg.device),
                max_new_tokens=max_tokens,
                do_sample=False,
                prepend_bos=False,
                return_type="tokens",
                verbose=False,
            )
        tokenizer: Any = self._model.tokenizer
        return tokenizer.decode(written[0, len(tokens) :], skip_special_tokens=True).strip()

    def _said_yes(self, asked: ScoringRequest) -> list[bool]:
        texts = (NO_TEXT, *asked.examples)
        without_content, *margins = self._margins(
            [
                self._tokens([_user(_QUESTION.format(text=text, explanation=asked.explanation))])
                for text in texts
            ]
        )
        return [margin > without_content for margin in margins]

    def _margins(self, prompts: list[Tensor]) -> list[float]:
        """Return the logit of Yes less that of No after each prompt, in nats."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        from csae_bench.activations.continuing import final_logits, last_residual

        model = self._model
        # no token attends to those after it, so what stands there does not matter
        tokens = pad_sequence(prompts, batch_first=True).to(model.cfg.device)
        ends = torch.tensor([len(prompt) - 1 for prompt in prompts], device=tokens.device)
        with torch.no_grad():
            n_before = model.cfg.n_layers - 1
            resid = model(tokens, stop_at_layer=n_before)
            last = last_residual(model, resid, n_before, ends)
            logits = final_logits(model, last)[:, 0].float()
        margins = logits[:, self._yes].logsumexp(-1) - logits[:, self._no].logsumexp(-1)
        return margins.tolist()

    def _tokens(self, messages: Messages, room: int = 0) -> Tensor:
        """Return the chat's tokens, up to where the model's answer begins."""
        import torch

        tokenizer: Any = self._model.tokenizer
        if getattr(tokenizer, "chat_template", None):
            text = tokenizer.apply_chat_template(
                [dict(message) for message in messages], tokenize=False, add_generation_prompt=True
            )
        else:
            text = "\n\n".join([*(message["content"] for message in messages), ""])
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) + room > self._model.cfg.n_ctx:
            raise EvalError(
                f"autointerp: the judge {self._name} takes at most {self._model.cfg.n_ctx} tokens; "
                f"SAE-Bench's prompt and the answer have {len(ids) + room}. Name another judge in "
                "evals.autointerp.judge, or show fewer examples (n_top_ex_for_generation)."
            )
        return torch.tensor(ids)

    def _single_tokens(self, words: tuple[str, ...]) -> list[int]:
        tokenizer: Any = self._model.tokenizer
        each = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
        unknown = tokenizer.unk_token_id
        single = [ids[0] for ids in each if len(ids) == 1 and ids[0] != unknown]
        if not single:
            raise ModelError(
                f"evals.autointerp.judge.model is {self._name}, whose tokenizer has no single "
                f"token for '{words[0]}'; name a model that does."
            )
        return single


def _user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}
