"""Sources of the questions and texts of an unlearning eval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from csae_bench.corpora.files import SUFFIXES, file_stamps, is_folder, rows, sha256
from csae_bench.corpora.hub import hub_stream
from csae_bench.corpora.named import TINYWORLD
from csae_bench.corpora.text import corpus_fingerprint
from csae_bench.engines.unlearning.data import (
    FORGET,
    MIN_CHARACTERS,
    SUBJECTS,
    Question,
    UnlearningData,
)
from csae_bench.engines.unlearning.rows import QUESTION_COLUMNS, TEXT_COLUMNS, question, text
from csae_bench.errors import DataError
from csae_bench.evals.inputs import Status
from csae_bench.models import resolve

HUB = "hub"
AUTO = "auto"
FORGET_CORPUS = "cais/wmdp-bio-forget-corpus"
"""The gated texts on the hub; as a file they are called `bio-forget-corpus.jsonl`."""
FORGET_FILE = "bio-forget-corpus"
RETAIN_FILE = "wikitext"
FILE_STEMS = (*SUBJECTS, FORGET_FILE, RETAIN_FILE)
"""Files that a folder holds, each as .jsonl or .parquet."""

_RETAIN_CORPUS = "wikitext:wikitext-2-raw-v1"
_N_DOCUMENTS = 600
"""Number of texts of each kind in tinyworld, some 130 tokens each."""
_N_GLANCED = 100
"""Texts of a file that are looked at before a run; a corpus can be a gigabyte."""
_REQUEST = (
    f"Request access to {FORGET_CORPUS} on the Hugging Face hub and log in there (`hf auth "
    f"login`), or fetch it as {FORGET_FILE}.jsonl or .parquet, wherever you like, and name it with "
    "evals.unlearning.forget_corpus."
)


def chosen_data(data: str, model: str) -> str:
    """Resolve `auto`: `tinyworld` for the bundled model, which knows nothing else, or `hub`."""
    if data != AUTO:
        return data
    return TINYWORLD if resolve(model).kind == "tinyworld" else HUB


def open_data(data: str, *, forget_corpus: str | None = None) -> UnlearningData:
    """Read all questions and texts.

    Args:
        data: `tinyworld`, `hub`, or a folder of `FILE_STEMS`.
        forget_corpus: a file with the texts to forget, instead of those of `data`.

    Raises:
        DataError: something is missing, gated, empty or malformed.
    """
    if data == TINYWORLD:
        return _tinyworld(forget_corpus)
    if data == HUB:
        return _from_hub(forget_corpus)
    return _from_folder(Path(data).expanduser(), forget_corpus)


def data_status(data: str, forget_corpus: str | None = None) -> list[Status]:
    """Report what can be said before a run: questions are read, of texts the first hundred.

    `unknown`: it is on the hub.
    """
    statuses: list[Status] = []
    if forget_corpus is not None:
        statuses += _problems([Path(forget_corpus).expanduser()])
    if data == TINYWORLD:
        return statuses or [("ok", "tinyworld's invented facts")]
    if data == HUB:
        gated = "" if forget_corpus else f" {FORGET_CORPUS} is gated. {_REQUEST}"
        on_hub = "questions and texts are on the hub (cais/wmdp, cais/mmlu, wikitext)"
        return [*statuses, ("unknown", f"{on_hub}: not checkable here.{gated}")]
    if not is_folder(data) or not Path(data).expanduser().is_dir():
        return [
            ("problem", f"data is '{data}'; there is no such folder. {_allowed()}"),
            *statuses,
        ]
    try:
        files = _files(Path(data).expanduser(), forget_corpus)
    except DataError as error:
        return [("problem", str(error)), *statuses]
    statuses += _problems(
        path for stem, path in files.items() if stem != FORGET_FILE or not statuses
    )
    return statuses or [("ok", f"{data}: {len(files)} files")]


def data_fingerprint(data: str, forget_corpus: str | None = None) -> str:
    """Return a fingerprint of questions and texts, as far as possible without reading them."""
    parts = [data if data in (TINYWORLD, HUB) else ""]
    if data == TINYWORLD:
        parts.append(corpus_fingerprint(TINYWORLD, split="core"))
    elif data != HUB:
        folder = Path(data).expanduser()
        files = [_file(folder, stem) for stem in FILE_STEMS]
        parts += file_stamps(path for path in files if path is not None)
    if forget_corpus is not None and Path(forget_corpus).expanduser().is_file():
        parts += file_stamps([Path(forget_corpus).expanduser()])
    return sha256("\n".join(parts).encode())


def _tinyworld(forget_corpus: str | None) -> UnlearningData:
    from csae_bench import tinyworld

    return UnlearningData(
        name=TINYWORLD,
        description="Invented facts: things, people and places of TinyWorld that do not exist, "
        "under the names of WMDP's and MMLU's subjects. Nothing here is biology, history, "
        "computer science, geography or medicine, and no score says anything about those.",
        questions={
            name: tuple(Question(q.question, tuple(q.choices), q.answer) for q in asked)
            for name, asked in ((name, tinyworld.questions(name)) for name in SUBJECTS)
        },
        forget_texts=tuple(tinyworld.forget_corpus(_N_DOCUMENTS))
        if forget_corpus is None
        else _texts(Path(forget_corpus).expanduser()),
        retain_texts=tuple(tinyworld.retain_corpus(_N_DOCUMENTS)),
    )


def _from_folder(folder: Path, forget_corpus: str | None) -> UnlearningData:
    if not folder.is_dir():
        raise DataError(f"evals.unlearning.data is '{folder}'; there is no such folder.")
    files = _files(folder, forget_corpus)
    return UnlearningData(
        name=str(folder),
        description=f"The questions and texts in {folder}.",
        questions={name: _questions(files[name]) for name in SUBJECTS},
        forget_texts=_texts(files[FORGET_FILE]),
        retain_texts=_texts(files[RETAIN_FILE]),
    )


def _from_hub(forget_corpus: str | None) -> UnlearningData:
    if forget_corpus is None:
        try:
            forget_texts = _hub_texts(FORGET_CORPUS, split="train")
        except DataError as error:
            raise DataError(f"{error} {_REQUEST}") from error
    else:
        forget_texts = _texts(Path(forget_corpus).expanduser())
    return UnlearningData(
        name=HUB,
        description="WMDP's questions about biology, four subjects of MMLU, WMDP's forget corpus "
        "and WikiText-2, as SAE-Bench uses them.",
        questions={name: _hub_questions(name) for name in SUBJECTS},
        forget_texts=forget_texts,
        retain_texts=_hub_texts(_RETAIN_CORPUS, split="test"),
    )


def _hub_questions(subject: str) -> tuple[Question, ...]:
    name = f"cais/wmdp:{subject}" if subject == FORGET else f"cais/mmlu:{subject}"
    return tuple(
        question(place, row) for place, row in _hub_rows(name, QUESTION_COLUMNS, split="test")
    )


def _hub_texts(name: str, *, split: str) -> tuple[str, ...]:
    return _long_enough(
        name, (text(place, row) for place, row in _hub_rows(name, TEXT_COLUMNS, split=split))
    )


def _hub_rows(
    name: str, columns: Iterable[str], *, split: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    stream: Iterable[Any] = hub_stream(name, list(columns), split=split)
    for number, row in enumerate(stream, start=1):
        yield f"dataset '{name}', row {number}", row


def _files(folder: Path, forget_corpus: str | None) -> dict[str, Path]:
    """Find the file of each of `FILE_STEMS`."""
    files = {stem: _file(folder, stem) for stem in FILE_STEMS}
    if forget_corpus is not None:
        files[FORGET_FILE] = Path(forget_corpus).expanduser()
    missing = [stem for stem, path in files.items() if path is None]
    if missing:
        names = ", ".join(f"{stem}.jsonl" for stem in missing)
        gated = f" {_REQUEST}" if FORGET_FILE in missing else ""
        raise DataError(
            f"{folder}: holds no {names} (or .parquet). Questions are rows of question, choices "
            f"and answer, texts rows of text.{gated}"
        )
    return {stem: path for stem, path in files.items() if path is not None}


def _file(folder: Path, stem: str) -> Path | None:
    paths = [folder / f"{stem}{suffix}" for suffix in SUFFIXES]
    return next((path for path in paths if path.is_file()), None)


def _questions(path: Path) -> tuple[Question, ...]:
    read = tuple(question(place, row) for place, row in rows(path, QUESTION_COLUMNS))
    if not read:
        raise DataError(f"{path}: is empty; fill it with rows of question, choices and answer.")
    return read


def _texts(path: Path, limit: int | None = None) -> tuple[str, ...]:
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: must be a {' or '.join(SUFFIXES)} file with rows of text.")
    if not path.is_file():
        gated = f" {_REQUEST}" if path.stem == FORGET_FILE else ""
        raise DataError(f"{path}: there is no such file.{gated}")
    return _long_enough(
        str(path), (text(place, row) for place, row in rows(path, TEXT_COLUMNS)), limit
    )


def _long_enough(name: str, texts: Iterable[str], limit: int | None = None) -> tuple[str, ...]:
    """Select the texts that SAE-Bench reads; the first `limit` if there is one."""
    texts_read: list[str] = []
    for one in texts:
        if len(one) > MIN_CHARACTERS:
            texts_read.append(one)
        if len(texts_read) == limit:
            break
    if not texts_read:
        raise DataError(
            f"{name}: holds no text of more than {MIN_CHARACTERS} characters; shorter ones are "
            "not read. Fill it with rows of text."
        )
    return tuple(texts_read)


def _problems(paths: Iterable[Path]) -> list[Status]:
    statuses: list[Status] = []
    for path in paths:
        try:
            if path.stem in SUBJECTS:
                _questions(path)
            else:
                _texts(path, limit=_N_GLANCED)
        except DataError as error:
            statuses.append(("problem", str(error)))
    return statuses


def _allowed() -> str:
    return f"It must be auto, {TINYWORLD}, {HUB}, or a folder that holds {', '.join(FILE_STEMS)}."
