"""SAE-Bench's autointerp with a judge of any kind, and what happened in it.

A subclass of its `AutoInterp` takes its place: answers come from the judge instead of gpt-4o-mini,
and examples, labels and answers are kept. All else is SAE-Bench's own code, untouched.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import torch
from sae_bench.evals.autointerp import main
from sae_bench.sae_bench_utils import activation_collection
from tabulate import tabulate
from torch import Tensor

from csae_bench.engines.autointerp.judges import Judge
from csae_bench.errors import EvalError
from csae_bench.support.progress import ProgressCounter
from csae_bench.upstream.unlearning_isolation import replaced

T = TypeVar("T")

CALLS_OF_DEAD, CALLS_OF_ALIVE = 3, 5
"""Calls of `index_with_buffer` that SAE-Bench makes for a latent: tokens of random windows, tokens
and codes of the strongest ones, and of an alive one the same of importance-sampled ones."""


class LatentExamples(NamedTuple):
    """What a latent does on its scoring examples, in the order in which they are shown."""

    is_active: tuple[bool, ...]
    """SAE-Bench's label."""
    fires: tuple[bool, ...]
    """Whether its code exceeds the threshold anywhere in the example, with either sign."""
    is_random: tuple[bool, ...]
    """Whether the example was drawn at random, so that its label is never active."""


@dataclass
class Observed:
    """What is kept of a run."""

    latents: list[int] = field(default_factory=list[int])
    """Those that SAE-Bench drew, in its order."""
    examples: dict[int, LatentExamples] = field(default_factory=dict[int, LatentExamples])
    """Of those that it had enough examples of."""
    unparsed: list[str] = field(default_factory=list[str])
    """Answers that it could not parse."""
    n_negative: int = 0
    """Codes below 0 of the latents that it drew."""
    n_nonzero: int = 0
    failure: Exception | None = None
    """The judge's first error."""


def observed_class(judge: Judge, seen: Observed, counter: ProgressCounter) -> type[main.AutoInterp]:
    """Return SAE-Bench's `AutoInterp` with this judge, which tells `seen` what happens."""
    lock = threading.Lock()

    def ask(messages: Any, max_tokens: int) -> str:
        """Return the judge's answer; none, at once, after its first error.

        SAE-Bench has handed over the calls of all latents by the time that one fails, and waits
        for them before it raises.
        """
        if seen.failure is not None:
            return ""
        try:
            return judge(messages, max_tokens).strip()
        except Exception as error:  # raised again once SAE-Bench's threads are done
            with lock:
                seen.failure = seen.failure or error
            return ""
        finally:
            with lock:
                counter.advance()

    class ObservedAutoInterp(main.AutoInterp):
        def get_api_response(
            self, messages: main.Messages, max_tokens: int, n_completions: int = 1
        ) -> tuple[list[str], str]:
            answer = ask(messages, max_tokens)
            rows = [m.values() for m in [*messages, {"role": "assistant", "content": answer}]]
            logs = tabulate(rows, tablefmt="simple_grid", maxcolwidths=[None, 120])
            return [answer], logs

        def gather_data(self) -> tuple[dict[int, main.Examples], dict[int, main.Examples]]:
            seen.latents = list(self.latents)
            gathered = _Gathered()
            with gathered.listening():
                generation, scoring = super().gather_data()
            gathered.tell(self, scoring, seen)
            return generation, scoring

        def parse_predictions(self, predictions: str) -> list[int] | None:
            parsed = super().parse_predictions(predictions)
            if parsed is None:
                seen.unparsed.append(predictions)
            return parsed

    return ObservedAutoInterp


class KeptOrder(main.Examples):
    """SAE-Bench's list of examples, which remembers their order before it was shuffled."""

    def __init__(self, examples: list[main.Example], shuffle: bool = False) -> None:
        self.created = list(examples)
        super().__init__(examples, shuffle)


class _Gathered:
    """What `gather_data` does not say: the codes, and where the random examples stand."""

    def __init__(self) -> None:
        self.acts: Tensor | None = None
        self.windows: list[Tensor] = []

    def listening(self) -> Any:
        """Return a context within which it hears of them."""
        collect, index = activation_collection.collect_sae_activations, main.index_with_buffer

        def collecting(*args: Any, **options: Any) -> Tensor:
            self.acts = collect(*args, **options)
            return self.acts

        def indexing(x: Tensor, indices: Tensor, buffer: int = 0) -> Tensor:
            self.windows.append(indices)
            return index(x, indices, buffer=buffer)

        stack = ExitStack()
        stack.enter_context(replaced(activation_collection, collect_sae_activations=collecting))
        stack.enter_context(replaced(main, index_with_buffer=indexing, Examples=KeptOrder))
        return stack

    def tell(self, run: main.AutoInterp, scoring: dict[int, main.Examples], seen: Observed) -> None:
        """Fill in labels and firings of each latent's scoring examples."""
        assert self.acts is not None
        seen.n_nonzero = int((self.acts != 0).sum())
        seen.n_negative = int((self.acts < 0).sum())
        n_calls = sum(CALLS_OF_ALIVE if i in scoring else CALLS_OF_DEAD for i in run.latents)
        if n_calls != len(self.windows):
            raise EvalError(
                f"SAE-Bench's autointerp read {len(self.windows)} windows where {n_calls} were "
                "expected: this version gathers its examples otherwise."
            )
        call = 0
        for column, latent in enumerate(run.latents):
            if latent not in scoring:
                call += CALLS_OF_DEAD
                continue
            at_random = main.index_with_buffer(
                self.acts[..., column], self.windows[call], buffer=run.cfg.buffer
            )
            call += CALLS_OF_ALIVE
            seen.examples[latent] = _examples(scoring[latent], at_random)


def _examples(shown: main.Examples, at_random: Tensor) -> LatentExamples:
    """Return the examples of one latent.

    Args:
        at_random: float [n_random, n_tokens], its codes in the random ones, as they were drawn.
    """
    assert isinstance(shown, KeptOrder)
    threshold = shown[0].act_threshold
    n_chosen = len(shown) - len(at_random)
    acts = [torch.tensor(example.acts) for example in shown.created[:n_chosen]]
    fires = [bool((of.float().abs() > threshold).any()) for of in (*acts, *at_random)]
    place = {id(example): i for i, example in enumerate(shown.created)}
    order = [place[id(example)] for example in shown]
    return LatentExamples(
        is_active=tuple(bool(example.is_active) for example in shown),
        fires=tuple(fires[i] for i in order),
        is_random=tuple(i >= n_chosen for i in order),
    )


def outside_a_loop(run: Callable[[], T]) -> T:
    """Call a function that starts an event loop, in a thread of its own where one runs already.

    SAE-Bench calls `asyncio.run`, which a notebook, having a loop, refuses.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(run).result()
