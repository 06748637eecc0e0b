"""Modules of a training step, and the waits for the device that are there on purpose."""

from __future__ import annotations

from collections import Counter

PER_STEP = (
    *(
        f"saes/{name}.py"
        for name in (
            "active_codes",
            "heads",
            "l0_controller",
            "losses/latents",
            "losses/presence",
            "losses/samples",
            "losses/shifts",
            "losses/term",
            "mixing",
            "objective",
            "pair_ids",
            "profiles",
            "running_mean",
            "similarities",
            "statistics",
            "step",
            "views",
        )
    ),
    *(
        f"saes/weighting/{name}.py"
        for name in ("constant", "gradnorm", "guard", "kind", "ratio", "uncertainty")
    ),
    "training/finite.py",
    "training/log.py",
    "training/loop.py",
    "training/objective_schedule.py",
)
"""Modules that run in every step on a GPU; `saes/sparse_batchtopk.py` does on a CPU alone."""

KNOWN = Counter(
    {
        # the number of things compared, which the log shows and a term of nothing is known by
        "saes/losses/samples.py _info_nce": 1,
        "saes/losses/samples.py triplet": 1,
        "saes/losses/latents.py columns": 1,
        "saes/losses/presence.py push_up": 2,
        "saes/losses/shifts.py sparse_shift": 1,
        "saes/losses/shifts.py swap": 1,
        # which latents and rows are chosen decides the shapes of what follows
        "saes/losses/latents.py cross_view": 1,
        "saes/objective.py _changed": 1,
        "saes/mixing.py mix": 1,
        "saes/similarities.py sample_latents": 1,
        "saes/active_codes.py ActiveCodes.split": 1,
        "saes/active_codes.py ActiveCodes.of_rows": 1,
        "saes/active_codes.py weighted_block": 1,
        "saes/active_codes.py places": 2,
        # values without a profile would be an index error on the device, which says nothing
        "saes/profiles.py ValueProfiles.update": 1,
        # on a CPU a fifth of the time of counting in the dense matrix
        "saes/statistics.py _parts": 1,
        "saes/views.py Views.firings": 1,
        # whether the step may go on; more at an error alone
        "training/finite.py check_finite": 4,
        # not in every step: where a line is logged
        "training/loop.py ContrastiveSAETrainer.last_loss": 1,
        "training/loop.py ContrastiveSAETrainer._write_log": 1,
        "training/log.py as_float": 1,
        "training/log.py redundant_latents": 1,
        # L0 that is held
        "training/objective_schedule.py ObjectiveSchedule.learn": 1,
        # once for all terms: one that does nothing is to stop the training
        "training/log.py as_floats": 1,
    }
)
"""Waits that are there on purpose, by function."""

BY_MASK = frozenset(
    {
        # rows or latents that are picked by a mask: how many there are decides a shape
        "saes/mixing.py choose_latents",
        "saes/statistics.py _of_batch",
        # which of two ways is faster depends on how many latents are active
        "saes/similarities.py may_be_told_apart",
        # a share of two sums, where the second is not 0: where a line is logged, or measured
        "training/log.py unexplained_variance",
    }
)
"""Functions that wait by what no name in their source shows."""

ALLOWED = frozenset(KNOWN) | BY_MASK
"""Functions in which a step may wait."""
