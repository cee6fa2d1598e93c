"""Prefect: one task run for each task, results persisted, against a Prefect server of its own with SQLite on this machine.

Measured, inside the flow: from the hand-over of the first task to the result of the last. Left out: starting Python and the server, and
the beginning and end of the flow, because they are no cost of a task: the end is rounded up to whole seconds by a thread that sends
heartbeats, the beginning waits for whatever else the server's SQLite is busy with. Left out as well is what the server
writes later: a task's result is in a file when the task ends (not synced), its record reaches the database some time after, often after
the flow's end. So this is less durable than the other durable engines here.

Independent tasks are submitted to Prefect's thread pool with as many threads as the shape has slots; what computes for long does so
in processes of its own, or Python's lock would let one compute at a time.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from common import PROCESSORS, arguments, fibonacci, report, work

# Below this a task is done sooner than handed to another process.
LONG = 20


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_server():
    """Starts a server and waits until it answers; it ends with this driver's process group."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/api"
    program = os.path.join(os.path.dirname(sys.executable), "prefect")
    command = [program, "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=1).close()
            return server, address
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit("the Prefect server ended before it answered")


def run(pool):
    # Imported here: Prefect reads where its server is when it is imported.
    from prefect import flow, task
    from prefect.task_runners import ThreadPoolTaskRunner

    shape, tasks = arguments()

    @task(persist_result=True)
    def unit(index):
        return pool.submit(fibonacci, shape.n).result() if shape.n is not None and shape.n > LONG else work(shape)

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=shape.slots))
    def whole():
        # One task before the clock runs: connections are made.
        unit(-1)
        begun = time.perf_counter()
        if shape.chained:
            for index in range(tasks):
                unit(index)
        else:
            for future in [unit.submit(index) for index in range(tasks)]:
                future.result()
        return time.perf_counter() - begun

    return shape, tasks, whole()


if __name__ == "__main__":
    os.environ["PREFECT_HOME"] = os.path.abspath("prefect")
    os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ["DO_NOT_TRACK"] = "1"
    pool = ProcessPoolExecutor(PROCESSORS, mp_context=get_context("spawn"))
    list(pool.map(fibonacci, [1] * PROCESSORS))
    server, os.environ["PREFECT_API_URL"] = start_server()
    try:
        measured = run(pool)
    finally:
        server.terminate()
        server.wait()
        pool.shutdown()
    report(*measured)
