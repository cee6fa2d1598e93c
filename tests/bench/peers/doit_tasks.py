"""doit: one Python action for each task. Not durable as a run: what is done is written down at the end.

Measured: one whole `doit run` in this process, its file of results included. Left out: starting Python and importing doit. What
computes runs in processes (doit's default), what only waits in threads, which is doit's faster way for that.
"""

import time

from common import arguments, report, work
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain

shape, tasks = arguments()


def action():
    """doit wants True, a string or a map of values."""
    return {"value": work(shape)}


def task_work():
    for index in range(tasks):
        needs = [f"work:{index - 1}"] if shape.chained and index else []
        yield {"name": str(index), "actions": [action], "task_dep": needs}


if __name__ == "__main__":
    command = ["run", "--db-file", "results.db", "--reporter", "zero"]
    if shape.slots > 1:
        command += ["-n", str(shape.slots), "-P", "thread" if shape.n is None else "process"]
    begun = time.perf_counter()
    code = DoitMain(ModuleTaskLoader({"task_work": task_work})).run(command)
    seconds = time.perf_counter() - begun
    if code != 0:
        raise SystemExit(f"doit ended with code {code}")
    report(shape, tasks, seconds)
