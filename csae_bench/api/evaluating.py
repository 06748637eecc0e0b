"""`csae_bench.evaluate`: evaluates in-memory SAEs as the command line evaluates folders."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from csae_bench.api.evaluation import Evaluation, Evaluations
from csae_bench.api.in_memory import InMemory
from csae_bench.errors import UsageError
from csae_bench.evals import preset_settings
from csae_bench.hardware.devices import pick_device
from csae_bench.runs.execute import generators_kept
from csae_bench.runs.session import Session

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from csae_bench.saes.attributes import AnySae

DEFAULT_EVALS = ("core", "mig", "factor_vae", "feature_correlation")


class EvaluateOptions(TypedDict, total=False):
    """Arguments of `evaluate` besides the SAE; see there."""

    model: str | Path | HookedTransformer | None
    hook_name: str | None
    evals: Iterable[str]
    settings: Mapping[str, Mapping[str, Any]] | None
    preset: str | None
    seed: int
    device: str
    dtype: str
    name: str
    progress: bool | None


@overload
def evaluate(
    sae: Mapping[str, AnySae | str | Path], **options: Unpack[EvaluateOptions]
) -> Evaluations: ...
@overload
def evaluate(sae: AnySae | str | Path, **options: Unpack[EvaluateOptions]) -> Evaluation: ...
def evaluate(
    sae: AnySae | str | Path | Mapping[str, AnySae | str | Path],
    *,
    model: str | Path | HookedTransformer | None = None,
    hook_name: str | None = None,
    evals: Iterable[str] = DEFAULT_EVALS,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    preset: str | None = None,
    seed: int = 0,
    device: str = "auto",
    dtype: str = "float32",
    name: str = "sae",
    progress: bool | None = None,
) -> Evaluation | Evaluations:
    """Evaluate SAEs in memory: check that they are alive, and run the evals.

    Several SAEs share the passes of the language model that no SAE takes part in. Each gets the
    numbers, to the last bit, that it would get by itself or from the command line.

    Args:
        sae: of sae_lens, or any module with `encode`, `decode` and `W_dec` [d_sae, d_in] (`W_enc`,
            where an eval needs it), which is copied and never changed; or what `load_sae` reads,
            such as a folder of sparsify; or name -> one of these.
        model: a name, a folder or a HookedTransformer; None: what the SAE's metadata name.
        hook_name: where its activations are taken; None: what its metadata name.
        evals: names of evals, see `csae-bench list evals`.
        settings: eval -> setting -> value, such as {"mig": {"n_permutations": 1000}}.
        preset: `quick` or `published`: settings over which `settings` are laid. Each eval runs
            once; the command line repeats it under other seeds.
        seed: of the evals.
        device: auto, cpu, cuda, cuda:1 or mps; `dtype`: of a model that is loaded by name.
        name: what one SAE is called in results.
        progress: shows bars on stderr; None: where that is a terminal.

    Returns:
        A mapping from eval to `EvalOutcome`; of several SAEs one from name to such a mapping. An
        SAE that is invalid has a status and reasons and no metrics, an eval that failed likewise:
        neither is an exception.

    Raises:
        UsageError: a name, a hook or a setting is wrong, the SAE lacks what every eval needs, is
            of a kind that cannot be judged, or does not fit the model.

    Examples:
        >>> import csae_bench
        >>> from sae_lens import StandardSAE, StandardSAEConfig
        >>> sae = StandardSAE(StandardSAEConfig(d_in=128, d_sae=256))
        >>> evaluation = csae_bench.evaluate(
        ...     sae, model="tiny-gemma2-it", hook_name="blocks.2.hook_resid_post", evals=["mig"],
        ...     settings={"mig": {"n_permutations": 10}}, progress=False)  # random weights
        >>> evaluation.status in ("ok", "invalid")
        True
    """
    saes: Mapping[str, AnySae | str | Path] = sae if isinstance(sae, Mapping) else {name: sae}
    if not saes:
        raise UsageError("evaluate was given no SAE.")
    session = Session(pick_device(device), n_saes=len(saes))
    names = tuple(evals)
    chosen = _laid_over(preset, names, settings or {})
    asked = InMemory(session, model, hook_name, names, chosen, seed, device, dtype)
    shows = sys.stderr.isatty() if progress is None else progress
    with generators_kept():  # loading a model draws from them, too
        evaluations = {
            each: asked.of(each, one, shows_progress=shows) for each, one in saes.items()
        }
    return Evaluations(evaluations) if isinstance(sae, Mapping) else evaluations[name]


def _laid_over(
    preset: str | None, evals: tuple[str, ...], settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    base = {} if preset is None else preset_settings(preset)
    chosen = {name: dict(own) for name, own in base.items() if name in evals}
    for name, own in settings.items():
        chosen[name] = {**chosen.get(name, {}), **own}
    return chosen
