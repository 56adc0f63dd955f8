"""One page that needs no network and no script.

Takes a title and parts, gives HTML; the policy of the page lets nothing be loaded or run. Knows nothing about
what the parts show.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from hybrid.report.blocks import paragraph
from hybrid.report.markup import Markup, element, join


def page(title: str, *parts: Markup, made: str = "") -> str:
    """Return the page with its style in it.

    Args:
        title: of the window.
        parts: one under the other.
        made: when it was made; without it the same input gives the same bytes.
    """
    style = resources.files("hybrid.report").joinpath("style.css").read_text(encoding="utf-8")
    body = element("body", None, element("main", None, *parts), _foot(made))
    return f"<!DOCTYPE html>\n{element('html', {'lang': 'en'}, _head(title, style), body)}\n"


def _head(title: str, style: str) -> Markup:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        None,
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("meta", {"name": "referrer", "content": "no-referrer"}),
        element("title", None, title),
        element("style", None, Markup(style)),
    )


def _foot(made: str) -> Markup:
    text = "This file loads nothing and sends nothing."
    return element("footer", None, paragraph(join([f"Made {made}. " if made else "", text]), "note"))
