"""JSON schemas of our evals, as SAE-Bench ships one with each of its own.

They are stored next to the evals as `eval_output_schema_<name>.json`. After a change of an eval's
settings or metrics, regenerate them with `python -m csae_bench.evals.schemas`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from csae_bench.evals import EvalSpec, get_eval
from csae_bench.evals.pages import FOLDER, PAGES


class Envelope(BaseModel):
    """The fields of a result that all evals share, as in SAE-Bench's BaseEvalOutput."""

    model_config = ConfigDict(extra="forbid")

    eval_id: str = Field(title="ID", description="A unique UUID of this run of the eval.")
    datetime_epoch_millis: int = Field(
        ge=0, title="DateTime (epoch ms)", description="When it ran, in epoch milliseconds."
    )
    sae_bench_commit_hash: str = Field(
        title="SAE Bench Commit Hash", description="The SAE-Bench that was installed."
    )
    sae_lens_id: str | None = Field(title="SAE Lens ID", description="The SAE's name.")
    sae_lens_release_id: str | None = Field(
        title="SAE Lens Release ID", description="Model and layer that the SAE belongs to."
    )
    sae_lens_version: str | None = Field(
        title="SAE Lens Version", description="The SAELens that was installed."
    )
    sae_cfg_dict: dict[str, Any] | None = Field(
        title="SAE Config Dict", description="The SAE's configuration, as SAELens has it."
    )
    eval_result_unstructured: Any | None = Field(
        default=None,
        title="Unstructured Results",
        description="Data, settings, reasons of what is null, warnings and provenance.",
    )


def output_schema(spec: EvalSpec) -> dict[str, Any]:
    """Return the JSON schema of an eval's results, from its settings, metrics and details."""
    metrics, detail = spec.metrics_model, spec.detail_model
    assert metrics is not None
    assert detail is not None
    fields: dict[str, Any] = {
        "eval_type_id": (
            str,
            Field(title="Eval Type ID", description="The eval's name.", pattern=f"^{spec.name}$"),
        ),
        "eval_config": (
            spec.reported_config,
            Field(title="Eval Config", description="The settings of the eval."),
        ),
        "eval_result_metrics": (
            metrics,
            Field(title="Result Metrics Categorized", description="The metrics, by category."),
        ),
        "eval_result_details": (
            list[detail],
            Field(title="Result Details", description="An entry for each factor."),
        ),
    }
    title = f"{''.join(part.title() for part in spec.name.split('_'))}EvalOutput"
    return create_model(title, __base__=Envelope, __doc__=spec.summary, **fields).model_json_schema(
        mode="serialization"
    )


def schema_path(name: str) -> Path:
    """Return the path of an eval's schema."""
    return FOLDER / f"eval_output_schema_{name}.json"


def evals_with_schema() -> list[str]:
    """Return our evals whose metrics and details have models; SAE-Bench ships its own schemas."""
    specs = [get_eval(name) for name in sorted(PAGES.shipped)]
    return [s.name for s in specs if s.metrics_model is not None and s.detail_model is not None]


def schema_text(name: str) -> str:
    """Return the content of the file of an eval's schema."""
    return json.dumps(output_schema(get_eval(name)), indent=2) + "\n"


def main() -> None:
    """Write the schemas."""
    for name in evals_with_schema():
        schema_path(name).write_text(schema_text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
