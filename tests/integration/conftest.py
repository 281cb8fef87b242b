# SPDX-License-Identifier: GPL-3.0-or-later
"""What integration tests start: a listener (`listener`), a fleet of simulated BMCs (`fleet`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redfish_simulator.client import Fleet

from tests.integration.listener_process import RunningListener, issue_certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of a test CA (`ca`) and of a listener on loopback (`certificate`, `key`)."""
    directory = tmp_path_factory.mktemp("certificates")
    return issue_certificates(directory)


@pytest.fixture(scope="session")
def listener(
    tmp_path_factory: pytest.TempPathFactory, certificates: dict[str, Path]
) -> Iterator[Callable[..., RunningListener]]:
    """Factory: `listener(settings)` starts `event-listener run` and returns it ready; `with` stops it.

    `settings` is merged over the test configuration. `host` is the address to listen on, `arguments` go to `run`,
    `start=False` leaves starting to the test.
    """
    started: list[RunningListener] = []

    def make(
        settings: dict | None = None, *, host: str = "127.0.0.1", arguments: list | None = None, start: bool = True
    ) -> RunningListener:
        directory = tmp_path_factory.mktemp("listener")
        running = RunningListener(directory, certificates, settings or {}, host=host, arguments=arguments or [])
        started.append(running)
        return running.start() if start else running

    yield make
    for running in started:
        running.stop()
        print(running.output()[-5000:])  # shown with a failure


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Fleet]]:
    """Factory: `fleet(mix="openbmc=2,plain=1", time_scale=0.1)` starts simulated BMCs on free ports; `with` stops them.

    Options are those of `redfish-simulator`, underscores for dashes.
    """
    started: list[Fleet] = []

    def make(count: int | None = None, mix: str | dict[str, int] | None = None, **options: Any) -> Fleet:
        running = Fleet(count=count, mix=mix, directory=tmp_path_factory.mktemp("fleet"), **options)
        started.append(running)
        running.start()
        return running

    yield make
    for running in started:
        running.stop()
