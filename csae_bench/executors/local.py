"""The executor of this process: SAE by SAE, with models and shared passes kept between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from csae_bench.errors import PreflightError, ResultError, TrainingStopped
from csae_bench.executors import Done
from csae_bench.hardware.memory import available_bytes
from csae_bench.results.schema import Cell, RunRecord
from csae_bench.results.store import read_record
from csae_bench.runs.checkpoints import ensure_checkpoint, ensure_side_by_side, training_cell
from csae_bench.runs.execute import INVALID, ExecuteOptions, execute, skipped
from csae_bench.runs.job import SkippedEval
from csae_bench.runs.plan import Plan, SaePlan, plan_sae, sae_ref
from csae_bench.runs.resolving import ResolvedSae, fetch_pretrained
from csae_bench.runs.session import Session
from csae_bench.runs.training_groups import training_groups
from csae_bench.runs.validity import validity


@dataclass(frozen=True)
class LocalExecutor:
    """Runs in this process.

    Args:
        session: what is held in memory meanwhile.
        train_only: make the SAEs and evaluate none.
    """

    session: Session
    train_only: bool = False

    def run(self, plan: Plan) -> Iterator[Done]:
        """Yield each step as it ends; an error ends the jobs of its SAE and of no other.

        SAEs with the same rows are trained side by side, then each is evaluated. After SIGTERM
        during a training no other SAE is begun.
        """
        is_stopped = False
        for group in training_groups(plan.saes, lambda: available_bytes(self.session.device)):
            for done in self._group(group) if not is_stopped else map(_not_begun, group):
                is_stopped |= isinstance(done.error, TrainingStopped)
                yield done

    def _group(self, saes: Sequence[SaePlan]) -> Iterator[Done]:
        if len(saes) == 1:
            yield from self._sae(saes[0])
            return
        made: list[SaePlan] = []
        is_stopped = False
        for done in self._side_by_side(saes):
            is_stopped |= isinstance(done.error, TrainingStopped)
            if done.error is None:
                made.append(done.sae)
            yield done
        for sae in made:
            yield from [_not_begun(sae)] if is_stopped else self._sae(sae, is_made=True)

    def _side_by_side(self, saes: Sequence[SaePlan]) -> Iterator[Done]:
        """Train SAEs on the same rows; whatever stops all of them is an error of each."""
        left = {_resolved(sae).training_hash: sae for sae in saes}
        config = _resolved(saes[0]).config
        self.session.set_threads(config.threads)
        try:
            for made in ensure_side_by_side(
                [(_resolved(sae), sae.request) for sae in saes],
                device=self.session.device,
                load_model=lambda name: self.session.model(name, config.model_dtype),
            ):
                yield _training_done(left.pop(made.resolved_sae.training_hash), made.error)
        except Exception as error:  # handed on, to each SAE that it kept from being made
            for sae in left.values():
                yield _training_done(sae, error)

    def _sae(self, sae: SaePlan, *, is_made: bool = False) -> Iterator[Done]:
        hashed: str | None = None
        try:
            sae = _fetched(sae)
            if not is_made:
                self._make(sae, _resolved(sae))
            for name, cell, hashed in self._steps(sae, _resolved(sae)):
                yield Done(sae=sae, name=name, cell=cell, weights_hash=hashed)
        except Exception as error:  # handed on: one SAE's failure must not stop the others
            where = "training" if hashed is None else "run"
            yield Done(sae=sae, name=where, cell=None, weights_hash=hashed, error=error)

    def _make(self, sae: SaePlan, resolved_sae: ResolvedSae) -> None:
        session, config = self.session, resolved_sae.config
        session.set_threads(config.threads)
        ensure_checkpoint(
            resolved_sae,
            sae.request,
            device=session.device,
            load_model=lambda name: session.model(name, config.model_dtype),
        )

    def _steps(self, sae: SaePlan, resolved_sae: ResolvedSae) -> Iterator[tuple[str, Cell, str]]:
        request, session = sae.request, self.session
        session.set_threads(resolved_sae.config.threads)
        ref = sae_ref(resolved_sae)
        assert ref.weights_hash is not None, "it was just made"
        hashed = ref.weights_hash
        yield "training", training_cell(resolved_sae), hashed
        if self.train_only:
            return
        judged = validity(
            resolved_sae, ref, session, _record(sae, resolved_sae), force=request.force
        )
        yield "validity", judged, hashed
        n_evals = len(sae.evals)
        for i, job in enumerate(sae.evals, start=1):
            place = f"{i} of {n_evals}" if n_evals > 1 else ""
            options = ExecuteOptions(force=request.force, progress=request.progress, place=place)
            if judged.status != "ok":
                yield job.eval_name, skipped(INVALID), hashed
            elif isinstance(job, SkippedEval):
                yield job.eval_name, skipped(job.reason), hashed
            else:
                done = execute(job.with_weights(hashed), session, request.store, options)
                yield done.name, done.cell, hashed


def _not_begun(sae: SaePlan) -> Done:
    error = TrainingStopped("Not begun: the run was stopped by SIGTERM; the same command goes on.")
    return Done(sae=sae, name="run", cell=None, weights_hash=None, error=error)


def _training_done(sae: SaePlan, error: Exception | None) -> Done:
    if error is not None:
        return Done(sae=sae, name="training", cell=None, weights_hash=None, error=error)
    resolved_sae = _resolved(sae)
    hashed = sae_ref(resolved_sae).weights_hash
    return Done(sae=sae, name="training", cell=training_cell(resolved_sae), weights_hash=hashed)


def _resolved(sae: SaePlan) -> ResolvedSae:
    assert sae.resolved_sae is not None, "a plan without problems knows its SAEs"
    return sae.resolved_sae


def _fetched(sae: SaePlan) -> SaePlan:
    """Return the plan of an SAE of the hub once it is here."""
    if sae.resolved_sae is not None:
        return sae
    fetch_pretrained(sae.request)
    fetched = plan_sae(sae.request)
    if fetched.problems:
        raise PreflightError(fetched.problems)
    return fetched


def _record(sae: SaePlan, resolved_sae: ResolvedSae) -> RunRecord | None:
    path = sae.request.store.run_record(resolved_sae.release, resolved_sae.sae_id)
    try:
        return read_record(path)
    except ResultError:  # a damaged record says nothing
        return None
