"""The command line: the only package that prints. Heavy imports stay inside commands."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from radfusion.cli.app import app
from radfusion.cli.terminal import MISTAKE
from radfusion.errors import UserError

__all__ = ["app", "main"]

# In the order in which `radfusion --help` lists them.
for _module in ("studies", "application", "catalogue", "weights"):
    import_module(f"{__name__}.{_module}")


def main() -> None:
    """Entry point: a user's mistake ends with a sentence and exit code 2, never with a traceback."""
    try:
        app()
    except UserError as error:
        print(f"radfusion: {error}", file=sys.stderr)
        sys.exit(MISTAKE)
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"radfusion: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(MISTAKE)


if __name__ == "__main__":
    main()
