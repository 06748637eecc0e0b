"""A judge behind OpenAI's wire format: OpenAI itself, or any server that is compatible."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from typing_extensions import override

from csae_bench.config.base import Count, Positive
from csae_bench.engines.autointerp.judges.judge import Judge, JudgeSettings, Opening
from csae_bench.engines.autointerp.messages import Messages
from csae_bench.errors import ConfigError, EvalError
from csae_bench.support.printable import shortened

if TYPE_CHECKING:
    from openai import OpenAI

HIDDEN = "[key]"
"""What stands in place of the key in all that a server says."""
NO_KEY = "none"
"""Sent to a server that asks for no key; the client wants some text."""
NO_NAME = ""
"""In place of an `api_key_env` that is no name."""
NO_CONTENT = "[no content]"
"""An answer without text; SAE-Bench cannot parse it, and drops the latent."""
MAX_WORKERS = 10
"""Threads in which SAE-Bench asks."""
SEE_SERVER = "see the log of the server"
_MAX_SHOWN = 200

_REMEDIES = {
    401: "check judge.api_key_env, which is {key}, and the key that this variable holds",
    403: "check that the key in {key} may use this model",
    404: "check evals.autointerp.judge.model and base_url",
    429: "ask less at once (evals.autointerp.judge.concurrency), or more often (max_retries)",
}


class OpenAiJudge(JudgeSettings):
    """A language model behind OpenAI's wire format."""

    kind: Literal["openai"] = "openai"

    base_url: str = "https://api.openai.com/v1"
    """Address of the server, up to `/v1`."""

    model: Annotated[str, Field(min_length=1)] = "gpt-4o-mini"
    """The server's name of the model; SAE-Bench's is gpt-4o-mini."""

    api_key_env: str | None = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; none: the server asks for no key. The
    key itself is neither stored nor printed."""

    timeout: Positive = 60.0
    """Seconds until an attempt without an answer is given up."""

    max_retries: Annotated[int, Field(ge=0, le=10)] = 2
    """Further attempts after a time-out, a lost connection, or status 408, 409, 429 or 5xx."""

    concurrency: Annotated[Count, Field(le=MAX_WORKERS)] = MAX_WORKERS
    """Requests at once; SAE-Bench makes 10."""

    @field_validator("base_url")
    @classmethod
    def _without_secrets(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("base_url must be an address such as http://localhost:8000/v1")
        if "@" in url.netloc or url.query:
            raise ValueError(
                "base_url holds a user, a password or a query, which results would show; put the "
                "key in the environment variable that api_key_env names"
            )
        return value

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        # what is no name may be the key itself, which an error would show
        return value if value is None or value.isidentifier() else NO_NAME

    @override
    def open(self, opening: Opening) -> Judge:
        problems = self.problems()
        if problems:
            raise ConfigError([f"evals.autointerp.{problem}" for problem in problems])
        return OpenAiAnswers(self, self._key() or NO_KEY)

    @override
    def called(self, model: str) -> str:
        return f"{self.model} at {self.base_url}"

    @override
    def problems(self) -> tuple[str, ...]:
        if self.api_key_env is None or self._key():
            return ()
        if self.api_key_env == NO_NAME:
            return (
                "judge.api_key_env must be the name of an environment variable, such as "
                "OPENAI_API_KEY, and not the key itself.",
            )
        return (
            f"judge.api_key_env is {self.api_key_env}, and this environment variable is not set; "
            "set it to the key, or judge.api_key_env=null for a server that asks for none.",
        )

    def _key(self) -> str:
        return os.environ.get(self.api_key_env, "").strip() if self.api_key_env else ""


class OpenAiAnswers:
    """The judge itself; its requests are SAE-Bench's but for address and model.

    Args:
        key: sent to the server, and removed from all that it answers.
    """

    def __init__(self, settings: OpenAiJudge, key: str) -> None:
        self._settings = settings
        self._key = key
        self._client: OpenAI | None = None
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(settings.concurrency)

    def __call__(self, messages: Messages, max_tokens: int) -> str:
        """Return the server's answer."""
        import openai

        # of messages it wants types of its own
        create: Any = self._opened().chat.completions.create
        try:
            with self._slots:
                result = create(
                    model=self._settings.model,
                    messages=[dict(message) for message in messages],
                    n=1,
                    max_tokens=max_tokens,
                    stream=False,
                )
            content = result.choices[0].message.content
        except openai.OpenAIError as error:
            problem = self._problem(error)
        except (AttributeError, TypeError, IndexError, ValueError) as error:
            # what the client makes of a body that is no chat completion
            problem = self._said(f"answered with no chat completion ({type(error).__name__})")
        else:
            return NO_CONTENT if not isinstance(content, str) else self._without_key(content)
        # outside the handlers: the client's error holds the request, and so the key
        raise EvalError(problem)

    def _opened(self) -> OpenAI:
        with self._lock:
            if self._client is None:
                from openai import OpenAI

                self._client = OpenAI(
                    api_key=self._key,
                    base_url=self._settings.base_url,
                    timeout=self._settings.timeout,
                    max_retries=self._settings.max_retries,
                )
            return self._client

    def _problem(self, error: Exception) -> str:
        import openai

        settings = self._settings
        attempts = f"after {settings.max_retries + 1} attempts"
        if isinstance(error, openai.APITimeoutError):
            return self._said(
                f"gave no answer in {settings.timeout:g} s, {attempts}",
                "raise evals.autointerp.judge.timeout or max_retries, or lower concurrency",
            )
        if isinstance(error, openai.APIStatusError):
            status = error.status_code
            is_retried = status in (408, 409, 429) or status >= 500
            tried = f", {attempts}" if is_retried else ""
            # of a key that it refuses a server shows a part
            said = "" if status in (401, 403) else f": {error.message}"
            return self._said(
                f"answered with status {status}{tried}{said}",
                _REMEDIES.get(status, SEE_SERVER).format(key=settings.api_key_env),
            )
        if isinstance(error, openai.APIConnectionError):
            return self._said(
                f"cannot be reached, {attempts}: {error.__cause__ or error}",
                "check evals.autointerp.judge.base_url and the network",
            )
        return self._said(f"failed ({type(error).__name__}): {error}")

    def _said(self, what: str, remedy: str = SEE_SERVER) -> str:
        place = f"{self._settings.model} at {self._settings.base_url}"
        shown = shortened(" ".join(self._without_key(what).split()).rstrip("."), _MAX_SHOWN)
        return f"autointerp: the judge {place} {shown}; {remedy}. Nothing of this eval is kept."

    def _without_key(self, text: str) -> str:
        return text if self._key == NO_KEY else text.replace(self._key, HIDDEN)
