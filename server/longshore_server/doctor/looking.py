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

from .copies import look_at_copies
from .finding import Finding, State
from .limits import look_at_open_files
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
    async with AsyncExitStack() as stack:
        catalogue: Catalogue | None = None
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
        try:
            async for finding in look_at_work(catalogue, settings):
                yield finding
        except StorageError as error:
            yield Finding("work", State.BAD, str(error), "look again in a moment")


def _misconfigured(part: str, error: Misconfigured) -> Finding:
    return Finding(part, State.BAD, str(error), "mend the setting")
