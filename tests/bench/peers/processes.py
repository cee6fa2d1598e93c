"""The floor of everything that starts a process for each task: `/bin/true` in a loop of `sh`, or `sleep` for what waits.

Measured: the whole shell. Fibonacci is not computed; the shape with much to compute is therefore left out.
"""

import subprocess
import sys
import time

from common import WAIT, arguments, report

CHAIN = 'i=0; while [ "$i" -lt "$1" ]; do /bin/true || exit 1; i=$((i+1)); done'

shape, tasks = arguments()
if shape.name == "fibonacci-wide":
    sys.exit("a shell computes nothing")
if shape.chained:
    command, given = ["sh", "-c", CHAIN, "sh", str(tasks)], ""
else:
    # xargs starts one process for each line, as many at once as there are slots.
    program, argument = ("sleep", WAIT) if shape.n is None else ("/bin/true", 0)
    command, given = ["xargs", "-P", str(shape.slots), "-n", "1", program], f"{argument}\n" * tasks
begun = time.perf_counter()
subprocess.run(command, input=given, text=True, check=True)
report(shape, tasks, time.perf_counter() - begun)
