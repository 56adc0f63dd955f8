"""Show a decision: one offline HTML file, a text for the terminal, JSON.

``html`` builds the page from ``sections``, ``cases`` and ``method``; ``forest`` and ``tradeoff`` draw,
``content`` and ``passages`` select, ``text`` and ``json`` are for terminals and programs.
"""

from hybrid.report.content import Material
from hybrid.report.html import report_html
from hybrid.report.json import report_json
from hybrid.report.text import report_text

__all__ = ["Material", "report_html", "report_json", "report_text"]
