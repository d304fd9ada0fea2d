"""The command line. Each command calls one method of the API and prints what it returned."""

__all__ = ["main"]


def main() -> None:
    """Run the command that was typed; the exit code is 0 only for success."""
    from smalltune.cli.commands import app

    app()
