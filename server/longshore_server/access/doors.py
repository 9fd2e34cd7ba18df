"""Who is let in, and what they may do just now: the policy is read again when its file has changed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from longshore_server.file_state import file_state
from longshore_server.refusal import Reason, Refusal
from longshore_server.settings import AccessSettings
from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.rows import Actor
from longshore_storage.errors import Misconfigured, StorageError

from .authentication import Authenticator
from .callers import UNKNOWN, Caller, Identity
from .denials import Denials
from .failures import Failures, address_of
from .json_web_tokens import JsonWebTokens, unknown_token
from .open_streams import OpenStreams
from .permissions import Permission
from .policy import Policy, read_policy
from .rights import Rights
from .static_tokens import StaticTokens

_log = structlog.get_logger(__name__)
_MOST_KEPT: Final = 4096
_VERIFIED_AFTER_S: Final = 2.0


class Doors:
    """Lets callers in. Raises ``Misconfigured`` for a policy or an issuer that cannot be used.

    ``on_denied`` and ``on_failure`` count, see ``Denials`` and ``Failures``.
    """

    def __init__(
        self,
        settings: AccessSettings,
        catalogue: Catalogue,
        *,
        on_denied: Callable[[str], None] = lambda _: None,
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._look_again_s = settings.look_again_s
        self._policy_file = settings.policy_file
        self._policy = Policy()
        # By the policy there is: it takes a while to find them in a long one.
        self._rights: OrderedDict[Identity, Rights] = OrderedDict()
        self._policy_state: object = None
        if self._policy_file is not None:
            self._policy_state = file_state(self._policy_file)
            self._policy = read_policy(self._policy_file)
        self._tokens = StaticTokens(catalogue, fresh_s=settings.look_again_s)
        self._authenticator = Authenticator(self._tokens, JsonWebTokens(settings.issuers))
        self._failures = Failures(on_failure)
        self._denials = Denials(catalogue, on_denied)
        self.streams = OpenStreams(self._tokens, self.rights_of)

    async def run(self) -> None:
        """Read a changed policy, and end streams that must not go on, until cancelled."""
        while True:
            await asyncio.sleep(self._look_again_s)
            await self.streams.look(rights_changed=self._look_at_policy())

    def rights_of(self, identity: Identity) -> Rights:
        """What somebody may do now."""
        rights = self._rights.get(identity)
        if rights is None:
            rights = self._rights[identity] = self._policy.rights_of(identity)
            if len(self._rights) > _MOST_KEPT:
                self._rights.popitem(last=False)
        return rights

    async def rights_now(self, identity: Identity) -> Rights:
        """The same for a call under way. Raises ``Refusal`` where its token was revoked meanwhile."""
        if identity.token and identity.token in await self._tokens.revoked_among([identity.token]):
            raise unknown_token("it was revoked")
        return self.rights_of(identity)

    async def admit(
        self,
        actor: Actor,
        metadata: Sequence[tuple[str, str | bytes]],
        connection: Mapping[str, Sequence[bytes]],
    ) -> Caller:
        """Tell who calls; ``actor`` has where from. Raises ``Refusal``, later each time that it does.

        Why that cannot be told just now is for the log only: a stranger does not get to know what is asked.
        """
        try:
            identity = await self._authenticator.identify(metadata, connection)
        except Refusal as refusal:
            if refusal.reason is Reason.UNAUTHENTICATED:
                unknown = Actor(UNKNOWN, actor.peer, actor.request_id)
                await self._denials.record(unknown, "authentication", refusal.message)
                await self._failures.wait(address_of(actor.peer))
            raise
        except StorageError as error:
            _log.warning("access.not_verified", error=str(error))
            raise Refusal(
                Reason.DEPENDENCY_UNAVAILABLE,
                "this server cannot verify who calls just now; its log tells why: try again in "
                f"{_VERIFIED_AFTER_S:g} s",
                retry_after_s=_VERIFIED_AFTER_S,
            ) from error
        return Caller(identity, self.rights_of(identity))

    async def deny(
        self,
        actor: Actor,
        permission: Permission,
        project: str | None,
        environment: str | None,
        *,
        why: str = "",
    ) -> Refusal:
        """The refusal of what a caller may not do, told in the audit trail."""
        message = f"{actor.principal} needs the permission {permission}"
        if project is not None:
            message += f" for {project or 'all projects'}"
        if environment is not None:
            message += f" in {environment or 'all environments'}"
        if why:
            message += f", because {why}"
        await self._denials.record(
            actor, permission, message, project=project or "", environment=environment or ""
        )
        return Refusal(
            Reason.PERMISSION_DENIED,
            f"{message}: ask whoever administers this server for a role that has it",
            metadata={"permission": permission},
        )

    def _look_at_policy(self) -> bool:
        """Read the policy where its file has changed; whether there is another one now."""
        if self._policy_file is None or (state := file_state(self._policy_file)) == self._policy_state:
            return False
        self._policy_state = state
        try:
            self._policy = read_policy(self._policy_file)
            self._rights.clear()
        except Misconfigured as error:
            # Half a change must not lock everybody out.
            _log.error("access.policy_not_read", error=str(error), goes_on_with="the one before")
            return False
        _log.info("access.policy_read", file=str(self._policy_file))
        return True
