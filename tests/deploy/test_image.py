"""The image's own steps, carried out without an engine: copied, installed, and run unprivileged.

No container is built: that the base image has what the steps need is not shown here. Dependencies
are taken from this environment instead of being downloaded again.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy/Containerfile"
NOBODY = "10001"


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's lines as word and rest, continued ones joined."""
    text = re.sub(r"\\\n", " ", FILE.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def listed(word: str) -> list[str]:
    """The arguments of an instruction in JSON form."""
    rest = next(rest for name, rest in reversed(instructions()) if name == word)
    found = json.loads(rest[rest.index("[") :])
    assert isinstance(found, list)
    return found


class Image:
    """The build stage's outcome, in a folder in place of the image's root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.app = root / "app"
        self.data = root / "data"
        self.bin = root / "opt/venv/bin"

    def build(self) -> None:
        self.app.mkdir()
        self.data.mkdir()
        for word, rest in instructions():
            if word == "COPY" and not rest.startswith("--from"):
                *sources, target = rest.split()
                self._copy(sources, target)
            elif word == "RUN" and "pip install" in rest:
                self._run(rest)

    def _copy(self, sources: list[str], target: str) -> None:
        for source in sources:
            to = self.app / target / source if target == "./" else self.app / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(ROOT / source, to)

    def _run(self, steps: str) -> None:
        for step in steps.split("&&"):
            words = shlex.split(step.replace("/opt/", f"{self.root}/opt/"))
            words[0] = sys.executable if words[0] == "python" else words[0]
            done = subprocess.run(
                words,
                cwd=self.app,
                env={**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
            assert done.returncode == 0, f"{step}: {done.stdout}{done.stderr}"
            if "venv" in words:
                self._lend_dependencies()

    def _lend_dependencies(self) -> None:
        library = next(self.root.glob("opt/venv/lib/python*/site-packages"))
        # Python 3.11 puts a setuptools of its own there, in place of which the pinned one is got.
        for own in library.glob("setuptools*"):
            shutil.rmtree(own)
        (library / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in the image's data folder, as its user."""
        words = [str(self.bin / arguments[0]), *arguments[1:]]
        return subprocess.run(
            [*unprivileged(), *words],
            cwd=self.data,
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.data)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def unprivileged() -> list[str]:
    """What makes a command run as the image's user; nothing where this is no root's process.

    It may still read everything: this machine's interpreter may lie in root's home.
    """
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return []
    read_all = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", *read_all]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    made = Image(tmp_path_factory.mktemp("image"))
    made.build()
    if os.geteuid() == 0:
        os.chown(made.data, int(NOBODY), int(NOBODY))
    return made


def test_the_image_has_the_distribution_and_not_the_working_tree(image: Image) -> None:
    done = image.run("python", "-c", "import console; print(console.__file__)")
    assert done.returncode == 0, done.stderr
    library = Path(done.stdout.strip()).parents[1]
    assert library.is_relative_to(image.root)
    for file in ("console/web/static/page.js", "storage/migrations/versions/0001_core.py"):
        assert (library / file).exists(), file


def test_nothing_is_installed_beside_the_rooms(image: Image) -> None:
    """A process manager on PyPI is a module `supervisor`, and both may be in one environment."""
    ask = "from importlib.metadata import files; print(*files('sexton'), sep=chr(10))"
    done = image.run("python", "-c", ask)
    assert done.returncode == 0, done.stderr
    installed = {Path(line).parts[0] for line in done.stdout.splitlines()}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert {name for name in installed if not name.endswith(".dist-info") and name != ".."} == rooms


def test_the_entry_point_runs_as_the_images_user(image: Image) -> None:
    done = image.run(*listed("ENTRYPOINT"), "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: sexton" in done.stdout
    made = image.run(*listed("ENTRYPOINT"), "init", "--config", "sexton.toml")
    assert made.returncode == 0, made.stderr
    assert (image.data / "sexton.toml").exists()


def test_what_is_installed_says_its_version_and_its_commands_as_they_are_typed(
    image: Image,
) -> None:
    done = image.run("sexton", "--version")
    assert (done.returncode, done.stdout) == (0, f"sexton {version('sexton')}\n")
    image.run("sexton", "init", "--config", "typed.toml", "--force")
    written = (image.data / "typed.toml").read_text(encoding="utf-8")
    assert "`sexton doctor` says" in written
    none = image.run("sexton", "tree", "--config", "typed.toml")
    assert "start it with: sexton run --config" in none.stderr
    mistake = image.run("sexton", "tree", "--nope")
    assert mistake.stderr.endswith("see sexton tree --help\n")
    helped = image.run("sexton", "tree", "--help")
    assert "sexton tree --json" in helped.stdout
    assert "supervisor.py" not in helped.stdout + mistake.stderr + none.stderr + written


def test_the_health_check_says_no_while_no_guard_runs(image: Image) -> None:
    image.run(*listed("ENTRYPOINT"), "init", "--config", "checked.toml")
    check = next(rest for word, rest in instructions() if word == "HEALTHCHECK")
    words = json.loads(check[check.index("[") :])
    words = ["checked.toml" if word.startswith("/etc/") else word for word in words]
    done = image.run(*words)
    assert done.returncode == 3, done.stderr
    assert "no service listens" in done.stderr


def test_what_the_image_runs_by_default_is_a_command_with_these_options(image: Image) -> None:
    command, *options = listed("CMD")
    helped = image.run(*listed("ENTRYPOINT"), command, "--help")
    assert helped.returncode == 0
    assert all(word in helped.stdout for word in options if word.startswith("--"))


def test_every_room_and_file_that_is_installed_is_copied(image: Image) -> None:
    copied = {path.name for path in image.app.iterdir()}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert rooms | {"setup.cfg", "constraints.txt"} <= copied
