"""A wheel carries everything: it works in a folder of its own, with no checkout around it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel, built from this checkout, was installed to."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    offline = ["--no-index", "--no-deps"]
    build = [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "target"
    install = [*pip, "install", *offline, "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return target


def _run(installed: Path, tmp_path: Path, *arguments: str) -> str:
    code = (
        f"import sys; sys.path.insert(0, {str(installed)!r})\n"
        # an editable install announces the checkout through a finder of its own
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n"
        f"sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
        "import csae_bench\n"
        f"assert csae_bench.__file__.startswith({str(installed)!r}), csae_bench.__file__\n"
        f"from csae_bench.cli.main import main; main({list(arguments)!r})"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_evals_and_configurations_are_listed_from_the_wheel(
    installed: Path, tmp_path: Path
) -> None:
    listed = _run(installed, tmp_path, "list")
    for name in ("core", "mig", "custom_sae", "original_run_1", "gemma_2_2b", "tiny-gemma2-it"):
        assert name in listed


def test_the_pages_template_and_the_schemas_are_in_the_wheel(installed: Path) -> None:
    package = installed / "csae_bench"
    for page in (
        "pages/frame.html",
        "engines/factors/heat_map.html",
        "engines/probing/browser/page.html",
    ):
        assert (package / page).is_file()
    assert (package / "engines" / "probing" / "browser" / "main.js").is_file()
    assert (package / "evals" / "eval_output_schema_mig.json").is_file()


def test_doctor_finds_the_bundled_model_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    assert "tiny-gemma2-it" in _run(installed, tmp_path, "doctor", "--sae", "custom_sae")


def test_site_packages_gets_one_top_level_package(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names - {"bin", "__pycache__"} == {"csae_bench"}


def test_the_wheel_carries_types_and_model_and_no_tests(installed: Path) -> None:
    (wheel,) = installed.parent.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "csae_bench/py.typed" in names
    assert "csae_bench/tinyworld/tiny-gemma2-it/model.safetensors" in names
    assert not any(name.startswith(("tests/", "benchmarks/", "results/")) for name in names)
