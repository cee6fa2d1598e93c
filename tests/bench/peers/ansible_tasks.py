"""ansible-core: one task of a playbook for each task, on the local connection, facts off. Not durable.

Measured: the whole `ansible-playbook`, its start included, which is about a second. Each task is the module `command`: that is how ansible
computes anything. Independent tasks are dealt to as many local hosts as the shape has slots, which go on without waiting for each
other.
"""

import json
import os
import subprocess
import sys
import time

from common import WAIT, arguments, lanes, report

FIBONACCI = "import sys; sys.path.insert(0, sys.argv[1]); import common; common.fibonacci(int(sys.argv[2]))"

shape, tasks = arguments()
if shape.n is None:
    argv = ["sleep", str(WAIT)]
else:
    argv = [sys.executable, "-S", "-c", FIBONACCI, os.path.dirname(os.path.abspath(__file__)), str(shape.n)]
hosts = lanes(shape, tasks)
# JSON is YAML: a play for each host would run one after the other, so each task says how far the hosts go.
plays = [
    {
        "hosts": "all",
        "gather_facts": False,
        "strategy": "free",
        "tasks": [
            {
                "name": str(number),
                "ansible.builtin.command": {"argv": argv},
                **({} if number < len(hosts[-1]) else {"when": f"{number} < number_of_tasks"}),
            }
            for number in range(len(hosts[0]))
        ],
    }
]
settings = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
inventory = {
    "all": {"vars": settings, "hosts": {f"h{lane}": {"number_of_tasks": len(own)} for lane, own in enumerate(hosts)}}
}
with open("playbook.json", "w", encoding="utf-8") as file:
    json.dump(plays, file)
with open("inventory.json", "w", encoding="utf-8") as file:
    json.dump(inventory, file)
program = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
command = [program, "--inventory", "inventory.json", "--forks", str(shape.slots), "playbook.json"]
environment = dict(os.environ, ANSIBLE_HOME=os.path.abspath("ansible"), LC_ALL="C.UTF-8")
begun = time.perf_counter()
subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
report(shape, tasks, time.perf_counter() - begun)
