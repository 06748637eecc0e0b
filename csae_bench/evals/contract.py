"""Input and output of an eval; `csae_bench.evals` has the whole contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from csae_bench.activations.shared import SharedPasses
from csae_bench.evals.inputs import Needs
from csae_bench.evals.seeds import SEED_SETTINGS
from csae_bench.support.strict import Strict

if TYPE_CHECKING:
    import numpy as np
    from transformer_lens import HookedTransformer

    from csae_bench.factors import FactorSplit, Pooling
    from csae_bench.factors.encoding import FactorCodes
    from csae_bench.saes.attributes import AnySae


class EvalConfig(Strict):
    """Base of an eval's settings: frozen, and an unknown key is an error."""

    model: str | None = None
    """Language model this eval uses instead of the run's."""

    def needs(self, model: str | None) -> Needs:
        """Return what this eval needs; small files may be read, weights may not.

        Args:
            model: name or path of the run's language model; None for an SAE without one.

        Raises:
            CsaeBenchError: a name in the settings is not known.
        """
        return Needs()

    def is_repeatable(self, model: str | None) -> bool:
        """Return whether another seed asks the same of the SAE again.

        Args:
            model: as in `needs`.
        """
        return True

    def with_eval_seed(self, eval_seed: int) -> Self:
        """Return the settings of repetition `eval_seed`: its seed, if it has one, is that larger.

        The seed is the setting `random_seed` or `seed`; repetition 0 is the settings themselves.
        """
        name = next((name for name in SEED_SETTINGS if name in type(self).model_fields), None)
        if name is None or eval_seed == 0:
            return self
        return self.model_copy(update={name: (getattr(self, name) + eval_seed) % 2**31})


@dataclass(frozen=True, kw_only=True)
class EvalContext:
    """Input of an eval."""

    sae: AnySae
    """The SAE in its inference form, on `device`. Shared by the run's evals: do not change it."""
    sae_id: str
    """Name of the SAE, for titles."""
    model_name: str
    """Name or path of the language model that `model()` gives; empty if the SAE has none."""
    model_true_name: str = ""
    """The name under which results of the model are filed; empty: that of `model_name`."""
    model_fingerprint: str = ""
    """Hash of the model's weights; empty: that of the files of `model_name`."""
    hook_name: str
    """Hook at which the SAE's activations are taken; empty if it has no model."""
    device: str
    artifacts: Path
    """A folder of this eval's own, empty at the start."""
    cache: Path | None = None
    """A folder of this eval's own that stays as it is between runs, for all SAEs; what is in it
    must be found by content. None: nothing is to be kept."""
    rng: np.random.Generator
    """Seeded from the run's seed and the eval's name."""
    load_model: Callable[[str], HookedTransformer]
    """Loader of a model by name, once per run."""
    progress: bool = False
    """Whether to show progress on stderr."""
    encoded: dict[tuple[Any, ...], FactorCodes] = field(default_factory=dict)
    """Codes of factor datasets that are already encoded; shared by the evals of one SAE."""
    shared: SharedPasses = field(default_factory=SharedPasses)
    """Results of model passes that involve no SAE; shared by all SAEs of a session."""

    def model(self) -> HookedTransformer:
        """Return the language model, loaded at the first call."""
        return self.load_model(self.model_name)

    def codes_and_factors(
        self,
        dataset: str = "auto",
        *,
        split: FactorSplit = "test",
        seed: int = 0,
        pooling: Pooling | None = None,
        also: Sequence[Pooling] = (),
    ) -> FactorCodes:
        """Return the SAE's codes of a factor dataset with its factors, encoded once per run.

        The model does not run for a dataset of activations. See `factors.open_factors` and
        `factors.encoding.codes_by_pooling`, for errors too.

        Args:
            dataset: a name of `csae-bench list factors`, a .csv or .jsonl file, or the folder of a
                synthetic model; `auto` suits the model, see `factors.chosen_factors`.
            seed: of what the dataset draws at random.
            pooling: none: the dataset's own.
            also: further poolings that will be asked for; the same pass makes them.
        """
        from csae_bench.factors import chosen_factors, factor_fingerprint, open_factors
        from csae_bench.factors.encoding import codes_by_pooling

        dataset = chosen_factors(dataset, self.model_name or None)

        def key(pooling: Pooling | None) -> tuple[Any, ...]:
            return (dataset, split, seed, pooling, self.model_name, self.hook_name)

        if key(pooling) not in self.encoded:
            read = self.shared.get_or_make(
                ("factors", dataset, factor_fingerprint(dataset), split, seed),
                lambda: open_factors(dataset, split=split, seed=seed),
            )
            codes = codes_by_pooling(
                self.sae,
                self.model() if read.prompts else None,
                read,
                self.hook_name,
                poolings=tuple(dict.fromkeys((pooling or read.pooling, *also))),
                shared=self.shared,
            )
            self.encoded.update({key(each): encoded for each, encoded in codes.items()})
            self.encoded[key(pooling)] = codes[pooling or read.pooling]
        return self.encoded[key(pooling)]


@dataclass(frozen=True, kw_only=True)
class EvalResult:
    """Output of an eval; the harness turns it into an SAE-Bench `eval_result` JSON."""

    metrics: Mapping[str, Mapping[str, float | int | None]]
    """Category -> metric -> value. SAE-Bench's own values stay as SAE-Bench writes them; ours are
    null if undefined, with the reason in `unstructured["reasons"]`."""
    details: Sequence[Mapping[str, Any]] = ()
    unstructured: Mapping[str, Any] = field(default_factory=dict)
    eval_config: Mapping[str, Any] | None = None
    """The eval_config that SAE-Bench's own output model requires; none: the eval's settings."""
