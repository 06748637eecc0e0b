"""Builds a ResolvedConfig from a name or path and flags, with every problem reported at once.

`extends: NAME` at the top of a YAML file starts from another one of the same folder: mappings are
merged key by key, everything else is replaced, and so is a mapping of another `kind` or
`architecture`. Files whose name begins with `_` are only started from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

import yaml
from pydantic import ValidationError

from csae_bench.config import Change, ResolvedConfig, RunConfig
from csae_bench.config.baselines import other_sae_of
from csae_bench.config.merging import Raw, leaves, merge, without_other_kinds
from csae_bench.config.problems import delete, describe_all, impossible_values, where_set
from csae_bench.config.run import DEFAULT_EVALS
from csae_bench.config.yaml_files import MAX_LEVELS, parse_value, read_yaml, yaml_problem
from csae_bench.errors import ConfigError, UnknownNameError, UsageError, reason_of
from csae_bench.support import old_names
from csae_bench.support.named_configs import config_folder, config_names
from csae_bench.support.printable import shortened

_MAX_SHOWN = 80
"""Characters of a user's text in a sentence."""


class Flags(TypedDict, total=False):
    """Overrides from the command line; a flag that is absent or None changes nothing."""

    sets: Sequence[str]
    """`key=value` with a dotted key and a YAML value; later ones win."""
    model: str | None
    seed: int | None
    device: str | None
    evals: Sequence[str] | None
    """Names of the evals to run instead of the file's; settings of the file are kept."""
    preset: Mapping[str, Mapping[str, Any]]
    """Settings by eval that go over the file's and under those of `sets`."""


def is_config(source: str) -> bool:
    """Return whether `source` names a configuration: a known name, or a path to a YAML file."""
    name = old_names.config_name(source)
    return name in config_names() or Path(source).suffix in {".yaml", ".yml"}


def find_config(source: str) -> Path:
    """Return the file of a configuration given by name or path.

    Raises:
        UnknownNameError: neither a known name nor a file.
        UsageError: a path to a YAML file that does not exist.
    """
    name = old_names.config_name(source)
    named = config_folder() / f"{name}.yaml"
    if name in config_names() or (name.startswith("_") and named.is_file()):
        if name != source:
            old_names.warn(source, name)
        return named
    path = Path(source).expanduser()
    if path.suffix in {".yaml", ".yml"}:
        if (problem := _unreachable(path)) is not None:
            raise UsageError(f"{shortened(str(path), _MAX_SHOWN)}: {problem}.")
        return path
    raise UnknownNameError("SAE configuration", source, config_names())


def _unreachable(path: Path) -> str | None:
    """Say why there is no such file; that it is not a regular one is reported where it is read."""
    try:
        path.stat()
    except FileNotFoundError:
        return "there is no such file"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        return f"there is no such file: {reason_of(error)}"
    return None


def load_config(source: str, **given: Unpack[Flags]) -> ResolvedConfig:
    """Read a configuration, apply the flags and check the result.

    Args:
        source: a name of `config_names()` or a path to a YAML file.
        given: the flags, see `Flags`.

    Raises:
        ConfigError: lists every problem, each with its file or flag, key, value and what is
            allowed.
    """
    path = find_config(source)
    from_file, of_preset = _with_evals(_read_with_bases(path), given)
    flags, problems = _parsed(given)
    evals = given.get("evals")
    if evals is not None:
        set_evals = flags.get("evals")
        problems += [
            f"--set evals.{name}: {name} is not among --evals {','.join(evals)}."
            for name in (cast(Raw, set_evals) if isinstance(set_evals, dict) else {})
            if name not in evals
        ]
    merged = merge(from_file, flags)
    config, wrong = _validate(merged, path, flags)
    problems += wrong
    if config is not None:
        problems += _without_effect(flags, config)
        problems += _circle(config, path)
    if problems:
        raise ConfigError(problems)
    assert config is not None
    return ResolvedConfig(
        name=path.stem,
        path=path,
        config=config,
        origins=_origins(config, flag=flags, preset=of_preset, file=from_file),
        changes=_changes(from_file, flags, config, path),
    )


def partial_config(source: str, **given: Unpack[Flags]) -> ResolvedConfig | None:
    """Load the configuration with every offending value at its default; None if impossible."""
    path = find_config(source)
    try:
        from_file, _ = _with_evals(_read_with_bases(path), given)
    except ConfigError:
        return None
    raw = merge(from_file, _parsed(given)[0])
    for location, _ in list(impossible_values(raw)):
        delete(raw, location)
    for _ in range(5):
        try:
            config = RunConfig.model_validate(raw)
        except ValidationError as error:
            for finding in error.errors():
                delete(raw, finding["loc"])
            continue
        return ResolvedConfig(name=path.stem, path=path, config=config, origins={})
    return None


def _read_with_bases(path: Path, seen: tuple[Path, ...] = ()) -> Raw:
    raw = old_names.renamed(read_yaml(path))
    base = raw.pop("extends", None)
    if base is None:
        return raw
    if not isinstance(base, str) or not base.strip():
        shown = shortened(repr(base), _MAX_SHOWN)
        raise ConfigError([f"{path}: extends is {shown}; it must name a file of the same folder."])
    base_path = path.parent / f"{base}.yaml"
    if _unreachable(base_path) is not None:
        base_path = path.parent / f"{old_names.config_name(base)}.yaml"
    if (problem := _unreachable(base_path)) is not None:
        problem = problem.replace("no such file", f"no file {shortened(str(base_path), 200)}")
        raise ConfigError([f"{path}: extends is '{shortened(base, _MAX_SHOWN)}'; {problem}."])
    if base_path in (*seen, path):
        raise ConfigError([f"{path}: extends leads back to {base_path}."])
    return merge(without_other_kinds(_read_with_bases(base_path, (*seen, path)), raw), raw)


