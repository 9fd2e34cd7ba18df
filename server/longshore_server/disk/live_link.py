"""The live links: which tree of a project is live on this node, and what was to be.

Owns ``intents/{project}.json`` and ``live/{project}``. Invariants: an intent is durable before its link is
swapped; the generation on record never falls; the link is swapped by one rename, so that whoever opens
``live/{project}/file`` meets the old tree or the new one, never nothing. Refuses to touch anything at a
link's place that is no link.

Blocking and safe to call from several threads; one instance a data folder.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from longshore_bundles import BundleError, check_project

from .data_folder import DataFolder
from .durability import sync_folder, write_durably
from .errors import IntentDamaged, LiveNotALink, StaleGeneration, TreeMissing
from .installed_trees import InstalledTrees
from .intent import NOTHING, Intent, LiveTree, Trial, decode_intent, encode_intent


class LinkState(StrEnum):
    """What ``repair`` found where a link was not what its intent says."""

    FINISHED = "finished"
    """The link was not swapped, or changed since; now it is what the intent says."""
    TARGET_UNUSABLE = "target_unusable"
    """The intent's tree is gone or changed; the link is left as it is."""
    NO_INTENT = "no_intent"
    """There is a link without an intent; it is left as it is."""
    INTENT_DAMAGED = "intent_damaged"
    """The intent cannot be read; it and the link are left as they are."""
    NOT_A_LINK = "not_a_link"
    """Something else stands in the link's place; it is left as it is."""


@dataclass(frozen=True, slots=True)
class LinkFinding:
    """One project whose link was not what its intent says; ``detail`` is for people."""

    project: str
    state: LinkState
    intent: Intent | None
    detail: str


