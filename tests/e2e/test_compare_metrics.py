"""`csae-bench compare` on published results: which metrics it shows, and --metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e import compare_folders as folders
from tests.e2e.conftest import CsaeBench
from tests.unit.comparison.result_files import write
from tests.unit.comparison.sparse_probing import sparse_probing, write_published

TOP_1 = "sparse_probing.sae_top_1_test_accuracy"


def test_fifteen_published_results_show_the_saes_probe_everywhere(
    tmp_path: Path, csae_bench: CsaeBench
) -> None:
    folder = write_published(tmp_path / "published")
    places = {kind: tmp_path / f"out.{kind}" for kind in ("md", "html", "plots")}
    flags = [part for kind, path in places.items() for part in (f"--{kind}", path)]
    outcome = csae_bench("compare", folder, *flags)
    assert outcome.exit_code == 0, outcome.output
    for text in (outcome.stdout, places["md"].read_text()):
        assert text.count("0.8410") == 1  # the best SAE's
        assert "Probe on activations" not in text
    figures = places["html"].read_text().partition('<h2 id="values"')[0]
    assert "Sparse probing, top 1" in figures
    assert "Probe on activations" not in figures
    assert f"values_{TOP_1}.png" in {path.name for path in places["plots"].iterdir()}


def test_compared_with_one_of_them_the_figures_are_of_the_saes_probe(
    tmp_path: Path, csae_bench: CsaeBench
) -> None:
    folder = write_published(tmp_path / "published")
    name = "TopK_gemma-2-2b__0108_resid_post_layer_12_trainer_0"
    page = tmp_path / "page.html"
    outcome = csae_bench("compare", folder, "--against", name, "--html", page, "--json")
    titles = re.findall(r"<figcaption>(.*?)<", page.read_text())
    assert titles == ["Sparse probing, top 1", "Sparse probing, top 2"]
    verdicts = {r["metric"]: r["verdict"] for r in json.loads(outcome.stdout)["comparisons"]}
    assert verdicts["sparse_probing.sae_top_100_test_accuracy"] == "not measured"
    assert "missing" not in verdicts.values()


def test_a_setting_that_nobody_asked_for_is_not_missing(
    tmp_path: Path, csae_bench: CsaeBench
) -> None:
    new, old = (write_published(tmp_path / side, 1) for side in ("new", "old"))
    md = tmp_path / "out.md"
    outcome = csae_bench("compare", new, "--baseline", old, "--metrics", "*", "--md", md)
    assert outcome.exit_code == 0, outcome.output
    assert "missing" not in outcome.stdout
    assert "not measured" in outcome.stdout
    assert "missing" not in md.read_text()


def test_a_value_that_the_candidate_lost_is_missing(tmp_path: Path, csae_bench: CsaeBench) -> None:
    old = write_published(tmp_path / "old", 1)
    new = write_published(tmp_path / "new", 1, ks=(1, 2))
    outcome = csae_bench("compare", new, "--baseline", old, "--json")
    assert outcome.exit_code == 5
    verdicts = {r["metric"]: r["verdict"] for r in json.loads(outcome.stdout)["comparisons"]}
    assert verdicts["sparse_probing.sae_top_5_test_accuracy"] == "missing"
    assert verdicts["sparse_probing.sae_top_50_test_accuracy"] == "not measured"


@pytest.mark.parametrize("rule", [f"{TOP_1}:-0.1".replace("_1_", "_50_"), "sparse_probing.*:-0.1"])
def test_a_rule_that_names_what_nobody_measured_does_not_pass_silently(
    rule: str, tmp_path: Path, csae_bench: CsaeBench
) -> None:
    new, old = (write_published(tmp_path / side, 1) for side in ("new", "old"))
    outcome = csae_bench("compare", new, "--baseline", old, "--fail-on", rule)
    assert outcome.exit_code == (0 if "*" in rule else 5), outcome.output
    assert ("warned" if "*" in rule else "missing") in outcome.stdout


def test_a_glob_chooses_what_every_output_shows_and_rules_judge_all_the_same(
    tmp_path: Path, csae_bench: CsaeBench
) -> None:
    new = folders.family(tmp_path / "new", value_mig=0.3)
    old = folders.family(tmp_path / "old")
    places = {kind: tmp_path / f"out.{kind}" for kind in ("md", "html", "plots")}
    flags = [part for kind, path in places.items() for part in (f"--{kind}", path)]
    outcome = csae_bench(
        "compare", new, "--baseline", old, "--fail-on", "mig.value_mig:-0.01",
        "--metrics", "core.kl_*", "--metrics", "core.l1", *flags,
    )  # fmt: skip
    assert outcome.exit_code == 1, outcome.output
    verdicts = outcome.stdout.partition("against")[2]
    assert "KL divergence score" in verdicts
    assert "CE loss score" not in verdicts
    assert "Value MIG" not in verdicts
    assert "--metrics leaves them out" in verdicts
    assert "| CE loss score |" not in places["md"].read_text()
    titles = re.findall(r"<figcaption>(.*?)<", places["html"].read_text())
    assert "KL divergence score" in titles
    assert "CE loss score" not in titles
    drawn = {path.name for path in places["plots"].iterdir()}
    assert "forest_core.kl_div_score.png" in drawn
    assert not any("ce_loss" in name for name in drawn)


def test_json_has_the_metrics_that_are_asked_for_alone(
    tmp_path: Path, csae_bench: CsaeBench
) -> None:
    new, old = (folders.family(tmp_path / side) for side in ("new", "old"))
    shown = json.loads(
        csae_bench(
            "compare", new, "--baseline", old, "--metrics", "core.kl_div_score", "--json"
        ).stdout
    )
    assert {row["metric"] for row in shown["comparisons"]} == {"core.kl_div_score"}
    assert {m for family in shown["families"] for m in family["metrics"]} == {"core.kl_div_score"}
    assert shown["shown_metrics"] == ["core.kl_div_score"]


def test_a_metric_that_only_supports_others_is_compared_where_it_is_asked_for(
    tmp_path: Path, csae_bench: CsaeBench
) -> None:
    new, old = (folders.family(tmp_path / side) for side in ("new", "old"))
    name, title = "core.freq_over_1_percent", "Frequency over 1%"
    assert title not in csae_bench("compare", new, "--baseline", old).stdout
    outcome = csae_bench("compare", new, "--baseline", old, "--metrics", name)
    assert title in outcome.stdout, outcome.output


def test_a_pair_without_a_difference_on_what_is_asked_for_has_no_empty_table(
    tmp_path: Path, csae_bench: CsaeBench
) -> None:
    new, old = (folders.family(tmp_path / side) for side in ("new", "old"))
    for seed in range(5):
        folders.core(new, "topk", 0.8, seed=seed, context_size=64)
    md = tmp_path / "out.md"
    outcome = csae_bench(
        "compare", new, "--baseline", old, "--metrics", "core.ce_loss_score", "--md", md
    )
    assert "topk against topk: incomparable on every metric" in outcome.stdout
    assert "verdict " not in outcome.stdout
    assert "| all 1 |" in md.read_text()


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("core.ce_loss_scor", "Did you mean 'core.ce_loss_score'?"),
        ("nothing*", "matches no metric of these results"),
        ("", "matches no metric of these results"),
        ("ce_loss_score", "<eval>.<metric>"),
        ("core.[", "matches no metric of these results"),
        ("\x1b[31m*", "\\x1b[31m*"),
    ],
)
def test_a_glob_that_matches_nothing_is_a_mistake(
    glob: str, expected: str, tmp_path: Path, csae_bench: CsaeBench
) -> None:
    page = tmp_path / "out.md"
    folder = folders.family(tmp_path / "results")
    outcome = csae_bench("compare", folder, "--metrics", "core.*", "--metrics", glob, "--md", page)
    assert outcome.exit_code == 2
    assert expected in outcome.stderr
    assert "\x1b" not in outcome.stderr
    assert not page.exists()


def test_a_glob_of_metrics_without_a_value_says_so(tmp_path: Path, csae_bench: CsaeBench) -> None:
    write(tmp_path / "a.json", sparse_probing(0.7))
    outcome = csae_bench("compare", tmp_path, "--metrics", "sparse_probing.sae_top_50_*")
    assert outcome.exit_code == 0
    assert "no result has a value" in " ".join(outcome.stdout.split())
