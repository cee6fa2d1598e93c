"""Tests a task without an engine: `with granted(source=folder) as seen: scan({...})`, then look at `seen.findings`."""

from contextlib import contextmanager

from . import _host


@contextmanager
def granted(**folders):
    """Grants folders by the names of their mounts, and gives what the task did: logs, told (progress), findings, cancelled."""
    before, _host.recorder = _host.recorder, _host.Recorder()
    _host.recorder.folders = folders
    try:
        yield _host.recorder
    finally:
        _host.recorder = before
