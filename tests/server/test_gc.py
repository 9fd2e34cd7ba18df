"""`longshore admin gc`, and which releases keep their payload by the settings."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from longshore_server.collecting.opening import policies
from longshore_server.commands import admin
from longshore_server.settings import Settings, load_settings
from longshore_storage.catalogue.retaining import RetentionPolicy
from longshore_storage.errors import Misconfigured

from .calls import deploy_to_end
from .collected import AT_ONCE, content, delete, download, stored_versions
from .running import RunningNode, StartNode, embedded


def run_gc(settings: Settings, *options: str, answer: str = "") -> Result:
    """The command, with these settings in a file."""
    written = json.loads(settings.model_dump_json(exclude_unset=True))
    path = Path(settings.data_dir) / "settings.yaml"
    path.write_text(json.dumps(written))
    result = CliRunner().invoke(admin, ["gc", "--config", str(path), *options], input=answer)
    path.unlink()
    return result


class TestRetention:
    @embedded
    async def test_what_the_policy_does_not_keep_goes(
        self, node: RunningNode, stores: dict[str, Any]
    ) -> None:
        for number in range(4):
            await deploy_to_end(node, content(number))
        settings = load_settings(
            None,
            {
                "data_dir": node.data_dir,
                **stores,
                "collecting": AT_ONCE,
                "retention": {"keep_releases": 1, "rollback_targets": 2},
            },
        )
        result = await asyncio.to_thread(run_gc, settings, "-o", "json")
        told = json.loads(result.stdout)
        assert (told["releases_reclaimed"], told["payloads_dropped"]) == (2, 2)
        assert await stored_versions(node) == ["1.0.2", "1.0.3"]
        assert (await download(node, "1.0.2"))[1] == content(2)

    def test_the_first_rule_that_fits_goes_over_the_defaults(self) -> None:
        settings = load_settings(
            None,
            {
                "retention": {
                    "keep_releases": 10,
                    "max_age_s": 60,
                    "rules": [
                        {"project": "net*", "environment": "staging", "keep_releases": 3, "max_bytes": 5},
                        {"project": "net*", "max_age_s": None},
                        {"environment": "staging", "keep_releases": 1},
                    ],
                }
            },
        )
        policy_of = policies(settings)
        minute = timedelta(seconds=60)
        assert policy_of("netops", "staging") == RetentionPolicy(3, minute, 5)
        assert policy_of("netops", "default") == RetentionPolicy(10, None, None)
        assert policy_of("other", "staging") == RetentionPolicy(1, minute, None)
        assert policy_of("other", "default") == RetentionPolicy(10, minute, None)
        assert policies(load_settings(None, {}))("any", "any").keeps_all

    @pytest.mark.parametrize(
        "retention", [{"keep_releases": 0}, {"rules": [{"projects": "a"}]}, {"max_age_s": -1}]
    )
    def test_a_wrong_one_is_refused(self, retention: dict[str, Any]) -> None:
        with pytest.raises(Misconfigured, match="retention"):
            load_settings(None, {"retention": retention})


class TestCommand:
    async def prepared(self, start_node: StartNode) -> Settings:
        """A store with one payload that stays and one that goes."""
        async with start_node() as node:
            await deploy_to_end(node, content(1))
            await deploy_to_end(node, content(2))
            await delete(node, "1.0.0", force=True)
            return load_settings(None, {"data_dir": node.data_dir, "collecting": {"keep_unnamed_s": 0}})

    @embedded
    async def test_dry_run_then_run_then_now(self, start_node: StartNode) -> None:
        settings = await self.prepared(start_node)
        dry = await asyncio.to_thread(run_gc, settings, "--dry-run")
        assert dry.exit_code == 0, dry.output
        assert "would be:" in dry.stdout
        assert "        1  payload dropped\n" in dry.stdout
        wet = await asyncio.to_thread(run_gc, settings)
        assert wet.stdout == dry.stdout.removeprefix("would be:\n")
        assert "        0  condemned objects removed" in wet.stdout
        now = await asyncio.to_thread(run_gc, settings, "--now", "--yes", "-o", "json")
        assert json.loads(now.stdout)["objects_removed"] == 2
        async with start_node() as node:
            assert (await download(node, "1.0.1"))[1] == content(2)

    def test_where_there_is_nothing_no_numbers_are_told(self, tmp_path: Path) -> None:
        for output in ("table", "json"):
            result = CliRunner().invoke(admin, ["gc", "--data-dir", str(tmp_path / "none"), "-o", output])
            assert (result.exit_code, result.stdout) == (1, "")
            assert result.stderr.startswith("error: ")

    @embedded
    async def test_what_is_dangerous_is_asked_for(self, start_node: StartNode, terminal: None) -> None:
        settings = await self.prepared(start_node)
        await asyncio.to_thread(run_gc, settings)
        for options, answer in ((["--now"], "n\n"), (["--take-over"], "")):
            result = await asyncio.to_thread(run_gc, settings, *options, answer=answer)
            assert result.exit_code == 130
            assert "[y/N]" in result.output
            assert "nothing was changed" in result.stderr
        result = await asyncio.to_thread(run_gc, settings, "--now", answer="y\n")
        assert "        2  condemned objects removed" in result.output

    @embedded
    async def test_another_catalogue_is_warned_of_and_taken_over_from(self, start_node: StartNode) -> None:
        settings = await self.prepared(start_node)
        marks = settings.data_dir / "blobs/catalogues"
        marks.mkdir()
        (marks / "another").write_text("{}")
        result = await asyncio.to_thread(run_gc, settings)
        assert result.exit_code == 0
        assert "another" in result.stderr
        result = await asyncio.to_thread(run_gc, settings, "--take-over", "--yes")
        assert not result.stderr
        assert [path.name for path in marks.iterdir()] != ["another"]
        exported = await asyncio.to_thread(
            CliRunner().invoke, admin, ["audit", "export", "--data-dir", str(settings.data_dir)]
        )
        told = [json.loads(line)["action"] for line in exported.stdout.splitlines()]
        assert told[-2:] == ["store.taken_over", "store.collected"]

    @embedded
    async def test_beside_a_running_node(self, start_node: StartNode, tmp_path: Path) -> None:
        async with start_node() as node:
            await deploy_to_end(node, content(1))
            settings = load_settings(None, {"data_dir": node.data_dir})
            result = await asyncio.to_thread(run_gc, settings)
            assert result.exit_code == 0, result.output
            assert (await download(node, "1.0.0"))[1] == content(1)

    def test_wrong_usage(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(admin, ["gc", "--dry-run", "--take-over"])
        assert result.exit_code == 2
        result = CliRunner().invoke(admin, ["gc", "--config", str(tmp_path / "none.yaml")])
        assert (result.exit_code, "there is no such file" in result.stderr) == (1, True)
