"""What goes to a node and back where the machines share no disk.

A node has a temporary folder, in which the worker runs. Files that a request names by a path below
the driver's working folder come to the same place below the node's, so that configurations and
their hashes are the same on both. The results folder is `results` there; what the SAEs of a shard
have in the driver's goes there before the shard, and what is new comes back after each step.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from csae_bench.config.loading import is_config
from csae_bench.errors import ResultError, UsageError, reason_of
from csae_bench.executors.messages import Shard
from csae_bench.executors.ray_calls import ask
from csae_bench.executors.transfer import FileEnd, FileState, FolderFiles, copy_changed
from csae_bench.results.keys import digest
from csae_bench.runs.plan import SaePlan
from csae_bench.runs.request import RunRequest
from csae_bench.runs.resolving import ResolvedSae, is_pretrained, pretrained_folder

RESULTS = "results"
"""The results folder, below the node's."""

_NOT_COLLECTED = ("cache", "runs")
"""Folders of the results folder that stay on the node: the driver writes records itself."""

_STATE = "trainer"
"""Folder of a checkpoint from which a training is resumed: large, and wanted only at an end."""

_N_PARTS_KEPT = 3
"""Last parts of the path of an SAE from elsewhere that are kept: names are made of them."""


@dataclass(frozen=True)
class ActorFiles:
    """The end of a transfer that is an actor's folder, or one below it."""

    actor: Any
    base: str = "."

    def listing(self, place: str) -> list[FileState]:
        """Return the files below a folder, or the one of that name; none if it is not there."""
        listed = self._call("listing", self._path(place))
        return [
            state._replace(path=os.path.relpath(state.path, self.base))
            for state in (FileState(*one) for one in listed)
        ]

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Return bytes of a file; fewer at its end."""
        return self._call("read", self._path(path), offset, size)

    def digest(self, path: str, size: int) -> str:
        """Return the hash of a file's first bytes."""
        return self._call("digest", self._path(path), size)

    def write(self, path: str, offset: int, content: bytes) -> None:
        """Write bytes of a file that is not finished."""
        self._call("write", self._path(path), offset, content)

    def finish(self, path: str, size: int, digest: str) -> bool:
        """Put a file in its place, if it is what was sent; else drop it, and return False."""
        return self._call("finish", self._path(path), size, digest)

    def has(self, place: str) -> bool:
        """Return whether the node has a file or folder of this absolute path, or `~/path`."""
        return self._call("has", place)

    def _path(self, path: str) -> str:
        return os.path.normpath(os.path.join(self.base, path))

    def _call(self, method: str, *arguments: Any) -> Any:
        return ask(self.actor.file_call, method, *arguments)


