"""Which commits the registry keeps alive, and of which runs they are."""

from __future__ import annotations

from ledgit.store.registry.events import tag_headers
from ledgit.store.registry.tagging import KEPT, TAGS, VERSIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ledgit.git import Repo

__all__ = ["registration_commits", "registry_refs", "runs_of"]

_RUN = "Ledgit-Run: "


def registry_refs(repo: Repo) -> dict[str, str]:
    """Return the refs of the registry: tags of its form, our copies of them, and claims of numbers: name → object."""
    from ledgit.git import list_refs
    from ledgit.records.registry_names import parse_tag

    tags = list_refs(repo, TAGS)
    found = {
        name: oid
        for name, oid in tags.items()
        if ("@" in name or "#" in name) and parse_tag(name[len(TAGS) :]) is not None
    }
    return {**found, **list_refs(repo, KEPT), **list_refs(repo, VERSIONS)}


def registration_commits(repo: Repo) -> Iterator[tuple[str, str]]:
    """Yield (run id, commit) of each commit that a tag of the registry points to and that names its run."""
    from ledgit.git import BatchReader

    oids = dict.fromkeys(registry_refs(repo).values())
    if not oids:
        return
    with BatchReader(repo) as reader:
        commits: dict[str, None] = {}
        for answer in reader.read_many(oids, most=1 << 20):
            if answer is not None and answer[1] == "tag":
                headers, _ = tag_headers(answer[2])
                if headers.get("type") == "commit":
                    commits[headers.get("object", "")] = None
    for commit, run in runs_of(repo, commits).items():
        yield run, commit


def runs_of(repo: Repo, commits: Iterable[str]) -> dict[str, str]:
    """Return of which run each of *commits* says that it is: those that say nothing are left out."""
    from ledgit.git import BatchReader
    from ledgit.records.shapes import is_run_id

    found = {}
    asked = list(dict.fromkeys(commits))
    if not asked:
        return {}
    with BatchReader(repo) as reader:
        for commit, answer in zip(asked, reader.read_many(asked, most=1 << 20), strict=True):
            if answer is None or answer[1] != "commit":
                continue
            text = answer[2].partition(b"\n\n")[2].decode("utf-8", "replace")
            run = next((line[len(_RUN) :] for line in text.splitlines() if line.startswith(_RUN)), "")
            if is_run_id(run):
                found[commit] = run
    return found
