"""The command line on the rest of a deployment's life: promoted, cancelled, taken off, tried again."""

from __future__ import annotations

from pathlib import Path

from tests.services.processes import ServerProcess

from .command_line import Run
from .terminal import Terminal


def test_a_staged_one_is_promoted(run: Run, project: str, tree: Path) -> None:
    staged = run("deploy", tree, "-p", project, "--stage", "--label", "team=web", "--label", "ticket=4711")
    assert staged.code == 0
    deployment_id = staged.err.split()[1]
    assert staged.out == (
        f"{project} 1.0.0 is staged in default and waits for a person: longshore promote {deployment_id}\n"
    )
    assert deployment_id in run("list", project, "--status", "staged", "-o", "json").out
    shown = run("get", deployment_id)
    assert "team=web, ticket=4711" in shown.out
    assert "waits at gate" in shown.out
    unasked = run("promote", deployment_id[:8])
    assert (unasked.code, "--yes" in unasked.err) == (2, True)
    other_gate = run("promote", deployment_id, "--gate", deployment_id, "--yes")
    assert other_gate.code == 4
    promoted = run("promote", deployment_id[:8], "--yes")
    assert (promoted.code, promoted.out) == (0, f"{project} 1.0.0 is live in default on 1 node\n")
    again = run("promote", deployment_id, "--yes")
    assert (again.code, "waits for nobody" in again.err) == (4, True)


def test_a_staged_one_is_cancelled_and_tried_again(run: Run, project: str, tree: Path) -> None:
    deployment_id = run("deploy", tree, "-p", project, "--stage").err.split()[1]
    cancelled = run("cancel", deployment_id, "--reason", "wrong branch", "--yes")
    assert (cancelled.code, cancelled.out) == (0, f"{project} 1.0.0 in default is cancelled\n")
    assert "cancelled by anonymous: wrong branch" in run("get", deployment_id).out
    assert run("cancel", deployment_id, "--yes").code == 0
    watched = run("watch", deployment_id)
    assert (watched.code, "was cancelled" in watched.err) == (1, True)
    retried = run("retry", deployment_id)
    assert (retried.code, retried.out) == (0, f"{project} 1.0.0 is live in default on 1 node\n")
    late = run("cancel", retried.err.split()[1], "--yes")
    assert (late.code, "SUCCEEDED" in late.err) == (4, True)


def test_a_project_is_taken_off_and_comes_back(run: Run, project: str, tree: Path) -> None:
    run("deploy", tree, "-p", project)
    assert run("undeploy", project).code == 2
    off = run("undeploy", project, "--yes")
    assert (off.code, off.out) == (0, f"{project} is off the nodes of default: 1 node\n")
    nothing = run("undeploy", project, "--yes")
    assert (nothing.code, nothing.out) == (0, f"nothing to do: nothing of {project} is live in default\n")
    back = run("rollback", project)
    assert (back.code, back.out) == (0, f"{project} 1.0.0 is live in default on 1 node\n")


def test_terms(run: Run, project: str, tree: Path) -> None:
    first = run("deploy", tree, "-p", project, "--expect-live", "none")
    assert first.code == 0
    deployment_id = first.err.split()[1]
    refused = run("deploy-release", f"{project}@1.0.0", "--expect-live", "none")
    assert (refused.code, f"deployment {deployment_id} is live" in refused.err) == (4, True)
    assert run("deploy-release", project, "1.0.0", "--expect-live", deployment_id).code == 0
    assert run("deploy", tree, "-p", project, "--label", "novalue").code == 2


def test_lists_are_filtered(run: Run, project: str, tree: Path) -> None:
    run("deploy", tree, "-p", project, "--label", "team=web", "--label", "stage=beta")
    run("deploy-release", project, "1.0.0", "--label", "team=web")

    def found(*options: str) -> int:
        return len(run("list", project, *options, "-o", "json").objects)

    assert found() == 2
    assert found("--label", "team=web") == 2
    assert found("--label", "team=web", "--label", "stage=beta") == 1
    assert found("--label", "team=other") == 0
    assert found("--by", "anonymous") == 2
    assert found("--by", "somebody") == 0
    assert found("--since", "1h") == 2
    assert found("--until", "1h") == 0
    assert found("--since", "2020-01-01", "--until", "2020-01-02") == 0
    assert run("list", "--since", "yesterday").code == 2


