"""Finds TODO and FIXME marks in the files that the input names. The tasks in `contract.py` are for the tests of the contract."""

import contract  # noqa: F401
from orch import Denied, Finding, InvalidInput, Location, check_cancelled, emit, info, mount, progress, task

INPUT = {
    "type": "object",
    "properties": {"files": {"type": "array", "items": {"type": "string"}, "description": "files below the mount `source`"}},
    "required": ["files"],
    "additionalProperties": False,
}
OUTPUT = {
    "type": "object",
    "properties": {"files": {"type": "integer"}, "marks": {"type": "integer"}},
    "required": ["files", "marks"],
    "additionalProperties": False,
}
MARKS = ("TODO", "FIXME")


@task("scan", input=INPUT, output=OUTPUT)
def scan(given):
    files = given.get("files") if isinstance(given, dict) else None
    if not isinstance(files, list):
        raise InvalidInput("files: a list of paths is missing")
    folder = mount("source")
    marks = 0
    for number, name in enumerate(files):
        check_cancelled()
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"files[{number}]: a path is missing")
        marks += scan_file(folder, name)
        progress(number + 1, len(files), name)
    info("scanned", files=len(files), marks=marks)
    return {"files": len(files), "marks": marks}


def scan_file(folder, name):
    try:
        with open(f"{folder}/{name}", encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
    except PermissionError:
        raise Denied("fs", name) from None
    except OSError as error:
        # What could not be read is said, never passed over.
        emit(Finding("unread-file", "medium", error.strerror, f"unread-file:{name}", status="error", location=Location(name)))
        return 0
    found = [
        Finding("open-mark", "low", line.strip(), f"open-mark:{name}:{line.strip()}", location=Location(name, number))
        for number, line in enumerate(lines, 1)
        if any(mark in line for mark in MARKS)
    ]
    if found:
        emit(*found)
    return len(found)
