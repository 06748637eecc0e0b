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
