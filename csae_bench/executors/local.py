"""The executor of this process: SAE by SAE, with models and shared passes kept between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from csae_bench.errors import PreflightError, ResultError
from csae_bench.executors import Done
from csae_bench.results.schema import Cell, RunRecord
from csae_bench.results.store import read_record
from csae_bench.runs.checkpoints import ensure_checkpoint, training_cell
from csae_bench.runs.execute import INVALID, ExecuteOptions, execute, skipped
from csae_bench.runs.job import SkippedEval
from csae_bench.runs.plan import Plan, SaePlan, plan_sae, sae_ref
from csae_bench.runs.resolving import ResolvedSae, fetch_pretrained
from csae_bench.runs.session import Session
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
        """Yield each step as it ends; an error ends the jobs of its SAE and of no other."""
        for sae in plan.saes:
            yield from self._sae(sae)

    def _sae(self, sae: SaePlan) -> Iterator[Done]:
        hashed: str | None = None
        try:
            sae = _fetched(sae)
            assert sae.resolved_sae is not None, "a plan without problems knows its SAEs"
            for name, cell, hashed in self._steps(sae, sae.resolved_sae):
                yield Done(sae=sae, name=name, cell=cell, weights_hash=hashed)
        except Exception as error:  # handed on: one SAE's failure must not stop the others
            where = "training" if hashed is None else "run"
            yield Done(sae=sae, name=where, cell=None, weights_hash=hashed, error=error)

    def _steps(self, sae: SaePlan, resolved_sae: ResolvedSae) -> Iterator[tuple[str, Cell, str]]:
        request, session = sae.request, self.session
        session.set_threads(resolved_sae.config.threads)
        ensure_checkpoint(
            resolved_sae,
            request,
            device=session.device,
            load_model=lambda name: session.model(name, resolved_sae.config.model_dtype),
        )
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
