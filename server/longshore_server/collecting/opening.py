"""From settings to a collector: what of them counts for a project in an environment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from longshore_server.refusal import Reason, Refusal
from longshore_server.settings import Settings
from longshore_storage.catalogue import Catalogue
from longshore_storage.catalogue.retaining import RetentionPolicy
from longshore_storage.catalogue.rows import Actor
from longshore_storage.collecting import CollectingSettings, Collector, Retention
from longshore_storage.ports import BlobStore


def make_collector(
    settings: Settings,
    catalogue: Catalogue,
    blobs: BlobStore,
    actor: Actor,
    *,
    given_up: Callable[[str], None] = lambda _: None,
) -> Collector:
    """A collector as the settings say; ``given_up`` is told the deployments whose upload nobody resumed."""
    grace = timedelta(seconds=settings.collecting.grace_s)
    resume_for = timedelta(seconds=settings.uploads.resume_for_s)
    abandoned = Refusal(
        Reason.UPLOAD_ABANDONED,
        f"the upload was broken off and not resumed within {resume_for}: deploy again with a new id",
    )
    return Collector(
        catalogue,
        blobs,
        CollectingSettings(
            resume_for=resume_for,
            keep_unnamed=timedelta(seconds=settings.collecting.keep_unnamed_s),
            grace=grace,
            orphans_after=grace,
            events_for=timedelta(seconds=settings.progress.events_for_s),
        ),
        Retention(policies(settings), settings.retention.rollback_targets),
        actor=actor,
        abandoned=abandoned.to_row(),
        given_up=given_up,
    )


def policies(settings: Settings) -> Callable[[str, str], RetentionPolicy]:
    """The policy for a project in an environment: the defaults, and over them the first rule that fits."""
    retention = settings.retention

    def policy_of(project: str, environment: str) -> RetentionPolicy:
        limits = retention.limits
        for rule in retention.rules:
            if rule.fits(project, environment):
                limits |= rule.limits
                break
        max_age_s = limits["max_age_s"]
        return RetentionPolicy(
            keep_releases=limits["keep_releases"],
            max_age=None if max_age_s is None else timedelta(seconds=max_age_s),
            max_bytes=limits["max_bytes"],
        )

    return policy_of