def test_a_freeze(run: Run, project: str, tree: Path) -> None:
    run("deploy", tree, "-p", project)
    frozen = run("freeze", project, "--reason", "sales weekend")
    assert (frozen.code, frozen.out) == (0, f"{project} in default is frozen by anonymous: sales weekend\n")
    refused = run("deploy-release", project, "1.0.0")
    assert (refused.code, "sales weekend" in refused.err, "unfreeze" in refused.err) == (4, True, True)
    assert "sales weekend" in run("projects", project).out
    lifted = run("unfreeze", project)
    assert (lifted.code, lifted.out) == (0, f"{project} in default is not frozen\n")
    assert run("deploy-release", project, "1.0.0").code == 0


def test_a_node_is_cordoned(run: Run, project: str, tree: Path) -> None:
    (node,) = run("nodes", "-q").out.split()
    cordoned = run("cordon", node, "--reason", "new disk")
    assert (cordoned.code, cordoned.out) == (0, f"{node} is cordoned by anonymous: new disk\n")
    listed = run("nodes")
    assert "CORDON" in listed.out
    assert "new disk" in listed.out
    waiting = run("deploy", tree, "-p", project, "--detach", "-q").out.strip()
    assert run("uncordon", node).out == f"{node} is not cordoned\n"
    assert run("watch", waiting).out.endswith(f"{project} 1.0.0 is live in default on 1 node\n")
    assert "CORDON" not in run("nodes").out
    assert run("cordon", node).code == 2
    assert run("cordon", node, "--reason", " ").code == 2
    nowhere = run("cordon", "no-such-node", "--reason", "new disk")
    assert (nowhere.code, "`longshore nodes`" in nowhere.err) == (3, True)


def test_a_node_is_drained(run: Run, project: str, tree: Path) -> None:
    (node,) = run("nodes", "-q").out.split()
    drained = run("drain", node, "--reason", "new disk", "--wait")
    assert (drained.code, drained.out) == (0, f"{node} is drained\n")
    assert "drained" in run("nodes").out
    refused = run("deploy", tree, "-p", project, "--timeout", "1")
    assert (refused.code != 0, "is drained or shuts down" in refused.err) == (True, True)
    assert run("uncordon", node).out == f"{node} is not cordoned\n"
    assert run("deploy", tree, "-p", project).code == 0
    assert run("drain", node, "--reason", " ").code == 2


def test_who_waits_for_a_drain_sees_what_for(
    run: Run, server: ServerProcess, project: str, tree: Path
) -> None:
    (node,) = run("nodes", "-q").out.split()
    canary = run("deploy", tree, "-p", project, "--canary", "1", "-q").out.strip()
    waiting = Terminal(80, ["--server", server.address, "drain", node, "--reason", "new disk", "--wait"])
    waiting.wait_for(f"{node} is draining (1 rollout)")
    assert run("promote", canary, "--yes").code == 0
    assert waiting.ended()[0] == 0
    assert run("uncordon", node).code == 0


def test_a_project_goes_to_nodes_with_labels(run: Run, project: str, tree: Path) -> None:
    run("deploy", tree, "-p", project)
    chosen = run("select", project, "--node-label", "zone=eu", "--node-label", "disk=ssd")
    assert (chosen.code, chosen.out) == (0, f"{project} goes to nodes with disk=ssd, zone=eu of default\n")
    assert "ONLY NODES" in run("projects", project).out
    assert run("select", project).out == chosen.out
    assert run("select", project, "--every-node").out == f"{project} goes to every node of default\n"
    assert run("select", project, "--every-node", "--node-label", "a=b").code == 2
    assert "--node-label zone: write KEY=VALUE" in run("select", project, "--node-label", "zone").err
    assert run("select", project, "-e", "nowhere").code == 3


def test_a_node_that_is_gone_is_forgotten(run: Run) -> None:
    (node,) = run("nodes", "-q").out.split()
    unasked = run("remove-node", node)
    assert (unasked.code, "--yes" in unasked.err) == (2, True)
    running = run("remove-node", node, "--yes")
    assert (running.code, "runs: stop it first" in running.err) == (4, True)
    forgotten = run("remove-node", "web-9", "--yes")
    told = "node web-9 is not registered: see `longshore nodes`\n"
    assert (forgotten.code, forgotten.out) == (0, told)


def test_a_pin(run: Run, project: str, tree: Path) -> None:
    run("deploy", tree, "-p", project)
    pinned = run("pin", f"{project}@1.0.0", "--reason", "the auditors")
    assert (pinned.code, pinned.out) == (0, f"{project} 1.0.0 is pinned by anonymous: the auditors\n")
    assert run("releases", project, "-o", "json").objects[0]["pin_reason"] == "the auditors"
    assert run("unpin", project, "1.0.0").out == f"{project} 1.0.0 is not pinned\n"
