"""What of a step would wait for a GPU, as it runs on a CPU; tests/gpu asks a GPU the same."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from types import FrameType
from typing import Any

import pytest
import torch

from csae_bench.config import ResolvedConfig, TrainedSae
from csae_bench.saes.building import training_sae
from csae_bench.saes.sparse_batchtopk import SparseBatchTopK
from csae_bench.training.data import pair_stream
from csae_bench.training.loop import ContrastiveSAETrainer
from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
from csae_bench.training.settings import trainer_config
from tests.unit.training.known_waits import ALLOWED, PER_STEP
from tests.unit.training.waiting import OTHERS, WaitCounter, around, caller, function_of

Resolve = Callable[..., ResolvedConfig]

WEIGHT = {"weight": 0.1}
ALL = {
    "rows": {**WEIGHT, "latent_fraction": 0.5},
    "columns": {**WEIGHT, "n_latents": 32},
    "mixing": WEIGHT,
    "triplet": WEIGHT,
    "barlow": WEIGHT,
    "cross_view": WEIGHT,
    "push_up": WEIGHT,
}
SAES: dict[str, dict[str, Any]] = {
    "contrastive": {"losses": {"rows": WEIGHT}},
    "contrastive_topk": {"k": 6, "losses": ALL},
    "contrastive_batchtopk": {"k": 6, "losses": {"rows": WEIGHT, "columns": WEIGHT}},
    "contrastive_jumprelu": {"losses": {"rows": WEIGHT}},
    "contrastive_matryoshka_batchtopk": {"k": 6, "losses": {"rows": WEIGHT}},
}
WITHOUT_TENSORS = frozenset({"config/loss_terms.py", "config/pairs.py"})
"""Modules of a step that see numbers alone."""
N_STEPS = 4


class Steps:
    """A training, step by step."""

    def __init__(self, config: ResolvedConfig) -> None:
        sae = config.config.sae
        assert isinstance(sae, TrainedSae)
        self.stream = pair_stream(config.config, None)
        self.trainer = ContrastiveSAETrainer(
            trainer_config(config.config, "cpu"),
            training_sae(sae, d_in=self.stream.d_in, device="cpu", metadata={}),
            self.stream,
            schedule=ObjectiveScheduleSettings.of(config.config),
            progress=False,
        )

    def make(self) -> None:
        number = self.trainer.n_training_steps
        self.trainer.schedule.before_step(number)
        batch = next(self.stream)
        with self.within:
            self.trainer.step(batch)
        self.trainer.n_training_steps += 1

    within: Any


@pytest.fixture
def steps(resolve: Resolve, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Steps]:
    # on a GPU a BatchTopK step is SAELens's
    monkeypatch.setattr(SparseBatchTopK, "_is_sparse", lambda self, x: False)

    def make(name: str) -> Steps:
        sae = {"architecture": name, "d_sae": 64, **SAES[name]}
        return Steps(resolve(sae=sae, training={"weighting": {"every": 2}}))

    return make


@pytest.mark.parametrize("name", SAES)
def test_step_waits_in_known_functions_alone(steps: Callable[[str], Steps], name: str) -> None:
    training, counter = steps(name), WaitCounter()
    training.within = counter
    for _ in range(N_STEPS):
        training.make()
    unknown = {at: n for at, n in counter.waits.items() if at not in ALLOWED and at not in OTHERS}
    assert unknown == {}, "keep it on the device, or say in known_waits.py why it must wait"
    assert counter.waits["training/finite.py check_finite"] == N_STEPS


def test_terms_are_waited_for_once_a_step_however_many_they_are(
    steps: Callable[[str], Steps],
) -> None:
    training, counter = steps("contrastive_topk"), WaitCounter()
    training.within = nullcontext()
    training.make()  # gradients are measured in every second step
    training.within = counter
    training.make()
    assert counter.waits["training/log.py as_floats"] == 1


@pytest.mark.parametrize("name", SAES)
def test_every_module_of_a_step_is_looked_at(steps: Callable[[str], Steps], name: str) -> None:
    training = steps(name)
    files: set[str] = set()

    class Watched:
        def __enter__(self) -> None:
            sys.setprofile(self.see)

        def __exit__(self, *_: object) -> None:
            sys.setprofile(None)

        def see(self, frame: FrameType, event: str, _: Any) -> None:
            function = function_of(frame.f_code) if event == "call" else None
            if function is not None and function not in OTHERS:
                files.add(function.partition(" ")[0])

    training.within = Watched()
    training.make()
    on_cpu_alone = {"saes/sparse_batchtopk.py"}
    assert files - set(PER_STEP) - WITHOUT_TENSORS - on_cpu_alone == set()
    assert len(files) > 10


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x.sum().item(),
        lambda x: x[x > 0],
        lambda x: x.tolist(),
        lambda x: x.unique(),
        lambda x: (x > 0).nonzero(),
        lambda x: bool((x > 0).any()),
        lambda x: torch.bincount(x.long()),
        lambda x: x.repeat_interleave(torch.ones(4, dtype=torch.long)),
    ],
)
def test_operation_that_waits_is_counted(work: Callable[[torch.Tensor], Any]) -> None:
    with WaitCounter() as counter:
        work(torch.arange(4.0))
    assert counter.waits == Counter({"elsewhere": 1})


@pytest.mark.parametrize("work", [lambda x: x + x[1:3].sum(), lambda x: x[torch.tensor([0, 1])]])
def test_operation_that_stays_on_the_device_is_not_counted(
    work: Callable[[torch.Tensor], Any],
) -> None:
    with WaitCounter() as counter:
        work(torch.arange(4.0))
    assert counter.waits == Counter()


def test_known_functions_are_told_apart_from_those_that_call_them() -> None:
    from csae_bench.training import log

    said: list[str] = []
    gradient = torch.ones(2, requires_grad=True)
    functions = frozenset({"training/log.py as_floats"})
    with around(functions, lambda: said.append("in"), lambda: said.append("out")):
        log._gradient_norm(gradient.sum(), gradient)
        log.as_floats({"a": torch.ones(())})
        said.append("between")
        log.as_floats({"a": torch.ones(())})
    log.as_floats({"a": torch.ones(())})
    assert said == ["in", "out", "between", "in", "out"]
    assert caller() == "elsewhere"


def test_function_that_a_known_one_calls_is_not_known_by_that(
    steps: Callable[[str], Steps],
) -> None:
    # SAELens's step calls ours: within it, waits of ours must still be noticed
    training, state = steps("contrastive_topk"), ["out"]
    seen: list[str] = []
    theirs = training.trainer._train_step

    def noted(**given: Any) -> Any:
        seen.append(state[-1])
        return theirs(**given)

    training.trainer._train_step = noted
    training.within = around(
        frozenset({"sae_lens"}), lambda: state.append("in"), lambda: state.append("out")
    )
    training.trainer.lr_scheduler.step = lambda: seen.append(state[-1])
    training.make()
    assert seen == ["in", "out"]
