"""SAE-Bench, fenced: the only package that imports sae_bench and sae_probes.

Its traps each stand behind one fence here, with a test that fails when upstream mends it:

    core.py        SAE-Bench's core eval on objects, its values untouched
    core_metrics.py  what each of these values is, and of those that correct them
    observing.py   sees what core computes while it computes it
    corrected.py   the same quantities by their right formulas, in float64
    adapting.py    modules that are no SAEs of SAELens, with what SAE-Bench reads
    stock.py       `multiple_evals` itself, made to fail aloud
    unlearning.py  SAE-Bench's unlearning eval on objects, its score untouched
    unlearning_fence.py  its data, the model's name and seeds, within
    sae_probes.py  sae-probes on objects, on datasets of any folder
    sae_probes_data.py, sae_probes_results.py  those datasets; its scores by SAE-Bench's names
    fences.py      gradient mode, printing, warnings, running out of memory
    plotting.py    marks and colours for SAE-Bench's own plots
    validation.py  SAE-Bench's own opinion of a result
    provenance.py  versions, and an SAE's config as JSON

Importing this package loads neither torch nor sae_bench; core, observing, stock, unlearning
and sae_probes do.
"""

from csae_bench.upstream.provenance import sae_cfg_dict, versions
from csae_bench.upstream.validation import validate_core

__all__ = ["sae_cfg_dict", "validate_core", "versions"]
