"""The main job, start to end, on the embedded default: run it with `make demo`.

A node starts in a temporary folder; a real tree of more than 100 MB (installed libraries of this very
environment) is deployed with its progress; a changed version of it follows, and few bytes move; then list,
follow, roll back, and the live tree is compared byte for byte with what was deployed first. At the end two
packs, one of which needs the other, with their workflows.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LEAST_BYTES = 100 << 20
_TEXT = (".py", ".pyi", ".h", ".txt", ".sql")
_PROJECT = "library"
_BUNDLES = Path(__file__).with_name("bundles")
_REFUSED = 4
_LONGSHORE = str(Path(sys.executable).with_name("longshore"))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="longshore-demo-") as folder:
        root = Path(os.path.realpath(folder))
        # What is shown then reads as somebody would type it.
        os.chdir(root)
        say("1. A real tree of more than 100 MB")
        first, second = make_tree(root / "first"), root / "second"
        print(f"   {size_of(first) / 1e6:.0f} MB in {sum(1 for _ in files(first))} files, in {first}")

        say("2. A node on the embedded default")
        with node(root / "data") as address:
            os.environ["LONGSHORE_SERVER"] = address
            print(f"   it listens on {address}")
            live = root / "data" / "live" / _PROJECT

            say("3. Deploy it, with its progress")
            longshore("deploy", first.name, "--project", _PROJECT)
            same(first, live)

            say("4. Deploy a changed version: see how few bytes move")
            changed = change(first, second)
            print(f"   {changed} files changed, one new")
            longshore("deploy", second.name, "--project", _PROJECT)
            same(second, live)

            say("5. List, and follow from the first event")
            longshore("list", _PROJECT)
            newest = json.loads(output("list", _PROJECT, "-o", "json").splitlines()[0])
            longshore("watch", newest["deployment_id"])

            say("6. Roll back: no byte moves")
            longshore("rollback", _PROJECT)
            same(first, live)
            print(f"   {live.relative_to(root)} → {live.readlink()}")
            longshore("list", _PROJECT)

            say("7. Two packs: one needs the other, and its workflows come and go with its release")
            for pack in ("core", "netops"):
                shutil.copytree(_BUNDLES / pack, root / pack)
            longshore("deploy", "netops", code=_REFUSED)
            print("   so what it needs goes first")
            longshore("deploy", "core")
            longshore("deploy", "netops")
            longshore("workflows", "list")
            raise_netops(root / "netops")
            print("   the workflow check is taken away, and the version raised")
            longshore("deploy", "netops")
            longshore("workflows", "diff", "netops", "1.4.0", "1.5.0")
            longshore("rollback", "netops")
            longshore("workflows", "list")
    say("Done; the node is stopped and its folder removed")


def say(what: str) -> None:
    print(f"\n── {what}", flush=True)


def longshore(*arguments: str, code: int = 0) -> None:
    print(f"   $ longshore {' '.join(arguments)}", flush=True)
    ended = subprocess.run([_LONGSHORE, *arguments], check=False)
    if ended.returncode != code:
        raise SystemExit(f"the demo ends here: this command ended with {ended.returncode}")


def output(*arguments: str) -> str:
    return subprocess.run([_LONGSHORE, *arguments], check=True, capture_output=True, text=True).stdout


@contextmanager
def node(data_dir: Path) -> Iterator[str]:
    log_path = data_dir.with_suffix(".log")
    arguments = ["serve", "--data-dir", data_dir.name, "--listen", "127.0.0.1:0"]
    print(f"   $ longshore {' '.join(arguments)}", flush=True)
    with log_path.open("w") as log:
        process = subprocess.Popen([_LONGSHORE, *arguments], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("listening on "):
                raise SystemExit(f"the node did not start:\n{log_path.read_text()}")
            yield line.removeprefix("listening on ").strip()
        finally:
            process.terminate()
            process.wait()


def make_tree(tree: Path) -> Path:
    """Copy installed libraries, the largest first, until there is enough."""
    libraries = Path(os.__file__).parent if sys.prefix == sys.base_prefix else Path(sys.prefix) / "lib"
    packages = sorted(libraries.glob("python*/site-packages/*/"), key=size_of, reverse=True)
    for package in packages:
        shutil.copytree(package, tree / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        if size_of(tree) >= _LEAST_BYTES:
            return tree
    raise SystemExit(f"the libraries in {libraries} are smaller than 100 MB")


def change(source: Path, target: Path) -> int:
    """Copy a tree and append a line to one in a hundred of its text files."""
    shutil.copytree(source, target)
    chosen = sorted(path for path in files(target) if path.suffix in _TEXT)[::100]
    for path in chosen:
        path.chmod(0o644)
        with path.open("a") as stream:
            stream.write("\na changed line\n")
    (target / "NEW").write_text("a new file\n")
    return len(chosen)


def raise_netops(pack: Path) -> None:
    """Raise its version, and take one of its workflows away."""
    manifest = pack / "pack.yaml"
    manifest.write_text(manifest.read_text().replace("version: 1.4.0", "version: 1.5.0"))
    (pack / "workflows" / "check.yaml").unlink()


def same(expected: Path, live: Path) -> None:
    """Compare two trees byte for byte."""
    names = {str(path.relative_to(expected)) for path in files(expected)}
    found = {str(path.relative_to(live)) for path in files(live)}
    if names != found:
        raise SystemExit(f"the live tree has other files: {sorted(names ^ found)[:5]}")
    _, different, failed = filecmp.cmpfiles(expected, live, names, shallow=False)
    if different or failed:
        raise SystemExit(f"the live tree differs in {(different + failed)[:5]}")
    print(f"   the live tree has the same {len(names)} files, byte for byte")


def files(tree: Path) -> Iterator[Path]:
    return (path for path in tree.rglob("*") if path.is_file())


def size_of(tree: Path) -> int:
    return sum(path.stat().st_size for path in files(tree))


if __name__ == "__main__":
    main()
