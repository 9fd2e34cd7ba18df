"""``longshore validate`` of a pack of 1,000 workflow files with 10 tasks each: the whole process, no server.

Wall time, with bytecode compiled as after an installation. Each file has JSON Schemas, inputs, retries and
transitions, and is another one than the others, so that nothing is read twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.results import Measured
from benchmarks.stage import Bench
from longshore_bundles.findings import FindingLog
from longshore_bundles.workflows import read_workflows

_PROGRAM = str(Path(sys.executable).with_name("longshore"))
_MOST_WORKFLOWS = 1_000
_TASKS = 10
_HEAD = """\
label: Rolling restart {number}
version: 1.0.{number}
description: Takes node after node out of the load balancer and restarts it.
tags: [ops, nodes]
parameters:
  type: object
  properties:
    nodes: {{type: array, items: {{type: string}}}}
  required: [nodes]
tasks:
"""
_TASK = """\
  - name: step{task}
    action: bench.flow{number:04d}
    input:
      url: "https://nodes.example.org/{{{{ parameters.nodes }}}}/{number}"
      method: POST
    retry: {{count: 3, delay: 5, backoff: linear, max_delay: 30}}
    timeout: 60
"""


async def measure(bench: Bench) -> Measured:
    workflows = min(_MOST_WORKFLOWS, 200 * bench.sizes.pairs)
    pack = bench.folder / "validate-row"
    files = _lay(pack, workflows)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPYCACHEPREFIX": str(bench.folder / "bytecode"),
    }
    await _validate_s(pack, workflows, environment)
    taken: list[float] = []
    reading: list[float] = []
    for _ in range(bench.sizes.pairs):
        taken.append(await _validate_s(pack, workflows, environment))
        reading.append(await asyncio.to_thread(_reading_s, files))
        bench.say(f"{workflows} workflows {taken[-1]:.2f} s, their rules alone {reading[-1]:.2f} s")
    return Measured(
        {"validate.pack": taken},
        {
            "workflows": workflows,
            "tasks": _TASKS,
            "size_bytes": sum(map(len, files.values())),
            "reading_s": [round(each, 3) for each in reading],
        },
    )


def _lay(pack: Path, workflows: int) -> Mapping[str, bytes]:
    files = {f"workflows/flow{number:04d}.yaml": _workflow(number) for number in range(workflows)}
    (pack / "workflows").mkdir(parents=True)
    (pack / "pack.yaml").write_text("ref: bench\nlabel: Bench\ndescription: Bench\nversion: 1.0.0\n")
    for path, content in files.items():
        (pack / path).write_bytes(content)
    return files


def _workflow(number: int) -> bytes:
    tasks = [
        _TASK.format(task=task, number=number)
        + (f"    on_success: step{task + 1}\n" if task + 1 < _TASKS else "")
        for task in range(_TASKS)
    ]
    return (_HEAD.format(number=number) + "".join(tasks)).encode()


async def _validate_s(pack: Path, workflows: int, environment: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(_PROGRAM, "validate", str(pack), "-o", "json"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    taken_s = time.perf_counter() - begun
    if process.returncode != 0:
        raise RuntimeError(f"longshore validate ended with {process.returncode}: {errors.decode()}")
    found = json.loads(output)
    if found["workflow_count"] != workflows or found["total_findings"]:
        raise RuntimeError(f"the pack was read otherwise: {output.decode()[:1_000]}")
    return taken_s


def _reading_s(files: Mapping[str, bytes]) -> float:
    log = FindingLog()
    begun = time.perf_counter()
    read_workflows(files, "bench", (), log)
    taken_s = time.perf_counter() - begun
    if log.total:
        raise RuntimeError(f"the workflows are not valid: {log.findings()[0]}")
    return taken_s
