"""The demo in its container, where Docker is there: built from nothing, without root, on a file system that is read."""

import json
import shutil
import subprocess
import time
import urllib.request
import uuid

import pytest

from tests.app import PATIENCE, ROOT

BUILDS = 1800
"""Seconds that a build may take: it downloads PyTorch."""
HARDENED = ["--read-only", "--tmpfs=/tmp", "--tmpfs=/home/looped", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
"""As deploy/compose.yaml starts it."""


def docker(*arguments, seconds=PATIENCE, check=True):
    """What Docker says to that."""
    command = ["docker", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=check, timeout=seconds
    ).stdout.strip()


def is_there():
    return shutil.which("docker") is not None and bool(docker("info", "--format", "{{.ServerVersion}}", check=False))


@pytest.fixture(scope="module", name="container")
def fixture_container():
    """The name of a container that runs, built from nothing."""
    if not is_there():
        pytest.skip("no Docker daemon answers")
    name = f"looped-{uuid.uuid4().hex[:8]}"
    docker("build", "--no-cache", "--tag", name, ".", seconds=BUILDS)
    try:
        docker("run", "--detach", "--name", name, "--publish=127.0.0.1::8501", *HARDENED, name)
        yield name
    finally:
        docker("rm", "--force", name, check=False)
        docker("rmi", "--force", name, check=False)


@pytest.mark.slow
def test_the_container_becomes_healthy_and_serves_the_demo(container):
    until = time.monotonic() + PATIENCE
    while (health := docker("inspect", "--format", "{{.State.Health.Status}}", container)) != "healthy":
        assert health == "starting", docker("logs", container)
        assert time.monotonic() < until
        time.sleep(0.5)
    address = docker("port", container, "8501").splitlines()[0]
    with urllib.request.urlopen(f"http://{address}", timeout=PATIENCE) as page:
        assert b"<title>Streamlit</title>" in page.read()
    assert "Traceback" not in docker("logs", container)


@pytest.mark.slow
def test_the_container_has_no_root_and_a_file_system_that_is_read(container):
    assert docker("exec", container, "id", "-u") == "1000"
    for place in ("/", "/usr", docker("exec", container, "python", "-c", "import looped; print(looped.__path__[0])")):
        assert "Read-only" in docker("exec", container, "sh", "-c", f"touch {place}/x 2>&1 || true")


@pytest.mark.slow
def test_the_container_computes_and_carries_no_cuda(container):
    assert docker("exec", container, "python", "-c", "import torch; print(torch.version.cuda)") == "None"
    summary = json.loads(docker("exec", container, "looped", "compare", "--T", "5"))
    assert summary["verdict"]["passed"] is True


def test_the_image_ends_without_root_and_says_how_it_is_seen_to_be_well():
    told = [line.split() for line in (ROOT / "Dockerfile").read_text().splitlines() if line and line[0].isalpha()]
    assert [words[1] for words in told if words[0] == "USER"] == ["looped"]
    assert [words[0] for words in told][-2:] == ["HEALTHCHECK", "CMD"]
    replicas = (ROOT / "deploy" / "compose.yaml").read_text()
    assert all(line in replicas for line in ("read_only: true", "tmpfs: [/tmp, /home/looped]", "cap_drop: [ALL]"))
