"""`csae-bench doctor`: from what a user asked for to checks, nothing run."""

from __future__ import annotations

from dataclasses import dataclass, field

from csae_bench.cards import OnCard
from csae_bench.config.loading import is_config, partial_config
from csae_bench.errors import ConfigError, CsaeBenchError, SaeError
from csae_bench.preflight import Check, preflight, problems
from csae_bench.preflight.machine import estimates
from csae_bench.preflight.plan import StagePlan, stage_plans
from csae_bench.subjects import (
    RunRequest,
    Subject,
    find_subject,
    is_pretrained,
    load_request_config,
)


@dataclass(frozen=True)
class Examination:
    """What doctor found."""

    checks: list[Check]
    stages: list[StagePlan] = field(default_factory=list[StagePlan])
    """What counts in which steps of training; empty where there is neither a curriculum nor a
    contrastive term."""
    cards: list[OnCard] = field(default_factory=list[OnCard])
    """Common GPUs, for a configuration made for CUDA."""

    @property
    def has_problems(self) -> bool:
        """Whether the run would be refused."""
        return bool(problems(self.checks))


def doctor(request: RunRequest) -> Examination:
    """What would keep the run from succeeding, without running it.

    What is wrong in the configuration comes first, then what preflight finds in the rest.
    """
    try:
        if is_pretrained(request.source):
            return Examination([_pretrained_check(request.source)])
        subject = subject_or_all_problems(request)
    except ConfigError as error:
        return Examination([Check("config", "problem", problem) for problem in error.problems])
    except SaeError as error:
        return Examination([Check("sae", "problem", line) for line in str(error).splitlines()])
    return Examination(
        checks=preflight(subject, results=request.results, device=request.device),
        stages=stage_plans(subject.config),
        cards=estimates(subject),
    )


def subject_or_all_problems(request: RunRequest) -> Subject:
    """The subject, or a ConfigError that lists also what preflight finds in the sound rest."""
    if not is_config(request.source):
        return find_subject(request)
    try:
        resolved = load_request_config(request)
    except ConfigError as error:
        subject = subject_despite_problems(request)
        if subject is None:
            raise
        more = problems(preflight(subject, results=request.results, device=request.device))
        raise ConfigError([*error.problems, *more]) from error
    return find_subject(request, resolved)


def subject_despite_problems(request: RunRequest) -> Subject | None:
    """The subject with every offending value at its default, where that makes sense at all."""
    if not is_config(request.source):
        return None
    try:
        resolved = partial_config(request.source, **request.flags)
        return None if resolved is None else find_subject(request, resolved)
    except CsaeBenchError:  # the problem that is being reported keeps the subject from being known
        return None


def _pretrained_check(source: str) -> Check:
    from csae_bench.saes.pretrained import check_listed

    try:
        check_listed(*source.split(":", 1))
    except SaeError as error:
        return Check("sae", "problem", str(error))
    return Check("sae", "unknown", f"{source} is on the hub: not checkable here")
