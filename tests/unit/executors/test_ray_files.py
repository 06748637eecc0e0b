"""What goes to a node without a shared disk: the SAEs of its shard, and nothing by another name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from csae_bench.errors import UsageError
from csae_bench.executors.messages import Shard
from csae_bench.executors.ray_files import Courier
from csae_bench.executors.transfer import FolderFiles
from csae_bench.runs.plan import SaePlan, plan, plan_sae
from csae_bench.runs.request import RunRequest
from csae_bench.support.named_configs import config_folder


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with configurations of its own below it."""
    folder = tmp_path / "driver"
    (folder / "mine").mkdir(parents=True)
    for path in config_folder().glob("*.yaml"):
        shutil.copy(path, folder / "mine")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def node(tmp_path: Path) -> Path:
    return tmp_path / "node"


Bring = Callable[..., tuple[Courier, SaePlan, RunRequest]]


@pytest.fixture
def bring(driver: Path, node: Path) -> Bring:
    """Brings one request to the node; returns the courier, the plan, and the node's request."""

    def call(**values: object) -> tuple[Courier, SaePlan, RunRequest]:
        given = {"results": Path("out"), "evals": ("mig",), **values}
        (sae,) = plan([RunRequest(**given)]).saes  # pyright: ignore[reportArgumentType]
        there = FolderFiles(node)
        courier = Courier(there, FolderFiles(node / "results"), {sae.request: sae})
        shard = courier.bring(Shard(number=0, requests=(sae.request,)))
        return courier, sae, shard.requests[0]

    return call


def _planned_there(request: RunRequest, node: Path, monkeypatch: pytest.MonkeyPatch) -> SaePlan:
    monkeypatch.chdir(node)
    return plan_sae(request)


@pytest.mark.parametrize("source", ["mine/custom_sae_small.yaml", "custom_sae_small", "absolute"])
def test_a_configuration_makes_the_same_sae_on_the_node(
    bring: Bring, driver: Path, node: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    if source == "absolute":
        source = str(driver / "mine" / "custom_sae_small.yaml")
    _, here, request = bring(source=source)
    node.mkdir(exist_ok=True)
    there = _planned_there(request, node, monkeypatch)
    assert not there.problems
    assert here.resolved_sae is not None
    assert there.resolved_sae is not None
    assert there.resolved_sae.sae_id == here.resolved_sae.sae_id
    assert there.resolved_sae.training_hash == here.resolved_sae.training_hash
    assert not Path(request.source).is_absolute()
    assert request.results == Path("results")


def test_what_an_sae_has_goes_there_and_what_others_have_does_not(
    bring: Bring, driver: Path, node: Path
) -> None:
    (sae,) = plan([RunRequest(source="custom_sae_small", results=Path("out"))]).saes
    assert sae.resolved_sae is not None
    state = sae.resolved_sae.checkpoint / "trainer" / "state"
    other = Path("out/checkpoints/other/0123/inference/cfg.json")
    name = f"{sae.resolved_sae.release}_custom_sae_small"
    mine = [
        state,
        Path(f"out/mig/{name}_eval_results.json"),
        Path(f"out/mig/{name}_0a1b2c3d_eval_results.json"),
        Path(f"out/runs/{name}.json"),
    ]
    for path in (*mine, other, Path("out/mig/other_eval_results.json"), Path("out/cache/large")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    bring(source="custom_sae_small")
    there = {path.relative_to(node) for path in node.rglob("*") if path.is_file()}
    assert there == {"results" / path.relative_to("out") for path in mine}


def test_results_come_back_once_and_the_state_of_a_training_only_at_the_end(
    bring: Bring, driver: Path, node: Path
) -> None:
    courier, _, _ = bring(source="custom_sae_small")
    for place in ("mig/a_eval_results.json", "checkpoints/a/0/trainer/state", "cache/large",
                  "checkpoints/a/0/training_log.jsonl", "artifacts/mig/a/page.html"):  # fmt: skip
        (node / "results" / place).parent.mkdir(parents=True, exist_ok=True)
        (node / "results" / place).write_text(place)
    first = courier.collect(is_last=False)
    assert sorted(first) == [
        "artifacts/mig/a/page.html",
        "checkpoints/a/0/training_log.jsonl",
        "mig/a_eval_results.json",
    ]
    assert courier.collect(is_last=False) == []
    assert courier.collect(is_last=True) == ["checkpoints/a/0/trainer/state"]
    assert Path("out/mig/a_eval_results.json").read_text() == "mig/a_eval_results.json"
    assert not Path("out/cache").exists()


def test_what_was_brought_does_not_come_back(bring: Bring, driver: Path) -> None:
    (sae,) = plan([RunRequest(source="custom_sae_small", results=Path("out"))]).saes
    assert sae.resolved_sae is not None
    log = sae.resolved_sae.checkpoint / "training_log.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("")
    courier, _, _ = bring(source="custom_sae_small")
    assert courier.collect(is_last=True) == []


def test_text_of_a_folder_goes_to_the_same_place(
    bring: Bring, driver: Path, node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("texts").mkdir()
    Path("texts/one.txt").write_text("The cat sat on the mat. " * 500)
    _, here, request = bring(source="custom_sae_small", sets=("activations.dataset=texts",))
    assert (node / "texts" / "one.txt").is_file()
    there = _planned_there(request, node, monkeypatch)
    assert here.resolved_sae is not None
    assert there.resolved_sae is not None
    assert there.resolved_sae.training_hash == here.resolved_sae.training_hash


class _Elsewhere(FolderFiles):
    """A node that has no folder of the driver's."""

    def has(self, place: str) -> bool:
        del place
        return False


def test_an_absolute_path_that_the_node_lacks_is_a_mistake(driver: Path, node: Path) -> None:
    (driver / "texts").mkdir()
    (driver / "texts" / "one.txt").write_text("The cat sat on the mat. " * 500)
    text = str(driver / "texts")
    request = RunRequest(
        source="custom_sae_small", results=Path("out"), sets=(f"activations.dataset={text}",)
    )
    courier = Courier(_Elsewhere(node), FolderFiles(node / "results"), {request: plan_sae(request)})
    with pytest.raises(UsageError, match=f"{text}: is not on the node. With --collect, name it"):
        courier.bring(Shard(number=0, requests=(request,)))
