"""The notebooks in examples/ run from their first cell to their last one, in Jupyter's kernel."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.mark.slow
@every_notebook
def test_a_notebook_runs_to_its_end(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells[-1].outputs
    outputs = [output for cell in cells for output in cell.outputs]
    said = [output.text for output in outputs if output.get("name") == "stderr"]
    # tqdm says so where Jupyter's widgets are not installed
    assert [text for text in said if "IProgress not found" not in text] == []


@every_notebook
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert cells
    assert not any(cell.get("outputs") for cell in cells)


def test_there_is_a_notebook_for_each_question() -> None:
    names = {path.stem for path in NOTEBOOKS}
    assert {"judge_your_sae", "read_a_comparison", "train_and_disentangle"} <= names
