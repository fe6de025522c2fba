"""The verbs put together: which there are, and how one command line reaches one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from streamsim.cli import (
    analysing,
    asking,
    comparing,
    controlling,
    describing,
    importing,
    measuring,
    modelling,
    running,
    serving,
    sweeping,
    theory,
)

_DESCRIPTION = """Where does a pipeline lose its time, what would a change buy, and will it hold at the expected rate?

streamsim runs a circuit for real, simulates it and predicts it, and holds the predictions against the run."""

_EPILOG = """[bold]Examples[/bold]

streamsim compare scenarios/top-words.toml

streamsim measure --shell 'cat access.log | cut -d" " -f1 | sort | uniq -c'

streamsim predict scenarios/top-words.toml --set host.cores=1

[bold]Exit status[/bold]

0 fine, 1 the run failed, 2 the scenario, the profile or the command line is wrong, 130 interrupted"""

_GROUPS: dict[str, tuple[Callable[..., None], ...]] = {
    "The worlds": (comparing.compare, measuring.measure, modelling.simulate, modelling.predict, measuring.fit),
    "The analyst": (analysing.bottleneck, asking.whatif, sweeping.sweep, theory.model),
    "The circuit": (running.check, running.run, controlling.ctl, serving.gateway, importing.import_),
    "What there is": (describing.operators, describing.op, describing.schema),
}


_SHORT = {
    "compare": "Hold the models against runs they never saw; write the report.",
    "measure": "Run it for real, watched; see where the time goes.",
    "simulate": "Simulate it with the service models of its profile.",
    "predict": "Predict it by queueing theory; runs none of its commands.",
    "bottleneck": "What holds it back, and what relief would buy.",
    "whatif": "What it would take to carry a load within a response time.",
    "sweep": "Simulate or predict it at many values of its keys.",
    "model": "Ask a model of queueing theory with numbers of your own.",
    "fit": "Fit the profile anew from an earlier trace.",
    "check": "Check it and show the circuit; runs none of its commands.",
    "run": "Run it as a plain pipeline, stdin to stdout.",
    "ctl": "Look into a run that is going on, and steer its stations.",
    "gateway": "Serve a run over HTTP on loopback, for whoever has the token.",
    "import": "Turn a shell line into a scenario file.",
    "operators": "List the built-in operators, or show one.",
    "op": "Run one operator as a Unix filter.",
    "schema": "Write the JSON Schema of scenario files.",
}
"""What the list of verbs says of each, on one line of a narrow terminal."""


def verbs() -> tuple[str, ...]:
    """Return the names of all verbs.

    >>> "measure" in verbs(), "import" in verbs()
    (True, True)
    """
    return tuple(_name(verb) for group in _GROUPS.values() for verb in group)


def run(words: Sequence[str]) -> int:
    """Run one command line; errors come out as exceptions, typer's own included."""
    for stream in (sys.stdout, sys.stderr):
        # A file name that is no UTF-8, or an ASCII terminal: a question mark is better than an exception.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    words = list(words) or ["--help"]
    # Drawing panels costs 0.15 s of imports: too much for the first thing that anybody types.
    plain = words[0] in ("--help", "-h")
    status = _build(plain=plain)(args=words, prog_name="streamsim", standalone_mode=False)
    return status if isinstance(status, int) else 0


def _build(*, plain: bool = False) -> typer.Typer:
    app = typer.Typer(
        name="streamsim",
        help=_DESCRIPTION,
        epilog=_EPILOG.replace("[bold]", "").replace("[/bold]", ":") if plain else _EPILOG,
        rich_markup_mode=None if plain else "rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_callback)
    for panel, group in _GROUPS.items():
        for verb in group:
            app.command(
                _name(verb),
                cls=_Verb,
                rich_help_panel=panel,
                short_help=_SHORT[_name(verb)],
                help=_flowing(verb.__doc__ or ""),
                epilog=_examples(verb),
                **getattr(verb, "settings", {}),
            )(verb)
    return app


class _Verb(TyperCommand):
    """A verb whose help shows no type behind a flag: ``--json`` takes no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)
        for param in params:
            if getattr(param, "is_flag", False):
                param.metavar = ""
        return params


def _name(verb: Callable[..., None]) -> str:
    return verb.__name__.rstrip("_")


def _flowing(text: str) -> str:
    """Return a docstring with a line for each paragraph: typer would keep the source's line breaks but in the first.

    >>> _flowing("One.\\n\\n    Two goes\\n    on.\\n    ")
    'One.\\n\\nTwo goes on.'
    """
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def _examples(verb: Callable[..., None]) -> str:
    lines: tuple[str, ...] = verb.examples  # type: ignore[attr-defined]  # `example` put it there
    return "\n\n".join(["[bold]Examples[/bold]", *lines])


def _show_version(wanted: bool) -> None:
    if wanted:
        from streamsim import __version__
        from streamsim.cli.output import say

        say(f"streamsim {__version__}")
        raise typer.Exit


def _callback(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Runs before every verb; the version answers by itself."""
