"""Environment of a worker on a node of a Ray cluster.

Ray copies some of the driver's environment to its actors, and sets OMP_NUM_THREADS and
CUDA_VISIBLE_DEVICES itself. What decides numbers and downloads is therefore set here, for the
process that imports torch, before it starts. It is not part of Ray's runtime_env, which Ray's logs
show: HF_TOKEN is among it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_PASSED_ON = ("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "CSAE_BENCH_", "WANDB_", "CUBLAS_", "NCCL_")
"""Beginnings of the names of variables that a worker has as the driver has them."""

_PLACES = (
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_ASSETS_CACHE",
    "HF_XET_CACHE",
    "HF_DATASETS_CACHE",
    "HF_TOKEN_PATH",
    "HF_MODULES_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "TRANSFORMERS_CACHE",
    "CSAE_BENCH_CACHE",
    "WANDB_DIR",
)
"""Those of them that name folders, which other machines have only on a shared disk."""


def passed_on(environ: Mapping[str, str], *, is_shared: bool) -> dict[str, str]:
    """Return the variables that the driver hands to its workers.

    Args:
        is_shared: whether the nodes have the driver's folders.
    """
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(_PASSED_ON) and (is_shared or name not in _PLACES)
    }


def worker_env(
    passed: Mapping[str, str], *, n_threads: int, gpu_ids: Sequence[str]
) -> dict[str, str]:
    """Return the variables of a worker process.

    Args:
        passed: from the driver.
        n_threads: CPUs that Ray holds for it.
        gpu_ids: GPUs that Ray holds for it; none: it sees none, as another worker may have them.
    """
    return {
        **passed,
        "OMP_NUM_THREADS": str(n_threads),
        # threads that wait by spinning take the cores of the other workers of a node
        "OMP_WAIT_POLICY": "PASSIVE",
        # Ray numbers GPUs as nvidia-smi does
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": ",".join(gpu_ids),
    }
