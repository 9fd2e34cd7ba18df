"""Verifications as callers ask for them, and what may happen to a tree that nobody should touch."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from longshore.v1 import cluster_service_pb2 as pb

from .calls import new_id
from .running import Stubs


async def ask(
    stubs: Stubs, *, verification_id: str = "", project: str = "netops", repair: bool = False
) -> str:
    """Ask, and give the id."""
    request = pb.VerifyProjectRequest(
        verification_id=verification_id or new_id(), project=project, repair=repair
    )
    return (await stubs.cluster.VerifyProject(request)).verification.verification_id


async def told(stubs: Stubs, verification_id: str) -> pb.Verification:
    request = pb.GetVerificationRequest(verification_id=verification_id)
    return (await stubs.cluster.GetVerification(request)).verification


async def until(
    stubs: Stubs, verification_id: str, met: Callable[[pb.Verification], object]
) -> pb.Verification:
    async with asyncio.timeout(30):
        while not met(verification := await told(stubs, verification_id)):
            await asyncio.sleep(0.02)
    return verification


def all_ended(verification: pb.Verification) -> bool:
    return all(node.HasField("end_time") for node in verification.nodes)


async def verified(stubs: Stubs, *, repair: bool = False) -> pb.NodeVerification:
    """Ask the only node, and wait until it has told."""
    (node,) = (await until(stubs, await ask(stubs, repair=repair), all_ended)).nodes
    return node


def status_of(node: pb.NodeVerification) -> str:
    return pb.VerificationStatus.Name(node.status).removeprefix("VERIFICATION_STATUS_")


def differences(node: pb.NodeVerification) -> dict[str, str]:
    return {
        one.path: pb.DifferenceKind.Name(one.kind).removeprefix("DIFFERENCE_KIND_")
        for one in node.differences
    }


def open_up(tree: Path) -> None:
    """Let the tests write in a tree, whoever they run as; modes of directories count, so only its own."""
    tree.chmod(0o755)


def change(path: Path, content: bytes) -> None:
    """Change a file in place and set back everything that can be set back."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