@dataclass
class Courier:
    """Carries files of the SAEs of a plan to one node and back.

    Args:
        there: the node's folder.
        results_there: the results folder on the node.
        plans: plan of each request.
    """

    there: FileEnd
    results_there: FileEnd
    plans: Mapping[RunRequest, SaePlan]
    _brought: dict[Path, dict[str, FileState]] = field(
        default_factory=dict[Path, dict[str, FileState]]
    )
    """Folder here -> states of its files that the node has."""
    _collected: dict[str, FileState] = field(default_factory=dict[str, FileState])
    _results: Path = Path(RESULTS)

    def bring(self, shard: Shard) -> Shard:
        """Bring what the shard reads to the node; return the shard as the node must read it.

        Raises:
            UsageError: a file has an absolute path that the node lacks.
            ResultError: a file cannot be read.
        """
        try:
            requests = tuple(self._bring(request) for request in shard.requests)
        except OSError as error:
            raise _unreadable(error) from error
        # what was just brought need not be fetched again
        self._collected.update({one.path: one for one in self.results_there.listing(".")})
        return replace(shard, requests=requests)

    def collect(self, *, is_last: bool) -> list[str]:
        """Fetch files of the results that are new on the node; return their paths.

        Args:
            is_last: nothing more is being written there, so that states of trainings are whole.

        Raises:
            ResultError: one cannot be written here.
        """

        def is_wanted(path: str) -> bool:
            parts = Path(path).parts
            return parts[0] not in _NOT_COLLECTED and (is_last or _STATE not in parts[:-1])

        here = FolderFiles(self._results)
        try:
            return copy_changed(self.results_there, here, self._collected, wanted=is_wanted)
        except OSError as error:
            raise _unreadable(error) from error

    def _bring(self, request: RunRequest) -> RunRequest:
        plan = self.plans[request]
        self._results = request.results
        source = self._bring_source(request)
        for text in sorted(set(_names_of(request, plan))):
            self._bring_named(text)
        for place in _known_places(request, plan.resolved_sae):
            self._send(request.results, place, self.results_there)
        return replace(request, source=source, results=Path(RESULTS))

    def _bring_source(self, request: RunRequest) -> str:
        """Bring a configuration's file or an SAE's folder; return `--sae` as the node needs it."""
        path = Path(request.source).expanduser()
        if not path.exists() or (is_config(request.source) and not path.suffix):
            return request.source
        path = Path(os.path.abspath(path))
        here, place = Path.cwd(), os.path.relpath(path)
        if not _is_below(place) or Path(request.source).is_absolute():
            n_parts = min(_N_PARTS_KEPT, len(path.parts) - 1)
            here = Path(*path.parts[:-n_parts])
            place = str(path.relative_to(here))
            there = f"inputs/{digest({'folder': str(here)})[:8]}"
        else:
            there = "."
        target = self._below(there)
        self._send(here, place, target)
        if path.suffix in (".yaml", ".yml"):  # `extends` names files of the same folder
            for other in sorted(path.parent.glob(f"*{path.suffix}")):
                self._send(here, str(other.relative_to(here)), target)
        return place if there == "." else f"{there}/{place}"

    def _below(self, folder: str) -> FileEnd:
        if folder == ".":
            return self.there
        if isinstance(self.there, ActorFiles):
            return replace(self.there, base=folder)
        assert isinstance(self.there, FolderFiles)
        return FolderFiles(self.there.root / folder)

    def _bring_named(self, text: str) -> None:
        if not (Path(text).is_absolute() or text.startswith("~")):
            place = os.path.normpath(text)
            if _is_below(place):
                self._send(Path.cwd(), place, self.there)
                return
        if not self.there.has(text):
            raise UsageError(
                f"{text}: is not on the node. With --collect, name it by a path below the folder "
                "in which csae-bench runs, so that it is copied, or put it there on each node."
            )

    def _send(self, folder: Path, place: str, target: FileEnd) -> None:
        known = self._brought.setdefault(folder.absolute(), {})
        copy_changed(FolderFiles(folder), target, known, place=place)


def _is_below(place: str) -> bool:
    return not place.startswith("..") and not os.path.isabs(place)


def _names_of(request: RunRequest, plan: SaePlan) -> Iterator[str]:
    """Yield texts of a request and its configuration that name something on this disk."""
    of_config = (
        []
        if plan.resolved_sae is None
        else _texts(plan.resolved_sae.config.model_dump(mode="json"))
    )
    for text in (request.model or "", *of_config):
        if text.strip(". ") and "\0" not in text and len(text) < 4096:
            try:
                is_there = Path(text).expanduser().exists()
            except (OSError, RuntimeError):  # too long for a name, ~nobody
                continue
            if is_there:
                yield text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, Iterable):
        for one in value:
            yield from _texts(one)


def _known_places(request: RunRequest, sae: ResolvedSae | None) -> Iterator[str]:
    """Yield files and folders of the results folder that a worker looks at, if they are there."""
    root = request.results.resolve()
    if is_pretrained(request.source):
        yield os.path.relpath(pretrained_folder(request).resolve(), root)
    one = sae
    while one is not None:
        if one.training_hash is not None:
            yield os.path.relpath(one.checkpoint.resolve(), root)
        one = one.of
    if sae is None:
        return
    store = request.store
    yield os.path.relpath(store.run_record(sae.release, sae.sae_id).resolve(), root)
    for name in sae.config.evals:
        first = store.eval_result(name, sae.release, sae.sae_id)
        beginning = first.name.removesuffix("_eval_results.json")
        for path in store.eval_results(name):
            if path.name.startswith(beginning):
                yield os.path.relpath(path.resolve(), root)


def _unreadable(error: OSError) -> ResultError:
    return ResultError(
        f"{error.filename or 'a file'}: cannot be copied between machines: {reason_of(error)}."
    )
