"""What CI and a server ask: which tags may stand, and which pushed refs are let in."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ledgit.errors import UsageError
from ledgit.registry.checking import CLAIMS, TAGS, Checker, Refused, claimed
from ledgit.registry.gates import Runs
from ledgit.registry.policy import Policy, default_branch, read_policy
from ledgit.registry.tags import ObjectReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ledgit.git import Repo
    from ledgit.repository import Repository

__all__ = ["Update", "check_push", "check_tags", "parse_updates", "policy_for_ci"]

_NO_BRANCH = (
    "this server can't tell its policy: HEAD names a branch that is not there; its administrator can mend that with"
    " 'git symbolic-ref HEAD refs/heads/main'"
)

Update = tuple[str, str, str]
"""Old id, new id and full name of a ref that a push changes; zeros stand for none."""


# ---------------------------------------------------------------------- CI


def check_tags(
    repository: Repository, policy: Policy, patterns: Sequence[str] = (), since: int | None = None
) -> tuple[list[str], list[Refused]]:
    """Check the tags that are here.

    Args:
        repository: The repository.
        policy: What must be held to.
        patterns: Names of tags, or patterns of names; all of the registry's if empty.
        since: Only tags made at this time or later, in ms since the epoch.

    Returns:
        The names of the tags that were checked, and what is wrong with them.

    Raises:
        UsageError: A name fits no tag of the registry.
    """
    from ledgit.git import list_refs
    from ledgit.records.registry_names import parse_tag

    repo = repository.repo
    refs = {**list_refs(repo, TAGS), **list_refs(repo, CLAIMS)}
    names = [ref.removeprefix(TAGS) for ref in refs if ref.startswith(TAGS) and parse_tag(ref.removeprefix(TAGS))]
    wanted = _chosen(names, patterns)
    runs = Runs(repository)
    checker = Checker(repo, refs, [policy], runs.passes, run_name=runs.name, made=runs.made, claims=False, past=True)
    if since is not None:
        checker.read.load(refs[TAGS + name] for name in wanted)
        made = {name: checker.read.tag(refs[TAGS + name]) for name in wanted}
        wanted = [name for name in wanted if (tag := made[name]) is None or tag.when * 1000 >= since]
    return wanted, checker.check(TAGS + name for name in wanted)


def _chosen(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    if not patterns:
        return sorted(names)
    found: dict[str, None] = {}
    for pattern in patterns:
        plain = pattern.removeprefix(TAGS)
        fitting = [plain] if plain in names else [name for name in sorted(names) if fnmatchcase(name, plain)]
        if not fitting:
            raise UsageError(f"there is no tag {plain!r} of the registry here; 'git fetch --tags' gets the remote's")
        found.update(dict.fromkeys(fitting))
    return list(found)


def policy_for_ci(repository: Repository, rev: str | None = None) -> Policy:
    """Return the policy that tags are checked against where nobody can have a say who pushed them.

    That of *rev*; else of the remote's default branch as last fetched; else of the work tree, unless what is checked
    out there is what a tag of the registry points to: then whoever made the tag chose it.

    Raises:
        NotFound: There is no such revision.
        UsageError: Only what was tagged is here.
        ConfigError, RecordError: It is not what it must be.
    """
    repo = repository.repo
    branch = rev or default_branch(repo)
    if branch is not None:
        return read_policy(repo, branch)
    if _is_tagged(repo):
        raise UsageError(
            "what is checked out is a registered run, whose policy its maker chose; fetch the default branch and name"
            " it, as in 'git fetch origin main' and '--policy FETCH_HEAD'"
        )
    return read_policy(repo)


def _is_tagged(repo: Repo) -> bool:
    from ledgit.git import try_git

    return b"\nLedgit-Version: " in try_git(repo, "log", "-1", "--format=%B")[1]


# ---------------------------------------------------------------------- a server's hook


def parse_updates(lines: Iterable[str]) -> list[Update]:
    """Read what Git tells a ``pre-receive`` hook.

    Raises:
        UsageError: A line is none of its.
    """
    found = []
    for line in lines:
        words = line.rstrip("\n").split(" ", 2)
        if len(words) != 3 or len(words[0]) != len(words[1]) or not words[2].startswith("refs/"):
            raise UsageError(f"{line[:80]!r} is no line of a pre-receive hook: OLD NEW REF")
        found.append((words[0], words[1], words[2]))
    return found


def check_push(
    repository: Repository, updates: Sequence[Update], env: Mapping[str, str], pusher: str = ""
) -> list[Refused]:
    """Return what of a push must not be let in; nothing where all may be.

    The policy is that of the repository's default branch (HEAD) as it stands: what is being pushed has no say.

    Args:
        repository: The one that is pushed to.
        updates: What would change.
        env: Variables for git: where the objects are that the push brings.
        pusher: Address of who pushes, where the server knows it.
    """
    from ledgit.git import list_refs
    from ledgit.records.registry_names import parse_tag

    repo = repository.repo
    concerned = [
        update
        for update in updates
        if update[2].startswith(CLAIMS)
        or (update[2].startswith(TAGS) and parse_tag(update[2].removeprefix(TAGS)) is not None)
    ]
    if not concerned:
        return []
    refused = [Refused(ref, reason) for old, new, ref in concerned if (reason := _not_made(old, new, ref))]
    made = {ref: new for old, new, ref in concerned if old.strip("0") == "" and new.strip("0")}
    refs = {**list_refs(repo, TAGS), **list_refs(repo, CLAIMS), **made}
    problem, policy = _policy_of_head(repo)
    if problem:
        return [*refused, *(Refused(ref, problem) for ref in made)]
    runs = Runs(repository)
    checker = Checker(
        repo, refs, [policy], runs.passes, env=env, pusher=pusher, run_name=runs.name, made=runs.made, fresh=made.keys()
    )
    refused += checker.check(ref for ref in made if ref.startswith(TAGS))
    refused += _wrong_claims(checker.read, refs, [ref for ref in made if ref.startswith(CLAIMS)])
    return refused


def _not_made(old: str, new: str, ref: str) -> str:
    """Say what is wrong about changing a ref that is there; "" about making one."""
    is_claim = ref.startswith(CLAIMS)
    what = "a claim of a version's number" if is_claim else "a tag of the registry"
    if not new.strip("0"):
        instead = "" if is_claim else "; 'ledgit registry deregister' and 'unassign' take back what was done"
        return f"{what} is never deleted{instead}"
    if old.strip("0"):
        return f"{what} is never moved: it stands at {old[:8]}"
    return ""


def _wrong_claims(read: ObjectReader, refs: Mapping[str, str], claims: Sequence[str]) -> list[Refused]:
    wrong = []
    for ref in claims:
        tag = read.tag(refs[ref])
        message = None if tag is None else tag.message
        if tag is None or message is None or message.number is None or message.model is None:
            wrong.append(Refused(ref, "it claims a number for what is no version"))
        elif claimed(message.model, message.number) != ref or refs.get(TAGS + tag.name) != tag.oid:
            wrong.append(
                Refused(ref, f"it claims a number for {tag.name}, which has another, or is not pushed with it")
            )
    return wrong


def _policy_of_head(repo: Repo) -> tuple[str, Policy]:
    """Return the policy of HEAD, or why nothing can be let in."""
    from ledgit.errors import ConfigError, NotFound, RecordError
    from ledgit.git import list_refs

    try:
        return "", read_policy(repo, "HEAD")
    except NotFound:
        if list_refs(repo, "refs/heads/"):
            return _NO_BRANCH, Policy()
        return "", Policy(source="nothing")  # an empty repository has agreed on nothing yet
    except (ConfigError, RecordError) as error:
        return f"the policy of this repository can't be read, so nothing is let in: {error}", Policy()
