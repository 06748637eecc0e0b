"""A pool of workers that are lost at every moment: no SAE is lost with them, and none doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from csae_bench.errors import CsaeBenchError, RunError, UsageError
from csae_bench.executors import Done
from csae_bench.executors.messages import Shard, WorkerMessage, error_to_json
from csae_bench.executors.pool import N_ATTEMPTS, Pool
from csae_bench.executors.pool_worker import Gone, Heard, Inbox, Ready, WorkerLoss
from csae_bench.runs.plan import Plan, plan
from csae_bench.runs.request import RunRequest

STEPS = ("training", "validity", "mig", "core")
N_SAES = 4


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Two SAEs for each of two workers, with two evals each."""
    results = tmp_path_factory.mktemp("results")
    made = plan(
        RunRequest(
            source="custom_sae_small", results=results, sets=(f"sae.k={k}",), evals=STEPS[2:]
        )
        for k in range(4, 4 + N_SAES)
    )
    assert not made.problems
    return made


@dataclass
class Script:
    """What happens to the workers of a pool, in the order in which they are started."""

    dies_after: dict[int, int] = field(default_factory=dict[int, int])
    """Number of a worker -> messages after which it is lost; -1: before it is ready."""
    errors: dict[int, CsaeBenchError] = field(default_factory=dict[int, CsaeBenchError])
    """Number of a worker -> error of ours that keeps it from starting."""
    breaks: dict[int, CsaeBenchError] = field(default_factory=dict[int, CsaeBenchError])
    """Number of a worker -> error of ours with which it is lost."""
    waits: frozenset[int] = frozenset()
    """Numbers of workers that wait for a node, and get none."""
    fails: frozenset[str] = frozenset()
    """Values of sae.k whose SAEs end in an error of ours at `mig`."""
    begun: Counter[str] = field(default_factory=Counter[str])
    """Values of --set -> times that the SAE was sent."""
    interrupted: list[str] = field(default_factory=list[str])
    waited: list[str] = field(default_factory=list[str])


