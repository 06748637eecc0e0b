"""An installed package of somebody else's brings an eval and a factor dataset."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.sae_folders import D_IN, write_sae

PACKAGE = Path(__file__).parents[1] / "data" / "package"
BROKEN = {
    "raises": ("import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere"),
    "exits": ("raise SystemExit(0)\n", "SystemExit: 0"),
    "registers nothing": ("", "but registers none of this name"),
    "a faulty row": (
        "from csae_bench.evals import Direction, Metric\n"
        "Metric(title='Score', description='', direction=Direction.HIGHER)\n",
        "metric 'Score': it needs a description",
    ),
}

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Site:
    """A folder that packages are installed to, on the path of the commands that are run."""

    folder: Path

    def run(self, *arguments: str | Path) -> Done:
        """The outcome of a csae-bench command."""
        command = [sys.executable, "-m", "csae_bench.cli", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=120
        )

    def listed(self, kind: str) -> dict[str, str]:
        """What `csae-bench list KIND` has."""
        done = self.run("list", kind, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)[kind]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The package, built and installed by pip."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    flags = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    subprocess.run([*pip, *flags, str(PACKAGE)], check=True, capture_output=True)
    return Site(folder)


@pytest.fixture(scope="module")
def results(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the eval for two SAEs: of `narrow` fewer latents fire than of `wide`."""
    folder = tmp_path_factory.mktemp("theirs")
    for name, k in (("wide", 128), ("narrow", 48)):
        _write_sae(folder / name, k)
    saes = ("--sae", folder / "wide", "--sae", folder / "narrow")
    done = site.run("run", *saes, "--evals", "theirs", "--results", folder / "results")
    assert done.returncode == 0, done.stderr
    assert "Firing latents: 0 to 1, higher is better" in done.stdout
    assert " 0.8" in done.stdout
    return folder / "results"


def _write_sae(folder: Path, k: int) -> None:
    """Reconstructs the k largest of an activation's entries, by a latent for either sign."""
    signs = np.concatenate([np.eye(D_IN, dtype=np.float32), -np.eye(D_IN, dtype=np.float32)])
    tensors = {
        "W_enc": np.ascontiguousarray(signs.T),
        "W_dec": signs,
        "b_enc": np.zeros(2 * D_IN, np.float32),
    }
    write_sae(folder, k=k, d_sae=2 * D_IN, tensors=tensors)


def _against_wide(site: Site, results: Path, *flags: str) -> Done:
    (wide,) = (path.stem for path in results.glob("runs/*_wide-*.json"))
    name = wide.removeprefix("tiny-gemma2-it_layer_2_sae_")
    return site.run("compare", results, "--against", name, *flags)


def test_its_eval_its_metrics_and_its_dataset_are_listed(site: Site) -> None:
    assert site.listed("evals")["theirs"] == "A third party's eval: how many latents fire."
    assert site.listed("factors")["weather"].startswith("Places and their weather")
    metrics = site.listed("metrics")
    assert metrics["theirs.score"] == "Firing latents; higher is better; gates"
    assert metrics["theirs.silent"] == "Silent latents; lower is better"
    assert "theirs.n_samples" not in metrics


def test_its_scores_are_explained(site: Site) -> None:
    done = site.run("explain", "theirs.silent", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["description"], told["direction"]) == ("1 minus the share that fires.", "lower")
    assert site.run("explain", "theirs.silnt").stderr.count("Did you mean 'silent'?") == 1


def test_its_result_tells_its_data_and_its_version(results: Path) -> None:
    for path in results.glob("theirs/*_eval_results.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        assert result["eval_config"]["factors"] == "weather"
        assert result["eval_result_metrics"]["scores"]["n_samples"] == 18
        provenance = result["eval_result_unstructured"]["provenance"]
        assert provenance["versions"]["csae_theirs"] == "1.2"


def test_its_rows_give_verdicts(site: Site, results: Path) -> None:
    done = _against_wide(site, results, "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["metric"]: row for row in json.loads(done.stdout)["comparisons"]}
    assert set(rows) == {"theirs.score", "theirs.silent"}
    assert rows["theirs.score"]["verdict"] == "worse"
    assert rows["theirs.score"]["gates"]
    assert not rows["theirs.silent"]["gates"]


@pytest.mark.parametrize(
    ("rule", "code", "said"),
    [
        ("theirs.score:-0.01", 1, "theirs.score"),
        ("theirs.score:ci", 1, "theirs.score"),
        ("theirs.*:ci", 1, "theirs.score"),
        ("theirs.silent:0.01", 1, "theirs.silent"),
        ("theirs.score:-0.9", 0, ""),
        ("theirs.score:0.01", 2, "theirs.score is better when higher"),
        ("theirs.silent:-0.01", 2, "theirs.silent is better when lower"),
        ("theirs.n_samples:ci", 2, "theirs.n_samples has no preferred direction"),
    ],
)
def test_it_gates(site: Site, results: Path, rule: str, code: int, said: str) -> None:
    done = _against_wide(site, results, "--fail-on", rule)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize("fault", BROKEN)
def test_a_package_that_cannot_be_imported_breaks_nothing_else(
    fault: str, results: Path, tmp_path: Path
) -> None:
    code, said = BROKEN[fault]
    broken = _broken(tmp_path, code)
    evals = broken.listed("evals")
    assert said in evals["theirs"]
    assert "csae-broken 0.1" in evals["theirs"]
    assert "mig" in evals

    compared = broken.run("compare", results)
    assert compared.returncode == 0, compared.stderr
    assert said in " ".join(compared.stdout.split())
    gated = _against_wide(broken, results, "--fail-on", "theirs.score:ci")
    assert gated.returncode == 2
    assert said in gated.stderr
    for done in (compared, gated):
        assert "Traceback" not in done.stdout + done.stderr


def test_an_eval_and_a_dataset_that_cannot_be_imported_are_problems(tmp_path: Path) -> None:
    broken = _broken(tmp_path, BROKEN["raises"][0])
    assert "cannot be imported" in broken.listed("factors")["weather"]
    flags = ("--evals", "mig,theirs", "--set", "evals.mig.factors=weather")
    doctor = broken.run("doctor", "--sae", "custom_sae", *flags)
    said = " ".join((doctor.stdout + doctor.stderr).split())
    assert doctor.returncode == 2
    assert "The eval 'theirs' of the installed package csae-broken 0.1 cannot be imported" in said
    assert "The factor dataset 'weather' of the installed package csae-broken 0.1 cannot" in said
    assert "Traceback" not in said


def _broken(folder: Path, code: str) -> Site:
    """A package that announces `theirs` and `weather` and has this code in their module."""
    (folder / "csae_broken.py").write_text(code)
    info = folder / "csae_broken-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: csae-broken\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(
        "[csae_bench.evals]\ntheirs = csae_broken\n[csae_bench.factors]\nweather = csae_broken\n"
    )
    return Site(folder)
