# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures on booted hosts. A machine that can't boot them skips these tests, and the reason says what it lacks."""

from __future__ import annotations

import os

import pytest

from tests.integration.hosts.deployment import Deployed, Deployment, download_wheels, install_collection
from tests.integration.hosts.estate import RELEASES, Estate, EstateUnavailable
from tests.integration.hosts.on_host import disk

JOURNAL = "journalctl --no-pager --lines=60 --unit='event-listener*'"


@pytest.fixture(scope="session")
def progress(pytestconfig):
    """Says on the terminal what takes its time, past pytest's capturing."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(line):
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", flush=True)

    return say


@pytest.fixture(scope="session", params=sorted(RELEASES))
def estate(request, progress):
    """One booted host per Debian release, kept for all tests of the session that use it."""
    mask = os.umask(0o077)  # as strict as an administrator's may be
    try:
        with Estate(count=1, release=request.param, progress=progress) as estate:
            os.umask(mask)
            yield estate
    except EstateUnavailable as error:
        pytest.skip(f"no hosts on this machine: {error}")
    finally:
        os.umask(mask)


@pytest.fixture
def host(estate):
    """The host of `estate`."""
    return estate.hosts[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows what its host's journal says."""
    report = yield
    used = getattr(item, "funcargs", {})
    estate = used.get("estate") or getattr(used.get("two"), "estate", None)
    if report.failed and estate is not None:
        for host in estate.hosts:
            log = host.ssh(JOURNAL, root=True, check=False) if host.running else host.console
            report.sections.append((f"Journal of {host.name}", log))
    return report


@pytest.fixture(scope="session")
def collections(tmp_path_factory):
    """Collections path with the collection installed from its tarball."""
    return install_collection(tmp_path_factory.mktemp("collection"))


@pytest.fixture(scope="session")
def deployment(estate, collections, tmp_path_factory):
    """Playbooks against `estate`, with wheels for its Python."""
    python = "import platform; print('.'.join(platform.python_version_tuple()[:2]), platform.machine())"
    wheels = download_wheels(
        tmp_path_factory.mktemp("wheels"), collections, estate.hosts[0].ssh(f'python3 -c "{python}"').strip()
    )
    return Deployment(estate, tmp_path_factory.mktemp("controller"), collections, wheels)


@pytest.fixture(scope="session")
def deployed(deployment, progress) -> Deployed:
    """Check mode, first run, second run, check mode again: each once per host."""
    host = deployment.estate.hosts[0]
    if host.succeeds("test -e /opt/event-listener"):  # other tests used this host before
        deployment.good("listener", event_listener_state="absent", event_listener_purge=True)
    before = disk(host)
    preview = deployment.play("listener", "--check")
    after_preview = disk(host)
    first = deployment.good("listener")
    second = deployment.good("listener")
    check = deployment.good("listener", "--check")
    progress(f"{host.name}: role: first run {first.seconds:.1f} s, second {second.seconds:.1f} s")
    return Deployed(deployment, host, before, preview, after_preview, first, second, check)
