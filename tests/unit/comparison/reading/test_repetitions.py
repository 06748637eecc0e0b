"""csae_bench/comparison/reading/repetitions.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from csae_bench.comparison.model import Reading
from csae_bench.comparison.reading.folder import read_results
from tests.unit.comparison.result_files import OUR_MIG, loaded, write

METRIC = "mig.value_mig"


def mig(
    root: Path,
    value: float | None,
    *,
    eval_seed: int = 0,
    variant: str | None = None,
    millis: int = 1000,
    sae_id: str = "sae",
    **settings: Any,
) -> Path:
    """A mig result of ours, of one repetition; other settings need a variant of their own."""
    result = loaded(OUR_MIG)
    result |= {"sae_lens_id": sae_id, "datetime_epoch_millis": millis}
    unstructured = result["eval_result_unstructured"]
    result["eval_result_metrics"]["scores"]["value_mig"] = value
    unstructured["reasons"] = {} if value is not None else {"value_mig": "No latent fires."}
    provenance = unstructured["provenance"]
    seed = provenance["eval_settings"]["seed"] + eval_seed
    provenance["eval_settings"] |= {"seed": seed, **settings}
    provenance["conditions"] = {"settings": provenance["eval_settings"]}
    if eval_seed:
        provenance["conditions"]["eval_seed"] = eval_seed
    suffix = ""
    if eval_seed or settings:
        digits = variant or f"{eval_seed:08d}"
        differs = {f"settings.{key}": each for key, each in settings.items()}
        differs |= {"eval_seed": eval_seed, "settings.seed": seed} if eval_seed else {}
        provenance |= {"variant": digits, "differs": differs}
        suffix = f"_{digits}"
    release = result["sae_lens_release_id"]
    return write(root / "mig" / f"{release}_{sae_id}{suffix}_eval_results.json", result)


def one(root: Path) -> Reading:
    (reading,) = read_results(root).readings
    return reading


def test_repetitions_are_one_result_with_their_mean_and_spread(tmp_path: Path) -> None:
    files = [mig(tmp_path, value, eval_seed=seed) for seed, value in enumerate((0.4, 0.5, 0.6))]
    reading = one(tmp_path)
    assert reading.family.name == "sae"
    assert reading.values[METRIC] == pytest.approx(0.5)
    assert reading.sd_of_eval[METRIC] == pytest.approx(0.1)
    assert reading.repetitions == tuple(files)
    assert reading.path == files[0]


def test_a_single_result_is_left_as_it_is(tmp_path: Path) -> None:
    mig(tmp_path, 0.4)
    reading = one(tmp_path)
    assert (reading.values[METRIC], reading.sd_of_eval, reading.repetitions) == (0.4, {}, ())


def test_repetitions_under_other_settings_are_a_variant_with_a_mean_of_its_own(
    tmp_path: Path,
) -> None:
    for seed, value in enumerate((0.4, 0.6)):
        mig(tmp_path, value, eval_seed=seed)
        mig(tmp_path, value / 2, eval_seed=seed, variant=f"abcdef0{seed}", n_permutations=7)
    names = {r.family.name: r.values[METRIC] for r in read_results(tmp_path).readings}
    assert names == {"sae": pytest.approx(0.5), "sae (settings.n_permutations=7)": 0.25}


def test_a_seed_that_was_set_by_hand_is_no_repetition(tmp_path: Path) -> None:
    mig(tmp_path, 0.4)
    mig(tmp_path, 0.6, variant="abcdef01", seed=7)
    names = [r.family.name for r in read_results(tmp_path).readings]
    assert sorted(names) == ["sae", "sae (settings.seed=7)"]


def test_what_is_undefined_in_one_repetition_is_undefined(tmp_path: Path) -> None:
    for seed, value in enumerate((0.4, None)):
        mig(tmp_path, value, eval_seed=seed)
    reading = one(tmp_path)
    assert reading.values[METRIC] is None
    assert METRIC not in reading.sd_of_eval
    assert reading.reasons[METRIC] == ("undefined under 1 of 2 seeds of the eval: No latent fires.")


def test_repetitions_of_two_saes_are_two_results(tmp_path: Path) -> None:
    for sae_id in ("a", "b"):
        for seed in range(2):
            mig(tmp_path, 0.1 * seed, eval_seed=seed, sae_id=sae_id)
    assert [r.n_repetitions for r in read_results(tmp_path).readings] == [2, 2]