class FakeWorker:
    """A worker that does nothing but says so, at once and in this thread."""

    node, pid = "somewhere", 7

    def __init__(self, number: int, script: Script, inbox: Inbox) -> None:
        self.name, self._number, self._script, self._inbox = (
            f"worker {number}",
            number,
            script,
            inbox,
        )
        self._left = script.dies_after.get(number)
        self._is_gone = False
        if self._left == -1 or number in script.errors:
            self._go()
        elif number not in script.waits:
            self._inbox.put(Heard(self, Ready()))

    def send(self, shard: Shard) -> None:
        for place, request in enumerate(shard.requests):
            self._script.begun[request.sets[0]] += 1
            for message in self._steps(shard, place, request):
                if not self._say(message):
                    return
        self._say(WorkerMessage(shard=shard.number, is_end=True))

    def end(self) -> None:
        self._go()

    def interrupt(self) -> None:
        self._script.interrupted.append(self.name)

    def wait_or_kill(self, seconds: float) -> None:
        self._script.waited.append(self.name)

    def loss(self) -> WorkerLoss:
        errors = self._script.errors | self._script.breaks
        return WorkerLoss(reason="was lost", error=errors.get(self._number))

    def _steps(self, shard: Shard, place: int, request: RunRequest) -> Iterator[WorkerMessage]:
        for name in STEPS:
            yield WorkerMessage(shard=shard.number, line=f"{name} ...", is_passing=True)
            if name == "mig" and request.sets[0].partition("=")[2] in self._script.fails:
                error = error_to_json(RunError("it failed"))
                yield WorkerMessage(shard=shard.number, sae=place, name="run", error=error)
                return
            cell = {"status": "ok", "key": f"{request.sets[0]} {name}"}
            yield WorkerMessage(
                shard=shard.number, sae=place, name=name, cell=cell, weights_hash="ab"
            )

    def _say(self, message: WorkerMessage) -> bool:
        if self._left == 0:
            self._go()
            return False
        self._left = None if self._left is None else self._left - 1
        self._inbox.put(Heard(self, message))
        return True

    def _go(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            self._inbox.put(Heard(self, Gone()))


@dataclass
class FakeSource:
    script: Script
    n_workers: int = 2
    description: str = "places"

    def start(self, number: int, inbox: Inbox) -> FakeWorker:
        return FakeWorker(number, self.script, inbox)


RunPool = Callable[[Script], list[Done]]


@pytest.fixture
def run(planned: Plan) -> RunPool:
    return lambda script: list(Pool(planned, FakeSource(script)).run())


def _ends(steps: list[Done]) -> Counter[str]:
    """SAEs that ended well, each as often as it did."""
    return Counter(done.sae.request.sets[0] for done in steps if done.name == STEPS[-1])


def _all_once(planned: Plan) -> Counter[str]:
    return Counter({sae.request.sets[0]: 1 for sae in planned.saes})


def test_each_step_of_each_sae_ends_once(run: RunPool, planned: Plan) -> None:
    steps = run(script := Script())
    assert Counter((done.sae.request.sets[0], done.name) for done in steps) == Counter(
        {(sae.request.sets[0], name): 1 for sae in planned.saes for name in STEPS}
    )
    assert {done.cell.key for done in steps if done.cell} == {
        f"{done.sae.request.sets[0]} {done.name}" for done in steps
    }
    assert script.begun == _all_once(planned)
    assert not any(done.lost_workers for done in steps)


@pytest.mark.parametrize("n_messages", range(2 * 2 * len(STEPS) + 1))
def test_a_worker_lost_after_any_message_loses_no_sae_and_doubles_none(
    run: RunPool, planned: Plan, n_messages: int
) -> None:
    steps = run(script := Script(dies_after={0: n_messages}))
    assert _ends(steps) == _all_once(planned)
    assert not [done for done in steps if done.error]
    n_done_before = n_messages // (2 * len(STEPS))
    first = [sae.request.sets[0] for sae in planned.saes[:2]]
    # what was done is not begun again
    assert [script.begun[sets] for sets in first[:n_done_before]] == [1] * n_done_before
    lost = {one for done in steps for one in done.lost_workers}
    if n_done_before < 2:
        (one,) = lost
        assert (one.worker, one.node, one.pid, one.shard) == ("worker 0", "somewhere", 7, 0)
        assert (one.attempt, one.reason) == (1, "was lost")
    else:  # only the end of its shard was not said
        assert not lost


def test_a_shard_is_begun_again_twice_and_then_given_up(planned: Plan) -> None:
    script = Script(dies_after={0: 2 * len(STEPS), 1: 0, 2: 0})  # the first one after an SAE
    steps = list(Pool(planned, FakeSource(script, n_workers=1)).run())
    failed = [done for done in steps if done.error]
    assert [done.sae for done in failed] == list(planned.saes[1:])
    assert {str(done.error) for done in failed} == {
        f"The worker process was lost, {N_ATTEMPTS} times. Results that were finished are kept; "
        "--executor local shows more."
    }
    assert [one.attempt for one in failed[0].lost_workers] == [1, 2, 3]
    assert _ends(steps) == Counter({planned.saes[0].request.sets[0]: 1})
    assert script.begun["sae.k=4"] == 1


def test_an_error_of_ours_is_not_tried_again(run: RunPool, planned: Plan) -> None:
    steps = run(script := Script(fails=frozenset({"5"})))
    (failed,) = [done for done in steps if done.error]
    assert failed.sae.request.sets == ("sae.k=5",)
    assert (type(failed.error), str(failed.error)) == (RunError, "it failed")
    assert script.begun == _all_once(planned)


def test_an_sae_that_failed_is_not_begun_again_when_its_worker_is_lost(run: RunPool) -> None:
    # 6 messages: training, validity and the error of the first SAE, each after its progress
    steps = run(script := Script(fails=frozenset({"4"}), dies_after={0: 6}))
    assert script.begun["sae.k=4"] == 1
    assert [done.sae.request.sets[0] for done in steps if done.error] == ["sae.k=4"]
    assert _ends(steps) == Counter({"sae.k=5": 1, "sae.k=6": 1, "sae.k=7": 1})


def test_a_worker_that_never_gets_ready_is_replaced(run: RunPool, planned: Plan) -> None:
    steps = run(Script(dies_after={0: -1, 2: -1}))
    assert _ends(steps) == _all_once(planned)
    assert not [done for done in steps if done.error or done.lost_workers]


def test_a_worker_that_an_error_of_ours_keeps_from_starting_leaves_its_work_to_the_others(
    run: RunPool, planned: Plan
) -> None:
    steps = run(script := Script(errors={0: UsageError("no such folder there")}))
    assert _ends(steps) == _all_once(planned)
    assert script.begun == _all_once(planned)


def test_where_no_worker_can_start_each_sae_has_the_error_that_kept_them_from_it(
    run: RunPool, planned: Plan
) -> None:
    error = UsageError("no such folder there")
    steps = run(Script(errors={0: error, 1: error}))
    assert [(done.sae, done.error) for done in steps] == [(sae, error) for sae in planned.saes]
    unknown = run(Script(dies_after=dict.fromkeys(range(9), -1)))
    assert {str(done.error) for done in unknown} == {
        "No worker could be started: the last one was lost."
    }
    assert len(unknown) == N_SAES


def test_a_shard_that_an_error_of_ours_ended_is_not_begun_again(
    run: RunPool, planned: Plan
) -> None:
    error = UsageError("a path that is not there")
    steps = run(script := Script(dies_after={0: 2 * len(STEPS)}, breaks={0: error}))
    ((failed, reason),) = [(done.sae, done.error) for done in steps if done.error]
    assert (failed, reason) == (planned.saes[1], error)
    assert script.begun["sae.k=5"] == 1
    assert _ends(steps) == Counter({"sae.k=4": 1, "sae.k=6": 1, "sae.k=7": 1})


@pytest.mark.parametrize("waiting", [0, 1])
def test_a_worker_that_gets_no_node_leaves_its_work_to_the_others_and_is_ended(
    run: RunPool, planned: Plan, waiting: int
) -> None:
    steps = run(script := Script(waits=frozenset({waiting})))
    assert _ends(steps) == _all_once(planned)
    assert script.begun == _all_once(planned)


def test_a_lost_worker_is_replaced_once_while_others_start(run: RunPool, planned: Plan) -> None:
    # worker 2 replaces the lost one and waits; worker 1 takes the shard, and no third one starts
    steps = run(Script(dies_after={0: 3}, waits=frozenset({2}), errors={3: UsageError("one more")}))
    assert _ends(steps) == _all_once(planned)
    assert not [done for done in steps if done.error]


def test_ctrl_c_interrupts_all_workers_and_then_waits_for_them(planned: Plan) -> None:
    script = Script()
    steps = Pool(planned, FakeSource(script)).run()
    next(steps)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt)
    assert script.interrupted == script.waited == ["worker 0", "worker 1"]


def test_of_trainings_alone_the_first_step_is_the_last(planned: Plan, tmp_path: Path) -> None:
    script = Script(dies_after={0: 2})
    steps = list(Pool(planned, FakeSource(script), train_only=True).run())
    trained = Counter(done.sae.request.sets[0] for done in steps if done.name == "training")
    assert trained == _all_once(planned)
    assert script.begun["sae.k=4"] == 1
