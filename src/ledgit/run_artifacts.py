"""The verbs of a repository that are about artifacts: list, open, fetch, copy out."""

from __future__ import annotations

import os

from ledgit.errors import (
    ArtifactDamaged,
    ArtifactNotFound,
    ArtifactsMissing,
    Conflict,
    LedgitError,
    StorageError,
    UnsafePath,
)
from ledgit.run_reading import RunReading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from ledgit.artifacts import Cache, Place
    from ledgit.records.artifacts import ArtifactRecord
    from ledgit.records.history import Points
    from ledgit.records.state import RunState
    from ledgit.run import Run
    from ledgit.store.artifacts.fetching import Fetched
    from ledgit.store.artifacts.listing import ArtifactFile, FolderSeen
    from ledgit.store.artifacts.naming import Need

    Progress = Callable[[str, int, int | None], None]

__all__ = ["RunArtifacts"]


class RunArtifacts(RunReading):
    """What a repository can do with the files that runs logged."""

    @property
    def _cache(self) -> Cache:
        from ledgit.artifacts import Cache

        return Cache(self.folder.cache)

    def artifact_files(
        self, run: Run, inside: str = "", *, fetch: bool = False, progress: Progress | None = None
    ) -> list[ArtifactFile]:
        """Return the files of a run at or in the path *inside*, by path.

        Args:
            run: The run.
            inside: A file or folder; '' for all.
            fetch: Get the lists of folders that are not in this clone; else the folder stands for its files.
            progress: Is told (what, done, total or None).

        Raises:
            ArtifactNotFound: There is nothing at this path.
        """
        from ledgit.store.artifacts.listing import closed_folders, files_of, object_of
        from ledgit.store.artifacts.naming import Need

        records, cache = run.record().artifacts, self._cache
        if fetch:
            closed = closed_folders(cache, records, inside)
            if closed:
                needs = {object_of(one.digest): Need([run.id], one.path, None) for one in closed}
                self._fetch_objects([run], needs, progress, members=False)
        found = files_of(cache, records, inside)
        if inside and not found:
            near = [record.path for record in records if os.path.basename(inside) in record.path]
            raise ArtifactNotFound(f"{run.id[:8]}/{inside}", near or [record.path for record in records][:3])
        return found

    def artifact_folders(self, run: Run, inside: str = "") -> tuple[list[ArtifactFile], list[FolderSeen]]:
        """Return the files of a run at or in *inside*, by path, and the folders in it that were logged as one.

        What is in such a folder is not among the files: a list of a million files takes a moment.

        Raises:
            ArtifactNotFound: There is nothing at this path.
        """
        from ledgit.store.artifacts.listing import files_of, folders_of

        records, cache = run.record().artifacts, self._cache
        folders = folders_of(cache, records, inside)
        whole = {seen.record.path for seen in folders}
        files = files_of(cache, [record for record in records if record.path not in whole], inside)
        if inside and not files and not folders:
            self.artifact_files(run, inside)  # says what is near
        return files, folders

    def open_artifact(self, run: Run, path: str, *, fetch: bool = True) -> BinaryIO:
        """Open the artifact *path* for reading; close it.

        Args:
            run: The run.
            path: A file, also one in a folder that was logged as one.
            fetch: Get its content from the artifact remote if it is not in this clone.

        Raises:
            ArtifactNotFound: The run has no file there, or (`ArtifactsMissing`) nobody has its content.
            ArtifactDamaged: The content here is not what was logged, and there is no other.
        """
        file = self._one(run, path, fetch=fetch)
        oid = file.oid
        if oid is None:
            return self._open_stored(run.state, file.record)
        if fetch:
            self._bring([run], [file])
            try:
                return self._cache.open(oid)
            except ArtifactDamaged as damaged:
                self._again([run], [file], damaged)  # it was set aside
        return self._cache.open(oid)

    def _open_stored(self, state: RunState, record: ArtifactRecord) -> BinaryIO:
        """Open an artifact that is in the run's tree or journal."""
        from ledgit.store.reading import open_artifact

        return self._read(state, lambda now: open_artifact(self.folder, self.objects, now, record))

    def _one(self, run: Run, path: str, *, fetch: bool) -> ArtifactFile:
        name = path.strip("/")
        for file in self.artifact_files(run, name, fetch=fetch):
            if file.path == name and file.nfiles is None:
                return file
        raise ArtifactNotFound(f"{run.id[:8]}/{name}", [file.path for file in self.artifact_files(run, name)][:3])

    # ------------------------------------------------------------------ where content is

    def artifact_place(self) -> Place | None:
        """Return where Ledgit's artifact remote is, and what says so; None if nothing does.

        Raises:
            ConfigError: A setting that can't be understood.
        """
        from ledgit.store.artifacts.setting import place_of

        return place_of(self.repo)

    def each_artifact_file(self, run: Run, inside: str = "") -> Iterator[ArtifactFile]:
        """Yield what :meth:`artifact_files` returns, with few of a large folder's files in memory.

        Raises:
            ArtifactNotFound: There is nothing at this path.
        """
        from itertools import chain

        from ledgit.store.artifacts.listing import each_file

        files = each_file(self._cache, run.record().artifacts, inside)
        first = next(files, None)
        if first is None:
            self.artifact_files(run, inside)  # says what is near
            return iter(())
        return chain((first,), files)

    def missing_artifacts(self, files: Iterable[ArtifactFile]) -> list[ArtifactFile]:
        """Ask the artifact remote for those of *files* that are not here; return what it lacks too.

        Raises:
            RemoteError, MissingDependency: It can't be used.
        """
        from ledgit.artifacts import open_remote

        absent = [file for file in files if file.oid and not file.here]
        place = self.artifact_place()
        if place is None or not absent:
            return absent
        with open_remote(place) as remote:
            lacking = remote.missing({file.oid for file in absent if file.oid})
        return [file for file in absent if file.oid in lacking]

    def unsent_artifacts(self, *, check: bool = False) -> dict[str, Need]:
        """Return the objects of all runs that are here and not known to be on the artifact remote: id → who needs it.

        Args:
            check: Ask the remote, so that what somebody else sent is left out.

        Raises:
            RemoteError, MissingDependency: It can't be asked.
        """
        from ledgit.query import Query
        from ledgit.store.artifacts.uploading import here_only

        self._refresh()
        heads = {state.id: state.heads for state in self.index.each(Query(view="all")) if state.heads}
        found = here_only(self.repo, self.folder, heads)
        place = self.artifact_place() if check else None
        if place is None or not found:
            return found
        from ledgit.artifacts import open_remote

        with open_remote(place) as remote:
            lacking = remote.missing(found)
        return {oid: need for oid, need in found.items() if oid in lacking}

    # ------------------------------------------------------------------ bring here

    def history(self, run: Run, metric: str, *, fetch: bool = False) -> Points | None:
        """Return the points of *metric*, or None if the run has none; see :meth:`ledgit.run.Run.history`."""
        from ledgit.store.artifacts.naming import Need

        def bring(oids: Sequence[str]) -> None:
            self._fetch_objects([run], {oid: Need([run.id], f"the history of {metric}", None) for oid in oids})

        return self.read_history(run.state, metric, bring if fetch else None)

    def fetch_artifacts(self, runs: Sequence[Run], inside: str = "", progress: Progress | None = None) -> Fetched:
        """Bring what *runs* logged in *inside* into this clone's cache, full histories too if that is ''.

        Raises:
            ArtifactsMissing: The remote lacks something, or there is none.
            RemoteError, MissingDependency: It can't be used.
        """
        from ledgit.store.artifacts.fetching import Fetched
        from ledgit.store.artifacts.naming import Need, objects_of

        self.fetch_wanted(runs)
        needs: dict[str, Need] = {}
        if inside:
            for run in runs:
                for file in self.artifact_files(run, inside, fetch=True, progress=progress):
                    if file.oid is not None:
                        needs.setdefault(file.oid, Need([], file.path, file.size)).runs.append(run.id)
        else:
            needs = objects_of(self.repo, self.folder, {run.id: run.heads for run in runs}, members=False)
        return self._fetch_objects(runs, needs, progress) if needs else Fetched(0, 0)

    def _bring(self, runs: Sequence[Run], files: Iterable[ArtifactFile], progress: Progress | None = None) -> None:
        """Fetch the objects of *files* that are not here."""
        from ledgit.store.artifacts.naming import Need

        absent = {file.oid: Need([runs[0].id], file.path, file.size) for file in files if file.oid and not file.here}
        if absent:
            self._fetch_objects(runs, absent, progress)

    def _again(self, runs: Sequence[Run], files: Iterable[ArtifactFile], damaged: ArtifactDamaged) -> None:
        """Fetch what turned out to be damaged here."""
        from ledgit.store.artifacts.naming import Need

        try:
            self._fetch_objects(runs, {file.oid: Need([runs[0].id], file.path, None) for file in files if file.oid})
        except ArtifactsMissing:
            raise damaged from None

    def _fetch_objects(
        self, runs: Sequence[Run], needs: Mapping[str, Need], progress: Progress | None = None, *, members: bool = True
    ) -> Fetched:
        from ledgit.store.artifacts.fetching import fetch_objects

        try:
            return fetch_objects(self.repo, self.folder, needs, progress, members=members)
        except ArtifactsMissing as missing:
            concerned = [run for run in runs if run.id in missing.runs]
            named = None if self.artifact_place() is not None else self._named_remote(concerned)
            hint = self._where_else(concerned) if named is None else f"the run says {named}: give that if you trust it"
            raise ArtifactsMissing(missing.paths, missing.runs, missing.reason, hint) from None

    def _named_remote(self, runs: Iterable[Run]) -> str | None:
        """Return the address that a run's own ``.dvc/config`` says, for a person to look at.

        It is not used by itself: whoever made the run would choose where this machine's credentials are shown.
        """
        from ledgit.artifacts.place import NAME, parse_dvc_config, without_credentials
        from ledgit.records.dvcfiles import DVC_CONFIG

        for head in (head for run in runs for head in run.heads):
            try:
                found = self.objects.find(head, DVC_CONFIG)
                remotes, _ = parse_dvc_config(self.objects.read(found.oid)[1]) if found is not None else ({}, "")
            except LedgitError:
                continue
            url = remotes.get(NAME, {}).get("url")
            if url:
                return without_credentials(url)
        return None

    def _where_else(self, runs: Iterable[Run]) -> str:
        """Return where a good copy is likely: where the runs were made."""
        makers = []
        for run in runs:
            info = run.record().info
            where = " on ".join(filter(None, (info.user, info.host)))
            if where and where not in makers:
                makers.append(where)
        if not makers:
            return ""
        return f"the clone of {' or '.join(makers[:2])}, where it was made, may have it: 'ledgit push' there sends it"

    # ------------------------------------------------------------------ copy out

    def save_artifacts(
        self,
        run: Run,
        folder: str,
        paths: Sequence[str] = ("",),
        *,
        flat: bool = False,
        overwrite: bool = True,
        progress: Progress | None = None,
    ) -> list[str]:
        """Write private copies of a run's files at or in *paths* below *folder*; return their names there.

        What is not in this clone is fetched. A file that is the same already is left alone. What would
        land in a folder ``.git``, ``.dvc`` or ``.ledgit`` gets another name, unless *paths* names the file itself.

        Args:
            run: The run.
            folder: Made if need be. Nothing outside of it is written, whatever the run's paths or links in it say.
            paths: Files and folders among the artifacts; '' for all.
            flat: Leave off the names what is above each of *paths*: ``plots/loss.png`` becomes ``loss.png``.
            overwrite: Replace files with other content; else nothing is written if there is one.
            progress: Is told (what, done, total or None).

        Raises:
            ArtifactNotFound, ArtifactsMissing: There is nothing at this path; its content is nowhere to be had.
            ArtifactDamaged: Its content is not what was logged.
            Conflict: Files would be overwritten, or two of *paths* have the same name there.
            UnsafePath: A path that would leave *folder*.
            StorageError: The disk refused.
        """
        self.fetch_wanted([run])
        top = os.path.abspath(folder)
        found: dict[str, ArtifactFile] = {}
        targets: dict[str, str] = {}
        for path in paths:
            for file in self.artifact_files(run, path, fetch=True, progress=progress):
                found[file.path] = file
                below = os.path.dirname(path) if flat else ""
                targets[file.path] = _target(top, file.path, below, inert=file.path != path)
        files = list(found.values())
        if len(set(targets.values())) < len(targets):
            raise Conflict(
                f"several of these have the same name in {folder}; get them one by one, into folders of their own"
            )
        same = {file.path for file in files if _is_same(targets[file.path], file)}
        if not overwrite:
            _refuse([targets[file.path] for file in files if file.path not in same])
        self._bring([run], files, progress)
        for done, file in enumerate(files):
            if file.path not in same:
                if progress is not None:
                    progress("writing files", done, len(files))
                self._save(run, file, targets[file.path])
        return [os.path.relpath(targets[file.path], top) for file in files]

    def save_artifact(self, run: Run, path: str, target: str) -> None:
        """Write a private copy of the artifact *path* to the file *target*, all of it or nothing."""
        file = self._one(run, path, fetch=True)
        self._bring([run], [file])
        self._save(run, file, os.path.abspath(target))

    def _save(self, run: Run, file: ArtifactFile, target: str) -> None:
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
        except OSError as error:
            raise StorageError(target, error.strerror or str(error)) from error
        except RecursionError:
            raise StorageError(f"{target[:200]}…", "there are too many folders inside each other") from None
        if file.oid is not None:
            try:
                self._cache.copy_out(file.oid, target)
            except ArtifactDamaged as damaged:
                self._again([run], [file], damaged)
                self._cache.copy_out(file.oid, target)
            return
        from shutil import copyfileobj

        scratch = os.path.join(os.path.dirname(target), f".{os.urandom(6).hex()}.part")  # its name may be long
        with self._open_stored(run.state, file.record) as content:
            try:
                with open(scratch, "wb") as copy:
                    copyfileobj(content, copy, 1 << 20)
                os.replace(scratch, target)
            except OSError as error:
                try:
                    os.unlink(scratch)
                except OSError:
                    pass
                raise StorageError(target, error.strerror or str(error)) from error


