"""csae_bench/comparison/policy.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.policy import Policy, load_policy
from csae_bench.errors import ConfigError


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return path


def test_a_policy_reads_what_it_says(tmp_path: Path) -> None:
    path = _written(
        tmp_path,
        "alpha: 0.01\nseeds: 3\nevals: [core]\nstrict: true\n"
        "rules: {core.ce_loss_score: -1e-2, 'mig.*': ci}\nmargins: {mig.value_mig: 1}\n",
    )
    policy = load_policy(path, [])
    assert [str(rule) for rule in policy.rules] == ["core.ce_loss_score:-0.01", "mig.*:ci"]
    assert (policy.alpha, policy.seeds, policy.evals, policy.strict) == (0.01, 3, ("core",), True)
    assert policy.margins == {"mig.value_mig": 1}


def test_flags_add_to_a_policy(tmp_path: Path) -> None:
    policy = load_policy(_written(tmp_path, "rules: {a.b: ci}\n"), ["c.d:-1"], strict=True)
    assert [str(rule) for rule in policy.rules] == ["a.b:ci", "c.d:-1"]
    assert policy.strict


ASKS_NOTHING = (
    "",
    "\n\n",
    "# rules: {core.l0: ci}\n",
    "---\n",
    "---\n...\n",
    "null",
    "~",
    "{}",
    "rules: {}",
    "evals: []",
    "margins: {}",
    "strict: false",
    "rules: {}\nevals: []\nmargins: {}\nstrict: false\n",
)


@pytest.mark.parametrize("flags", [(), ("core.l0:1",)])
@pytest.mark.parametrize("text", ASKS_NOTHING)
def test_a_policy_that_asks_for_nothing_is_an_error_that_names_it(
    text: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    path = _written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_policy(path, flags)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "n_notes"),
    [("alpha: 0.01", 1), ("margins: {core.l0: 1}", 1), ("seeds: 2", 0), ("evals: [core]", 0)],
)
def test_a_policy_that_nothing_can_fail_by_says_so(text: str, n_notes: int, tmp_path: Path) -> None:
    path = _written(tmp_path, text)
    assert len(load_policy(path, []).notes) == n_notes
    assert load_policy(path, ["core.l0:1"]).notes == ()


def test_strict_asks_for_something_where_there_is_a_rule(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="asks for nothing"):
        load_policy(_written(tmp_path, "strict: true"), [])
    assert load_policy(_written(tmp_path, "strict: true"), ["mig.mig:ci"]).strict


def test_an_empty_policy_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is empty; it must be a mapping"):
        load_policy(_written(tmp_path, ""), [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seds: 3", "unknown key 'seds'. Did you mean 'seeds'?"),
        ("alpha: 2", "alpha is 2; it must be less than 0.5."),
        ("seeds: 0", "seeds is 0;"),
        ("seeds: true", "seeds is True;"),
        ("evals: core", "evals is 'core'; it must be a list of names."),
        ("rules: [a]", "rules is ['a']; it must be a mapping."),
        ("rules: {a.b: cii}", "rules.a.b is 'cii'; it must be a number"),
        ("rules: {a.b: .nan}", "rules.a.b is nan; it must be a number"),
        ("rules: {a.b: true}", "rules.a.b is True; it must be a number"),
        ("rules: {3: ci}", "rules has the key 3; it must be a text."),
        ("margins: {a.b: 0}", "margins.a.b is 0;"),
        ("- a", "must be a mapping"),
        ("a: [", "line"),
    ],
)
def test_what_is_wrong_with_a_policy_is_a_sentence_with_its_path(
    text: str, expected: str, tmp_path: Path
) -> None:
    path = _written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_policy(path, [])
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_all_that_is_wrong_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_policy(_written(tmp_path, "alpha: 2\nseeds: 0\nrules: {a.b: x}\n"), [])
    assert len(caught.value.problems) == 3


def test_a_margin_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    policy = load_policy(_written(tmp_path, "margins: {mig.valu_mig: 0.1}\n"), [])
    with pytest.raises(ConfigError, match=r"Did you mean 'mig\.value_mig'"):
        policy.check(["mig.value_mig"])


def test_without_a_rule_the_registry_says_what_gates() -> None:
    assert Policy().gates(lookup("core.ce_loss_score"))
    assert not Policy().gates(lookup("unlearning.unlearning_score"))


def test_with_rules_they_say_what_gates() -> None:
    policy = load_policy(None, ["unlearning.unlearning_score:ci"])
    assert policy.gates(lookup("unlearning.unlearning_score"))
    assert not policy.gates(lookup("core.ce_loss_score"))
