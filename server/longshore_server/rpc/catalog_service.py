"""CatalogService: translates; the catalogue's functions and the use cases decide."""

from __future__ import annotations

from typing import Any

from longshore.v1 import catalog_service_pb2 as pb
from longshore_bundles import order_key
from longshore_server.access import readable
from longshore_server.deploying.environment_rules import EnvironmentRules
from longshore_server.deploying.environment_settings import EnvironmentSettings, SettingsRequest
from longshore_server.deploying.examining import Examiner
from longshore_server.deploying.pins import Pins
from longshore_server.deploying.requests import check_release_name, version_key
from longshore_server.refusal import Reason, Refusal, invalid
from longshore_server.wakeups import Wakeups
from longshore_server.workflows import WorkflowSync, WorkflowValidation
from longshore_storage.catalogue import Catalogue, Transaction, bundles, projects, releases
from longshore_storage.catalogue.projects import Project

from . import convert
from .asked import settings_named
from .interceptor import current_actor
from .page_tokens import PageToken, page_size
from .page_turns import page_in_turn
from .workflow_calls import WorkflowCalls

_MOST_ENVIRONMENTS = 500


class CatalogServicer(WorkflowCalls):
    """Projects, releases and workflows."""

    def __init__(self, catalogue: Catalogue, wakeups: Wakeups, examiner: Examiner) -> None:
        super().__init__(
            catalogue, WorkflowSync(catalogue, examiner), WorkflowValidation(catalogue, examiner)
        )
        self._settings = EnvironmentSettings(catalogue, wakeups)
        self._environments = EnvironmentRules(catalogue)
        self._pins = Pins(catalogue)
        page_in_turn(self, "CatalogService")

    async def ListProjects(  # noqa: N802
        self, request: pb.ListProjectsRequest, context: Any
    ) -> pb.ListProjectsResponse:
        """Page by name."""
        limit = page_size(request.page_size)
        token = PageToken("ListProjects", current_actor().principal, ())
        place = token.read(request.page_token, (str,))
        async with self._catalogue.reading() as transaction:
            page = await projects.list_projects(
                transaction,
                scopes=readable(),
                after=str(place[0]) if place else "",
                limit=limit + 1,
            )
        return pb.ListProjectsResponse(
            projects=[convert.project(one) for one in page[:limit]],
            next_page_token=token.make([page[limit - 1].name]) if len(page) > limit else "",
        )

    async def GetProject(  # noqa: N802
        self, request: pb.GetProjectRequest, context: Any
    ) -> pb.GetProjectResponse:
        """The project and what is live of it."""
        async with self._catalogue.reading() as transaction:
            project = await _project(transaction, request.project)
            live = await projects.list_live(
                transaction,
                project.name,
                scopes=readable(),
                limit=_MOST_ENVIRONMENTS,
            )
        return pb.GetProjectResponse(
            project=convert.project(project),
            environments=[convert.project_environment(one) for one in live],
        )

    async def UpdateProjectEnvironment(  # noqa: N802
        self, request: pb.UpdateProjectEnvironmentRequest, context: Any
    ) -> pb.UpdateProjectEnvironmentResponse:
        """Set what the mask names."""
        given = request.project_environment
        paths = request.update_mask.paths
        asked = SettingsRequest(
            given.project, given.environment, given.etag, settings_named(given, paths)
        ).checked()
        changed = await self._settings.update(asked, current_actor())
        async with self._catalogue.reading() as transaction:
            version = await projects.live_version(transaction, changed)
        return pb.UpdateProjectEnvironmentResponse(project_environment=convert.project_environment(version))

    async def GetEnvironment(  # noqa: N802
        self, request: pb.GetEnvironmentRequest, context: Any
    ) -> pb.GetEnvironmentResponse:
        """What is set for all of it."""
        found = await self._environments.get(request.environment)
        return pb.GetEnvironmentResponse(environment=convert.environment(found))

    async def UpdateEnvironment(  # noqa: N802
        self, request: pb.UpdateEnvironmentRequest, context: Any
    ) -> pb.UpdateEnvironmentResponse:
        """Set what the mask names."""
        given = request.environment
        changed = await self._environments.update(
            given.environment,
            request.update_mask.paths,
            second_person=given.second_person,
            actor=current_actor(),
        )
        return pb.UpdateEnvironmentResponse(environment=convert.environment(changed))

    async def ListReleases(  # noqa: N802
        self, request: pb.ListReleasesRequest, context: Any
    ) -> pb.ListReleasesResponse:
        """Page by version, highest first."""
        limit = page_size(request.page_size)
        token = PageToken("ListReleases", current_actor().principal, (request.project,))
        place = token.read(request.page_token, (str, int))
        async with self._catalogue.reading() as transaction:
            await _project(transaction, request.project)
            page = await releases.list_releases(
                transaction,
                request.project,
                below=(str(place[0]), int(place[1])) if place else None,
                limit=limit + 1,
            )
        more = ""
        if len(page) > limit:
            last = page[limit - 1]
            more = token.make([order_key(last.version), last.id])
        return pb.ListReleasesResponse(
            releases=[convert.release(one) for one in page[:limit]], next_page_token=more
        )

    async def GetRelease(  # noqa: N802
        self, request: pb.GetReleaseRequest, context: Any
    ) -> pb.GetReleaseResponse:
        """One release."""
        async with self._catalogue.reading() as transaction:
            await _project(transaction, request.project)
            release = await releases.find_release(transaction, request.project, version_key(request.version))
            if release is None:
                raise Refusal(
                    Reason.RELEASE_NOT_FOUND, f"{request.project} has no release {request.version[:100]!r}"
                )
            manifest = await bundles.get_manifest(transaction, release.id)
        return pb.GetReleaseResponse(release=convert.release(release, manifest))

    async def PinRelease(  # noqa: N802
        self, request: pb.PinReleaseRequest, context: Any
    ) -> pb.PinReleaseResponse:
        """Keep a release's payload, or do not any more."""
        project, version = check_release_name(request.project, request.version)
        release = await self._pins.pin(project, version, request.reason, current_actor())
        return pb.PinReleaseResponse(release=convert.release(release))


async def _project(transaction: Transaction, name: str) -> Project:
    if not name:
        raise invalid("project", "is required")
    project = await projects.get_project(transaction, name)
    if project is None:
        raise Refusal(Reason.PROJECT_NOT_FOUND, f"there is no project {name[:100]!r}")
    return project
