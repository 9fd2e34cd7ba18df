"""One look at everything that the settings name; nothing is changed but a probe that is removed again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

from longshore_server.exposures import exposures
from longshore_server.settings import Settings
from longshore_server.stores import open_blobs, open_catalogue_of, open_coordination_of
from longshore_storage.blobs.urls import shown_blob_url
from longshore_storage.catalogue import Catalogue
from longshore_storage.errors import Misconfigured, StorageError
from longshore_storage.ports import Coordination

from .copies import look_at_copies
from .doors import look_at_certificates, look_at_issuers, look_at_policy
from .finding import Finding, State
from .limits import look_at_open_files
from .nodes import ask_who_runs
from .outside import look_at_pushes, look_at_receivers
from .services import (
    look_at_blob_store,
    look_at_coordination,
    look_at_data_folder,
    look_at_database,
    look_for_files,
    look_for_members,
)
from .work import look_at_work


async def look_at_everything(settings: Settings, config: Path | None = None) -> AsyncIterator[Finding]:
    """What was found, part by part, as it is found; ``config`` is the file that the settings are from."""
    for finding in look_at_data_folder(settings.data_dir):
        yield finding
    yield look_at_open_files()
    async for finding in _look_at_doors(settings):
        yield finding
    async with AsyncExitStack() as stack:
        catalogue: Catalogue | None = None
        coordination: Coordination | None = None
        try:
            for finding in look_for_files(settings):
                yield finding
                return
            for exposure in exposures(settings, config):
                yield Finding("settings", State.WARN, exposure.what, exposure.advice)
            catalogue = open_catalogue_of(settings, stack)
        except Misconfigured as error:
            yield _misconfigured("database", error)
        if catalogue is not None:
            async for finding in look_at_database(catalogue):
                if finding.state is State.BAD:
                    catalogue = None
                yield finding
        try:
            blobs = await open_blobs(settings, stack)
        except Misconfigured as error:
            yield _misconfigured("blob store", error)
        else:
            async for finding in look_at_blob_store(blobs, shown_blob_url(settings.blobs_url)):
                yield finding
            try:
                async for finding in look_at_copies(settings, catalogue):
                    yield finding
            except StorageError as error:
                yield Finding("copies", State.BAD, str(error), "look again in a moment")
        try:
            coordination = open_coordination_of(settings, stack)
        except Misconfigured as error:
            yield _misconfigured("coordination", error)
        else:
            async for finding in look_at_coordination(coordination, settings.coordination.url):
                yield finding
            for finding in look_for_members(settings.coordination.url):
                yield finding
        if catalogue is None:
            return
        running = await ask_who_runs(settings, coordination)
        try:
            async for finding in look_at_work(catalogue, settings, running):
                yield finding
        except StorageError as error:
            yield Finding("work", State.BAD, str(error), "look again in a moment")


async def _look_at_doors(settings: Settings) -> AsyncIterator[Finding]:
    """Who gets in, and who outside is told: keys are read, connections opened, and nothing is sent."""
    for finding in look_at_certificates(settings.tls):
        yield finding
    for finding in look_at_policy(settings.access.policy_file):
        yield finding
    async for finding in look_at_issuers(settings.access.issuers):
        yield finding
    async for finding in look_at_receivers(settings.notifications):
        yield finding
    for finding in look_at_pushes(settings.push):
        yield finding


def _misconfigured(part: str, error: Misconfigured) -> Finding:
    return Finding(part, State.BAD, str(error), "mend the setting")
