"""The command line: a file for each group of verbs; failures become exit codes."""

import importlib
import io
import os
import sys
from typing import NoReturn

import click

from sentiment.core.errors import ResourceError, SentimentError, UsageError, from_machine
from sentiment.core.threads import spin_briefly

__all__ = ["main"]

EXIT_CODES = """
\b
Exit codes:
  0    done
  1    done, but some rows could not be classified, or training failed
  2    wrong usage, option or setting
  3    the corpus is missing, unreadable or not fit for training
  4    the model folder is incomplete, changed or of another version
  5    the Hub (or a download) cannot be reached, or refuses
  6    the machine: memory, disk or permissions
  70   a fault of this program
  130  stopped with Ctrl-C
"""
INTERNAL = 70  # EX_SOFTWARE of sysexits.h
MODULES = {  # where each verb is defined
    verb: module
    for module, verbs in {
        "predict": ("explain", "predict"),
        "report": ("audit", "compare", "corpora", "models", "recipes", "report"),
        "train": ("crossval", "pretrain", "train", "tune"),
    }.items()
    for verb in verbs
}


def main() -> NoReturn:
    """Run the command line, and turn every failure into a message and an exit code."""
    spin_briefly()
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a character shows another one instead
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace" if stream is sys.stderr else "replace")
    if sys.stdout is None:  # closed by the caller, as in `… >&-`
        sys.exit(_fail("stdout is closed, so there is nowhere to write to", ResourceError.exit_code))
    try:
        code = cli(standalone_mode=False) or 0
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = _fail("stopped", 130)
    except (BrokenPipeError, SystemExit):  # the reader of our output has gone, as in `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if os.environ.get("SENTIMENT_DEBUG"):
            raise
        known = error if isinstance(error, SentimentError) else from_machine(error)
        if known is not None:
            code = _fail(str(known), known.exit_code)
        else:
            code = _fail(
                f"a fault of this program: {type(error).__name__}: {error}. "
                "Please report it, with what SENTIMENT_DEBUG=1 shows",
                INTERNAL,
            )
    sys.exit(code)


def _fail(message: str, code: int) -> int:
    from sentiment.core.strings import printable

    click.echo(f"sentiment: {printable(message)}", err=True)
    return code


class Verbs(click.Group):
    """A group that loads the module of a verb when the verb is asked for (click's "lazy loading")."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all verbs."""
        return sorted(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a verb; for a name that is none load all, so that click can say which is nearest."""
        for verb in [cmd_name] if cmd_name in MODULES else MODULES:
            module = importlib.import_module(f"sentiment.cli.{MODULES[verb]}")
            self.add_command(getattr(module, verb))
        return super().get_command(ctx, cmd_name)


@click.group(cls=Verbs, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sentiment")
def cli() -> None:
    """Train, use and judge text classifiers: embedding + LSTM over packed sequences."""
