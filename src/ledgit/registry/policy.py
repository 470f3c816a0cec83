"""Who may register and promote what: ``registry: policy:`` of ``.ledgit/config.yaml``.

A policy is a list of rules. A rule says which acts it is about (``models``, ``stages``, ``events``) and what
they need (``who``, ``require``, ``reviewed``, ``signed``). Every rule that is about an act must hold. Pure, but
for :func:`read_policy` and :func:`policies`, which read the file from the work tree or from a commit.

A key that is misspelled is an error, never a rule that does not apply: a policy fails closed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ledgit.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ledgit.git import Repo

    Gate = Callable[[str, str], "bool | None"]

__all__ = ["ACTS", "Act", "Person", "Policy", "Rule", "Violation", "parse_policy", "policies", "read_policy"]

#: What people do, in the order of a model's life.
ACTS = ("register", "assign", "unassign", "deprecate", "deregister")
_STAGED = ("assign", "unassign")
_RULE_KEYS = frozenset({"models", "stages", "events", "who", "require", "reviewed", "signed"})
_SECTION_KEYS = frozenset({"policy"})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as Git names people; either may be empty."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.address else self.name or "somebody unnamed"

    def same(self, other: Person) -> bool | None:
        """Whether both are one person, as far as their words tell; None where nothing tells."""
        for mine, theirs in ((self.address, other.address), (self.name, other.name)):
            if mine and theirs:
                return mine.casefold() == theirs.casefold()
        return None


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does, or did, in the registry.

    Attributes:
        event: One of `ACTS`.
        model: The model's name.
        version: Its version, such as ``v1.2.0``; "" for the whole model.
        stage: The stage; "" where none is meant.
        author: Who does it: the tagger.
        makers: Who made the version: the authors of the run and of the registration.
        run: Id of the run that the version came from; "" where it is not known.
        run_name: That run's name, for people.
        signer: The address that a good signature is of; "" with a good one that names nobody;
            None without a good signature.
        signature: What is to be said about the signature where it is not good.
    """

    event: str
    model: str
    version: str = ""
    stage: str = ""
    author: Person = field(default_factory=lambda: Person("", ""))
    makers: tuple[Person, ...] = ()
    run: str = ""
    run_name: str = ""
    signer: str | None = None
    signature: str = "it is not signed"

    @property
    def what(self) -> str:
        """The act for people."""
        named = f"{self.model}@{self.version}" if self.version else self.model
        return {
            "register": f"registering {named}",
            "assign": f"promoting {named} to {self.stage}",
            "unassign": f"taking {named} out of {self.stage}",
            "deprecate": f"deprecating {named}",
            "deregister": f"deregistering {named}",
        }[self.event]


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that does not hold: one sentence, and where the rule stands."""

    reason: str
    rule: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.rule})"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; empty conditions are about everything, empty demands ask for nothing.

    Attributes:
        where: Which rule of which file, for people.
        models: Patterns of models' names (``team/*``).
        stages: Patterns of stages; with any, the rule is about stages alone.
        events: What of `ACTS`.
        who: Patterns of addresses, one of which must be the author's.
        require: A filter that the version's run must match.
        reviewed: Whether the author must be somebody else than who made the version.
        signed: Whether the tag needs a good signature, of the author's own address.
    """

    where: str
    models: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    events: tuple[str, ...] = ACTS
    who: tuple[str, ...] = ()
    require: str = ""
    reviewed: bool = False
    signed: bool = False

    def concerns(self, act: Act) -> bool:
        """Whether the rule is about *act*."""
        return (
            act.event in self.events
            and (not self.models or _matches(act.model, self.models))
            and (not self.stages or (act.event in _STAGED and _matches(act.stage, self.stages)))
        )

    def judge(self, act: Act, gate: Gate) -> Iterable[Violation]:
        """Yield what *act* lacks. *gate* tells of (filter, run id) whether it holds, None if the run is unknown."""
        if self.who and not _matches(act.author.address.casefold(), [one.casefold() for one in self.who]):
            yield self._broken(f"{act.what} is for {_listed(self.who)}, and {act.author} is not among them")
        if self.signed:
            if act.signer is None:
                yield self._broken(f"{act.what} needs a signed tag, and {act.signature}")
            elif act.signer.casefold() != act.author.address.casefold():
                whose = act.signer or "a key without an address"
                yield self._broken(f"{act.what} is signed by {whose}, and says that {act.author} did it")
        if self.require and act.event in ("register", "assign"):
            held = gate(self.require, act.run)
            run = f"run {act.run_name}" if act.run_name else f"run {act.run[:8]}" if act.run else "its run"
            if held is None:
                yield self._broken(f"{act.what} needs {self.require}, and {run} is not known here")
            elif not held:
                yield self._broken(f"{act.what} needs {self.require}, which does not hold for {run}")
        if self.reviewed and act.event in ("register", "assign"):
            yield from self._review(act)

    def _review(self, act: Act) -> Iterable[Violation]:
        told = [act.author.same(maker) for maker in act.makers]
        if True in told:
            maker = act.makers[told.index(True)]
            yield self._broken(f"{act.what} is for somebody else than who made the version, and {maker} did")
        elif not told or None in told:
            yield self._broken(f"{act.what} is for somebody else than who made the version, and nothing says who did")

    def _broken(self, reason: str) -> Violation:
        return Violation(reason, self.where)


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules, in the order of the file; *source* says where they stand."""

    rules: tuple[Rule, ...] = ()
    source: str = ""

    def judge(self, act: Act, gate: Gate) -> list[Violation]:
        """Return what *act* lacks; nothing where it is allowed."""
        return [broken for rule in self.rules if rule.concerns(act) for broken in rule.judge(act, gate)]

    def demands(self, act: Act, what: str) -> bool:
        """Whether a rule about *act* has the demand *what*, such as ``signed``."""
        return any(getattr(rule, what) for rule in self.rules if rule.concerns(act))


def parse_policy(document: Mapping[str, Any], source: str) -> Policy:
    """Read the rules from the content of ``.ledgit/config.yaml``.

    Raises:
        ConfigError: Something is not what it must be, or misspelled.
    """
    section = document.get("registry")
    if section is None:
        return Policy(source=source)
    if not isinstance(section, dict):
        raise ConfigError(f"registry in {source}", str(section), "settings such as 'policy: [...]'")
    _known(section, _SECTION_KEYS, f"registry in {source}")
    listed = section.get("policy") or []
    if not isinstance(listed, list):
        raise ConfigError(f"registry.policy in {source}", str(listed), "a list of rules")
    return Policy(tuple(_rule(item, number, source) for number, item in enumerate(listed, 1)), source)


def _rule(item: object, number: int, source: str) -> Rule:
    where = f"rule {number} of registry.policy in {source}"
    if not isinstance(item, dict):
        raise ConfigError(where, str(item), f"settings: {', '.join(sorted(_RULE_KEYS))}")
    _known(item, _RULE_KEYS, where)
    stages = _words(item, "stages", where)
    events = _words(item, "events", where)
    for event in events:
        if event not in ACTS:
            raise ConfigError(f"events of {where}", event, f"some of {', '.join(ACTS)}")
        if stages and event not in _STAGED:
            raise ConfigError(f"events of {where}", event, "assign or unassign: the rule is about stages")
    require = item.get("require", "")
    if not isinstance(require, str):
        raise ConfigError(f"require of {where}", str(require), "a filter such as 'metrics.accuracy >= 0.9'")
    if require:
        _check_filter(require, where)
    rule = Rule(
        where=where,
        models=_words(item, "models", where),
        stages=stages,
        events=events or (_STAGED if stages else ACTS),
        who=_words(item, "who", where),
        require=require,
        reviewed=_flag(item, "reviewed", where),
        signed=_flag(item, "signed", where),
    )
    if not (rule.who or rule.require or rule.reviewed or rule.signed):
        raise ConfigError(where, str(item), "a demand: who, require, reviewed or signed")
    return rule


def _known(given: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for key in given:
        if key not in known:
            from difflib import get_close_matches

            near = get_close_matches(str(key), known, 1)
            raise ConfigError(where, str(key), near[0] if near else f"one of {', '.join(sorted(known))}")


def _words(item: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = item.get(key)
    if value is None and key not in item:
        return ()
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        # An empty list would be about everybody or nobody, and no reader could tell which.
        raise ConfigError(f"{key} of {where}", str(value), "a pattern, or a list of some")
    return tuple(words)


def _flag(item: Mapping[str, Any], key: str, where: str) -> bool:
    value = item.get(key, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{key} of {where}", str(value), "true or false")
    return value


def _check_filter(text: str, where: str) -> None:
    from ledgit.errors import FilterError
    from ledgit.query import parse_filter

    try:
        parse_filter(text)
    except FilterError as error:
        raise ConfigError(f"require of {where}", text, f"a filter: {error.reason}") from None


def _matches(text: str, patterns: Iterable[str]) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words[:5]) + (f" and {len(words) - 5} more" if len(words) > 5 else "")


# ---------------------------------------------------------------------- where it stands


def read_policy(repo: Repo, rev: str | None = None) -> Policy:
    """Read the policy of the work tree, or of the commit that *rev* names.

    Raises:
        NotFound: There is no such commit.
        ConfigError, RecordError: The file is not what it must be.
    """
    from ledgit.store import CONFIG, committed_config

    if rev is None:
        return parse_policy(committed_config(repo, "registry"), CONFIG)
    from ledgit.errors import NotFound
    from ledgit.git import run_git, try_git

    code, out, _ = try_git(repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    commit = out.decode("ascii", "replace").strip()
    if code != 0 or not commit:
        raise NotFound(rev)
    listed = run_git(repo, "ls-tree", "-z", commit, "--", f":(top,literal){CONFIG}")
    words = listed.split(b"\t", 1)[0].split()
    if len(words) != 3 or words[1] != b"blob" or words[0] == b"120000":
        if listed:
            from ledgit.errors import RecordError

            raise RecordError(f"{CONFIG} of {rev}", "it is no regular file")
        return Policy(source=f"{CONFIG} of {rev}")
    data = run_git(repo, "cat-file", "blob", words[2].decode("ascii"))
    from ledgit.records import load_document

    document = load_document(data, f"{CONFIG} of {rev}")
    return parse_policy(document if isinstance(document, dict) else {}, f"{CONFIG} of {rev}")


def default_branch(repo: Repo) -> str | None:
    """Return the default branch of the remote that is shared with, as last fetched; None if nothing tells."""
    import os

    from ledgit.errors import NoRemote
    from ledgit.git import read_ref
    from ledgit.store.sync import find_remote

    try:
        label = find_remote(repo).label
    except NoRemote:
        return None
    if not label:
        return None
    base = f"refs/remotes/{label}/"
    try:
        with open(os.path.join(repo.common_dir, base, "HEAD"), encoding="utf-8", errors="replace") as file:
            named = file.read(1024).removeprefix("ref: ").strip()
    except OSError:
        named = ""
    for name in (named, f"{base}main", f"{base}master"):
        if name.startswith(base) and read_ref(repo, name) is not None:
            return name.removeprefix("refs/remotes/")
    return None


def policies(repo: Repo) -> list[Policy]:
    """Return the policies that count for who acts in this clone: the work tree's, and the remote's default branch's.

    What is about to be agreed on counts at once; what everybody else has agreed on, though somebody is on an older
    branch, counts too, because the remote will ask for it.

    Raises:
        ConfigError, RecordError: One of them is not what it must be.
    """
    mine = read_policy(repo)
    branch = default_branch(repo)
    if branch is None:
        return [mine]
    theirs = _policy_of_branch(repo, branch)
    same = [rule_without_place(rule) for rule in mine.rules] == [rule_without_place(rule) for rule in theirs.rules]
    return [mine] if same else [mine, theirs]


_read: dict[tuple[str, str], Policy] = {}  # (branch, commit): registering takes 3 ms, reading this 8


def _policy_of_branch(repo: Repo, branch: str) -> Policy:
    from ledgit.git import read_ref

    commit = read_ref(repo, f"refs/remotes/{branch}") or ""
    found = _read.get((branch, commit))
    if found is None:
        found = read_policy(repo, branch)
        _read.clear()
        _read[branch, commit] = found
    return found


def rule_without_place(rule: Rule) -> Rule:
    """Return *rule* as it would be in any file."""
    from dataclasses import replace

    return replace(rule, where="")
