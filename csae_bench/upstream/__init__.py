"""SAE-Bench, isolated: the only package that imports sae_bench and sae_probes.

Each of its defects is isolated in one place here, with a test that fails when upstream fixes it:

    core.py        SAE-Bench's core eval on objects, its values unchanged
    core_metrics.py  definitions of these values, and of those that correct them
    instrumentation.py  observes what core computes
    corrected.py   the same quantities by their correct formulas, in float64
    split_model.py  parts of a model's passes that are the same for every SAE
    adapting.py    modules that are not SAEs of SAELens, with the fields that SAE-Bench reads
    reference.py   `multiple_evals` itself, with errors raised instead of logged
    unlearning.py, unlearning_run.py  SAE-Bench's unlearning eval on objects, its score unchanged
    unlearning_isolation.py  its data, the model's name and seeds
    absorption.py, absorption_run.py  SAE-Bench's first-letter absorption on objects
    absorption_settings.py  its settings; absorption_probes.py the model's probes
    absorption_isolation.py  its words, seeds and passes; absorption_prompts.py its prompts
    absorption_forms.py  SAEs in the form in which its formulas hold
    absorption_reference.py  its own `run_eval`, for parity tests and benchmarks
    autointerp.py, autointerp_run.py, autointerp_text.py  SAE-Bench's autointerp, any judge
    ravel.py       SAE-Bench's RAVEL on objects; ravel_isolation.py its tokenizer and layers
    ravel_reference.py  its own `run_eval_single_sae`, for parity tests
    sae_probes.py  sae-probes on objects, on datasets of any folder
    meta_structure.py  SAE-Bench's meta-structure eval on any decoder, seeded
    synth_sae_bench.py  SAELens's evaluation on synthetic models, seeded
    isolation.py   gradient mode, printing, warnings, running out of memory
    plotting.py    marks and colours for SAE-Bench's own plots
    validation.py  SAE-Bench's own checks of a result
    provenance.py  versions, and an SAE's config as JSON

Importing this package loads neither torch nor sae_bench; those of its modules that call them do,
and none whose name ends in `_metrics`.
"""

from csae_bench.upstream.provenance import sae_cfg_dict, versions
from csae_bench.upstream.validation import validate_as_sae_bench

__all__ = ["sae_cfg_dict", "validate_as_sae_bench", "versions"]
