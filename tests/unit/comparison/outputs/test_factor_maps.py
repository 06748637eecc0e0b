"""csae_bench/comparison/outputs/factor_maps.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from csae_bench.comparison.outputs.factor_maps import MAX_VALUES, factor_map
from csae_bench.comparison.reading.folder import read_result
from tests.unit.comparison.result_files import OUR_MIG, loaded, write


def _mapped(tmp_path: Path, details: Any) -> Any:
    result = {**loaded(OUR_MIG), "eval_result_details": details}
    return factor_map([read_result(write(tmp_path / "x_eval_results.json", result))])


def _detail(factor: str, *values: tuple[str, int | None, float | None]) -> dict[str, Any]:
    named = [{"value": v, "latent": n, "information": share} for v, n, share in values]
    return {"factor": factor, "values": named}


def test_a_map_has_every_factor_and_the_latents_of_its_values() -> None:
    mapped = factor_map([read_result(OUR_MIG)])
    assert mapped is not None
    assert [factor.name for factor in mapped.factors][:2] == ["gender", "number"]
    feminine = mapped.factors[0].values[0]
    assert (feminine.value, feminine.latent) == ("feminine", 322)
    assert feminine.information == 0.8522443672091673


def test_the_latents_that_tell_most_come_first_and_once(tmp_path: Path) -> None:
    mapped = _mapped(tmp_path, [
        _detail("tense", ("past", 3, 0.2), ("future", 4, 0.9)),
        _detail("topic", ("art", 3, 0.5), ("sport", None, None)),
    ])  # fmt: skip
    assert [tuple(one) for one in mapped.telling] == [
        (4, "tense: future", 0.9),
        (3, "topic: art", 0.5),
    ]


def test_a_latent_of_two_factors_is_marked_as_shared(tmp_path: Path) -> None:
    mapped = _mapped(tmp_path, [
        _detail("tense", ("past", 3, 0.2), ("future", 4, 0.9)),
        _detail("topic", ("art", 3, 0.5)),
    ])  # fmt: skip
    shared = {v.value: v.is_shared for factor in mapped.factors for v in factor.values}
    assert shared == {"past": True, "future": False, "art": True}


def test_results_without_latents_have_no_map(tmp_path: Path) -> None:
    for details in ([], None, [{"factor": "x"}], [_detail("x", ("a", None, None))],
                    [{"factor": "x", "values": [{"value": 1}, "odd"]}]):  # fmt: skip
        assert _mapped(tmp_path, details) is None


def test_a_map_of_thousands_of_values_is_cut(tmp_path: Path) -> None:
    mapped = _mapped(tmp_path, [_detail("word", *((f"w{i}", i, 0.1) for i in range(500)))])
    assert sum(len(factor.values) for factor in mapped.factors) == MAX_VALUES
    assert mapped.n_more == 500 - MAX_VALUES


def test_a_result_that_is_gone_has_no_map(tmp_path: Path) -> None:
    reading = read_result(write(tmp_path / "x_eval_results.json", loaded(OUR_MIG)))
    reading.path.unlink()
    assert factor_map([reading]) is None
