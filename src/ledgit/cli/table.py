"""Every command with its line in ``ledgit --help``, so that help imports none of them."""

from __future__ import annotations

# (group, ((command, line), …)); the module is the command's name, ``import_`` for ``import``.
GROUPS = (
    (
        "start",
        (
            ("init", "prepare this repository (optional: logging works without)"),
            ("demo", "train real models in a scratch repository and look at their runs"),
            ("doctor", "check the repository, and say how to mend what is wrong"),
        ),
    ),
    (
        "log runs",
        (
            ("run", "track any command: code, environment, output, exit code"),
            ("project", "make a folder something that others can run, and share it"),
            ("record", "log params, metrics, tags and files from a shell"),
        ),
    ),
    (
        "look",
        (
            ("ls", "list, filter and sort runs"),
            ("show", "show one run"),
            ("diff", "show what differs between runs"),
            ("log", "show who changed a run, and when"),
            ("rev", "print a run's commit, for plain Git"),
            ("ui", "browse, compare and steer runs in the terminal"),
        ),
    ),
    (
        "edit",
        (
            ("tag", "set or delete tags, rename, move to another experiment"),
            ("note", "write a run's note"),
            ("rm", "mark runs as deleted"),
            ("restore", "bring deleted runs back"),
        ),
    ),
    (
        "review",
        (
            ("report", "what a branch's runs changed, for people: text, Markdown, HTML"),
            ("check", "whether they are good enough, by the gates of the repository"),
            ("blame", "what came with each step of a metric along a branch"),
            ("bisect", "which commit made a metric worse"),
            ("hooks", "put hooks of Git's into this clone, beside what is there"),
        ),
    ),
    (
        "use a run's code",
        (
            ("apply", "put a run's files or params into the work tree"),
            ("branch", "make a branch of a run's code"),
            ("sweep", "run something with many parameters, and find the best"),
            ("repro", "repeat a run, and say what differs if it comes out otherwise"),
        ),
    ),
    (
        "share",
        (
            ("push", "send runs to a remote"),
            ("pull", "get the runs of a remote"),
            ("artifacts", "list, get and share the files that runs logged"),
        ),
    ),
    (
        "models",
        (
            ("models", "look at models, serve them, predict with them"),
            ("registry", "register models, promote versions to stages, and check who did what"),
        ),
    ),
    (
        "clean up and check",
        (
            ("gc", "show what could go, and remove runs for good"),
            ("verify", "hash every byte of runs again"),
        ),
    ),
    (
        "move runs",
        (
            ("export", "write runs as files"),
            ("import", "read exported runs"),
        ),
    ),
    (
        "more",
        (
            ("hook", "what a hook of Git's calls"),
            ("textconv", "print a run's file as 'git diff' shows it"),
            ("completion", "print the completion script for a shell"),
            ("version", "print the versions of Ledgit and what it uses"),
        ),
    ),
)
SUMMARIES = {name: line for _, commands in GROUPS for name, line in commands}

EXIT_CODES = """\
exit codes:
  0 done   1 failed   2 wrong usage   3 not found or ambiguous   4 forbidden by what is there
  5 Git or the repository can't   6 unreadable data   7 disk   8 missing library   9 remote
  10 untrusted model   11 a project's environment   130 interrupted
  'ledgit run' exits as its command does; 'ledgit diff --exit-code' with 1 if runs differ, 'ledgit repro'
  if a run is not reproduced
"""


def overview() -> str:
    """Return the text of ``ledgit --help``."""
    lines = [
        "usage: ledgit [-C PATH] [--color WHEN] [--no-pager] COMMAND …",
        "",
        "Experiment tracking in the Git repository you already have. A run is a commit.",
    ]
    for group, commands in GROUPS:
        lines += ["", f"{group}:"]
        lines += [f"  {name:<11} {line}" for name, line in commands]
    lines += [
        "",
        "options:",
        "  -C PATH        work as if started in PATH",
        "  --color WHEN   auto (default), always or never; NO_COLOR is honoured",
        "  --no-pager     never start a pager",
        "  --version      print the version",
        "  -h, --help     this text; 'ledgit COMMAND --help' has the options and examples",
        "",
        "examples:",
        "  ledgit run -- python train.py            track a command",
        "  ledgit ls 'metrics.accuracy > 0.9'       runs that are good",
        "  ledgit diff calm-owl                     what changed since the run before",
        "  git show $(ledgit rev calm-owl)          a run is a commit",
        "  ledgit ui                                all of it, to browse",
        "",
        EXIT_CODES.rstrip("\n"),
    ]
    return "\n".join(lines) + "\n"


def module_name(command: str) -> str:
    """Return the module of *command* below ``ledgit.cli.commands``."""
    return "ledgit.cli.commands." + (command + "_" if command == "import" else command)
