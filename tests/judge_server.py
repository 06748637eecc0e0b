"""A server on this machine that speaks OpenAI's wire format and answers as a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, str]
"""Status and body."""


@dataclass
class JudgeServer:
    """A server that runs, and what it was asked."""

    base_url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Bodies, in the order of arrival."""
    authorizations: list[str] = field(default_factory=list[str])
    most_at_once: int = 0


def completion(content: Any) -> Reply:
    """A chat completion with this content."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    return 200, json.dumps(body)


def error(status: int, message: str) -> Reply:
    """An error as OpenAI words it."""
    return status, json.dumps({"error": {"message": message, "type": "error", "code": None}})


@contextmanager
def serving(answer: Callable[[dict[str, Any]], Reply], delay: float = 0) -> Generator[JudgeServer]:
    """Run a server within; `answer` gets the body of each request.

    Args:
        delay: seconds until it answers.
    """
    server, lock, busy = JudgeServer(), threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.requests.append(asked)
                server.authorizations.append(self.headers.get("Authorization", ""))
                busy[0] += 1
                server.most_at_once = max(server.most_at_once, busy[0])
            time.sleep(delay)
            status, body = answer(asked)
            with lock:
                busy[0] -= 1
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body.encode())))
                self.send_header("retry-after-ms", "1")
                self.end_headers()
                self.wfile.write(body.encode())
            except OSError:  # who asked has given up
                pass

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.base_url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
