"""Training a contrastive SAE on activations of a model of Gemma-2-2B's shape, by our own path.

The buffer of pairs is refilled every eight or nine steps, and the model runs then alone: times are
taken over whole cycles, from refill to refill. Three cycles run freely, which gives the tokens a
second; one more waits for the device around every model pass and every step of the SAE, which
gives their shares.

The share of the card's rate is the time that the operations of `csae_bench.hardware.gpus` would
take at the rates measured in the same process, bfloat16 for the model and float32 or TF32 for the
SAE, divided by the time taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks.on_gpu.card import PRECISIONS, matmul_precision, matmul_rates
from benchmarks.on_gpu.measuring import (
    GIB,
    GpuReport,
    peak_memory,
    reset_peak_memory,
    synchronise,
)
from benchmarks.on_gpu.sizes import Size, make_sae, model_info, random_model, size

if TYPE_CHECKING:
    from collections.abc import Generator

    from transformer_lens import HookedTransformer

    from csae_bench.config import RunConfig
    from csae_bench.training.loop import ContrastiveSAETrainer

N_FREE_CYCLES = 3
N_KERNELS = 20
"""Kernels that the JSON names, those that take most time."""

AtRefill = Callable[["ContrastiveSAETrainer", int], None]


def run(report: GpuReport) -> None:
    """Train at each width, at torch's own precision of float32 products first."""
    of = size(report.is_small)
    made: dict[str, Any] = {}
    report.part("matmul rates", lambda: made.update(rates=matmul_rates(of, report.device)))
    report.part("model", lambda: made.update(model=random_model(of, report.device)))
    if len(made) < 2:
        return
    for precision in PRECISIONS:
        for width in of.widths:
            work = partial(_train, report, of, made["model"], made["rates"], width, precision)
            report.part(f"train {width} {precision}", work)
        if precision == "fp32":
            report.part("kernels 16k", lambda: _profile(report, of, made["model"]))


def _train(
    report: GpuReport,
    of: Size,
    model: HookedTransformer,
    rates: dict[str, float],
    width: str,
    precision: str,
) -> None:
    reset_peak_memory(report.device)
    watch = _Watch(report.device)
    marks: dict[str, tuple[float, int]] = {}

    def at_refill(trainer: ContrastiveSAETrainer, number: int) -> None:
        now = time.perf_counter(), trainer.n_training_steps
        if number == 1:
            marks["free"] = now
        elif number == 1 + N_FREE_CYCLES:
            marks["split"] = now
            watch.start()
        elif number == 2 + N_FREE_CYCLES:
            marks["end"] = now
            raise _DoneError

    config = of.config(width, n_steps=2 * (4 + N_FREE_CYCLES) * of.steps_in_cycle)
    with matmul_precision(precision), _nothing_ahead(report.device):
        loss = _fit(config, model, report.device, watch, at_refill)
    (free, first), (split, middle), (end, last) = (marks[x] for x in ("free", "split", "end"))
    prefix = f"gpu_train_{width}" if precision == "fp32" else f"gpu_train_{width}_{precision}"
    seconds_a_step = (split - free) / (middle - first)
    report.figure(f"{prefix}_tokens_per_second", round(of.batch_size / seconds_a_step), "tokens/s")
    ideal = _ideal_seconds(config, of, rates, precision)
    report.figure(f"{prefix}_share_of_matmul", round(ideal / seconds_a_step, 3), "ratio")
    shares = {name: watch.seconds[name] / (end - split) for name in ("model", "step", "text")}
    shares["waiting"] = 1 - shares["model"] - shares["step"]
    report.detail(
        f"{prefix}",
        {
            "seconds_a_step": seconds_a_step,
            "seconds_a_step_when_waited_for": (end - split) / (last - middle),
            "seconds_a_step_at_measured_matmul": ideal,
            "share_of_time": shares,
            "tokens_read_a_step": watch.n_tokens / (last - middle),
            "n_steps": middle - first,
            "loss": loss,
        },
    )
    if precision == "fp32":
        for figure, name in (("model", "model"), ("sae", "step"), ("waiting", "waiting")):
            report.figure(f"{prefix}_{figure}_share", round(shares[name], 3), "ratio")
        _memory(report, of, config, prefix)


@contextmanager
def _nothing_ahead(device: str) -> Generator[None]:
    """Train with one thread on a CPU: with more a batch is drawn while the step before is made, and
    the shares of both would be more than all of the time.
    """
    import torch

    n_threads = torch.get_num_threads()
    if torch.device(device).type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def _memory(report: GpuReport, of: Size, config: RunConfig, prefix: str) -> None:
    from csae_bench.hardware import memory

    peak = peak_memory(report.device)
    parts = memory.estimate(
        config, model_info(of), eval_batch=of.core_prompts, eval_context=of.context_size
    ).training
    parts = {name: n_bytes / GIB for name, n_bytes in parts.items() if name != "libraries"}
    report.figure(f"{prefix}_peak_memory", peak, "GiB")
    report.figure(f"{prefix}_memory_forecast", round(sum(parts.values()) / peak, 3), "ratio")
    report.detail(f"{prefix}_forecast_gib", {name: round(part, 3) for name, part in parts.items()})


