"""``ledgit registry verify``, ``check`` and ``parse``: whether it is all true, and what CI makes of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ledgit.cli import context, render, terminal, text
from ledgit.errors import Conflict, LedgitError, NotFound, RecordError, UsageError

if TYPE_CHECKING:
    import argparse

    from ledgit.records.registry_state import ModelVersion
    from ledgit.registry.checking import Refused
    from ledgit.registry.registry import Registry
    from ledgit.registry.verify import Chain

# ---------------------------------------------------------------------- verify


def verify(args: argparse.Namespace) -> int:
    """Follow versions from tag to data."""
    from ledgit.cli.progress import Progress
    from ledgit.registry import Registry
    from ledgit.registry.verify import VerifyChainOptions, verify_all

    repository = context.repository()
    registry = Registry(repository)
    wanted = _named(registry, args.versions)
    if args.provenance and len(wanted) != 1:
        raise UsageError(f"--provenance is about one version, and {len(wanted)} are named")
    options = VerifyChainOptions(remote=args.remote, require_signature=args.require_signature)
    with Progress() as progress:
        chains = list(verify_all(repository, wanted, options, progress))
    problems = [] if args.versions else [str(problem) for problem in registry.state.problems]
    if args.provenance == "-" and chains[0].genuine:
        pass  # standard output is for the statement
    elif args.format == "json":
        found = [chain.to_dict() for chain in chains]
        terminal.write(render.json_text(found[0] if len(args.versions) == 1 and len(found) == 1 else found))
    else:
        style = text.Style(terminal.use_color())
        lines = [line for chain in chains for line in _chain_lines(chain, style, brief=len(chains) > 3)]
        lines += [style.red(f"! {text.clean(problem)}") for problem in problems]
        bad = sum(not chain.genuine for chain in chains) + len(problems)
        if len(chains) != 1:
            lines.append(f"{len(chains):,} versions; {f'{bad:,} problems' if bad else 'all are what they say'}")
        terminal.write("\n".join(lines) + "\n", page=True)
    if args.provenance:
        _write_statement(registry, chains[0], args.provenance)
    return RecordError.exit_code if problems or any(not chain.genuine for chain in chains) else 0


def _named(registry: Registry, names: list[str]) -> list[tuple[ModelVersion, str]]:
    """Return the versions that were named, and the stage that each was named by."""
    from ledgit.registry.references import parse_reference

    if not names:
        return [(version, "") for version in registry.versions()]
    found: list[tuple[ModelVersion, str]] = []
    for name in names:
        named = parse_reference(name, whole=True)
        if not named.selector:
            found += [(version, "") for version in registry.versions(registry.model(name).name)]
            continue
        try:
            version = registry.state.version(named.model, named.selector, deregistered=True)
        except NotFound:
            # There may be a tag all the same, one that does not count: lightweight, or another's object.
            tags = {name, f"{named.model}@{named.selector}", f"{named.model}@v{named.selector.removeprefix('v')}"}
            problem = next((one for one in registry.state.problems if one.name in tags), None)
            if problem is None:
                raise
            raise RecordError(f"the tag {problem.name}", problem.what) from None
        found.append((version, named.selector[1:] if named.selector.startswith("@") else ""))
    return found


def _chain_lines(chain: Chain, style: text.Style, *, brief: bool) -> list[str]:
    version = chain.version
    verdict = style.green("is what it says") if chain.genuine else style.red("is NOT what it says")
    number = "" if version.number is None else f" (version {version.number})"
    lines = [f"{style.bold(text.clean(f'{version.model}@{version.version}'))}{number} {verdict}"]
    if brief and chain.genuine:
        return lines
    wide = max(len(step.name) for step in chain.steps)
    marks = {"ok": style.green("ok"), "wrong": style.red("!!"), "unsure": style.dim("--")}
    for step in chain.steps:
        lines.append(f"  {marks[step.state]}  {text.pad(step.name, wide)}  {text.clean(step.text)}")
        lines += [f"      {' ' * wide}  {style.red(text.clean(finding))}" for finding in step.findings]
        lines += [f"      {' ' * wide}  {style.dim(text.clean(note))}" for note in step.notes]
    return lines


def _write_statement(registry: Registry, chain: Chain, path: str) -> None:
    from ledgit.errors import NoRemote, StorageError
    from ledgit.registry.provenance import statement
    from ledgit.store.sync import find_remote

    try:
        remote = find_remote(registry.repository.repo).url.shown
    except NoRemote:
        remote = ""
    if not chain.genuine:
        terminal.note(f"ledgit: {text.clean(path)} was not written: nothing can be stated about what is not genuine")
        return
    said = render.json_text(statement(registry.repository, chain, remote))
    if path == "-":
        terminal.write(said)
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(said)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error


# ---------------------------------------------------------------------- check


def check(args: argparse.Namespace) -> int:
    """Say which tags are not genuine, or against the policy."""
    if args.pre_receive:
        return _pre_receive(args)
    from ledgit.registry.receiving import check_tags, policy_for_ci

    repository = context.repository()
    policy = policy_for_ci(repository, args.policy)
    since = None
    if args.since is not None:
        from ledgit.records.times import parse_since

        since = parse_since(args.since)
    checked, refused = check_tags(repository, policy, args.tags, since)
    if args.format == "json":
        found = {"policy": policy.source, "rules": len(policy.rules), "checked": checked}
        listed = [{"tag": one.name, "reason": one.reason} for one in refused]
        terminal.write(render.json_text(found | {"refused": listed}))
    else:
        lines = [_line(one) for one in refused]
        rules = f"{len(policy.rules)} {'rule' if len(policy.rules) == 1 else 'rules'} of {policy.source}"
        tags = f"{len(checked):,} {'tag' if len(checked) == 1 else 'tags'}"
        bad = len({one.ref for one in refused})
        how = f"{bad:,} must not stand" if bad else "nothing is wrong"
        terminal.write("\n".join([*lines, f"checked {tags} by {text.clean(rules)}: {how}"]) + "\n")
    return Conflict.exit_code if refused else 0


def _line(one: Refused) -> str:
    return text.clean(f"{one.name}: {one.reason}")


_ARRIVING = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")


def _pre_receive(args: argparse.Namespace) -> int:
    """Read a push as Git's hook gets it; whatever goes wrong lets nothing in."""
    from ledgit.registry.receiving import check_push, parse_updates

    if args.tags or args.since or args.policy:
        raise UsageError("--pre-receive takes the policy of HEAD and the tags of the push; leave out what else is said")
    updates = parse_updates(sys.stdin)
    env = {name: os.environ[name] for name in _ARRIVING if name in os.environ}
    refused = check_push(context.repository(), updates, env, os.environ.get("LEDGIT_PUSHER", ""))
    for one in refused:
        terminal.note(_line(one))
    if refused:
        terminal.note("Nothing of this push was let in.")
    return Conflict.exit_code if refused else 0


