"""The engine as a task sees it: the generated bindings inside a component, a `Recorder` in ordinary tests."""

import json
import os

try:
    from wit_world.imports import context, findings, report
except ImportError:
    context = None


class Recorder:
    """What a task did in a test. `folders` maps the name of a mount to a folder."""

    def __init__(self):
        self.folders, self.logs, self.told, self.findings, self.cancelled = {}, [], [], [], False


recorder = Recorder()


def mount(name):
    return f"/{name}" if context else os.fspath(recorder.folders[name])


def has_capability(name):
    if context:
        return context.has_capability(name)
    kind, _, rest = name.partition(":")
    return kind == "fs" and (rest in recorder.folders if rest else bool(recorder.folders))


def is_cancelled():
    return context.is_cancelled() if context else recorder.cancelled


def log(level, message, fields):
    if context:
        report.log(report.Level[level.upper()], message, fields)
    else:
        recorder.logs.append((level, message, fields))


def progress(done, total, note):
    if context:
        report.progress(done, total, note)
    else:
        recorder.told.append((done, total, note))


def emit(items):
    """None, or the text that names the limit which was reached."""
    if not context:
        recorder.findings.extend(items)
        return None
    from componentize_py_types import Err

    try:
        findings.emit([_bound(item) for item in items])
    except Err as refused:
        return refused.value
    return None


def _bound(item):
    place = item.location and findings.Location(
        item.location.path, item.location.line, item.location.column, item.location.end_line
    )
    return findings.Finding(
        rule=item.rule,
        severity=findings.Severity[item.severity.upper()],
        status=findings.Status[item.status.upper().replace("-", "_")],
        title=item.title,
        detail=item.detail,
        fingerprint=item.fingerprint,
        location=place,
        remediation=item.remediation,
        references=list(item.references),
        data=None if item.data is None else json.dumps(item.data, ensure_ascii=False, allow_nan=False),
    )
