"""The contrastive objective, mixed into any of SAELens's training classes.

`ContrastiveTrainingConfig` adds the field `losses` to a training config, `ContrastiveTraining`
adds the terms that it switches on to the backbone's loss. With none switched on, both leave the
backbone as it is, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError
from sae_lens.saes.sae import (
    TrainCoefficientConfig,
    TrainingSAE,
    TrainStepInput,
    TrainStepOutput,
)
from torch import Tensor
from typing_extensions import override

from csae_bench.config.loss_terms import (
    LOSS_TERMS,
    MixingSettings,
    RowsSettings,
    ShiftSettings,
    SwapSettings,
    TermSettings,
)
from csae_bench.errors import ConfigError, TrainingError, UnknownNameError
from csae_bench.saes import losses
from csae_bench.saes.heads import ContrastiveParts, Kinds
from csae_bench.saes.losses import TermValue
from csae_bench.saes.mixing import mix
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.step import PairedStepInput, SparseStepOutput
from csae_bench.saes.views import Changed, Views

_NOT_THE_FUNCTIONS: dict[str, set[str]] = {
    "rows": {"projection", "projection_width"},
    "mixing": {"targeting", "temperature", "share"},
    "swap": {"n_values"},
}
"""Settings of a term, besides `weight` and `warm_up_steps`, that are no arguments of its function:
those of rows say which head the views come with, those of mixing how their mixture is made, that of
swap how many profiles there are."""


@dataclass(kw_only=True)
class ContrastiveTrainingConfig:
    """Mixed into a training config of SAELens, before it.

    It is no subclass of SAELens's TrainingSAEConfig on purpose: a dataclass takes the defaults of
    the leftmost base, so such a mixin would overwrite a backbone's own with the general ones.
    """

    losses: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Terms by name with their settings, as in `sae.losses`; all settings after construction."""

    def __post_init__(self) -> None:
        self.losses = {name: term.model_dump() for name, term in _parsed(self.losses).items()}
        super().__post_init__()  # pyright: ignore[reportAttributeAccessIssue]

    def active_terms(self) -> dict[str, TermSettings]:
        """Return the terms whose weight is above 0."""
        return {name: term for name, term in _parsed(self.losses).items() if term.weight > 0}


@dataclass
class ContrastiveStepOutput(SparseStepOutput):
    """SAELens's step output, with the value of each contrastive term that was computed."""

    terms: dict[str, TermValue] = field(default_factory=dict[str, TermValue])


