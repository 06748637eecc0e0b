"""Keys of results: equal wherever and however a run is asked for, changed by each setting."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from tests.golden.adapters import eval_config, eval_names, result_keys
from tests.golden.make_data import DATA
from tests.golden.other_values import SPECIAL, NoOtherValueError, other_values

SAE = DATA / "sae"
SETS = ("evals.mig.n_bins=7", "evals.mig.n_quantiles=3", "evals.core.context_size=32")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return result_keys(SAE, eval_names())


def test_each_eval_has_a_key_of_its_own(keys: dict[str, str]) -> None:
    assert list(keys) == eval_names()
    assert len(set(keys.values())) == len(keys)


def test_keys_do_not_depend_on_the_order_of_evals(keys: dict[str, str]) -> None:
    assert result_keys(SAE, eval_names()[::-1]) == keys


def test_keys_do_not_depend_on_which_other_evals_run(keys: dict[str, str]) -> None:
    assert result_keys(SAE, ["mig"])["mig"] == keys["mig"]


def test_keys_do_not_depend_on_the_order_of_sets(keys: dict[str, str]) -> None:
    changed = result_keys(SAE, eval_names(), sets=SETS)
    assert result_keys(SAE, eval_names(), sets=SETS[::-1]) == changed
    assert {name for name in keys if changed[name] != keys[name]} == {"mig", "core"}


def test_a_default_that_is_written_out_does_not_change_a_key(keys: dict[str, str]) -> None:
    n_bins = eval_config("mig").model_fields["n_bins"].default
    assert result_keys(SAE, ["mig"], sets=[f"evals.mig.n_bins={n_bins}"])["mig"] == keys["mig"]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_keys_are_equal_in_another_process(keys: dict[str, str], hash_seed: str) -> None:
    code = (
        "import json; from pathlib import Path; from tests.golden.adapters import *;"
        f"print(json.dumps(result_keys(Path({str(SAE)!r}), eval_names())))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout) == keys


def test_keys_do_not_depend_on_where_the_sae_lies(keys: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(SAE, tmp_path / "moved")
    assert result_keys(tmp_path / "moved", eval_names()) == keys


def test_other_weights_change_every_key(keys: dict[str, str], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "sae"
    shutil.copytree(SAE, folder)
    weights = load_file(folder / "sae_weights.safetensors")
    weights["b_enc"][0] += 1e-3
    save_file(weights, folder / "sae_weights.safetensors")
    assert not set(result_keys(folder, eval_names()).items()) & set(keys.items())


def test_the_seed_changes_every_key(keys: dict[str, str]) -> None:
    assert not set(result_keys(SAE, eval_names(), seed=1).items()) & set(keys.items())


@pytest.mark.parametrize("changed", ["model_dtype=bfloat16", "hook_name=blocks.1.hook_resid_post"])
def test_the_models_type_and_the_hook_change_every_key(keys: dict[str, str], changed: str) -> None:
    assert not set(result_keys(SAE, eval_names(), sets=[changed]).items()) & set(keys.items())


def test_the_number_of_threads_changes_no_key(keys: dict[str, str]) -> None:
    assert result_keys(SAE, eval_names(), sets=["threads=2"]) == keys


@pytest.mark.parametrize("name", eval_names())
def test_every_setting_changes_the_key(name: str, keys: dict[str, str]) -> None:
    values = {"(defaults)": keys[name]}
    for field, value in other_values(name, eval_config(name)).items():
        values[field] = result_keys(
            SAE, [name], sets=[f"evals.{name}.{field}={json.dumps(value)}"]
        )[name]
    same = {field for field, key in values.items() if list(values.values()).count(key) > 1}
    assert not same, f"{name}: these settings do not change the key: {', '.join(sorted(same))}"


def test_a_setting_without_another_value_is_named() -> None:
    class Config(BaseModel):
        path: str = "somewhere"

    with pytest.raises(NoOtherValueError, match=r"evals\.new\.path: .*'somewhere'"):
        other_values("new", Config)


def test_special_values_are_of_settings_that_there_are() -> None:
    names = eval_names()
    for name, field in SPECIAL:
        configs = [eval_config(one) for one in (names if name == "*" else [name])]
        assert any(field in config.model_fields for config in configs), (name, field)


def test_other_values_are_found_from_annotations() -> None:
    class Config(BaseModel):
        flag: bool = True
        count: Annotated[int, Field(ge=1000)] = 1000
        share: Annotated[float, Field(gt=0, lt=1)] = 0.5
        kind: Literal["a", "b"] | None = None
        sizes: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (1,)

    others: dict[str, Any] = other_values("new", Config)
    assert others == {"flag": False, "count": 1001, "share": 0.001, "kind": "a", "sizes": [2]}
