"""Stand-ins for the images that the Dockerfile's FROM names, made with debootstrap.

They hold the configuration of this machine's own pip and npm (certificates, indexes), so that the
Dockerfile needs to know nothing of it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.image.buildah import Buildah

SUITE = "bookworm"
PYTHON_VERSION = "3.11"  # Debian's
PYTHON = f"docker.io/library/python:{PYTHON_VERSION}-slim"
INCLUDED = "python3,python3-pip,python3-venv,ca-certificates"
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")


def node_version() -> str:
    """This machine's, as NODE_VERSION would name it."""
    return output("node", "--version").removeprefix("v").split(".")[0]


def node() -> str:
    return f"docker.io/library/node:{node_version()}-slim"


def make(buildah: Buildah) -> None:
    """Make those that are not there yet; the first time takes minutes."""
    root = buildah.folder / "base"
    if not buildah.has(PYTHON):
        bootstrap(root)
        commit(buildah, PYTHON, "scratch", root)
        shutil.rmtree(root)
    if not buildah.has(node()):
        add_node(root)
        commit(buildah, node(), PYTHON, root)
        shutil.rmtree(root)


def bootstrap(root: Path) -> None:
    if root.exists():
        return
    draft = root.with_name("base-draft")
    shutil.rmtree(draft, ignore_errors=True)
    output("debootstrap", "--variant=minbase", f"--include={INCLUDED}", SUITE, str(draft))
    for waste in ("dev", "var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(draft / waste)
        (draft / waste).mkdir()
    (draft / "usr" / "bin" / "python").symlink_to("python3")
    shutil.copyfile(Path("/") / CERTIFICATES, draft / CERTIFICATES)
    settings = "".join(f"{name} = {value}\n" for name, value in pip_settings().items())
    (draft / "etc" / "pip.conf").write_text(f"[global]\n{settings}")
    draft.rename(root)


def add_node(root: Path) -> None:
    modules = Path(output("npm", "root", "--global"))
    local = root / "usr" / "local"
    for folder in ("bin", "etc", "lib/node_modules"):
        (local / folder).mkdir(parents=True)
    shutil.copyfile(Path(shutil.which("node") or "").resolve(), local / "bin" / "node")
    (local / "bin" / "node").chmod(0o755)
    shutil.copytree(modules / "npm", local / "lib" / "node_modules" / "npm", symlinks=True)
    for name in ("npm", "npx"):
        (local / "bin" / name).symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")
    (local / "etc" / "npmrc").write_text(f"cafile=/{CERTIFICATES}\n")


def commit(buildah: Buildah, name: str, under: str, added: Path) -> None:
    container = buildah.run("from", "--pull-never", under)
    buildah.run("add", "--quiet", container, str(added), "/")
    environment = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    buildah.run("config", "--env", environment, container)
    buildah.run("commit", "--quiet", "--format", "docker", "--rm", container, name)


def pip_settings() -> dict[str, str]:
    """Where this machine's pip is configured to find packages."""
    listed = output(sys.executable, "-m", "pip", "config", "list")
    found = dict(re.findall(r"^global\.([\w-]+)='(.*)'$", listed, re.MULTILINE))
    expected = {"extra-index-url", "find-links", "index-url"}
    return {name: found[name] for name in sorted(expected & set(found))}


def pip_folders() -> tuple[Path, ...]:
    """Folders of this machine among them; an index is linked to files beside it."""
    words = " ".join(pip_settings().values()).split()
    indexes = {Path(urlsplit(word).path).parent for word in words if word.startswith("file://")}
    links = {Path(word) for word in words if word.startswith("/")}
    return tuple(sorted(path for path in indexes | links if path.is_dir()))


def output(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()
