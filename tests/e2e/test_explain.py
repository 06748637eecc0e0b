"""`csae-bench explain`."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.e2e.conftest import CsaeBench


def test_a_score_is_explained_on_stdout(csae_bench: CsaeBench) -> None:
    outcome = csae_bench("explain", "mig.value_mig")
    assert outcome.exit_code == 0
    assert "0 to 1, higher is better" in outcome.stdout
    assert outcome.stderr == ""


def test_json_has_the_same_as_objects(csae_bench: CsaeBench) -> None:
    told = json.loads(csae_bench("explain", "core.mse", "--json").stdout)
    assert told["name"] == "core.mse"
    assert told["corrected"]["name"] == "core.corrected.mse"
    assert (told["low"], told["high"], told["direction"]) == (0, None, "lower")


def test_a_wrong_name_is_a_usage_error_with_a_suggestion(csae_bench: CsaeBench) -> None:
    outcome = csae_bench("explain", "value_mgi")
    assert outcome.exit_code == 2
    assert "Did you mean 'value_mig'?" in outcome.stderr
    assert outcome.stdout == ""


def test_it_imports_no_torch() -> None:
    code = (
        "import sys\nfrom csae_bench.cli.main import main\n"
        "try: main(['explain', 'mig.value_mig'])\nexcept SystemExit: pass\n"
        "slow = {'torch', 'transformers', 'sae_lens', 'sae_bench', 'datasets', 'scipy'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
