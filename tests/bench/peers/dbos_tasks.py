"""DBOS: one durable step for each task, in SQLite, with DBOS' own settings for it.

Measured: the workflow from its call to its result, each step's record included. Left out: starting Python, making the database and
launching DBOS; one step has been run before. Independent tasks are steps of one workflow, begun together; where slots are given (tasks that wait), there is one child
workflow for each slot, because the order of steps within a workflow has to be the same each time. What computes for long does so in
processes of its own, or Python's lock would let one compute at a time.
"""

import asyncio
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from common import PROCESSORS, SHAPES, WAIT, arguments, fibonacci, lanes, report
from dbos import DBOS

# Below this a task is done sooner than handed to another process.
LONG = 20
pool = None


@DBOS.step()
async def step(index, n):
    if n is None:
        await asyncio.sleep(WAIT)
        return index
    if n > LONG:
        return await asyncio.get_running_loop().run_in_executor(pool, fibonacci, n)
    return fibonacci(n)


@DBOS.workflow()
async def one_after_the_other(indices, n):
    for index in indices:
        await step(index, n)


@DBOS.workflow()
async def all_at_once(tasks, n):
    await asyncio.gather(*(step(index, n) for index in range(tasks)))


@DBOS.workflow()
async def in_lanes(name, tasks):
    shape = SHAPES[name]
    begun = [await DBOS.start_workflow_async(one_after_the_other, lane, shape.n) for lane in lanes(shape, tasks)]
    for handle in begun:
        await handle.get_result()


async def main():
    shape, tasks = arguments()
    # One step before the clock runs: connections are made, statements are prepared.
    await one_after_the_other([0], 1)
    begun = time.perf_counter()
    if shape.chained:
        await one_after_the_other(list(range(tasks)), shape.n)
    elif shape.n is None:
        await in_lanes(shape.name, tasks)
    else:
        await all_at_once(tasks, shape.n)
    seconds = time.perf_counter() - begun
    pool.shutdown()
    report(shape, tasks, seconds)


if __name__ == "__main__":
    pool = ProcessPoolExecutor(PROCESSORS, mp_context=get_context("spawn"))
    # The processes are there before the clock runs.
    list(pool.map(fibonacci, [1] * PROCESSORS))
    DBOS(config={"name": "bench", "system_database_url": "sqlite:///bench.sqlite", "log_level": "ERROR"})
    DBOS.launch()
    asyncio.run(main())