class LiveLinks:
    """The intents and live links of one data folder."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._switching = threading.Lock()

    def projects(self) -> list[str]:
        """Every project that has an intent or something in its link's place, by name."""
        named = {path.name.removesuffix(".json") for path in self._folder.intents.glob("*.json")}
        named |= {path.name for path in self._folder.live.iterdir()}
        return sorted(name for name in named if _is_project(name))

    def intent(self, project: str) -> Intent | None:
        """What was last written down for the project. Raises ``IntentDamaged``."""
        path = self._intent_path(project)
        try:
            return decode_intent(project, path.read_bytes(), self._folder.installed)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise IntentDamaged(path, str(error)) from error

    def generations(self) -> dict[str, int]:
        """The generation that was last obeyed of each project whose intent can be read."""
        found = {}
        for project in self.projects():
            with suppress(IntentDamaged):
                if (intent := self.intent(project)) is not None:
                    found[project] = intent.generation
        return found

    def target(self, project: str) -> Path | None:
        """What the project's link points at, whether or not that is there; None without a link.

        Raises ``LiveNotALink``.
        """
        link = self._link_path(project)
        try:
            pointed = link.readlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise LiveNotALink(link) from error
        return Path(os.path.normpath(link.parent / pointed))

    def live(self, project: str) -> LiveTree:
        """What the project's link points at, as one of our trees; ``NOTHING`` where that is none.

        Raises ``LiveNotALink``.
        """
        target = self.target(project)
        if target is None or target.parent != self._folder.installed:
            return NOTHING
        if not target.name.startswith(f"{project}@"):
            return NOTHING
        return LiveTree(target.name.partition("@")[2].partition("+")[0], target)

    def switch(
        self,
        project: str,
        *,
        generation: int,
        version: str | None,
        target: Path | None,
        deployment_id: str | None,
        trial: Trial | None = None,
    ) -> None:
        """Make the installed tree ``target``, or nothing, live; durable when this returns.

        The intent is written first. The same generation again is obeyed again, whatever it says now: what
        is assigned is decided elsewhere, and only going back is refused here.

        Raises ``StaleGeneration``, ``LiveNotALink``, ``TreeMissing``, ``IntentDamaged`` and ``BundleError``
        before anything is changed, and ``OSError``; then either the old or the new is live, and the call may
        be repeated.
        """
        if (version is None) != (target is None):
            raise ValueError("version and target are given together, or neither is")
        if target is not None:
            self._check_target(f"{project}@{version}", target)
        intent = Intent(project, generation, version, target, deployment_id, trial)
        with self._switching:
            own = self.intent(project)
            if own is not None and generation < own.generation:
                raise StaleGeneration(project, own=own.generation, asked=generation)
            self.target(project)
            if own != intent:
                write_durably(self._intent_path(project), encode_intent(intent))
            self._point(project, target)

    def settle(self, project: str, generation: int) -> None:
        """End the trial of a generation: what is live by it now is what was to be.

        Nothing happens when another generation was obeyed since. Raises ``IntentDamaged`` and ``OSError``.
        """
        with self._switching:
            own = self.intent(project)
            if own is not None and own.generation == generation and own.trial is not None:
                write_durably(self._intent_path(project), encode_intent(replace(own, trial=None)))

    def named(self, project: str) -> set[Path]:
        """Every tree of the project that its link points at or its intent names.

        Raises ``IntentDamaged`` and ``LiveNotALink``: then which those are cannot be told.
        """
        intent = self.intent(project)
        trees = {self.target(project)}
        if intent is not None:
            trees |= {intent.target, intent.trial.previous.target if intent.trial else None}
        return {path for path in trees if path is not None}

    def repair(self) -> list[LinkFinding]:
        """Compare every link with its intent, finish what was broken off, and tell what was not equal.

        To be called at start, before anything is switched. Raises ``OSError``.
        """
        with self._switching:
            self._remove_drafts()
            return [finding for project in self.projects() if (finding := self._repair(project))]

    def _repair(self, project: str) -> LinkFinding | None:
        intent = None
        try:
            intent = self.intent(project)
            linked = self.target(project)
        except IntentDamaged as error:
            return LinkFinding(project, LinkState.INTENT_DAMAGED, None, str(error))
        except LiveNotALink as error:
            return LinkFinding(project, LinkState.NOT_A_LINK, intent, str(error))
        if intent is None:
            detail = f"its link points at {str(linked)!r}, and nothing was written down for it"
            return LinkFinding(project, LinkState.NO_INTENT, None, detail)
        if linked == intent.target and (linked is None or linked.is_dir()):
            return None
        if intent.target is not None and not self._is_good(project, intent.target):
            detail = str(TreeMissing(intent.target))
            if intent.target.is_dir():
                detail = f"{str(intent.target)!r} is not as it was installed: install the release again"
            return LinkFinding(project, LinkState.TARGET_UNUSABLE, intent, detail)
        self._point(project, intent.target)
        told = "nothing" if intent.target is None else repr(intent.target.name)
        detail = f"its link was not what generation {intent.generation} asks for: {told} is live now"
        return LinkFinding(project, LinkState.FINISHED, intent, detail)

    def _is_good(self, project: str, target: Path) -> bool:
        trees = InstalledTrees(self._folder)
        return any(tree.path == target and trees.check(tree) for tree in trees.trees(project))

    def _point(self, project: str, target: Path | None) -> None:
        """Swap or remove the link; that nothing else stands there was looked at before."""
        link = self._link_path(project)
        if target is None:
            link.unlink(missing_ok=True)
        elif self.target(project) != target:
            draft = link.with_name(f".{project}.new")
            draft.unlink(missing_ok=True)
            draft.symlink_to(Path("..", self._folder.installed.name, target.name))
            draft.replace(link)
        sync_folder(link.parent)

    def _check_target(self, release: str, target: Path) -> None:
        if target.parent != self._folder.installed or target.name.partition("+")[0] != release:
            raise ValueError(f"{str(target)!r} is not an installed tree of {release!r}")
        if not target.is_dir():
            raise TreeMissing(target)

    def _remove_drafts(self) -> None:
        for pattern, folder in (".*.new", self._folder.live), (".*.json.tmp", self._folder.intents):
            for draft in folder.glob(pattern):
                with suppress(IsADirectoryError):
                    draft.unlink()

    def _intent_path(self, project: str) -> Path:
        return self._folder.intents / f"{check_project(project)}.json"

    def _link_path(self, project: str) -> Path:
        return self._folder.live / check_project(project)


def _is_project(name: str) -> bool:
    try:
        check_project(name)
    except BundleError:
        return False
    return True
