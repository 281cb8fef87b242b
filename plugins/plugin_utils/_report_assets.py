# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Style and script of the report's page. Everything is inside the page: it is read where there is no network."""

from __future__ import annotations

# Colours by meaning, each with enough contrast to its text in both schemes; a letter in the tile says the same.
STYLE = """
:root { color-scheme: light dark; --page: #fbfbfa; --text: #1c1d1f; --faint: #5c6066; --line: #d9dadd; --panel: #fff;
  --good: #1a7f47; --changed: #1f6feb; --drift: #9a6700; --lost: #c62828; --odd: #8e3b9e; --away: #57606a;
  --on: #fff; --focus: #1f6feb }
@media (prefers-color-scheme: dark) { :root { --page: #14161a; --text: #e8e9eb; --faint: #a2a7ae; --line: #343941;
  --panel: #1d2026; --good: #3fb970; --changed: #6ea8ff; --drift: #e3b341; --lost: #ff8080; --odd: #d8a0e6;
  --away: #b0b7c0; --on: #101216; --focus: #6ea8ff } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem; max-width: 84rem; background: var(--page); color: var(--text);
  font: 0.95rem/1.45 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p { margin: .3rem 0; max-width: 60rem } .faint { color: var(--faint) }
.bar { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; align-items: center }
button, input { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line);
  border-radius: .4rem; padding: .3rem .7rem }
button { cursor: pointer } button[aria-pressed=false] { opacity: .45; text-decoration: line-through }
button b { font-variant-numeric: tabular-nums }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 1px }
input { min-width: 16rem } .key { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem;
  margin-right: .4rem; vertical-align: -1px }
.fleet { display: grid; grid-template-columns: repeat(auto-fill, 1.55rem); gap: .2rem; margin: 0; padding: 0;
  list-style: none }
.fleet.named { grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .4rem }
.fleet a { display: block; height: 1.55rem; border-radius: .25rem; color: var(--on); text-align: center;
  text-decoration: none; font: 700 .8rem/1.55rem ui-monospace, monospace; overflow: hidden }
.fleet.named a { height: auto; padding: .45rem .6rem; text-align: left; line-height: 1.3; overflow-wrap: anywhere }
.fleet.named small { display: block; font-weight: 400 }
.good { background: var(--good) } .changed { background: var(--changed) } .drift { background: var(--drift) }
.lost { background: var(--lost) } .odd { background: var(--odd) } .away { background: var(--away) }
.dim a { opacity: .12 } [hidden] { display: none }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; background: var(--panel) }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem; border-bottom: 1px solid var(--line) }
th { color: var(--faint); font-weight: 600; white-space: nowrap } td { overflow-wrap: anywhere }
tbody th { color: var(--text) } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tr:target { outline: 3px solid var(--focus); outline-offset: -3px }
.verdict { display: inline-block; border-radius: .3rem; padding: 0 .45rem; color: var(--on); white-space: nowrap }
.diff { margin: .3rem 0 0; width: auto; font: .85rem/1.4 ui-monospace, monospace }
.diff td { border: 0; padding: 0 .8rem 0 0 }
.minus { color: var(--lost) } .plus { color: var(--good) }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
@media print { .bar input, .bar button[aria-pressed=false] { display: none } body { padding: 0 } }
"""

# Shows and hides what the server-made page holds already; without script everything is shown.
SCRIPT = """
(() => {
  const buttons = [...document.querySelectorAll('button[data-v]')], search = document.getElementById('search');
  const items = [...document.querySelectorAll('[data-host]')], shown = document.getElementById('shown');
  const apply = () => {
    const on = new Set(buttons.filter(b => b.getAttribute('aria-pressed') === 'true').map(b => b.dataset.v));
    const text = search.value.trim().toLowerCase();
    let count = 0;
    for (const item of items) {
      const told = (item.dataset.host + ' ' + item.dataset.text).toLowerCase();
      const hit = on.has(item.dataset.verdict) && told.includes(text);
      if (item.tagName === 'TR') { item.hidden = !hit; count += hit ? 1 : 0; } else item.classList.toggle('dim', !hit);
    }
    shown.textContent = count;
  };
  for (const button of buttons) button.addEventListener('click', () => {
    button.setAttribute('aria-pressed', String(button.getAttribute('aria-pressed') !== 'true'));
    apply();
  });
  search.addEventListener('input', apply);
  if (location.hash.startsWith('#find=')) search.value = decodeURIComponent(location.hash.slice(6));
  document.getElementById('controls').hidden = false;
  apply();
})();
"""