def _with_evals(from_file: Raw, given: Flags) -> tuple[Raw, Raw]:
    """Return the file with the evals that were asked for, and what is of the preset in it."""
    known = from_file.get("evals", DEFAULT_EVALS) or {}
    if not isinstance(known, Mapping):
        return from_file, {}  # what is wrong with it is reported where all of it is checked
    settings = cast(Mapping[str, Any], known)
    asked, presets = given.get("evals"), given.get("preset") or {}
    if asked is not None:
        settings = {name: settings.get(name) or {} for name in asked}
    of_preset = {
        name: dict(presets[name])
        for name, own in settings.items()
        if presets.get(name) and isinstance(own or {}, Mapping)
    }
    if of_preset:
        settings = {
            name: merge(without_other_kinds(own or {}, of_preset[name]), of_preset[name])
            if name in of_preset
            else own
            for name, own in settings.items()
        }
    elif asked is None:
        return from_file, {}
    return {**from_file, "evals": dict(settings)}, {"evals": of_preset} if of_preset else {}


def _parsed(given: Flags) -> tuple[Raw, list[str]]:
    """Return the flags as nested mappings, without those of the evals' names, and what is wrong."""
    raw: Raw = {}
    problems: list[str] = []
    for text in given.get("sets", ()):
        key, equals, value = text.partition("=")
        parts = key.split(".")
        if not equals or not all(part.strip() for part in parts) or len(parts) > MAX_LEVELS:
            problems.append(
                f"--set {shortened(text, _MAX_SHOWN)}: write it as key=value, such as "
                "--set sae.d_sae=2048."
            )
            continue
        try:
            parsed = parse_value(value)
        except yaml.YAMLError as error:
            problems.append(
                f"--set {shortened(text, _MAX_SHOWN)}: '{shortened(value, _MAX_SHOWN)}' is not a "
                f"YAML value:{yaml_problem(error)}."
            )
            continue
        for part in reversed(parts):
            parsed = {part: parsed}
        raw = merge(raw, old_names.renamed(parsed))
    own = {"model": given.get("model"), "seed": given.get("seed"), "device": given.get("device")}
    raw.update({key: value for key, value in own.items() if value is not None})
    return raw, problems


def _without_effect(flags: Raw, config: RunConfig) -> list[str]:
    """Return a sentence for each `--set KEY={}` on a non-empty section, which has no effect.

    Mappings are merged, so that nothing within them can be removed by leaving it out.
    """
    whole = config.model_dump(mode="json")
    emptied = [key for key, value in leaves(flags) if isinstance(value, Mapping)]
    return [
        f"--set {key}={{}}: changes nothing, since settings are merged; change the keys within "
        f"{key}" + (", or choose evals with --evals." if key == "evals" else ".")
        for key in emptied
        if _at(whole, key)
    ]


def _circle(config: RunConfig, path: Path) -> list[str]:
    """Return a sentence if the SAE that this one is made of turns out to be this one."""
    seen, of = [path.resolve()], config.sae.other_sae
    while isinstance(of, str) and is_config(of):
        try:
            other = find_config(of).resolve()
            sae = _read_with_bases(other).get("sae")
        except UsageError:  # reported where that SAE is looked for
            return []
        if other in seen:
            return [f"{path}: sae.of is '{config.sae.other_sae}', which leads back to {other}."]
        seen.append(other)
        of = other_sae_of(sae)
    return []


def _at(value: Any, key: str) -> Any:
    for part in key.split("."):
        value = cast(Raw, value).get(part) if isinstance(value, dict) else None
    return value


def _validate(raw: Raw, path: Path, flags: Raw) -> tuple[RunConfig | None, list[str]]:
    flagged = {key for key, _ in leaves(flags) if key}
    impossible: list[str] = []
    for location, problem in impossible_values(raw):
        key = ".".join(map(str, location))
        impossible.append(f"{where_set(key, path, flagged)}: {key} {problem}.")
    try:
        config = RunConfig.model_validate(raw)
    except ValidationError as error:
        return None, [*impossible, *describe_all(error, path, flagged)]
    return (None, impossible) if impossible else (config, [])


def _origins(config: RunConfig, **settings: Raw) -> dict[str, str]:
    """Return the name of the first of `settings` that has a key, else `default`, by key."""
    named = {name: {key for key, _ in leaves(raw)} for name, raw in settings.items()}

    def origin(key: str) -> str:
        for name, keys in named.items():
            # the last: a flag that sets something within a list, which is one leaf
            if any(f"{key}.".startswith(f"{k}.") or k.startswith(f"{key}.") for k in keys):
                return name
        return "default"

    return {key: origin(key) for key, _ in leaves(config.model_dump(mode="json"))}


def _changes(from_file: Raw, flags: Raw, config: RunConfig, path: Path) -> tuple[Change, ...]:
    """Return leaves that --set changed; --model, --seed and --device have places of their own."""
    own_place = ("model", "seed", "device", "threads")
    flagged = [key for key, _ in leaves(flags) if key.split(".")[0] not in own_place]
    if not flagged:
        return ()
    kept = {key: value for key, value in flags.items() if key in own_place}
    unchanged, _ = _validate(merge(from_file, kept), path, kept)
    before = dict(leaves(unchanged.model_dump(mode="json"))) if unchanged else {}
    after = dict(leaves(config.model_dump(mode="json")))
    return tuple(
        Change(key=key, value=value)
        for key, value in sorted(after.items())
        if key.split(".")[0] not in own_place and (key not in before or before[key] != value)
    )
