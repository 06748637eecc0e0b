"""How the objective's largest tensor grows: never d_sae x d_sae, never rows x rows x d_sae."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from typing_extensions import override

from csae_bench.config.loss_terms import LOSS_TERMS
from tests.unit.saes.losses.builders import N_VALUES, SMALL, every_kind

D_IN, N_LATENTS = 8, 16
SAMPLED = {"columns", "barlow"}
READINGS = ("codes", "pre_activations", "union")


class LargestTensor(TorchDispatchMode):
    """Records the number of elements of the largest result of any operation, backward too."""

    def __init__(self) -> None:
        super().__init__()
        self.n_elements = 0
        self.operation = ""

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_iter(result):
            if isinstance(each, torch.Tensor) and each.numel() > self.n_elements:
                self.n_elements, self.operation = each.numel(), f"{func} {tuple(each.shape)}"
        return result


def every_term(on: str, **rows: Any) -> dict[str, dict[str, Any]]:
    terms: dict[str, dict[str, Any]] = {}
    for name, settings in LOSS_TERMS.items():
        terms[name] = {"weight": 1.0, **SMALL.get(name, {})}
        if name in SAMPLED:
            terms[name] |= {"n_latents": N_LATENTS, "min_firings": 1}
        if "on" in settings.model_fields:
            terms[name]["on"] = on
    terms["columns"]["max_co_firing"] = 1.0  # of few firings all are together
    terms["rows"] |= {"minimal_negatives": True, **rows}
    terms["triplet"] |= {"minimal_negatives": True}
    terms["swap"] |= {"n_values": N_VALUES}
    return terms


def allowed(n_pairs: int, d_sae: int) -> int:
    """Twice the largest tensor that there has to be."""
    return 2 * max(2 * n_pairs * d_sae, n_pairs**2, N_LATENTS**2, D_IN * d_sae)


@pytest.mark.parametrize("on", READINGS)
@pytest.mark.parametrize(("n_pairs", "d_sae"), [(16, 512), (64, 128), (256, 64), (16, 1024)])
@pytest.mark.parametrize(
    ("architecture", "fields"), [("contrastive", {}), ("contrastive_batchtopk", {"k": 16})]
)
def test_no_tensor_grows_faster_than_the_codes_or_the_pairs_squared(
    make_sae: Any,
    make_step: Any,
    architecture: str,
    fields: dict[str, Any],
    n_pairs: int,
    d_sae: int,
    on: str,
) -> None:
    # Short decoder rows: a mixture has nearly the norm of its anchor, so that it is kept.
    sae = make_sae(
        architecture,
        d_in=D_IN,
        d_sae=d_sae,
        decoder_init_norm=0.01,
        losses=every_term(on),
        **fields,
    )
    step = make_step(sae, n_pairs=n_pairs, pairs=every_kind(n_pairs))
    with LargestTensor() as largest:
        output = sae.training_forward_pass(step)
        output.loss.backward()
    assert [name for name, term in output.terms.items() if term.n_compared == 0] == []
    assert largest.n_elements <= allowed(n_pairs, d_sae), largest.operation


def test_a_projection_takes_no_more_than_its_own_weights(make_sae: Any, make_step: Any) -> None:
    n_pairs, d_sae, width = 16, 512, 24
    terms = every_term("union", projection="mlp", projection_width=width)
    sae = make_sae("contrastive_topk", d_in=D_IN, d_sae=d_sae, losses=terms)
    with LargestTensor() as largest:
        sae.training_forward_pass(make_step(sae, n_pairs=n_pairs)).loss.backward()
    assert largest.n_elements <= max(allowed(n_pairs, d_sae), width * d_sae), largest.operation


def test_a_tensor_of_the_latents_squared_would_be_noticed() -> None:
    codes = torch.rand(32, 512, requires_grad=True)
    with LargestTensor() as largest:
        (codes.T @ codes).sum().backward()
    assert largest.n_elements == 512**2 > allowed(16, 512)
