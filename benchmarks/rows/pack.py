"""What a pack's workflows add to its deployment: the same bytes as a pack and as a plain component, in turn.

From the first byte to live on one embedded node, as ``latency`` measures it; only a file's name differs,
so that the one is a pack and the other is not.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from benchmarks.going_live import until_live
from benchmarks.results import Measured
from benchmarks.stage import Bench
from longshore_client import Client, UploadPhase, UploadProgress
from tests.services.processes import serve

_WORKFLOWS = 100
_TASKS = 10
_WARM_UP = 3
_PAUSE_S = 0.2
_MANIFEST = "ref: {project}\nlabel: Bench\ndescription: Bench\nversion: 1.0.{number}\n"


async def measure(bench: Bench) -> Measured:
    taken: dict[str, list[float]] = {"pack": [], "component": []}
    with bench.place() as place:
        async with (
            serve(data_dir=place.folder / "node", env={"LONGSHORE_LOG__LEVEL": "warning"}) as node,
            Client(node.address) as client,
        ):
            for number in range(_WARM_UP + bench.sizes.bundles):
                for project, manifest in (("pack", "pack.yaml"), ("component", "other.yaml")):
                    bundle = place.folder / f"{project}-{number}"
                    await asyncio.to_thread(_lay, bundle, project, manifest, number)
                    taken[project].append(await _deploy_once(client, bundle, project))
                    # What a node does behind a switch is not charged to the next one.
                    await asyncio.sleep(_PAUSE_S)
    packs, components = taken["pack"][_WARM_UP:], taken["component"][_WARM_UP:]
    bench.say(
        f"a pack {1000 * statistics.median(packs):.0f} ms, the same bytes as a component "
        f"{1000 * statistics.median(components):.0f} ms"
    )
    return Measured(
        {"pack.added": [1000 * (pack - other) for pack, other in zip(packs, components, strict=True)]},
        {
            "workflows": _WORKFLOWS,
            "tasks": _TASKS,
            "pack_ms": round(1000 * statistics.median(packs), 1),
            "component_ms": round(1000 * statistics.median(components), 1),
        },
    )


def _lay(bundle: Path, project: str, manifest: str, number: int) -> None:
    (bundle / "workflows").mkdir(parents=True)
    (bundle / manifest).write_text(_MANIFEST.format(project=project, number=number))
    for each in range(_WORKFLOWS):
        (bundle / "workflows" / f"flow{each:03d}.yaml").write_text(_workflow(f"{number}-{each}"))


def _workflow(label: str) -> str:
    tasks = [
        f"  - name: step{task}\n    action: core.local\n    input: {{cmd: echo {label}}}\n"
        + (f"    on_success: step{task + 1}\n" if task + 1 < _TASKS else "")
        for task in range(_TASKS)
    ]
    return f"label: Flow {label}\nversion: 1.0.0\ntasks:\n{''.join(tasks)}"


async def _deploy_once(client: Client, bundle: Path, project: str) -> float:
    accepted = 0.0

    def note(progress: UploadProgress) -> None:
        nonlocal accepted
        if progress.phase is UploadPhase.ACCEPTED:
            accepted = time.perf_counter()

    deployment = await client.deploy(bundle, project=project, on_progress=note)
    await until_live(client, deployment.deployment_id)
    return time.perf_counter() - accepted
