"""A node that was taken off the list comes back with all that it had, and loses what it should not have."""

from __future__ import annotations

import asyncio
import signal

from tests.faults.trees import V1, live_tree

from .fleet import ALL_ROLES, DEADLINE_S, Fleet, audit

UNDEPLOYED, ELSEWHERE, STILL_LIVE = "undeployed", "elsewhere", "still-live"
ZONE_A = {"zone": "a"}


async def test_what_is_not_to_be_there_any_more_is_taken_off(fleet: Fleet) -> None:
    await fleet.start("a", roles=ALL_ROLES, env={"LONGSHORE_NODE__LABELS": '{"zone": "a"}'})
    await fleet.start("forgotten", roles="install")
    for project in (UNDEPLOYED, ELSEWHERE, STILL_LIVE):
        await fleet.release(V1, project=project)
    fleet.nodes["forgotten"].send(signal.SIGTERM)
    await fleet.nodes["forgotten"].ended()
    async with fleet.client as client:
        assert await client.remove_node("forgotten")
        undeployed = await client.undeploy(UNDEPLOYED)
        await client.select_nodes(ELSEWHERE, ZONE_A)
    assert undeployed is not None
    await fleet.succeeded(undeployed.deployment_id)

    await fleet.start("forgotten", roles="install")
    async with asyncio.timeout(DEADLINE_S):
        for project in (UNDEPLOYED, ELSEWHERE):
            while live_tree(fleet.folder_of("forgotten"), project) is not None:
                await asyncio.sleep(0.02)
    await fleet.has(V1, project=STILL_LIVE)
    await fleet.has(V1, "a", project=ELSEWHERE)
    state = await fleet.until_state(
        lambda state: (
            sum(row.node_name == "forgotten" and row.status == "REMOVED" for row in state["activation"]) == 2
            # What is live may be the last that it looks at.
            and "node.caught_up" in audit(state, principal="node:forgotten")
        )
    )
    assert sorted(audit(state, principal="node:forgotten")) == [
        "node.caught_up",
        "node.taken_off",
        "node.taken_off",
    ]