def _ideal_seconds(config: RunConfig, of: Size, rates: dict[str, float], precision: str) -> float:
    """Seconds of a step whose operations all run at the card's measured rates."""
    from csae_bench.hardware.gpus import training_operations

    total = training_operations(config, model_info(of))
    seconds = total.bfloat16 / rates["bf16"] + total.float32 / rates[precision]
    return seconds / config.training.n_steps


def _profile(report: GpuReport, of: Size, model: HookedTransformer) -> None:
    """Share of a cycle in which the device computes at all, and what it computes."""
    import torch

    on_gpu = report.device.startswith("cuda")
    activity = (
        torch.profiler.ProfilerActivity.CUDA if on_gpu else torch.profiler.ProfilerActivity.CPU
    )
    profiler = torch.profiler.profile(activities=[activity])
    seconds: list[float] = []

    def at_refill(trainer: ContrastiveSAETrainer, number: int) -> None:
        del trainer
        if number == 1:
            profiler.start()
            seconds.append(time.perf_counter())
        elif number == 2:
            seconds.append(time.perf_counter())
            profiler.stop()
            raise _DoneError

    config = of.config("16k", n_steps=8 * of.steps_in_cycle)
    _fit(config, model, report.device, _Watch(report.device), at_refill)
    field = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    kernels = sorted(
        (
            (getattr(event, field) / 1e6, event.count, event.key)
            for event in profiler.key_averages()
        ),
        reverse=True,
    )
    wall = seconds[1] - seconds[0]
    busy = sum(taken for taken, _, _ in kernels) / wall
    report.figure("gpu_train_16k_busy_share", round(busy, 3), "ratio")
    rows = [[round(taken / wall, 4), count, key[:120]] for taken, count, key in kernels[:N_KERNELS]]
    report.detail("kernels_16k", {"share_of_wall, calls, name": rows})


class _DoneError(Exception):
    """All that is measured was measured."""


def _fit(
    config: RunConfig,
    model: HookedTransformer,
    device: str,
    watch: _Watch,
    at_refill: AtRefill,
) -> float | None:
    """Train until `at_refill` raises `_DoneError`; return the last loss."""
    from csae_bench.training.data import pair_stream
    from csae_bench.training.loop import ContrastiveSAETrainer
    from csae_bench.training.objective_schedule import ObjectiveScheduleSettings
    from csae_bench.training.settings import trainer_config

    stream = pair_stream(config, model, device=device)
    trainer = ContrastiveSAETrainer(
        trainer_config(config, device),
        make_sae(config, stream.d_in, device),
        stream,
        schedule=ObjectiveScheduleSettings.of(config),
        gradient_clip_norm=config.training.gradient_clip_norm,
        after_step=partial(watch.after_step, at_refill=at_refill),
        progress=False,
    )
    with watch.on(model, trainer):
        try:
            trainer.fit()
        except _DoneError:
            return trainer.last_loss
    raise RuntimeError(
        f"{trainer.n_training_steps} steps hold too few refills of the buffer to measure."
    )


class _Watch:
    """Timer of the model's passes, the SAE's steps and the making of tokens, and of refills."""

    def __init__(self, device: str) -> None:
        self.seconds = {"model": 0.0, "step": 0.0, "text": 0.0}
        self.n_tokens = 0
        """Tokens that the model read while it was timed."""
        self._device = device
        self._times_parts = False
        self._model_ran = False
        self._n_refills = 0

    def start(self) -> None:
        """Wait for the device around each part, and add up its time, from here on."""
        self._times_parts = True

    @contextmanager
    def on(self, model: HookedTransformer, trainer: ContrastiveSAETrainer) -> Generator[None]:
        """Watch the model and the trainer within."""
        from sae_lens.training.activations_store import ActivationsStore

        began: list[float] = []

        def before(module: object, arguments: tuple[Any, ...]) -> None:
            del module
            self._model_ran = True
            if self._times_parts:
                self.n_tokens += arguments[0].numel()
                synchronise(self._device)
                began.append(time.perf_counter())

        def after(module: object, arguments: object, output: object) -> None:
            del module, arguments, output
            if self._times_parts:
                synchronise(self._device)
                self.seconds["model"] += time.perf_counter() - began.pop()

        handles = [model.register_forward_pre_hook(before), model.register_forward_hook(after)]
        trainer.step = self._timed("step", trainer.step)
        text = self._timed("text", ActivationsStore.get_batch_tokens)
        try:
            with mock.patch.object(ActivationsStore, "get_batch_tokens", text):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def after_step(self, trainer: ContrastiveSAETrainer, at_refill: AtRefill) -> None:
        """Call `at_refill` with the number of the refill that this step began with, if any."""
        if not self._model_ran:
            return
        self._model_ran = False
        synchronise(self._device)
        number = self._n_refills
        self._n_refills += 1
        at_refill(trainer, number)

    def _timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            if not self._times_parts:
                return work(*arguments, **options)
            synchronise(self._device)
            started = time.perf_counter()
            result = work(*arguments, **options)
            synchronise(self._device)
            self.seconds[part] += time.perf_counter() - started
            return result

        return timed
