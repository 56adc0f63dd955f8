"""The tree of commands, and the one place where an error becomes an exit code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from contextlib import nullcontext

import typer
from typer import Option

from hybrid import __version__
from hybrid.cli import (
    adapt,
    adapters,
    ask,
    console,
    decide,
    evaluate,
    index,
    monitor,
    operate,
    questions,
    serve,
    setup,
)
from hybrid.cli.options import first_line
from hybrid.errors import EXIT_INTERRUPTED, HybridError

app = typer.Typer(
    name="hybrid",
    help="Index a folder, ask it questions, get answers whose citations hold.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)
_COMMANDS = (
    *(setup.init, index.index, ask.search, ask.ask, ask.chat, evaluate.evaluate, evaluate.compare),
    *(decide.decide, serve.serve, decide.abstain, monitor.monitor, index.status, operate.promote),
    *(operate.rollback, operate.history, operate.gather, index.remove, setup.doctor, setup.completion),
)
_GROUPS = {
    "documents": index.documents_app,
    "adapt": adapt.app,
    "adapters": adapters.app,
    "grounding": evaluate.grounding_app,
    "models": setup.models_app,
    "config": setup.config_app,
    "bench": evaluate.bench_app,
    "questions": questions.app,
    "prompts": operate.prompts_app,
    "router": decide.router_app,
    "traffic": operate.traffic_app,
    "traces": monitor.traces_app,
}
for _command in _COMMANDS:
    app.command(short_help=first_line(_command))(_command)
for _name, _group in _GROUPS.items():
    app.add_typer(_group, name=_name)


def _version(value: bool) -> None:
    if value:
        console.data(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: bool = Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Index a folder, ask it questions, get answers whose citations hold."""


def run(arguments: Sequence[str]) -> int:
    """Run a command; return its exit code."""
    if "_HYBRID_COMPLETE" in os.environ:
        # typer's own options for it would guess the shell from the parent process
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    try:
        # a help is written by typer itself, and is all that its command does
        with console.told() if "--help" in arguments else nullcontext():
            code = app(args=list(arguments), prog_name="hybrid", standalone_mode=False)
        console.flush()
    except HybridError as error:
        console.note(f"error: {error}")
        if error.hint:
            console.note(f"  → {error.hint}")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as stop:
        # typer turns a closed pipe into an exit of its own
        if isinstance(stop.__context__, BrokenPipeError):
            return _reader_gone()
        raise
    except Exception as error:  # noqa: BLE001 - the last line of defence of a command
        return _report(error)
    # typer may have turned the interruption into a code of its own
    return _interrupted() if code == EXIT_INTERRUPTED else code if isinstance(code, int) else 0


def _interrupted() -> int:
    console.note("interrupted; what was in force stays in force")
    return EXIT_INTERRUPTED


def _report(error: Exception) -> int:
    show = getattr(error, "format_message", None)
    if show is None:
        console.note("".join(traceback.format_exception(error)).rstrip())
        console.note("error: unexpected; this is a bug, please report the lines above")
        return 1
    if type(error).__name__ == "NoArgsIsHelpError":
        console.note(show())
    else:  # a wrong option or argument, as typer reports it
        context = getattr(error, "ctx", None)
        said = show()
        quoted = "put what has blanks in quotes; " if "extra argument" in said else ""
        console.note(f"error: {said}")
        console.note(f"  → {quoted}see: {context.command_path if context else 'hybrid'} --help")
    return 2


def _reader_gone() -> int:
    console.drop_output()
    return 0
