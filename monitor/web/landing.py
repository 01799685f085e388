"""The landing page: what this is, how it is doing, where to go. No script, nothing from afar."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from monitor.web.parts import Overview

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --faint: #59636e; --line: #d5dbe1; --page: #f5f7f9; --card: #ffffff;
  --link: #0b57b0; --good: #1a7f4b; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e7ebef; --faint: #9aa6b2; --line: #323a43; --page: #12161b; --card: #1a2027;
    --link: #7ab7ff; --good: #4cc38a; --bad: #ff8a80;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 8vh 1.25rem 2rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif;
}
main {
  max-width: 38rem; margin: 0 auto; padding: 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px;
}
h1 { margin: 0; font-size: 1.5rem; letter-spacing: -0.01em; }
h1 small { margin-left: 0.35rem; color: var(--faint); font-size: 0.9rem; font-weight: 400; }
p { margin: 0.35rem 0 0; color: var(--faint); }
.count { margin: 1.75rem 0 0; color: var(--ink); font-size: 1.125rem; }
.count b { font-size: 2.25rem; font-variant-numeric: tabular-nums; line-height: 1.1; }
.all b { color: var(--good); }
.some b { color: var(--bad); }
ul { margin: 1.75rem 0 0; padding: 0; list-style: none; border-top: 1px solid var(--line); }
li { display: flex; gap: 0.25rem 1rem; padding: 0.7rem 0; border-bottom: 1px solid var(--line); }
li:last-child { padding-bottom: 0; border-bottom: 0; }
a { flex: 0 0 8rem; color: var(--link); font-family: ui-monospace, monospace; }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 3px; border-radius: 2px; }
li span { color: var(--faint); }
@media (max-width: 30rem) {
  body { padding-top: 1.25rem; }
  main { padding: 1.25rem; }
  li { flex-direction: column; }
  a { flex-basis: auto; }
}
"""

STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""What the content security policy allows: this style and no other."""


@dataclass(frozen=True, slots=True)
class Link:
    """A way from the landing page, and what lies there."""

    path: str
    about: str


def landing_page(overview: Overview, links: Iterable[Link]) -> str:
    """Return the page; whatever comes from elsewhere is escaped."""
    items = "\n".join(
        f'<li><a href="{escape(link.path)}">{escape(link.path)}</a>'
        f"<span>{escape(link.about)}</span></li>"
        for link in links
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ws-monitor</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>ws-monitor <small>{escape(overview.version)}</small></h1>
<p>WebSocket connections, watched by their heartbeats.</p>
{_count(overview)}
<ul>
{items}
</ul>
</main>
</body>
</html>
"""


def _count(overview: Overview) -> str:
    if overview.probes == 0:
        return '<p class="count">No probes yet.</p>'
    kind = "all" if overview.up == overview.probes else "some"
    noun = "probe" if overview.probes == 1 else "probes"
    return f'<p class="count {kind}"><b>{overview.up}</b> of {overview.probes} {noun} up</p>'
