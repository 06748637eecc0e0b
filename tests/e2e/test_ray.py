"""Several SAEs on a Ray cluster: the results of one process, whatever becomes of the nodes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from csae_bench.support.named_configs import config_folder
from tests.e2e.comparing import assert_equal_results
from tests.e2e.conftest import CUSTOM, CsaeBench
from tests.ray_clusters import SECONDS, cluster, hear_ctrl_c, kill_node, ray_env, wait_for

TWO_SAES = (
    "--sae", "random", "--sae", "identity", "--evals", "core", "--set", "threads=1",
    "--set", "evals.core.n_eval_reconstruction_batches=2",
    "--set", "evals.core.n_eval_sparsity_variance_batches=2",
    "--set", "evals.core.context_size=64",
)  # fmt: skip
"""A matrix that takes seconds."""

WITHOUT_RAY = "import sys; sys.modules['ray'] = None; from csae_bench.cli.main import main; main()"
"""A process in which `import ray` fails as where Ray is not installed."""


def _command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "csae_bench.cli", *(str(argument) for argument in arguments)]


def _records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in folder.glob("runs/*.json")]


def test_two_actors_of_a_local_ray_give_the_results_of_local_to_the_bit(
    csae_bench: CsaeBench, tmp_path: Path
) -> None:
    local, ray = tmp_path / "local", tmp_path / "ray"
    outcome = csae_bench("run", *TWO_SAES, "--results", local)
    assert outcome.exit_code == 0, outcome.stderr
    flags = ("--results", ray, "--executor", "ray", "--workers", "2", "--json")
    done = subprocess.run(
        _command("run", *TWO_SAES, *flags),
        env=ray_env(), capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_equal_results(local, ray, n=2)
    assert [record["status"] for record in json.loads(done.stdout)] == ["ok", "ok"]
    assert [record["lost_workers"] for record in _records(ray)] == [[], []]
    assert re.search(r"a local Ray cluster was started in \d+\.\d s", done.stderr)
    assert "2 of 2 SAEs done" in done.stderr
    assert not list(ray.glob("cache/ray/*"))


def test_without_ray_the_error_names_the_extra(tmp_path: Path) -> None:
    flags = ("run", *TWO_SAES, "--results", str(tmp_path / "results"), "--executor", "ray")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, *flags],
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 2
    assert "error: --executor ray needs the package ray, which is not installed" in done.stderr
    assert "pip install 'csae-bench[ray]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_ray_is_imported_by_nothing_but_its_executor() -> None:
    code = (
        "import sys, csae_bench, csae_bench.cli.main, csae_bench.runs.run, "
        "csae_bench.executors.ray_settings; sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=SECONDS).returncode == 0
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, "run", "--help"],
        capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0
    assert "--ray-address" in done.stdout


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--ray-address", "nowhere"), "--ray-address nowhere: is no address; it must be host:"),
        (("--ray-address", "ray://127.0.0.1:10001"), "is the address of a Ray Client server"),
        (("--ray-address", "127.0.0.1:1"), "--ray-address 127.0.0.1:1: no Ray cluster answers"),
        (("--device", "cuda:1"), "--device: device is 'cuda:1'; with --executor ray it must be"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(
    csae_bench: CsaeBench, tmp_path: Path, flags: tuple[str, ...], says: str
) -> None:
    outcome = csae_bench("run", *TWO_SAES, "--results", tmp_path, "--executor", "ray", *flags)
    assert outcome.exit_code == 2
    assert says in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("flags", [("--collect",), ("--ray-address", "auto")])
def test_options_of_ray_without_ray_are_a_mistake(
    csae_bench: CsaeBench, flags: tuple[str, ...]
) -> None:
    outcome = csae_bench("doctor", "--sae", "random", *flags)
    assert outcome.exit_code == 2
    assert f"{flags[0]} is for --executor ray; leave it out, or name that." in outcome.stderr


@pytest.mark.slow
def test_doctor_says_what_the_cluster_has_and_what_fits_no_node(tmp_path: Path) -> None:
    fits = ("--sae", "random", "--set", "threads=1")
    too_large = ("--sae", "random", "--set", "threads=999")
    for flags, code, outcome, says in (
        (fits, 0, "ok", "a worker needs 1 CPU"),
        (too_large, 2, "problem", "ray: a worker needs 999 CPU"),
    ):
        done = subprocess.run(
            _command("doctor", *flags, "--results", tmp_path, "--executor", "ray", "--json"),
            env=ray_env(), capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        (check,) = [one for one in json.loads(done.stdout)["checks"] if one["name"] == "ray"]
        assert check["outcome"] == outcome
        assert check["message"].startswith(says)
        assert re.search(r"Nodes: [\d.]+/\w{8}: \d+ CPU", check["message"])


SWEEP = "sae.k: [12, 18]\nsae.losses.rows.weight: [0, 0.2]\n"


@pytest.fixture(scope="module")
def together(csae_bench: CsaeBench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of four SAEs that are trained, in one process."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "grid.yaml").write_text(SWEEP)
    results = folder / "results"
    outcome = csae_bench("run", *CUSTOM, "--sweep", folder / "grid.yaml", "--results", results)
    assert outcome.exit_code == 0, outcome.stderr
    return results


def _kill_a_node_that_trains(running: subprocess.Popen[str], nodes: Any) -> tuple[str, str]:
    """Kill the first node whose worker trains; return its name, and all of stderr."""
    assert running.stderr is not None
    said = ""
    for line in running.stderr:
        said += line
        match = re.match(r"worker \d+ on (\S+/(\w{8})): (?:\S+: )?training", line)
        if match is not None:
            (node,) = [one for one in nodes.workers if one.node_id.startswith(match[2])]
            kill_node(node)
            rest = running.communicate(timeout=SECONDS)[1]
            return match[1], said + rest
    raise AssertionError(said)


def _assert_the_loss_is_recorded(results: Path, node: str) -> None:
    losses = [record["lost_workers"] for record in _records(results) if record["lost_workers"]]
    assert losses, "no record names the loss"
    assert len(losses) < 4, "the SAEs of other workers lost nothing"
    for ((loss,),) in zip(losses, strict=True):
        assert loss["node"] == node
        assert loss["worker"].endswith(node)
        assert (loss["attempt"], loss["reason"]) == (1, "was lost with its node")
        assert loss["pid"] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves a dead node's pipes open
@pytest.mark.parametrize("collect", [False, True], ids=["shared folder", "collect"])
def test_a_node_that_is_killed_in_a_training_loses_no_sae_and_doubles_none(
    together: Path, tmp_path: Path, collect: bool
) -> None:
    driver = tmp_path / "driver"
    (driver / "mine").mkdir(parents=True)
    # relative paths alone: a node could not find them if they were not brought to it
    for path in config_folder().glob("*.yaml"):
        shutil.copy(path, driver / "mine")
    (driver / "grid.yaml").write_text(SWEEP)
    flags = [flag if flag != "custom_sae" else "mine/custom_sae.yaml" for flag in CUSTOM]
    with cluster(3, tmp_path) as nodes:
        running = subprocess.Popen(
            nodes.command(
                "run", *flags, "--sweep", "grid.yaml", "--results", "results", "--json",
                *(["--collect"] if collect else []),
            ),
            cwd=driver, env=ray_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        node, said = _kill_a_node_that_trains(running, nodes)
        assert running.returncode == 0, said
        alive = [home for home, one in zip(nodes.homes, nodes.workers, strict=True)
                 if not node.endswith(one.node_id[:8])]  # fmt: skip
        assert not [left for home in alive for left in home.glob("tmp/csae-bench-node-*")]
    assert "was lost with its node" in said
    assert "attempt 2 of 3" in said
    assert "Traceback" not in said
    assert_equal_results(together, driver / "results", n=4)
    assert [record["status"] for record in _records(driver / "results")] == ["ok"] * 4
    _assert_the_loss_is_recorded(driver / "results", node)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--collect",)], ids=["shared folder", "collect"])
def test_after_ctrl_c_no_worker_is_left_and_the_same_command_ends_in_the_same_results(
    together: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    (tmp_path / "grid.yaml").write_text(SWEEP)
    command = _command(
        "run", *CUSTOM, "--sweep", tmp_path / "grid.yaml", "--results", tmp_path / "results",
        "--executor", "ray", "--workers", "2", *flags,
    )  # fmt: skip
    running = subprocess.Popen(
        command, env=ray_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=hear_ctrl_c,
    )  # fmt: skip
    assert running.stderr is not None
    said = ""
    while ": training" not in said:
        line = running.stderr.readline()
        assert line, said
        said += line
    workers = wait_for(lambda: _workers(running.pid), running)
    running.send_signal(signal.SIGINT)
    said += running.communicate(timeout=SECONDS)[1]
    assert running.returncode == 4, said
    assert "Traceback" not in said
    assert not [worker for worker in workers if worker.is_running()]
    # what was trained so far is here
    checkpoints = tmp_path / "results" / "checkpoints"
    assert [*checkpoints.glob("*/*/trainer/*"), *checkpoints.glob("*/*/inference/*")]
    done = subprocess.run(command, env=ray_env(), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert_equal_results(together, tmp_path / "results", n=4)


def _workers(parent: int) -> list[Any]:
    """Worker processes of a run, which descend from it through Ray's own."""
    import psutil

    return [
        process
        for process in psutil.Process(parent).children(recursive=True)
        if any("csae_bench.cli.worker" in part for part in process.cmdline())
    ]