# ---------------------------------------------------------------------- parse

_OUTPUTS = ("event", "name", "version", "number", "stage", "run", "path", "commit", "author", "tag")


def parse(args: argparse.Namespace) -> int:
    """Say what a tag means."""
    from ledgit.registry.deploying import tag_facts
    from ledgit.registry.reading import RegistryReading

    facts = tag_facts(RegistryReading(context.opened()), args.tag)
    if args.github_output is not None:
        target = args.github_output or os.environ.get("GITHUB_OUTPUT", "")
        if not target:
            raise UsageError("--github-output needs a file where GITHUB_OUTPUT is not set")
        _append(target, "".join(_output(key, facts[key]) for key in _OUTPUTS))
    if args.dotenv:
        _append(args.dotenv, "".join(f"REGISTRY_{key.upper()}={_one_line(facts[key])}\n" for key in _OUTPUTS))
    if args.format == "json":
        terminal.write(render.json_text({key: value or None for key, value in facts.items()}))
    elif args.github_output is None and not args.dotenv:
        terminal.write("".join(f"{key}={text.clean(value)}\n" for key, value in facts.items()))
    return 0


def _output(key: str, value: str) -> str:
    r"""Return a line of GitHub's output file. A name with a line break in it would set other outputs."""
    return f"{key}={_one_line(value)}\n"


def _one_line(value: str) -> str:
    return text.clean(value)


def _append(path: str, lines: str) -> None:
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(lines)
    except OSError as error:
        raise LedgitError(f"{path} can't be written: {error.strerror}") from error
