# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as one HTML page: a picture of the fleet, every host with its reason. Pure.

Nearly every text in it came from a BMC. Each goes through `tag`, which escapes it, and the page's policy lets no script
run but its own, which it names by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re

from ansible_collections.redfleet.events.plugins.plugin_utils._report_assets import SCRIPT, STYLE

# Colour and letter of each verdict, what needs attention last.
LOOKS = {
    "ok": ("good", ""),
    "changed": ("changed", "c"),
    "drifted": ("drift", "d"),
    "delivered": ("good", ""),
    "never sent": ("drift", "v"),
    "not delivered": ("lost", "n"),
    "not sent": ("odd", "s"),
    "unsupported": ("odd", "u"),
    "unreachable": ("away", "x"),
    "refused": ("odd", "r"),
    "failed": ("lost", "f"),
    "not reached": ("away", "?"),
}
# Up to so many hosts the tiles of the picture have room for the names.
NAMED = 60


class Markup(str):
    """Text that is HTML already."""


def tag(name, *content, **attributes):
    """Return an element; everything that isn't Markup is escaped. In attributes' names `_` is `-`, a last one goes."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(part if isinstance(part, Markup) else html.escape(str(part)) for part in content)
    return Markup(f"<{name}{shown}>{inner}</{name}>")


def natural(name):
    """Return the key that sorts bmc2 before bmc10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", str(name))]


def _urgency(row):
    return -list(LOOKS).index(row["verdict"]), natural(row["host"])


def page(document):
    """Return the page of a report document (see _report.document)."""
    hosts = document["hosts"]
    body = Markup(
        tag("header", tag("h1", document["title"]), tag("p", _subtitle(document), class_="faint"))
        + tag("p", document["explanation"])
        + _controls(document)
        + tag("h2", "The fleet")
        + _picture(sorted(hosts, key=lambda row: natural(row["host"])))
        + "".join(_section(section) for section in document["sections"])
        + tag("h2", "Every BMC, what needs attention first")
        + _table(sorted(hosts, key=_urgency))
    )
    policy = f"default-src 'none'; style-src '{_digest(STYLE)}'; script-src '{_digest(SCRIPT)}'; base-uri 'none'"
    head = Markup(
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        + tag("title", f"{document['title']}, {document['generated']}")
        + tag("style", Markup(STYLE))
    )
    script = tag("script", Markup(SCRIPT))
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', tag('main', body), script), lang='en')}\n"


def _digest(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _subtitle(document):
    latency = document["latency"]
    said = [f"{len(document['hosts'])} BMCs", document["generated"]]
    if latency:
        slowest = f"slowest {latency['slowest']:.2f} s ({latency['host']})"
        said.append(f"latency: median {latency['median']:.2f} s, {slowest}")
    return " · ".join(said)


def _controls(document):
    buttons = [
        tag(
            "button",
            tag("span", class_=f"key {LOOKS[name][0]}"),
            f"{name} ",
            tag("b", count),
            type="button",
            data_v=name,
            aria_pressed="true",
        )
        for name, count in document["counts"].items()
    ]
    what = "Find a host or a reason"
    search = f'<input id="search" type="search" placeholder="{what}" aria-label="{what}">'
    count = tag("span", tag("span", id="shown"), " shown", class_="faint", role="status")
    return tag("div", *buttons, Markup(search), count, class_="bar", id="controls", hidden="")


def _data(row):
    return {"data_host": row["host"], "data_verdict": row["verdict"], "data_text": row["detail"]}


def _picture(rows):
    named = len(rows) <= NAMED
    tiles = []
    for row in rows:
        colour, letter = LOOKS[row["verdict"]]
        said = f"{row['host']}: {row['verdict']}" + (f", {row['detail']}" if row["detail"] else "")
        shown = [row["host"], tag("small", row["verdict"])] if named else [letter or Markup("&nbsp;")]
        link = tag("a", *shown, class_=colour, href=f"#{_anchor(row['host'])}", title=said, aria_label=said)
        tiles.append(tag("li", link, **_data(row)))
    return tag("ul", *tiles, class_="fleet named" if named else "fleet")


def _anchor(host):
    return "h-" + re.sub(r"[^A-Za-z0-9._-]", "_", str(host))


def _table(rows):
    timed = any(row["latency_s"] is not None for row in rows)
    names = ["BMC", "verdict", *(["latency"] if timed else []), "detail"]
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    body = tag("tbody", *(_row(row, timed) for row in rows))
    return tag("div", tag("table", head, body), class_="scroll")


def _row(row, timed):
    verdict = tag("span", row["verdict"], class_=f"verdict {LOOKS[row['verdict']][0]}")
    cells = [tag("th", row["host"], scope="row"), tag("td", verdict)]
    if timed:
        cells.append(tag("td", "" if row["latency_s"] is None else f"{row['latency_s']:.2f} s", class_="n"))
    cells.append(tag("td", row["detail"], _diff(row["diff"])))
    return tag("tr", *cells, id=_anchor(row["host"]), **_data(row))


def _diff(changes):
    if not changes:
        return Markup("")
    lines = [
        tag("tr", tag("td", change["property"]), tag("td", f"- {change['before']}", class_="minus"))
        + tag("tr", tag("td", ""), tag("td", f"+ {change['after']}", class_="plus"))
        for change in changes
    ]
    return tag("table", Markup("".join(lines)), class_="diff")


def _section(section):
    title = tag("h2", f"{section['title']} ({len(section['rows'])})")
    if not section["rows"]:
        return Markup(title + tag("p", "None.", class_="faint"))
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in section["columns"])))
    body = tag("tbody", *(tag("tr", *(tag("td", cell) for cell in cells)) for cells in section["rows"]))
    return Markup(title + tag("p", section["explanation"]) + tag("div", tag("table", head, body), class_="scroll"))
