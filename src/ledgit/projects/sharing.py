"""A project for others: its data, its branch, and a tag of the registry; in this order, each step repeatable."""

from __future__ import annotations

import os

from ledgit.errors import Conflict, NoRemote, UsageError
from ledgit.projects.beside import left_beside
from ledgit.projects.datafiles import DataSent, check_data, find_data, push_data
from ledgit.projects.finding import subdir_of, work_tree_of
from ledgit.projects.mlproject import Project
from ledgit.projects.secrets import check_secrets
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.git import Address, Repo
    from ledgit.records.registry_state import ModelVersion
    from ledgit.repository import Repository

    Progress = Callable[[str, int, int | None], None]

__all__ = ["ShareOptions", "SharedProject", "share_project"]


class ShareOptions(Values):
    """How to share.

    Attributes:
        version: Such as ``v1.2.0``; None: *bump* says.
        bump: ``major``, ``minor`` (default) or ``patch``.
        bundle: A file to write instead of pushing anything.
        history: For a bundle: with all earlier commits.
        remote: Name of the Git remote; None: the branch's own, else ``origin`` or the only one.
        reason: Why; it stays with the tag.
        sign: Whether the tag is signed; None: as Git's configuration says.
        prompt: Git may ask for a password.
    """

    __slots__ = ("bump", "bundle", "history", "prompt", "reason", "remote", "sign", "version")

    def __init__(
        self,
        version: str | None = None,
        bump: str | None = None,
        bundle: str | None = None,
        history: bool = False,
        remote: str | None = None,
        reason: str = "",
        sign: bool | None = None,
        prompt: bool = False,
    ) -> None:
        self.version, self.bump, self.bundle, self.history = version, bump, bundle, history
        self.remote, self.reason, self.sign, self.prompt = remote, reason, sign, prompt


class SharedProject(Values):
    """A project as others get it.

    Attributes:
        name: The project's.
        uri: What ``ledgit run`` and ``mlflow run`` take: ``ADDRESS#FOLDER``, or the bundle's path.
        version: ``v1.2.0``.
        commit: The commit of code.
        tag: The tag of the version, which ``-v`` takes.
        new: Whether the version was made now; else the code was shared as this before.
        branch: The branch that was pushed; "" for a bundle.
        remote: Where to; "" for a bundle.
        data: What became of its data.
        bundle: The file that was written, absolute; "" if none was.
        notes: Sentences about what did not go.
        entry_point: What has to be named to run it: its first one, "" if it has a ``main`` or none at all.
    """

    __slots__ = (
        "branch",
        "bundle",
        "commit",
        "data",
        "entry_point",
        "name",
        "new",
        "notes",
        "remote",
        "tag",
        "uri",
        "version",
    )

    def __init__(
        self,
        name: str,
        uri: str,
        version: str,
        commit: str,
        tag: str,
        *,
        new: bool,
        branch: str = "",
        remote: str = "",
        data: DataSent | None = None,
        bundle: str = "",
        notes: list[str] | None = None,
        entry_point: str = "",
    ) -> None:
        self.name, self.uri, self.version, self.commit, self.tag, self.new = name, uri, version, commit, tag, new
        self.branch, self.remote, self.bundle = branch, remote, bundle
        self.data = data or DataSent()
        self.notes, self.entry_point = notes or [], entry_point

    def __str__(self) -> str:
        return f"{self.name} {self.version}: {self.command()}"

    def command(self) -> str:
        """Return what others type to run it."""
        from shlex import quote

        where = quote(self.bundle) if self.bundle else f"{quote(self.uri)} -v {quote(self.tag)}"
        return f"ledgit run {where}" + (f" -e {quote(self.entry_point)}" if self.entry_point else "")


