"""The command `heteroage`, run within a test."""

from heteroage.cli import main


def command(capsys, *arguments):
    """Run `heteroage`; returns its code and what it said."""
    code = main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return code, out + err


def run(capsys, *command):
    """Run `heteroage`; returns its code, what it printed, and what it said of errors."""
    code = main(list(map(str, command)))
    out, err = capsys.readouterr()
    return code, out, err
