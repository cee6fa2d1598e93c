"""What the drivers share: the shapes, the work of a task, and the one line that each driver prints.

A driver is started as `DRIVER SHAPE TASKS` in an empty folder, runs that shape once with that many tasks, and prints
`{"shape": …, "tasks": …, "seconds": …}` as the last line of its standard output. What is measured runs from the hand-over of
the first task to the end of the last; each driver says what it leaves out.
"""

import json
import os
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """How the tasks depend on each other, and what each of them does."""

    name: str
    chained: bool
    # Each task computes this Fibonacci number, or waits `WAIT` if it is None.
    n: int | None
    # How many tasks may run at once.
    slots: int


WAIT = 0.1
PROCESSORS = os.cpu_count() or 1
SHAPES = {
    shape.name: shape
    for shape in (
        Shape("fibonacci-chain", True, 10, 1),
        Shape("fibonacci-wide", False, 33, PROCESSORS),
        Shape("light", False, 10, PROCESSORS),
        Shape("waits", False, None, 100),
        Shape("chain", True, 10, 1),
    )
}


def fibonacci(n):
    """Recursive on purpose: the work of the published benchmarks."""
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def work(shape):
    """The body of one task."""
    if shape.n is None:
        time.sleep(WAIT)
        return 0
    return fibonacci(shape.n)


def arguments():
    """The shape and the number of tasks."""
    return SHAPES[sys.argv[1]], int(sys.argv[2])


def lanes(shape, tasks):
    """The tasks, dealt to the slots: lane 0 gets 0, slots, 2 × slots, …"""
    return [lane for lane in (list(range(first, tasks, shape.slots)) for first in range(shape.slots)) if lane]


def report(shape, tasks, seconds):
    """Prints the result and ends at once: what an engine still does in the background is not waited for."""
    # Some engines put something else in the place of `sys.stdout` and do not put it back.
    print(json.dumps({"shape": shape.name, "tasks": tasks, "seconds": seconds}), file=sys.__stdout__, flush=True)
    os._exit(0)
