"""Write an orch-wasm plugin in Python: a task is a function from a JSON value to a JSON value.

    from orch import task

    @task("greet", input={"type": "object"}, output={"type": "object"})
    def greet(given):
        return {"message": f"Hello, {given['name']}!"}
"""

import json
from dataclasses import dataclass, field
from typing import Any, Callable

from . import _host

__all__ = [
    "Cancelled", "Denied", "Dependency", "Failed", "Finding", "InvalidInput", "Location", "Rejected", "Skipped", "TaskError",
    "check_cancelled", "emit", "has_capability", "info", "is_cancelled", "log", "mount", "progress", "task",
]


class TaskError(Exception):
    """Why a task could not do its work. Raise one of the classes below; any other exception is a bug and ends the task as `errored`."""


class InvalidInput(TaskError):
    """The input does not fit; the text says where and why."""


class Denied(TaskError):
    """Something that was not granted was needed."""

    def __init__(self, capability: str, target: str):
        super().__init__(f"`{capability}` was not granted for `{target}`")
        self.capability, self.target = capability, target


class Dependency(TaskError):
    """Something outside the plugin broke."""

    def __init__(self, target: str, message: str, retryable: bool = False):
        super().__init__(f"`{target}`: {message}")
        self.target, self.message, self.retryable = target, message, retryable


class Failed(TaskError):
    """Anything else."""


class Cancelled(TaskError):
    """The host asked the task to stop, and it did."""


@dataclass
class Rejected:
    """What a task returns that ran well and whose answer is no."""

    output: Any


@dataclass
class Skipped:
    """What a task returns that had nothing to do."""

    reason: str


@dataclass
class Location:
    """Where a finding is: relative to the mount that was scanned; line and column count from 1."""

    path: str
    line: int | None = None
    column: int | None = None
    end_line: int | None = None


@dataclass
class Finding:
    """One result of one rule. `severity` is one of info, low, medium, high, critical; `status` one of open, passed,
    not-applicable, error. `fingerprint` names the same problem from run to run: make it of rule, path and content, never of a
    line number alone."""

    rule: str
    severity: str
    title: str
    fingerprint: str
    status: str = "open"
    detail: str | None = None
    location: Location | None = None
    remediation: str | None = None
    references: list[str] = field(default_factory=list)
    data: Any = None


@dataclass
class Task:
    name: str
    run: Callable[[Any], Any]
    input: dict
    output: dict


TASKS: dict[str, Task] = {}


def task(name: str, *, input: dict | bool = True, output: dict | bool = True) -> Callable:
    """Makes a function a task. `input` and `output` are JSON Schemas (draft 2020-12); the host checks both directions."""

    def register(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        if name in TASKS:
            raise ValueError(f"there are two tasks `{name}`")
        TASKS[name] = Task(name, function, input, output)
        return function

    return register


def mount(name: str) -> str:
    """The folder at which a granted mount is found. Use `open` and `os` below it; raises `Denied` if it was not granted."""
    if not has_capability(f"fs:{name}"):
        raise Denied("fs", name)
    return _host.mount(name)


def has_capability(name: str) -> bool:
    """Whether something was granted: `fs:<mount>`, `env:<NAME>`."""
    return _host.has_capability(name)


def log(level: str, message: str, /, **fields: Any) -> None:
    """Writes a log line; `level` is one of trace, debug, info, warn, error. What is printed goes to the log too."""
    _host.log(level, message, [(key, str(value)) for key, value in fields.items()])


def info(message: str, /, **fields: Any) -> None:
    """Logs at `info`."""
    log("info", message, **fields)


def progress(done: int, total: int | None = None, note: str | None = None) -> None:
    """Says how far the work is; `total` if it is known."""
    _host.progress(done, total, note)


def emit(*findings: Finding) -> None:
    """Adds findings to the run. Raises `Failed` when the task's limit on findings is reached."""
    refused = _host.emit(list(findings))
    if refused is not None:
        raise Failed(refused)


def is_cancelled() -> bool:
    """Whether the host wants the task to stop. It is ended soon after."""
    return _host.is_cancelled()


def check_cancelled() -> None:
    """Raises `Cancelled` if the host wants the task to stop. Long loops call it now and then."""
    if is_cancelled():
        raise Cancelled()


def dispatch(name: str, text: str) -> Any:
    """Runs a task by name on JSON text, or answers the host's question what the tasks look like."""
    if name == "orch:describe":
        return {each.name: {"input": each.input, "output": each.output} for each in TASKS.values()}
    if name not in TASKS:
        known = ", ".join(f"`{each}`" for each in sorted(TASKS))
        raise InvalidInput(f"no task `{name}` in this plugin (known: {known})")
    try:
        given = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"no JSON: {error}") from None
    return TASKS[name].run(given)


def encode(value: Any) -> str:
    """A value as the JSON text that the host takes."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
