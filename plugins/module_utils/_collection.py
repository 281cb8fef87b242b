# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a Redfish collection completely, or say that what it holds is unknown.

"Unknown" is never "empty": an unreadable member, a missing Members or an HTML page is an error.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._client import RedfishClient
from ansible_collections.redfleet.events.plugins.module_utils._connection import local_path
from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    RedfishError,
    UnknownStateError,
    error_for,
    not_redfish,
)
from ansible_collections.redfleet.events.plugins.module_utils._subscription import uri_of

Resource = dict[str, Any]
MAX_PAGES = 200
INCOMPLETE = "Nothing was changed, since what the BMC holds is unknown; repair or reset it and run again."
# Failures of one member that leave the others readable, but the list incomplete.
MEMBER_FAILURES = ("bmc_error", "unsupported", "unknown_state", "forbidden")


def members_of(client: RedfishClient, uri: str) -> list[Resource]:
    """All members: by $expand where the service offers it, over all pages, the rest one by one.

    :raises UnknownStateError: when a part cannot be read.
    """
    entries: list[Resource] = []
    page: str | None = None
    for _page in range(MAX_PAGES):
        body = client.get(page) if page else first_page(client, uri)
        entries.extend(listed(client, uri, body))
        page = body.get("Members@odata.nextLink") or body.get("@odata.nextLink")
        if not page:
            _check_count(client, uri, body, len(entries))
            return [member_of(client, entry) for entry in entries]
    raise UnknownStateError(f"{client.base}{uri} has more than {MAX_PAGES} pages.", INCOMPLETE)


def first_page(client: RedfishClient, uri: str) -> Resource:
    """The collection, expanded where the service offers it.

    :raises RedfishError: when it cannot be read.
    """
    query = _expand_query(client.root)
    if query:
        answer = client.ask("GET", f"{uri}?{query}")
        if answer.status == 200 and answer.body is None:
            raise not_redfish(answer)
        if answer.status == 200 and "error" not in (answer.body or {}):
            return answer.body or {}
    return client.get(uri)


def _expand_query(root: Resource) -> str | None:
    """The query that reads all members at once, where the ServiceRoot offers it (DSP0266 "expand")."""
    features = root.get("ProtocolFeaturesSupported")
    expand = features.get("ExpandQuery") if isinstance(features, dict) else None
    if not isinstance(expand, dict):
        return None
    levels = "($levels=1)" if expand.get("Levels") else ""
    if expand.get("NoLinks"):
        return f"$expand=.{levels}"
    return f"$expand=*{levels}" if expand.get("ExpandAll") else None


def listed(client: RedfishClient, uri: str, body: Resource) -> list[Resource]:
    """The members on one page, as links or expanded.

    :raises UnknownStateError: when there is no such list.
    """
    members = body.get("Members")
    if members is None and isinstance(body.get("Links"), dict):
        members = body["Links"].get("Members")  # DMTF Redfish-Interface-Emulator
    if not isinstance(members, list) or not all(isinstance(entry, dict) and uri_of(entry) for entry in members):
        raise UnknownStateError(f"{client.base}{uri} answered without a readable list of Members.", INCOMPLETE)
    return members


def _check_count(client: RedfishClient, uri: str, body: Resource, read: int) -> None:
    count = body.get("Members@odata.count")
    if isinstance(count, int) and count > read:
        raise UnknownStateError(f"{client.base}{uri} counts {count} members but lists {read}.", INCOMPLETE)


def is_expanded(entry: Resource) -> bool:
    """Whether an entry of a list is the member itself, not a link to it."""
    return any("@" not in key for key in entry)


def member_of(client: RedfishClient, entry: Resource) -> Resource:
    """An expanded entry as it is, a link followed.

    :raises RedfishError: when it cannot be read; a bad member makes the list unknown.
    """
    if is_expanded(entry):
        return entry
    try:
        return read_member(client, uri_of(entry))
    except RedfishError as error:
        if error.reason not in MEMBER_FAILURES:
            raise
        raise UnknownStateError(
            f"A member of a list of {client.base} cannot be read: {error}", INCOMPLETE, error.status
        ) from error


def read_member(client: RedfishClient, uri: str) -> Resource:
    """One resource, with the ETag of the answer, which a header says more reliably than the body.

    :raises RedfishError: when the answer isn't that resource.
    """
    answer = client.ask("GET", uri)
    if answer.status != 200:
        raise error_for(answer)
    if answer.body is None or ("error" in answer.body and not uri_of(answer.body)):
        raise not_redfish(answer)
    body = {"@odata.id": local_path(uri), **answer.body}
    if answer.headers.get("etag"):
        body["@odata.etag"] = answer.headers["etag"]
    return body
