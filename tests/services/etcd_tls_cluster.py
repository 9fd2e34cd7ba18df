"""etcd as a careful operator runs it: TLS both ways, and a user who may touch nothing but one prefix."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from .certificates import LOCAL_NAMES, Authority
from .etcd_cluster import EtcdCluster, MutualTls, key_range
from .local_http import RefusedError


class EtcdTlsCluster(EtcdCluster):
    """One member. A client needs ``cert_file`` and ``key_file``, and ``user`` with ``password``.

    The client certificate's name is no user's, so that it opens the door and grants nothing. The user may
    read and write keys that begin with ``prefix`` followed by a slash, and no others.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        authority = Authority(folder / "certificates")
        # The gateway behind the JSON API shows the server's certificate as a client.
        server = authority.issue("server", hosts=LOCAL_NAMES)
        client = authority.issue("client")
        # With users switched on, the JSON API refuses whoever shows a common name.
        nameless = authority.issue("nameless", anonymous=True)
        super().__init__(program, folder, size=1, tls=MutualTls(authority.ca_file, server, nameless))
        self.ca_file = authority.ca_file
        self.cert_file = client.cert_file
        self.key_file = client.key_file
        self.prefix = "tenant"
        self.namespace = f"{self.prefix}/"
        self.user = "longshore"
        self.password = secrets.token_hex(12)
        self._root_password = secrets.token_hex(12)

    def start(self) -> None:
        super().start()
        if not self._guarded():
            self._guard()

    def call(self, path: str, body: dict[str, Any]) -> Any:
        return self.members[0].call(path, body, self.token("root", self._root_password))

    def token(self, user: str, password: str) -> str:
        """What a call carries to be this user's."""
        who = {"name": user, "password": password}
        return str(self.members[0].call("auth/authenticate", who)["token"])

    def _guarded(self) -> bool:
        try:
            self.token("root", self._root_password)
        except RefusedError:
            return False
        return True

    def _guard(self) -> None:
        """Make the users and shut the door; on data that is new."""
        call = self.members[0].call
        call("auth/user/add", {"name": "root", "password": self._root_password})
        call("auth/role/add", {"name": "root"})
        call("auth/user/grant", {"user": "root", "role": "root"})
        call("auth/role/add", {"name": self.user})
        permission = {"permType": "READWRITE", **key_range(self.namespace)}
        call("auth/role/grant", {"name": self.user, "perm": permission})
        call("auth/user/add", {"name": self.user, "password": self.password})
        call("auth/user/grant", {"user": self.user, "role": self.user})
        call("auth/enable", {})
