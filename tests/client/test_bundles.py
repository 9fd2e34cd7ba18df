"""What releases are, need and came from, told by the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_client import (
    BundleDependency,
    BundleKind,
    Client,
    InstallMethod,
    RuntimeDependency,
    Source,
    SourceKind,
    SyncClient,
    Terms,
    errors,
)
from longshore_client.contents import project_named_in
from tests.services.processes import ServerProcess

from .packs import GREET, LOST, write_pack

SKIPPED = Terms(skip_dependencies=True)


async def test_a_pack(client: Client, project: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", project, {"greet": GREET}, version="1.2.0", needs=f"{project}b ^2")
    checked = await client.validate(pack, terms=SKIPPED)
    assert checked.bundle is not None
    assert (checked.valid, checked.version, checked.workflow_count) == (True, "1.2.0", 1)
    deployed = await client.wait((await client.deploy(pack, terms=SKIPPED)).deployment_id)
    assert (deployed.project, deployed.bundle_kind) == (project, BundleKind.PACK)
    assert (deployed.dependencies_skipped, deployed.validation_skipped) == (True, False)

    release = await client.release(project, "1.2.0")
    bundle = release.bundle
    assert bundle == checked.bundle
    assert (bundle.kind, bundle.name, bundle.label) == (BundleKind.PACK, project, "A Pack")
    assert (bundle.author, bundle.description, bundle.tags) == ("ada", "For tests", ("one", "two"))
    assert bundle.dependencies == (BundleDependency(f"{project}b", "^2"),)
    assert bundle.runtime_dependencies == (RuntimeDependency("python", ">=3.9"),)
    assert (bundle.actions, bundle.sensors) == (("restart",), ())
    assert release.source == Source(SourceKind.DIRECTORY, str(pack))
    assert (release.install_method, release.validation_skipped) == (InstallMethod.API, False)
    assert (await client.project(project)).project.kind is BundleKind.PACK
    assert [each.bundle.kind async for each in client.releases(project)] == [BundleKind.PACK]


async def test_where_it_was_taken_from_and_by_whom(client: Client, project: str, tmp_path: Path) -> None:
    told = Source(SourceKind.GIT, "https://git.example.org/a.git", "0" * 40, f"sha256:{'a' * 64}", True)
    file = tmp_path / "a\u202eb.bin"
    file.write_bytes(b"content")
    for version, given in (("1.0.0", None), ("1.0.1", told)):
        await client.deploy(
            file,
            project=project,
            version=version,
            taken_from=given,
            install_method=InstallMethod.AUTO,
            terms=Terms(stage_only=True),
        )
        release = await client.release(project, version)
        # A name that would turn text around is not recorded.
        assert release.source == (given or Source(SourceKind.FILE))
        assert release.install_method is InstallMethod.AUTO
        assert release.bundle.kind is BundleKind.COMPONENT
    with pytest.raises(errors.InvalidRequest, match="credentials"):
        await client.deploy(
            file, project=project, taken_from=Source(SourceKind.URL, "https://ada:secret@example.org/a")
        )


async def test_what_it_must_be(client: Client, project: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", project, {})
    with pytest.raises(errors.InvalidRequest, match="pack"):
        await client.deploy(pack, kind=BundleKind.SKILL)
    assert not (await client.validate(pack, kind=BundleKind.COMPONENT)).valid
    assert (await client.validate(pack, kind=BundleKind.PACK)).valid


async def test_errors_are_let_through(client: Client, project: str, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", project, {"lost": LOST})
    with pytest.raises(errors.PayloadRefused) as refused:
        await client.deploy(pack)
    (finding,) = refused.value.findings
    assert (finding.code, finding.path, finding.line) == ("TASK_UNKNOWN", "workflows/lost.yaml", 6)
    deployed = await client.deploy(pack, terms=Terms(skip_validation=True))
    assert deployed.validation_skipped
    assert (await client.release(project, "1.0.0")).validation_skipped
    assert [each async for each in client.findings(deployed.deployment_id)] == [finding]


async def test_what_is_needed(client: Client, project: str, tmp_path: Path) -> None:
    needed = f"{project}b"
    pack = write_pack(tmp_path / "pack", project, {}, needs=f"{needed} ^2")
    with pytest.raises(errors.DependencyUnsatisfied) as refused:
        await client.deploy(pack)
    assert [needed in each.message for each in refused.value.findings] == [True]
    await client.wait((await client.deploy(pack, terms=SKIPPED)).deployment_id)
    await client.wait(
        (await client.deploy(write_pack(tmp_path / "b", needed, {}, version="2.1.0"))).deployment_id
    )
    with pytest.raises(errors.DependantLive):
        await client.undeploy(needed)
    taken_off = await client.undeploy(needed, terms=SKIPPED)
    assert taken_off is not None
    assert taken_off.dependencies_skipped
    await client.wait(taken_off.deployment_id)
    with pytest.raises(errors.DependencyUnsatisfied):
        await client.deploy_release(project, "1.0.0")
    assert (await client.deploy_release(project, "1.0.0", terms=SKIPPED)).dependencies_skipped


async def test_terms_that_cannot_be(client: Client) -> None:
    with pytest.raises(ValueError, match="only what is uploaded"):
        await client.rollback("web", terms=Terms(skip_validation=True))


def test_without_an_event_loop(server: ServerProcess, project: str, tmp_path: Path) -> None:
    with SyncClient(server.address) as client:
        pack = write_pack(tmp_path / "pack", project, {})
        assert client.validate(pack, kind=BundleKind.PACK).valid
        method, source = InstallMethod.MANUAL, Source(SourceKind.NPM, "a", "1.0.0")
        client.deploy(pack, kind=BundleKind.PACK, install_method=method, taken_from=source)
        release = client.release(project, "1.0.0")
        assert (release.install_method, release.source) == (method, source)


@pytest.mark.parametrize(
    ("files", "project"),
    [
        ({"SKILL.md": "---\nname: Log-Rotate\n---\n"}, "log-rotate"),
        ({"pack.yaml": "ref: netops\n"}, "netops"),
        ({"pack.yaml": "ref: netops\n", "package.json": '{"name": "other"}'}, "netops"),
        ({"package.json": '{"name": "@a/b"}'}, "a.b"),
    ],
)
def test_the_project_that_a_directory_names(tmp_path: Path, files: dict[str, str], project: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert project_named_in(tmp_path) == project


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "has no SKILL.md, pack.yaml, package.json or pyproject.toml"),
        ({"SKILL.md": "no front matter"}, "SKILL.md: the first line"),
        ({"pack.yaml": "label: x\n"}, "pack.yaml: .*ref"),
        ({"package.json": "{}"}, "names none"),
    ],
)
def test_a_directory_that_names_none(tmp_path: Path, files: dict[str, str], why: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(errors.ProjectUnknown, match=why):
        project_named_in(tmp_path)
