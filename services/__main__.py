"""`python -m services`: `run` goes straight to the runner, so that services start fast."""

import sys


def main() -> int:
    """The exit status of the command line."""
    words = sys.argv[1:]
    if words[:1] == ["run"] and not {"-h", "--help"} & set(words):
        from services.runner import run_from

        return run_from(words[1:])
    from services.cli.app import main as command_line

    return command_line(words)


if __name__ == "__main__":
    sys.exit(main())