def share_project(
    repository: Repository,
    project: Project,
    options: ShareOptions | None = None,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> SharedProject:
    """Share a project: its data first, then the branch that is checked out, then a version of the registry.

    This is the one thing of Ledgit's that pushes a branch; it is never forced, and *say* is told before. Nothing goes
    while a file of the project has changes that are not committed; files that nobody added are named in the notes. A
    project that is the same as its last version has that version. With a bundle nothing is pushed: see
    :func:`ledgit.projects.bundling.write_bundle`.

    Args:
        repository: The repository that the project is in.
        project: The project.
        options: How.
        say: Is told each step before it is done.
        progress: Is told (what, done, total or None) while data are sent.

    Raises:
        Conflict: Something is not committed, or the branch on the remote has other commits.
        SecretFound: A file looks as if it had a secret in it.
        UsageError: Nothing is committed, or no branch is checked out.
        NoRemote: There is no Git remote, or there are data and no DVC remote.
        ArtifactsMissing: The data are not here.
        ConfigError, RemoteError, PushRefused: A remote can't be used.
        VersionExists, PolicyRefused: The version can't be had.
    """
    options = options or ShareOptions()
    say = say or (lambda _text: None)
    return _Sharing(repository, project, options, say, progress).run()


class _Sharing:
    def __init__(
        self,
        repository: Repository,
        project: Project,
        options: ShareOptions,
        say: Callable[[str], None],
        progress: Progress | None,
    ) -> None:
        from ledgit.git import read_head

        self.repository, self.repo, self.project, self.options = repository, repository.repo, project, options
        self.say, self.progress = say, progress
        self.top = os.path.realpath(work_tree_of(self.repo))
        self.subdir = subdir_of(self.repo, project.folder)
        head = read_head(self.repo)
        if head is None:
            raise UsageError(f"nothing is committed yet in {self.top}; 'ledgit project add FILE' commits files")
        self.head = head
        self.new = False
        self.left: list[str] = []  # files that nobody has added

    def run(self) -> SharedProject:
        found = find_data(self.repo, self.project.folder)
        self._check_committed(found_roots=[data.root for data in found])
        changed = check_data(found, self.top)
        if changed:
            raise _not_committed(self.project, [("M ", path) for path in changed], "'ledgit project add' takes them in")
        self._check_files()
        if self.options.bundle is not None:
            from ledgit.projects.bundling import write_bundle

            version = self.version()
            path = os.path.abspath(self.options.bundle)
            self.say(f"writing {path}")
            commit = self._code_of(version)
            address = self._address_or_none()
            made = write_bundle(
                *(self.repo, path, version, commit, found), address=address, history=self.options.history
            )
            return self._shared(
                version, path, data=made, bundle=path, notes=left_beside(self.repo, commit, self.subdir)
            )
        branch, target, remote, there = self._target()
        if any(data.tracked for data in found):
            self.say("sending data to the DVC remote")
        sent = push_data(found, self.progress)
        self._push_branch(branch, target, remote, there)
        version, notes = self._share_version(remote)
        return self._shared(version, _uri(there, self.subdir), branch=branch, remote=remote, data=sent, notes=notes)

    # ------------------------------------------------------------------ what goes

    def _check_committed(self, found_roots: list[str]) -> None:
        from ledgit.git import changed_files

        # By these DVC finds the data; they stand at its top, which may be above the project.
        inner = [os.path.relpath(root, self.top) for root in found_roots]
        own = {os.path.normpath(os.path.join(root, name)) for root in inner for name in (".dvc/config", ".dvcignore")}
        wanted = [self.subdir, *sorted(own)] if self.subdir else [""]
        changed = changed_files(self.repo, wanted)
        found = [(state, path) for state, path in changed if state != "??" or path in own]
        self.left = [path for state, path in changed if state == "??" and path not in own]
        if found:
            raise _not_committed(self.project, found, "'ledgit project add' or 'git commit' takes them in")
        file = os.path.relpath(os.path.realpath(self.project.file), self.top) if self.project.file else ""
        from ledgit.git import Objects

        if file and Objects.of(self.repo).find(self.head, file) is None:
            raise _not_committed(self.project, [("??", file)], "'git commit' takes it in")

    def _check_files(self) -> None:
        from ledgit.git import run_git

        args = ["ls-files", "-z", "--", *([self.subdir] if self.subdir else [])]
        names = run_git(self.repo, *args, env={"GIT_LITERAL_PATHSPECS": "1"}).split(b"\0")
        paths = [os.fsdecode(name) for name in names if name]
        check_secrets(self.repo, {path: os.path.join(self.top, path) for path in paths})

    # ------------------------------------------------------------------ where it goes

    def _target(self) -> tuple[str, str, str, Address]:
        """Return branch, its full name on the remote, the remote's name, and its address."""
        from ledgit.git import address, current_branch

        branch = current_branch(self.repo)
        if branch is None:
            raise UsageError("no branch is checked out, so nothing can be pushed; 'git switch BRANCH', or use a bundle")
        short = branch.removeprefix("refs/heads/")
        config = self.repo.config()
        upstream = config.get(f"branch.{short}.remote")
        remote = self.options.remote or config.get(f"branch.{short}.pushRemote") or config.get("remote.pushDefault")
        if not remote:
            remote = upstream if upstream and upstream != "." else _code_remote(self.repo)
        merge = config.get(f"branch.{short}.merge")
        target = merge if merge and remote == upstream and merge.startswith("refs/heads/") else branch
        return short, target, remote, address(self.repo, remote)

    def _address_or_none(self) -> str:
        try:
            return _uri(self._target()[3], self.subdir)
        except (NoRemote, UsageError):
            return ""

    def _push_branch(self, branch: str, target: str, remote: str, there: Address) -> None:
        from ledgit.git import push_branch

        goal = target.removeprefix("refs/heads/")
        named = branch if goal == branch else f"{branch} (as {goal})"
        self.say(f"pushing the branch {named} to {remote} ({there.shown}), as 'git push' does")
        push_branch(self.repo, remote, self.head, target, prompt=self.options.prompt)

    # ------------------------------------------------------------------ the version

    def version(self) -> ModelVersion:
        """Return the version that the code is: the last one if that has the same files, else a new one."""
        from ledgit.registry import Registry
        from ledgit.store.registry import folder_digest

        registry = Registry(self.repository)
        name, wanted = self.project.name, self.options.version
        digest = folder_digest(self.repository.objects, self.head, self.subdir)
        model = registry.state.models.get(name)
        last = model.latest if model is not None and model.kind == "project" else None
        if last is not None and last.digest == digest and (last.path or "") == self.subdir:
            from ledgit.records.registry_names import Semver

            if wanted is None or str(Semver.parse(wanted)) == last.version:
                return last
        made = registry.register_project(
            name,
            self.head,
            self.subdir,
            version=wanted,
            bump=self.options.bump,
            reason=self.options.reason,
            sign=self.options.sign,
        )
        self.new = True
        self.say(f"tagging {made.tag}")
        return made

    def _share_version(self, remote: str) -> tuple[ModelVersion, list[str]]:
        from ledgit.store.registry import share_version
        from ledgit.store.sync.remote import find_remote

        found = find_remote(self.repo, remote)
        try:
            runs = find_remote(self.repo).name == found.name  # runs may be shared elsewhere
        except NoRemote:
            runs = False
        return share_version(
            *(self.repo, self.repository.folder, found, self.project.name, self.version),
            prompt=self.options.prompt,
            tell=runs,
        )

    def _code_of(self, version: ModelVersion) -> str:
        parents = self.repository.objects.commit(version.commit).parents
        return str(parents[0]) if parents else version.commit

    def _shared(
        self,
        version: ModelVersion,
        uri: str,
        *,
        branch: str = "",
        remote: str = "",
        data: DataSent | None = None,
        bundle: str = "",
        notes: list[str] | None = None,
    ) -> SharedProject:
        return SharedProject(
            *(self.project.name, uri, version.version, self._code_of(version), version.tag),
            new=self.new,
            branch=branch,
            remote=remote,
            data=data,
            bundle=bundle,
            notes=[*self._not_added(), *(notes or ())],
            entry_point="" if "main" in self.project.entry_points else next(iter(self.project.entry_points), ""),
        )

    def _not_added(self) -> list[str]:
        if not self.left:
            return []
        shown = ", ".join(self.left[:5]) + (f" and {len(self.left) - 5:,} more" if len(self.left) > 5 else "")
        verb = "is" if len(self.left) == 1 else "are"
        return [f"{shown} {verb} not in it, because nobody added {'it' if len(self.left) == 1 else 'them'}"]


def _code_remote(repo: Repo) -> str:
    """Return the name of the remote that the code goes to where nothing says which: ``origin``, or the only one.

    Raises:
        NoRemote: There is none, or several.
    """
    from ledgit.store.sync.remote import remote_names

    names = remote_names(repo)
    if "origin" in names:
        return "origin"
    if len(names) == 1:
        return names[0]
    if not names:
        text = (
            "there is no remote to share the project through; 'git remote add origin URL' adds one, or write a bundle"
        )
        raise NoRemote("", text)
    raise NoRemote("", f"there are several remotes ({', '.join(names[:5])}); name one with --remote")


def _uri(there: Address, subdir: str) -> str:
    shown = there.shown
    if "://" not in shown and (os.path.isabs(shown) or ":" not in shown.partition("/")[0]):
        shown = "file://" + os.path.normpath(os.path.join(there.cwd or "", shown))
    return f"{shown}#{subdir}" if subdir else shown


def _not_committed(project: Project, found: list[tuple[str, str]], hint: str) -> Conflict:
    lines = "\n  ".join(f"{state} {path}" for state, path in found[:20])
    more = f"\n  … and {len(found) - 20} more" if len(found) > 20 else ""
    return Conflict(f"the project {project.name!r} has changes that are not committed; {hint}:\n  {lines}{more}")
