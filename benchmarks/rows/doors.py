"""What TLS, a token and a permission cost: a unary call and an upload, against a node that asks nobody.

Both nodes run side by side and take turns, call by call and upload by upload, the first of a pair changing
with every pair; each client keeps its connection. The token is a JSON Web Token signed with RS256, whose
signature a node verifies once a minute; the role is ``deployer``.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from benchmarks.content import make_random_file
from benchmarks.costs import Cost, cost_of, summary
from benchmarks.results import Measured
from benchmarks.sizes import MIB
from benchmarks.stage import Bench
from longshore_client import Client, Credentials, PayloadFormat
from tests.server.access.issuer import Issuer
from tests.server.access.policies import write_policy
from tests.services.certificates import LOCAL_NAMES, Authority


async def measure(bench: Bench) -> Measured:
    spent: dict[str, list[float]] = {"call": [], "call plain": [], "upload": [], "upload plain": []}
    costs: dict[str, list[Cost]] = {"": [], " plain": []}
    with bench.place() as place, bench.place() as plain_place:
        path = place.folder / "payload.bin"
        credentials, env = _guarded(place.folder)
        async with (
            place.server(env=env) as server,
            plain_place.server() as plain_server,
            Client(server.address, credentials=credentials) as client,
            Client(plain_server.address) as plain_client,
        ):
            sides = {"": (client, server.pid), " plain": (plain_client, plain_server.pid)}
            make_random_file(path, MIB)
            for each, _ in sides.values():
                await _upload(each, path)
            for number in range(bench.sizes.pairs):
                clients = {side: each for side, (each, _) in sides.items()}
                for side, median_s in (await _calls_s(clients, bench.sizes.calls)).items():
                    spent[f"call{side}"].append(median_s)
                make_random_file(path, bench.sizes.payload_bytes)
                for side in ("", " plain") if number % 2 else (" plain", ""):
                    each, pid = sides[side]
                    costs[side].append(await cost_of(partial(_upload, each, path), {"server": pid}))
                    spent[f"upload{side}"].append(costs[side][-1].seconds)
                place.drop_objects()
                plain_place.drop_objects()
                bench.say(", ".join(f"{name} {1000 * values[-1]:.2f} ms" for name, values in spent.items()))
    return Measured(
        {
            f"doors.{name}": [
                ours / theirs for ours, theirs in zip(spent[name], spent[f"{name} plain"], strict=True)
            ]
            for name in ("call", "upload")
        },
        {
            "size_bytes": bench.sizes.payload_bytes,
            "calls": bench.sizes.calls,
            "call_ms": {
                name: [round(1000 * each, 3) for each in spent[name]] for name in ("call", "call plain")
            },
            "guarded": summary(costs[""], bench.sizes.payload_bytes),
            "plain": summary(costs[" plain"], bench.sizes.payload_bytes),
        },
    )


def _guarded(folder: Path) -> tuple[Credentials, Mapping[str, str]]:
    """What a client shows, and the variables of a node that asks for it."""
    authority, issuer = Authority(folder / "authority"), Issuer(folder)
    pair = authority.issue("server", hosts=LOCAL_NAMES)
    policy_file = folder / "policy.yaml"
    write_policy(policy_file, {"role": "deployer", "principals": ["bench"]})
    # Good for longer than any row takes.
    token = issuer.token("bench", good_for_s=7200)
    return Credentials(ca_file=authority.ca_file, token=token), {
        "LONGSHORE_TLS__CERT_FILE": str(pair.cert_file),
        "LONGSHORE_TLS__KEY_FILE": str(pair.key_file),
        "LONGSHORE_ACCESS__ENABLED": "true",
        "LONGSHORE_ACCESS__POLICY_FILE": str(policy_file),
        "LONGSHORE_ACCESS__ISSUERS": json.dumps([issuer.settings]),
    }


async def _calls_s(clients: Mapping[str, Client], count: int) -> dict[str, float]:
    """The median of each side's calls, which take turns."""
    taken: dict[str, list[float]] = {side: [] for side in clients}
    for number in range(count):
        for side in list(clients)[:: -1 if number % 2 else 1]:
            begun = time.perf_counter()
            await clients[side].release("bench", "1.0.0")
            taken[side].append(time.perf_counter() - begun)
    return {side: statistics.median(each) for side, each in taken.items()}


async def _upload(client: Client, path: Path) -> None:
    await client.deploy(path, project="bench", payload_format=PayloadFormat.FILE)
