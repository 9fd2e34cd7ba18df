"""What people set for an environment as a whole: it holds for every project there, also for those to come."""

from __future__ import annotations

from collections.abc import Collection

from longshore_server.refusal import invalid
from longshore_storage.catalogue import Catalogue, Transaction
from longshore_storage.catalogue.audit_trail import record_audit
from longshore_storage.catalogue.environments import Environment, get_environment, require_second_person
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import CommitUnknown

from .queueing import check_environment_exists
from .requests import check_environment_name

_SETTABLE = ("second_person",)


class EnvironmentRules:
    """The use cases GetEnvironment and UpdateEnvironment."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def get(self, name: str) -> Environment:
        """An environment with its rules; raises ``Refusal`` where there is none of the name."""
        async with self._catalogue.reading() as transaction:
            return await _read(transaction, check_environment_name("environment", name))

    async def update(
        self, name: str, paths: Collection[str], *, second_person: bool, actor: Actor
    ) -> Environment:
        """Set what ``paths`` name; setting what is set already changes nothing. Raises ``Refusal``."""
        name = check_environment_name("environment.environment", name)
        if not paths or not set(paths) <= set(_SETTABLE):
            raise invalid(
                "update_mask",
                f"must name fields of {', '.join(_SETTABLE)}, got {', '.join(paths)[:200] or 'none'}",
            )
        try:
            async with self._catalogue.transaction() as transaction:
                await _update(transaction, name, second_person, actor)
        except CommitUnknown:
            # If it took effect, nothing is left to be set.
            async with self._catalogue.transaction() as transaction:
                await _update(transaction, name, second_person, actor)
        return Environment(name, second_person)


async def _read(transaction: Transaction, name: str, *, for_update: bool = False) -> Environment:
    found = await get_environment(transaction, name, for_update=for_update)
    if found is None:
        await check_environment_exists(transaction, name)
    assert found is not None, "an environment is never deleted"
    return found


async def _update(transaction: Transaction, name: str, second_person: bool, actor: Actor) -> None:
    before = await _read(transaction, name, for_update=True)
    if before.second_person == second_person:
        return
    await require_second_person(transaction, name, second_person)
    was, becomes = (
        f"second_person: {'yes' if value else 'no'}" for value in (before.second_person, second_person)
    )
    await record_audit(
        transaction,
        actor,
        "environment.approval_changed",
        environment=name,
        from_status=was,
        to_status=becomes,
        message=f"{becomes}, for every project",
    )
