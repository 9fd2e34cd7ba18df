"""Which version an upload becomes, from the header, the manifest, and the releases there are."""

from __future__ import annotations

from longshore_bundles import FIRST_VERSION, Bump, bump_version, case_folded
from longshore_server.refusal import Reason, Refusal

from .requests import Header


def choose_version(header: Header, manifest_version: str, highest: str | None) -> str:
    """Choose; ``manifest_version`` is empty where there is none, ``highest`` None for the first release.

    Raises ``Refusal`` when header and manifest disagree.
    """
    if manifest_version:
        if header.bump is not None:
            raise Refusal(
                Reason.VERSION_CONFLICT,
                f"the manifest says version {manifest_version}, the header asks for a {header.bump} bump: "
                "raise the version in the manifest, or take it out there",
                violations={"header.bump": f"the manifest says version {manifest_version}"},
            )
        if header.version and case_folded(header.version) != case_folded(manifest_version):
            raise Refusal(
                Reason.VERSION_CONFLICT,
                f"the header says version {header.version}, the manifest says {manifest_version}: "
                "make them agree, or leave the header's out",
                violations={"header.version": f"the manifest says {manifest_version}"},
            )
        return manifest_version
    if header.version:
        return header.version
    if highest is None:
        return FIRST_VERSION
    return bump_version(highest, header.bump or Bump.PATCH)
