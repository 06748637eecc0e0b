"""Output of doctor on an existing SAE: its own form, architecture and sizes."""

from __future__ import annotations

from csae_bench.errors import SaeError
from csae_bench.preflight.check import Findings
from csae_bench.runs.resolving import ResolvedSae
from csae_bench.saes.architectures import CHOOSES_K, architecture_of, k_of
from csae_bench.saes.checking import check_folder, form_of
from csae_bench.saes.folder import find_folder, is_training_form, stated


def existing(sae: ResolvedSae) -> Findings:
    """Read the settings and the header of the weights, and say what they hold."""
    try:
        place = find_folder(sae.checkpoint)
        cfg = check_folder(place)
    except SaeError as error:  # changed since it was resolved
        for line in str(error).splitlines():
            yield "problem", line
        return
    architecture = architecture_of(cfg)
    trained_as = stated(cfg).get("training_architecture")
    parts = [
        architecture
        + (f" (trained as {trained_as})" if trained_as not in (None, architecture) else ""),
        f"d_in={cfg['d_in']}",
        f"d_sae={cfg['d_sae']}",
    ]
    if architecture in CHOOSES_K or is_training_form(cfg):
        k = k_of(cfg)
        parts += [f"k={k}"] if k is not None else []
    form = form_of(place, cfg)
    kind = {True: "training ", False: "inference "}[is_training_form(cfg)]
    parts += [
        str(cfg["dtype"]).removeprefix("torch."),
        *([] if cfg.get("apply_b_dec_to_input", True) else ["encodes x, not x - b_dec"]),
        f"{kind if form in ('SAELens', 'csae-bench') else ''}form of {form}",
    ]
    yield "ok", ", ".join(parts)
