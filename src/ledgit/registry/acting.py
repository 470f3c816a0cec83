"""What is done in the registry: each act is judged by the policy first, and then is one tag, or nothing."""

from __future__ import annotations

from ledgit.errors import PolicyRefused, VersionNotFound
from ledgit.registry.describing import RegistryDescribing, described
from ledgit.registry.policy import Act, Policy, policies
from ledgit.registry.reading import came_before, version_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ledgit.records.registry_state import Event, ModelVersion
    from ledgit.registry.policy import Person
    from ledgit.repository import Repository
    from ledgit.run import Run

__all__ = ["RegistryActing"]


class NothingBefore(VersionNotFound):
    """Nothing stood at a stage before what stands there now."""

    def __init__(self, model: str, stage: str, now: str) -> None:
        Exception.__init__(self, model, stage, now)
        self.model, self.selector, self.known = model, f"@{stage}", ()
        self.ref, self.near, self.stage, self.now = f"{model} @{stage}", (), stage, now

    def __str__(self) -> str:
        return f"nothing that is still registered stood at {self.stage} of {self.model!r} before {self.now}"


class RegistryActing(RegistryDescribing):
    """Registering, promoting, and what undoes them.

    Attributes:
        repository: The repository.
    """

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self.repository = repository
        self._policies: tuple[object, list[Policy]] | None = None

    def register(
        self,
        source: Run | str,
        name: str,
        *,
        version: str | None = None,
        bump: str | None = None,
        path: str | None = None,
        reason: str = "",
        description: str | None = None,
        tags: Mapping[str, Any] | None = None,
        sign: bool | None = None,
    ) -> ModelVersion:
        """Make a version of the model *name* from what a run logged.

        Args:
            source: A run (its name, id, or the run itself), also one that is being written, or a model's URI:
                ``runs:/<run>/<path>``, ``models:/<name>/<version>``.
            name: The model's name; a new one begins with this version.
            version: Such as ``v1.2.0``; otherwise *bump* says.
            bump: ``major``, ``minor`` or ``patch`` (default): what of the greatest version so far goes up.
            path: The model's folder or file among the run's artifacts; default: the only one that has an ``MLmodel``.
            reason: Why; it stays with the tag.
            description: About this version; can be changed later.
            tags: Tags of this version; can be changed later.
            sign: Whether the tag is signed; as Git's configuration says if None.

        Raises:
            RunNotFound, ModelNotFound, VersionNotFound: There is no such source.
            ArtifactNotFound: The run has nothing at *path*.
            UsageError: The run has several models, or none, and no *path* was given.
            InvalidName, InvalidValue: *name* or *version* can't be one.
            VersionExists: The version is taken; the error has the next one that is free.
            PolicyRefused: The policy does not allow it.
        """
        from ledgit.records.registry_names import check_model_name
        from ledgit.registry.sources import find_source
        from ledgit.store.registry import Registration, register

        check_model_name(name)
        values = described("", description, tags)  # what is wrong with it shows before anything is made
        run, where = find_source(self.repository, source, path, name)
        self._judge_registration(name, version or "", run, sign)
        registration = Registration(
            model=name, run=run.state, path=where, version=version, bump=bump or "patch", reason=reason, sign=sign
        )
        made = register(self.opened.repo, self.opened.folder, registration)
        if values:
            self._edit(name, {f"version.{made.version}.{key}": value for key, value in values.items()})
            made.description = description or ""
            made.tags = {key.removeprefix("tags."): value for key, value in values.items() if key.startswith("tags.")}
        return made

    def register_project(
        self,
        name: str,
        commit: str,
        subdir: str = "",
        *,
        version: str | None = None,
        bump: str | None = None,
        reason: str = "",
        sign: bool | None = None,
    ) -> ModelVersion:
        """Make a version of the project *name*: a tag above a commit of code, without a run.

        Args:
            name: The project's name.
            commit: Full id of the commit of code.
            subdir: The project's folder in it; "" for the top.
            version: Such as ``v1.2.0``; otherwise *bump* says.
            bump: ``major``, ``minor`` (default) or ``patch``: what of the greatest version so far goes up.
            reason: Why; it stays with the tag.
            sign: Whether the tag is signed; as Git's configuration says if None.

        Raises:
            NotFound: There is no such commit or folder.
            InvalidName, InvalidValue: *name* or *version* can't be one; a model's name is no project's.
            VersionExists: The version is taken; the error has the next one that is free.
            PolicyRefused: The policy does not allow it.
        """
        from ledgit.store.registry import ProjectRegistration, register_project

        self._judge_project(name, version or "", commit, sign)
        wanted = ProjectRegistration(name, commit, subdir, version, bump or "minor", reason, sign)
        return register_project(self.opened.repo, self.opened.folder, wanted)

    def promote(self, version: ModelVersion | str, stage: str, *, reason: str = "", sign: bool | None = None) -> Event:
        """Put a version to a stage (MLflow's alias); what stood there before no longer does.

        A version that the same person put there stays there: nothing is done, unless *sign* asks for a signed tag.

        Args:
            version: As :meth:`version` takes it, or the version itself.
            stage: Any word but ``latest`` and what reads as a version.
            reason: Why; it stays with the tag.
            sign: Whether the tag is signed; as Git's configuration says if None.

        Returns:
            What was done; its ``previous`` says what stood there before. If nothing was: what put the version there.

        Raises:
            ModelNotFound, VersionNotFound: There is no such version.
            InvalidName: *stage* can't be one.
            PolicyRefused: The policy does not allow it.
        """
        from ledgit.records.registry_names import check_stage
        from ledgit.store.registry import assign

        check_stage(stage)
        state = self.state
        found = version_of(state, version) if isinstance(version, str) else version
        standing = None if sign else self.standing(found, stage)
        if standing is not None:
            return standing
        self._judge("assign", found.model, found, stage, sign)
        before = state.find(found.model).stages.get(stage)
        return assign(
            self.opened.repo,
            self.opened.folder,
            found,
            stage,
            reason=reason,
            previous=None if before is None else before.version,
            sign=sign,
        )

    assign = promote

    def standing(self, version: ModelVersion | str, stage: str) -> Event | None:
        """Return what put a version to *stage*, if it stands there by the word of who asks.

        Somebody else's word is one more, which a policy may want.

        Raises:
            ModelNotFound, VersionNotFound: There is no such version.
        """
        from ledgit.registry.tags import known

        found = version_of(self.state, version) if isinstance(version, str) else version
        model = self.state.find(found.model)
        here = model.stages.get(stage)
        if here is None or here.version != found.version:
            return None
        events = (event for event in reversed(model.events) if event.action == "assign" and event.stage == stage)
        last = next((event for event in events if event.version == here.version), None)
        return last if last is not None and known(last.author, last.email).same(self._author()) else None

    def rollback(self, name: str, stage: str, *, reason: str = "", sign: bool | None = None) -> Event:
        """Put the version to *stage* that stood there before; twice goes two versions back.

        Raises:
            ModelNotFound: There is no such model.
            VersionNotFound: Nothing stands there, or nothing stood there before.
            PolicyRefused: The policy does not allow it.
        """
        model = self.model(name)
        before = came_before(model, stage)
        if before is None:
            if stage not in model.stages:
                raise VersionNotFound(model.name, f"@{stage}", [f"@{one}" for one in model.stages])
            raise NothingBefore(model.name, stage, model.stages[stage].version)
        now = model.stages.get(stage)
        why = reason or (f"rollback from {now.version}" if now is not None else "rollback")
        return self.promote(before, stage, reason=why, sign=sign)

    def unassign(self, name: str, stage: str, *, reason: str = "", sign: bool | None = None) -> list[Event]:
        """Leave a stage empty.

        Raises:
            ModelNotFound, VersionNotFound: There is no such model, or nothing stands at the stage.
            PolicyRefused: The policy does not allow it.
        """
        from ledgit.store.registry import unassign

        model = self.model(name)
        self._judge("unassign", model.name, model.stages.get(stage), stage, sign)
        return unassign(self.opened.repo, self.opened.folder, model, stage, reason=reason, sign=sign)

    def deprecate(self, name: str, *, reason: str = "", sign: bool | None = None) -> Event:
        """Say that a model is not to be used any more. Whatever is done to it later takes that back.

        Raises:
            ModelNotFound: There is no such model.
            RunStateError: It is deprecated already.
            PolicyRefused: The policy does not allow it.
        """
        from ledgit.store.registry import deprecate

        model = self.model(name)
        self._judge("deprecate", model.name, None, "", sign)
        return deprecate(self.opened.repo, self.opened.folder, model, reason=reason, sign=sign)

    def deregister(self, version: ModelVersion | str, *, reason: str = "", sign: bool | None = None) -> Event:
        """Take a version out of the registry. Its version and number never come back.

        Raises:
            ModelNotFound, VersionNotFound: There is no such version.
            RunStateError: It stands at a stage.
            PolicyRefused: The policy does not allow it.
        """
        from ledgit.store.registry import deregister

        found = self.version(version) if isinstance(version, str) else version
        self._judge("deregister", found.model, found, "", sign)
        return deregister(self.opened.repo, self.opened.folder, found, reason=reason, sign=sign)

    def move(self, version: ModelVersion | str, to: str, *, sign: bool | None = None) -> ModelVersion:
        """Give a version that was never shared another version; the stages that it stands at come along.

        Raises:
            ModelNotFound, VersionNotFound: There is no such version.
            RunStateError: Others have it.
            InvalidValue: *to* is no version.
            VersionExists: *to* is taken.
        """
        from ledgit.store.registry import move_version

        found = self.version(version) if isinstance(version, str) else version
        made = move_version(self.opened.repo, self.opened.folder, found, to, sign=sign)
        return self.state.version(made.model, made.version)

    def ci_stays_silent(self, event: Event) -> str:
        """Return why no CI will react to a promotion's tag, for people; "" if one may."""
        from ledgit.git import try_git
        from ledgit.registry.deploying import silence

        code, out, _ = try_git(self.opened.repo, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        head = out.decode("ascii", "replace").strip() if code == 0 else None
        return silence(self.opened.objects, event.commit, head or None)

    # ------------------------------------------------------------------ the policy

    def policies(self) -> list[Policy]:
        """Return the policies that count here: the work tree's, and the remote's default branch's as last fetched.

        Raises:
            ConfigError, RecordError: One of them is not what it must be.
        """
        return policies(self.opened.repo)

    def refusals(
        self, event: str, name: str, version: ModelVersion | None = None, stage: str = "", *, sign: bool | None = None
    ) -> list[str]:
        """Return why the policy would refuse an act, one sentence a rule; [] if it may be done.

        Args:
            event: ``assign``, ``unassign``, ``deregister`` or ``deprecate``.
            name: The model.
            version: What it is about, if it is about a version.
            stage: The stage, if it is about one.
            sign: As for the act.

        Raises:
            ConfigError, RecordError: A policy is not what it must be.
        """
        try:
            self._judge(event, name, version, stage, sign)
        except PolicyRefused as error:
            return list(error.reasons)
        return []

    def _judge_registration(self, name: str, version: str, run: Run, sign: bool | None) -> None:
        found = [policy for policy in self.policies() if policy.rules]
        if not found:
            return
        from ledgit.registry.tags import known

        commit = run.commit
        objects = self.opened.objects
        if commit is not None and objects.exists(commit):
            makers = (known(*objects.commit(commit).author[:2]),)
        else:  # it is being written here
            makers = (self._author(),)
        act = Act(event="register", model=name, version=version, makers=makers, run=run.id, run_name=run.name)
        self._ask(found, act, sign)

    def _judge_project(self, name: str, version: str, commit: str, sign: bool | None) -> None:
        found = [policy for policy in self.policies() if policy.rules]
        if not found:
            return
        from ledgit.registry.tags import known

        maker = known(*self.opened.objects.commit(commit).author[:2])
        self._ask(found, Act(event="register", model=name, version=version, makers=(maker,)), sign)

    def _judge(self, event: str, name: str, version: ModelVersion | None, stage: str, sign: bool | None) -> None:
        found = [policy for policy in self.policies() if policy.rules]
        if not found:
            return
        from ledgit.registry.gates import Runs, makers_of

        run = (version.run or "") if version is not None else ""
        act = Act(
            event=event,
            model=name,
            version="" if version is None else version.version,
            stage=stage,
            makers=() if version is None else makers_of(self.opened.objects, version),
            run=run,
            run_name=Runs(self.repository).name(run) if run else "",
        )
        self._ask(found, act, sign)

    def _ask(self, found: list[Policy], act: Act, sign: bool | None) -> None:
        from dataclasses import replace

        from ledgit.registry.gates import Runs
        from ledgit.store.registry.tagging import wants_signature

        author = self._author()
        signs = wants_signature(self.opened.repo) if sign is None else sign
        # Whether the key is the author's own, only the finished signature can tell.
        act = replace(
            act,
            author=author,
            signer=author.address if signs else None,
            signature="yours is not; --sign does it, or 'git config tag.gpgSign true' for all",
        )
        runs = Runs(self.repository)
        broken = [str(one) for policy in found for one in policy.judge(act, runs.passes)]
        if broken:
            raise PolicyRefused(broken)

    def _author(self) -> Person:
        from ledgit.git import identity
        from ledgit.registry.policy import Person

        return Person(*identity(self.opened.repo))

    # ------------------------------------------------------------------ whole models

    def delete_model(self, name: str, *, reason: str = "") -> None:
        """Delete a model: its stages are left empty, its versions deregistered. Numbers never come back.

        Raises:
            ModelNotFound: There is none.
            PolicyRefused: The policy does not allow it.
        """
        model = self.model(name)
        why = reason or "the registered model was deleted"
        for version in model.active:
            self._judge("deregister", model.name, version, "", None)
        for stage in list(model.stages):
            self.unassign(model.name, stage, reason=why)
        for version in self.state.find(name).active:
            self.deregister(version, reason=why)
        self._edit(model.name, {"deleted": True})