def _target(top: str, path: str, below: str, *, inert: bool) -> str:
    """Return where the artifact *path* goes.

    Raises:
        UnsafePath: Not into *top*: a record from somebody else's repository names the path.
    """
    from ledgit.records.names import inert_path, path_problem

    name = path[len(below) + 1 :] if below and path.startswith(below + "/") else path
    problem = path_problem(name)
    if problem is not None:
        raise UnsafePath("an artifact", f"the path {name[:100]!r} {problem}")
    target = os.path.join(top, *(inert_path(name) if inert else name).split("/"))
    real, root = os.path.realpath(os.path.dirname(target)), os.path.realpath(top)
    if real != root and not real.startswith(root.rstrip(os.sep) + os.sep):
        raise UnsafePath(target, "a link on the way leads out of the folder")
    return target


def _is_same(target: str, file: ArtifactFile) -> bool:
    """Whether *target* is a file of its own with this content."""
    try:
        stat = os.lstat(target)
    except OSError:
        return False
    from stat import S_ISREG

    if not S_ISREG(stat.st_mode) or (file.size is not None and file.size != stat.st_size) or not file.digest:
        return False
    from ledgit.artifacts import digest_file

    try:
        return file.digest == f"md5:{digest_file(target)}"
    except OSError:
        return False


def _refuse(targets: Iterable[str]) -> None:
    there = [target for target in targets if os.path.lexists(target)]
    if there:
        shown = "\n  ".join(os.path.relpath(target) for target in there[:10])
        more = f"\n  … and {len(there) - 10} more" if len(there) > 10 else ""
        raise Conflict(f"these files are there already, with other content; --force overwrites them:\n  {shown}{more}")
