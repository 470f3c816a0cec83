"""``ledgit registry``: versions of models, where they stand, who put them there, and whether they are genuine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import parsing

if TYPE_CHECKING:
    from collections.abc import Callable

HELP = """\
Versions of models and the stages they stand at. Each version and each promotion is an annotated Git tag with who, when
and why, in the form that GTO reads; 'ledgit push' shares them, and 'git show churn@v1.2.0' shows one.

A version is named churn@v1.2.0, by its number (churn@3), by what stands at a stage (churn#prod), or as churn@latest.
"""
EPILOG = """
ledgit registry register calm-owl churn --bump minor -m 'more data'
ledgit registry promote churn@v1.2.0 prod -m 'passed the trial'
ledgit registry ls churn
ledgit registry which churn prod --at 2026-11-01
ledgit registry rollback churn prod -m 'too many alarms'
ledgit registry verify churn#prod
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(
        metavar="ACTION", dest="action", prog=parser.prog, parser_class=parsing.Parser, help="what to do"
    )
    for name, (add, line, examples) in ACTIONS.items():
        add(parsing.add_action(actions, name, line, examples))


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    module = "ledgit.cli." + next(place for place, names in _PLACES.items() if args.action in names.split())
    code: int = getattr(__import__(module, fromlist=["run"]), args.action)(args)
    return code


_PLACES = {
    "registry_acts": "register promote unassign rollback deprecate deregister describe tag move",
    "registry_shown": "ls show history which",
    "registry_checks": "verify check parse",
}

# ---------------------------------------------------------------------- what they take


def _version(parser: argparse.ArgumentParser, *, whole: bool = False) -> None:
    what = "a model, or a version: " if whole else "version: "
    words = f"{what}NAME@v1.2.0, NAME@3 (its number), NAME@latest or NAME#STAGE"
    parser.add_argument("version", metavar="NAME[@VERSION]" if whole else "VERSION", help=words)


def _stage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stage", metavar="STAGE", help="stage: any word, such as staging or prod")


def _model(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    parser.add_argument("model", metavar="NAME", nargs=nargs, help="model: its name")


def _act(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", "--reason", metavar="TEXT", help="why; it stays with the tag for good")
    sign = parser.add_mutually_exclusive_group()
    sign.add_argument(
        "--sign", action="store_true", default=None, help="sign the tag (default: as 'git config tag.gpgSign' says)"
    )
    sign.add_argument("--no-sign", dest="sign", action="store_false", help="do not sign it")
    parsing.add_formats(parser)


def _add_register(parser: argparse.ArgumentParser) -> None:
    parsing.add_run(parser)
    parser.add_argument("model", metavar="NAME", help="the model's name; a new one begins with this version")
    parser.add_argument(
        "--path", metavar="PATH", help="the model's folder or file among the run's artifacts (default: the only one)"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", metavar="VERSION", help="such as v1.2.0 (default: the next patch)")
    which.add_argument("--bump", choices=("major", "minor", "patch"), help="what of the newest version goes up")
    parser.add_argument("--description", metavar="TEXT", help="about this version; can be changed later")
    parser.add_argument(
        "--tag", dest="tags", metavar="K=V", action="append", default=[], help="a tag of this version (repeatable)"
    )
    _act(parser)


def _add_promote(parser: argparse.ArgumentParser) -> None:
    _version(parser)
    _stage(parser)
    _act(parser)


def _add_unassign(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _stage(parser)
    _act(parser)


def _add_deprecate(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _act(parser)


def _add_deregister(parser: argparse.ArgumentParser) -> None:
    _version(parser)
    _act(parser)


def _add_describe(parser: argparse.ArgumentParser) -> None:
    _version(parser, whole=True)
    parser.add_argument("-m", "--message", metavar="TEXT", help="the description; an empty one removes it")
    parsing.add_formats(parser)


def _add_tag(parser: argparse.ArgumentParser) -> None:
    _version(parser, whole=True)
    parser.add_argument("changes", metavar="K=V | K-", nargs="*", help="a tag to set, or one to delete")
    parsing.add_formats(parser)


def _add_move(parser: argparse.ArgumentParser) -> None:
    _version(parser)
    parser.add_argument("to", metavar="NEW", help="the version it is to be: v1.3.0")
    parsing.add_formats(parser)


def _add_ls(parser: argparse.ArgumentParser) -> None:
    _model(parser, "?")
    parser.add_argument("--all", action="store_true", help="also deregistered versions and deleted models")
    parser.add_argument(
        "--filter", metavar="FILTER", default="", help="such as \"tags.team = 'fraud' AND version_number > 3\""
    )
    parser.add_argument("-n", "--limit", metavar="N", type=int, help="at most N; 0 for all (default: 100, all as JSON)")
    parsing.add_formats(parser, "csv")


def _add_show(parser: argparse.ArgumentParser) -> None:
    _version(parser, whole=True)
    parsing.add_formats(parser)


def _add_history(parser: argparse.ArgumentParser) -> None:
    _model(parser, "?")
    parser.add_argument("--stage", metavar="STAGE", help="only what was done at this stage")
    parser.add_argument("-n", "--limit", metavar="N", type=int, help="at most N; 0 for all (default: 100, all as JSON)")
    parsing.add_formats(parser)


def _add_which(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _stage(parser)
    parser.add_argument(
        "--at", metavar="DATE", help="then: a date (the end of that day), a time, or '3d' for three days ago"
    )
    parsing.add_formats(parser)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    words = "versions: NAME@v1.2.0, NAME#STAGE …; a name alone is all its versions (default: all of them)"
    parser.add_argument("versions", metavar="VERSION", nargs="*", help=words)
    parser.add_argument("--remote", action="store_true", help="also read what the artifact remote has")
    parser.add_argument(
        "--require-signature", action="store_true", help="a version without a good signature is a finding, too"
    )
    parser.add_argument(
        "--provenance", metavar="FILE", help="write what was found out of one version as an in-toto statement (SLSA)"
    )
    parsing.add_formats(parser)


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tags", metavar="TAG", nargs="*", help="tags or patterns such as 'churn#*' (default: all)")
    parser.add_argument("--since", metavar="DATE", help="only tags made since a date, or '3d' for three days ago")
    parser.add_argument(
        "--policy",
        metavar="REV",
        help="whose .ledgit/config.yaml counts (default: the remote's default branch as fetched, else the work tree)",
    )
    parser.add_argument(
        "--pre-receive",
        action="store_true",
        help="read a push from standard input, as Git's hook of this name does; the policy is that of HEAD",
    )
    parsing.add_formats(parser)


def _add_parse(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tag", metavar="TAG", help="a tag's name, or refs/tags/…")
    parser.add_argument(
        "--github-output",
        metavar="FILE",
        nargs="?",
        const="",
        help="append KEY=VALUE lines to this file (default: the one that GITHUB_OUTPUT names)",
    )
    parser.add_argument(
        "--dotenv", metavar="FILE", help="write REGISTRY_KEY=VALUE lines to this file, for GitLab's reports:dotenv"
    )
    parsing.add_formats(parser)


_REGISTER = """\
ledgit registry register calm-owl churn                 the next version of churn
ledgit registry register calm-owl churn --bump minor -m 'more data'
ledgit registry register calm-owl team/churn --path models/best --version v2.0.0
"""
_CHECK = """\
ledgit registry check                                   every tag of the registry
ledgit registry check 'churn#prod#7' --policy origin/main
ledgit registry check --since 2026-11-01 --json
"""
_PARSE = """\
ledgit registry parse 'churn#prod#3'
ledgit registry parse "$GITHUB_REF_NAME" --github-output
"""
_VERIFY = """\
ledgit registry verify churn@v1.2.0
ledgit registry verify churn#prod --require-signature
ledgit registry verify churn@v1.2.0 --provenance churn.intoto.json
"""
Action = tuple["Callable[[argparse.ArgumentParser], None]", str, str]
ACTIONS: dict[str, Action] = {
    "register": (_add_register, "make a version of the model that a run logged", _REGISTER),
    "promote": (
        _add_promote,
        "put a version to a stage; what stood there before no longer does",
        "ledgit registry promote churn@v1.2.0 prod -m 'passed the trial'\nledgit registry promote churn#staging prod",
    ),
    "unassign": (
        _add_unassign,
        "leave a stage empty",
        "ledgit registry unassign churn prod -m 'withdrawn until it is mended'",
    ),
    "rollback": (
        _add_unassign,
        "put the version to a stage that stood there before; twice goes two versions back",
        "ledgit registry rollback churn prod -m 'too many alarms'",
    ),
    "ls": (
        _add_ls,
        "list models, or the versions of one",
        "ledgit registry ls\nledgit registry ls churn --all\nledgit registry ls --json",
    ),
    "show": (
        _add_show,
        "show a model or a version",
        "ledgit registry show churn\nledgit registry show churn@v1.2.0 --json",
    ),
    "history": (
        _add_history,
        "list everything that was done, newest first: what, who, when, why, and whether it is signed",
        "ledgit registry history\nledgit registry history churn --stage prod",
    ),
    "which": (
        _add_which,
        "say which version stands at a stage, or stood there at a time",
        "ledgit registry which churn prod\nledgit registry which churn prod --at 2026-11-01",
    ),
    "deprecate": (
        _add_deprecate,
        "say that a model is not to be used any more",
        "ledgit registry deprecate churn -m 'use churn2'",
    ),
    "deregister": (
        _add_deregister,
        "take a version out of the registry; its version and number never come back",
        "ledgit registry deregister churn@v1.2.0 -m 'trained on the test data'",
    ),
    "describe": (
        _add_describe,
        "write the description of a model or version; without -m, print it",
        "ledgit registry describe churn -m 'Who will leave within a month'\nledgit registry describe churn@v1.2.0",
    ),
    "tag": (
        _add_tag,
        "set tags of a model or version with K=V, delete them with 'K-'; without either, print them",
        "ledgit registry tag churn team=fraud\nledgit registry tag churn@v1.2.0 validated=yes note-",
    ),
    "move": (
        _add_move,
        "give a version that was never shared another version, where somebody else was first",
        "ledgit registry move churn@v1.2.0 v1.3.0",
    ),
    "verify": (
        _add_verify,
        "follow versions from tag and signature to run, code, model files and data, and hash all of it",
        _VERIFY,
    ),
    "check": (_add_check, "say which tags are not genuine, or against the policy", _CHECK),
    "parse": (_add_parse, "say what a tag means, for CI: event, name, version, stage, run, path", _PARSE),
}
