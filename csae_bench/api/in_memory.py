"""Evaluates in-memory SAEs in one session."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from csae_bench import models
from csae_bench.api.evaluation import EvalOutcome, Evaluation, ScratchFolder
from csae_bench.config import RunConfig
from csae_bench.config.loading import load_config
from csae_bench.config.problems import eval_problems
from csae_bench.errors import ConfigError, SaeError, UnknownNameError, UsageError
from csae_bench.evals import EvalConfig, get_eval
from csae_bench.models.held import hold
from csae_bench.preflight.data import HOOKS_OF_WIDTH_D_MODEL
from csae_bench.results import identity
from csae_bench.results.failures import failure_of
from csae_bench.results.schema import Failure
from csae_bench.runs.execute import INVALID, measure, result_of
from csae_bench.runs.job import EvalJob, ModelRef, SaeRef, SkippedEval
from csae_bench.runs.plan import eval_job
from csae_bench.runs.session import Session
from csae_bench.runs.validity import judged

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from csae_bench.saes.attributes import AnySae


class InMemory:
    """State shared by all SAEs of a call."""

    def __init__(
        self,
        session: Session,
        model: str | Path | HookedTransformer | None,
        hook_name: str | None,
        evals: tuple[str, ...],
        settings: Mapping[str, Mapping[str, Any]],
        seed: int,
        device: str,
        dtype: str,
    ) -> None:
        unknown = set(settings) - set(evals)
        if unknown:
            raise UsageError(
                f"settings has '{min(unknown)}', which is not among evals={list(evals)}."
            )
        self.session = session
        self.model, self.hook_name, self.dtype = model, hook_name, dtype
        self.settings = {name: _settings(name, settings.get(name, {})) for name in evals}
        self.seed, self.device = seed, device
        self._refs: dict[int, ModelRef] = {}
        self._cache = ScratchFolder()
        """Folder in which evals keep what all SAEs of the call share, such as known questions."""

    def of(self, name: str, sae: AnySae | str | Path, *, shows_progress: bool) -> Evaluation:
        """Evaluate one SAE, in memory or as `load_sae` reads it."""
        from csae_bench.saes import attributes
        from csae_bench.saes.hashing import loaded_hash
        from csae_bench.saes.loading import load_sae

        own = _copied(load_sae(cast(Any, sae)), self.session.device)
        model = self._model(attributes.metadata(own, "model_name"))
        hook_name = self.hook_name or attributes.metadata(own, "hook_name")
        if not isinstance(hook_name, str):
            raise UsageError(
                f"hook_name of {name} is not known; pass it, such as "
                'hook_name="blocks.2.hook_resid_post".'
            )
        hooked = self.session.model(model.name, model.dtype)
        _check_fit(name, own, hooked, hook_name, model)
        ref = SaeRef(
            release=identity.release(model.true_name, hook_name),
            sae_id=name,
            location=None,
            weights_hash=loaded_hash(own),
            model_name=model.true_name,
            hook_name=hook_name,
        )
        self.session.add_sae(own, ref)
        config = self._config(model, hook_name)
        cell = judged(ref, config, hooked, self.session, key=None)
        evaluation = Evaluation(
            ref=ref,
            model=model.true_name,
            status=cell.status,
            reasons=tuple(reason.message for reason in cell.reasons),
            vital_signs=dict(cell.summary),
            config=config.model_dump(mode="json"),
            outcomes={},
            validity=cell,
        )
        for eval_name, settings in self.settings.items():
            job = eval_job(
                eval_name,
                settings,
                sae=ref,
                model=model,
                model_dtype=model.dtype,
                seed=self.seed,
                config=evaluation.config,
            )
            evaluation.outcomes[eval_name] = (
                self._outcome(job, shows_progress=shows_progress)
                if cell.status == "ok"
                else EvalOutcome(name=eval_name, status="skipped", reasons=(INVALID,))
            )
        return evaluation

    def _outcome(self, job: EvalJob | SkippedEval, *, shows_progress: bool) -> EvalOutcome:
        if isinstance(job, SkippedEval):
            return EvalOutcome(name=job.eval_name, status="skipped", reasons=(job.reason,))
        folder = ScratchFolder()
        artifacts, started = folder.path / "artifacts", time.perf_counter()
        try:
            measured = measure(
                job,
                self.session,
                artifacts=artifacts,
                cache=self._cache.path / job.eval_name,
                shows_progress=shows_progress,
            )
            seconds = time.perf_counter() - started
            result = result_of(job, measured, self.session, seconds=seconds)
        except Exception as error:  # an eval is anybody's code; its failure is an outcome
            failure: Failure = failure_of(error, None)
            return EvalOutcome(name=job.eval_name, status="failed", reasons=(failure.message,))
        return EvalOutcome(
            name=job.eval_name, status="ok", job=job, result=result, artifacts=folder
        )

    def _model(self, named: Any) -> ModelRef:
        asked = self.model if self.model is not None else named
        if asked is None:
            raise UsageError(
                'model is not known; pass a name or a folder, such as model="tiny-gemma2-it", or a '
                "HookedTransformer."
            )
        if isinstance(asked, str | Path):
            text = str(asked)
            return ModelRef(
                name=text,
                true_name=models.describe(text).name,
                dtype=self.dtype,
                fingerprint=models.weights_fingerprint(text),
            )
        if id(asked) not in self._refs:
            self._refs[id(asked)] = _ref_of_loaded(asked)
            self.session.add_model(asked, self._refs[id(asked)])
        return self._refs[id(asked)]

    def _config(self, model: ModelRef, hook_name: str) -> RunConfig:
        resolved = load_config(
            "_existing", evals=list(self.settings), seed=self.seed, device=self.device
        )
        update = {
            "model": model.name,
            "hook_name": hook_name,
            "model_dtype": model.dtype,
            "evals": {name: one.model_dump(mode="json") for name, one in self.settings.items()},
        }
        return resolved.config.model_copy(update=update)


def _settings(name: str, given: Mapping[str, Any]) -> EvalConfig:
    from pydantic import ValidationError

    spec = get_eval(name)
    try:
        return spec.config.model_validate(dict(given))
    except ValidationError as error:
        raise ConfigError(eval_problems(error, spec.config, name, Path("settings"))) from error


def _copied(sae: AnySae, device: str) -> AnySae:
    from sae_lens import SAE

    if isinstance(sae, SAE):
        # rebuilt, not deep-copied: some of SAELens's SAEs hold closures over themselves
        cfg = copy.deepcopy(sae.cfg)
        cfg.device = device
        twin = type(sae)(cfg)
        twin.load_state_dict(sae.state_dict())
        return twin.to(device=device, dtype=sae.dtype).eval()
    own: Any = copy.deepcopy(sae)
    return own.to(device) if hasattr(own, "to") else own


def _check_fit(
    name: str, sae: AnySae, model: HookedTransformer, hook_name: str, ref: ModelRef
) -> None:
    from csae_bench.saes import attributes

    if hook_name not in model.hook_dict:
        raise SaeError(
            f"hook_name is '{hook_name}', which {ref.true_name} does not have; its last residual "
            f"stream is blocks.{model.cfg.n_layers - 1}.hook_resid_post."
        )
    identity.hook_layer(hook_name)
    if not hook_name.endswith(HOOKS_OF_WIDTH_D_MODEL):
        raise SaeError(
            f"hook_name is '{hook_name}'; it must end in one of "
            f"{', '.join(HOOKS_OF_WIDTH_D_MODEL)}."
        )
    d_in = attributes.d_in(sae)
    if d_in != model.cfg.d_model:
        raise SaeError(
            f"d_in of {name} is {d_in}; {hook_name} of {ref.true_name} is {model.cfg.d_model} wide."
        )


def _ref_of_loaded(model: HookedTransformer) -> ModelRef:
    from csae_bench.models.fingerprint import loaded_fingerprint

    name = str(model.cfg.model_name)
    try:
        models.resolve(name)
    except UnknownNameError:
        hold(name, model.cfg.to_dict())
    return ModelRef(
        name=name,
        true_name=name,
        dtype=str(model.cfg.dtype).removeprefix("torch."),
        fingerprint=loaded_fingerprint(model),
    )
