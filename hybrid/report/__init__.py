"""Show a decision, or what tuning bought: one offline HTML file, a text for the terminal, JSON."""

from hybrid.report.html import drift_picture, pareto_html, report_html
from hybrid.report.pareto import Pareto, Tried, pareto_front
from hybrid.report.text import pareto_json, pareto_text, report_json, report_text
from hybrid.report.view import ReportMaterial

__all__ = [
    "Pareto",
    "ReportMaterial",
    "Tried",
    "drift_picture",
    "pareto_front",
    "pareto_html",
    "pareto_json",
    "pareto_text",
    "report_html",
    "report_json",
    "report_text",
]
