"""luigi: one `luigi.Task` for each task, with its local scheduler in this process. Not durable as a run: a task counts as done when
its output file is there, and nothing is synced to the disk.

Measured: `luigi.build`, which asks for each output, schedules and runs. Left out: starting Python and importing luigi. With more
than one slot luigi runs each task in a process of its own, which it forks.
"""

import time

import luigi
from common import SHAPES, arguments, report, work


class Work(luigi.Task):
    """One task; in a chain it requires the one before."""

    shape = luigi.Parameter()
    index = luigi.IntParameter()

    def requires(self):
        chained = SHAPES[self.shape].chained and self.index > 0
        return [Work(self.shape, self.index - 1)] if chained else []

    def output(self):
        return luigi.LocalTarget(f"out/{self.index}")

    def run(self):
        with self.output().open("w") as out:
            out.write(str(work(SHAPES[self.shape])))


if __name__ == "__main__":
    shape, tasks = arguments()
    wanted = [Work(shape.name, tasks - 1)] if shape.chained else [Work(shape.name, index) for index in range(tasks)]
    begun = time.perf_counter()
    done = luigi.build(wanted, local_scheduler=True, workers=shape.slots, log_level="ERROR")
    seconds = time.perf_counter() - begun
    if not done:
        raise SystemExit("luigi says that the run failed")
    report(shape, tasks, seconds)