class ContrastiveTraining(TrainingSAE[Any]):
    """Mixed into a training SAE of SAELens, before it; `cfg` is a ContrastiveTrainingConfig."""

    terms: dict[str, TermSettings]
    """The terms of the present step; a curriculum changes them from stage to stage."""

    contrast: ContrastiveParts | None
    """State of the terms besides the SAE's weights; none where no term is on. Never saved for
    inference."""

    def __init__(self, cfg: Any, use_error_term: bool = False) -> None:
        super().__init__(cfg, use_error_term)
        self.terms = cfg.active_terms()
        self.contrast = None
        if self.terms:
            rows, swap = self.terms.get("rows"), self.terms.get("swap")
            self.contrast = ContrastiveParts(
                cfg.d_sae,
                rows if isinstance(rows, RowsSettings) else None,
                swap=swap if isinstance(swap, SwapSettings) else None,
                device=self.W_enc.device,
                kinds=dict.fromkeys(term.pairs for term in self.terms.values()),
            )

    @override
    def get_coefficients(self) -> dict[str, float | TrainCoefficientConfig]:
        """Return the backbone's coefficients, and one for each term that is switched on."""
        return {
            **super().get_coefficients(),  # pyright: ignore[reportAbstractUsage]
            **{
                name: TrainCoefficientConfig(term.weight, term.warm_up_steps)
                for name, term in self.cfg.active_terms().items()
            },
        }

    @override
    def training_forward_pass(self, step_input: TrainStepInput) -> TrainStepOutput:
        """Run the backbone's forward pass and add, for each term T, coefficient * value.

        `losses[T]` is the product, `terms[T]` the value alone.

        Raises:
            TrainingError: a term is switched on, but the input does not say which rows are pairs.
        """
        if not self.terms:
            return super().training_forward_pass(step_input)
        if not isinstance(step_input, PairedStepInput):
            raise TrainingError(
                f"The term '{next(iter(self.terms))}' of architecture '{self.cfg.architecture()}' "
                "needs pairs, but the rows of this trainer are not pairs. Train with csae_bench's "
                "ContrastiveSAETrainingRunner, or disable the term with a weight of 0."
            )
        output = ContrastiveStepOutput(**vars(super().training_forward_pass(step_input)))
        views = {
            kinds: self._views(step_input, output, kinds)
            for kinds in dict.fromkeys(term.pairs for term in self.terms.values())
        }
        for name, term in self.terms.items():
            term_loss = getattr(losses, name)(views[term.pairs], **_arguments(name, term))
            output.terms[name] = term_loss
            output.metrics[f"raw/{name}"] = term_loss.value.detach()
            output.losses[name] = step_input.coefficients[name] * term_loss.value
            if step_input.coefficients[name] > 0:  # 0 * x costs a backward pass all the same
                output.loss = output.loss + output.losses[name]
        return output

    @override
    def process_state_dict_for_saving_inference(self, state_dict: dict[str, Any]) -> None:
        """Remove what only the terms need."""
        for key in [key for key in state_dict if key.startswith("contrast.")]:
            del state_dict[key]
        super().process_state_dict_for_saving_inference(state_dict)

    def _views(
        self, step_input: PairedStepInput, output: ContrastiveStepOutput, kinds: Kinds
    ) -> Views:
        """Return the views of terms that look at pairs of these kinds."""
        assert self.contrast is not None
        x, codes, pre = step_input.sae_in, _dense(output.feature_acts), output.hidden_pre
        terms = [term for term in self.terms.values() if term.pairs == kinds]
        pairs, places = step_input.pairs.of_kinds(kinds)
        changed = None
        if any(getattr(term, "minimal_negatives", False) for term in terms):
            changed = _changed(pairs, codes, pre)
        active_codes = output.active_codes
        if places is not None:
            if active_codes is not None:
                active_codes = active_codes.of_rows(places.rows(codes.device), len(codes))
            x, codes, pre = (places.of(one, n_each=2) for one in (x, codes, pre))
        statistics = self.contrast.statistics_of(kinds)
        reads_statistics = not all(isinstance(term, ShiftSettings) for term in terms)
        if self.training and len(pairs) and reads_statistics:
            statistics.update(codes.detach(), active_codes)
        views = Views(
            codes=codes,
            active_codes=active_codes,
            pre_activations=pre,
            pairs=pairs,
            statistics=statistics.latest(),
            head=self.contrast.head,
            learned_temperature=self.contrast.temperature(),
            changed=changed,
        )
        if any(isinstance(term, ShiftSettings) for term in terms):
            views = replace(views, decoder_norms=self.W_dec.detach().norm(dim=1))
        profiles = self.contrast.profiles
        if profiles is not None and any(isinstance(term, SwapSettings) for term in terms):
            if self.training and len(pairs):
                profiles.update(views)
            views = replace(views, profiles=profiles.latest())
        mixing = self.terms.get("mixing")
        if not isinstance(mixing, MixingSettings) or mixing.pairs != kinds or not len(pairs):
            return views
        mixture = mix(
            self,
            x,
            views,
            targeting=mixing.targeting,
            temperature=mixing.temperature,
            share=mixing.share,
        )
        return replace(views, mixture=mixture)


def _changed(pairs: PairIds, codes: Tensor, pre: Tensor) -> Changed | None:
    """Return the rows of the minimal pairs that have the anchors of these pairs.

    Args:
        codes: of the whole batch, as `pre`.
    """
    if pairs.minimal is None:
        return None
    chosen = (pairs.minimal >= 0).nonzero().squeeze(1)
    rows = 2 * pairs.minimal[chosen] + 1
    return Changed(chosen, codes.index_select(0, rows), pre.index_select(0, rows))


def _arguments(name: str, term: TermSettings) -> dict[str, Any]:
    """Return the settings of a term that its function takes."""
    return term.model_dump(exclude={*TermSettings.model_fields, *_NOT_THE_FUNCTIONS.get(name, ())})


def _dense(codes: Tensor) -> Tensor:
    return codes.to_dense() if codes.is_sparse else codes  # SAELens's use_sparse_activations


def _parsed(losses: Mapping[str, Any]) -> dict[str, TermSettings]:
    """Check and return the settings of each term.

    Raises:
        UnknownNameError: there is no such term.
        ConfigError: a term has no such setting, or a setting no such value.
    """
    terms: dict[str, TermSettings] = {}
    problems: list[str] = []
    for name, settings in losses.items():
        if name not in LOSS_TERMS:
            raise UnknownNameError("loss term", name, LOSS_TERMS)
        try:
            terms[name] = LOSS_TERMS[name].model_validate(settings)
        except ValidationError as error:
            wrong: dict[str, tuple[Any, list[str]]] = {}
            for one in error.errors():  # of a value that may have two types there are two
                wrong.setdefault(str(one["loc"][0]), (one["input"], []))[1].append(one["msg"])
            problems += [
                f"losses.{name}.{key} is {value!r}: {'; or: '.join(messages)}."
                for key, (value, messages) in wrong.items()
            ]
    if problems:
        raise ConfigError(problems)
    return terms
