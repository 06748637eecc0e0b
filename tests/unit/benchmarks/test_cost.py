"""Cost of many SAEs, computed from figures of one card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.on_paper.cost import (
    BF16_PEAK,
    SLOW,
    Assumptions,
    Cost,
    core_parts,
    cost,
    factor_parts,
    sizes,
    training_parts,
)
from benchmarks.on_paper.measured import README, card_figures, eval_costs, job_seconds
from benchmarks.operations import Operations, operations_of_shape

FIGURES = {
    "gpu_train_16k_tokens_per_second": 1000.0,
    "gpu_train_16k_model_share": 0.5,
    "gpu_train_16k_waiting_share": 0.25,
    "gpu_step_16k_autocast": 40.0,
    "gpu_core_seconds": 300.0,
    "gpu_factor_codes_seconds": 8.0,
}
COUNTED = Operations(prefix=3e9, suffix=2e9, sae=1.5e8)
ASSUMED = Assumptions(n_tokens=10_000, batch_size=100)


def test_parts_of_a_training_are_shares_of_the_measured_time() -> None:
    model, text, step = training_parts(FIGURES, COUNTED, ASSUMED, "16k")
    # 10,000 tokens at 1,000 a second
    assert model.fast == pytest.approx(5)
    assert text.fast == text.slow == pytest.approx(2.5)
    assert step.fast == pytest.approx(100 * 0.040)
    assert model.slow == pytest.approx(5 * SLOW)
    assert [part.is_shared for part in (model, text, step)] == [True, True, False]


def test_share_of_the_peak_is_operations_over_time() -> None:
    model, _, step = training_parts(FIGURES, COUNTED, ASSUMED, "16k")
    assert model.share == pytest.approx(10_000 * 3e9 / 5 / BF16_PEAK)
    assert step.share == pytest.approx(3 * 10_000 * 1.5e8 / 4 / BF16_PEAK)
    assert model.share_if_slow == pytest.approx(model.share / SLOW)


def test_core_of_one_sae_takes_what_was_measured() -> None:
    parts = core_parts(FIGURES, COUNTED, model_share=0.3, d_sae=16384)
    assert sum(part.fast for part in parts) == pytest.approx(300)
    assert all(part.fast > 0 for part in parts)
    wider = core_parts(FIGURES, COUNTED, model_share=0.3, d_sae=65536)
    assert wider[0].fast == parts[0].fast
    assert wider[1].fast == pytest.approx(4 * parts[1].fast)


def test_shard_pays_once_what_its_saes_share() -> None:
    one = Cost(start=10, drawing=100, shared=5, own=7, n_side_by_side=3)
    assert one.of_shard([1.0]) == 10 + 100 + 5 + 7
    assert one.of_shard([1.0, 0.5, 1.5]) == 10 + 100 + 5 + 3 * 7
    # a fourth does not fit the card: the rows are drawn again
    assert one.of_shard([1.0] * 4) == 10 + 200 + 5 + 4 * 7


def test_cost_adds_up_all_parts_of_both_ends() -> None:
    parts = [*training_parts(FIGURES, COUNTED, ASSUMED, "16k"),
             *core_parts(FIGURES, COUNTED, 0.3, 16384),
             *factor_parts(FIGURES, 20.0, 16384)]  # fmt: skip
    fast, slow = (cost(parts, ASSUMED, speed, 9) for speed in ("fast", "slow"))
    assert fast.drawing + fast.shared + fast.own == pytest.approx(sum(p.fast for p in parts))
    assert slow.drawing + slow.shared + slow.own == pytest.approx(sum(p.slow for p in parts))
    assert fast.drawing == pytest.approx(7.5)
    assert fast.own < slow.own < SLOW * fast.own  # metrics are a processor's


def test_sizes_are_counted() -> None:
    shape = {"d_model": 10, "d_vocab": 100}
    counted = sizes(shape, 5000, ASSUMED, d_sae=32768, result_bytes=7)
    assert counted.weights == 4 * (2 * 10 * 32768 + 10 + 32768)
    assert counted.results == 14
    assert counted.cached_rows == 2 * 10 * 10_000
    assert counted.model == 4 * (5000 - 1000)


def test_operations_of_a_shape_are_counted_by_hand() -> None:
    shape = {"d_model": 4, "d_head": 2, "n_heads": 2, "n_key_value_heads": 1, "d_mlp": 8,
             "gated_mlp": True, "n_layers": 3, "d_vocab": 16}  # fmt: skip
    layer = 2 * 4 * 2 * (4 + 2) + 2 * 2 * 10 * 2 * 2 + 3 * 2 * 4 * 8
    counted = operations_of_shape(shape, 1, 10, 32)
    assert counted == Operations(2 * layer, layer + 2 * 4 * 16, 2 * 2 * 4 * 32)


def test_figures_are_those_of_the_cards_own_table() -> None:
    text = (
        "| `gpu_a` | `gpu_b` | ms | what it is |\n### Measured on an X\n\n| `gpu_a` | 1.5 | s |\n"
        "### Measured on an Y\n\n| `gpu_a` | 2 | s |\n\n## More\n| `gpu_c` | 3 | s |\n"
    )
    assert card_figures(text, "X") == {"gpu_a": 1.5}
    assert card_figures(text, "Y") == {"gpu_a": 2}
    with pytest.raises(ValueError, match="Measured on an Z"):
        card_figures(text, "Z")


def test_readme_has_every_figure_that_the_page_reads() -> None:
    assert FIGURES.keys() <= card_figures(README.read_text(encoding="utf-8")).keys()


def test_job_seconds_are_each_saes_own(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for place, (k, seed) in enumerate([(8, 1), (4, 1), (4, 0)]):
        record = {
            "config": {"seed": seed, "sae": {"k": k}},
            "training": {"wall_seconds": 60.0 + place, "n_side_by_side": 2},
            "cells": {"training": {"wall_seconds": None}, "core": {"wall_seconds": 5.0},
                      "mig": {"wall_seconds": None}},
        }  # fmt: skip
        (tmp_path / "runs" / f"{place}.json").write_text(json.dumps(record))
    jobs = job_seconds(tmp_path, "a run")
    assert jobs.rows == ["seed 0", "seed 1", "seed 1"]
    assert jobs.seconds == [31 + 5, 30.5 + 5, 30 + 5]
    assert sum(jobs.relative) == pytest.approx(3)


def test_eval_costs_are_of_one_sae(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "mig.json").write_text("12345")
    names = ("mig", "factor_vae", "feature_correlation")
    cells = {name: {"wall_seconds": 2.0, "result": None} for name in names}
    cells["mig"]["result"] = "mig.json"
    (tmp_path / "runs" / "one.json").write_text(json.dumps({"cells": cells}))
    taken = eval_costs(tmp_path, "a run")
    assert taken.all_seconds == 6
    assert taken.result_bytes == {"mig": 5}
    (tmp_path / "runs" / "two.json").write_text("{}")
    with pytest.raises(ValueError, match="unpack"):
        eval_costs(tmp_path, "a run")
