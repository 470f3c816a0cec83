"""What CI makes of a promotion: what its tag means, and whether the tagged tree has anything for CI to do."""

from __future__ import annotations

from ledgit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects
    from ledgit.registry.reading import RegistryReading

__all__ = ["has_workflow", "silence", "tag_facts"]

#: Where hosts look for what to do about a tag: in the tree that the tag points to, and nowhere else.
WORKFLOWS = (
    ".github/workflows",
    ".gitlab-ci.yml",
    ".gitea/workflows",
    ".forgejo/workflows",
    ".circleci/config.yml",
    ".woodpecker.yml",
    ".woodpecker",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "Jenkinsfile",
)


def has_workflow(objects: Objects, commit: str) -> bool:
    """Whether the tree of *commit* has a file that some CI would act on."""
    return any(objects.find(commit, path) is not None for path in WORKFLOWS)


def silence(objects: Objects, commit: str, head: str | None) -> str:
    """Return why no CI will react to a tag of *commit*; "" if one may, or if the repository has none.

    Args:
        objects: The repository's objects.
        commit: What the tag points to.
        head: The commit that is checked out here: what it has, people expect to work.
    """
    if head is None or not objects.exists(commit) or has_workflow(objects, commit):
        return ""
    if not has_workflow(objects, head):
        return ""
    return (
        "CI will stay silent about this tag: the tree it points to has no workflow file, because the run kept no"
        " code (ledgit.snapshot = none) or is from before there was one; docs/how-to/deploy.md says what to do"
    )


def tag_facts(registry: RegistryReading, tag: str) -> dict[str, str]:
    """Return what a tag means: ``event name version number stage run path commit author``; "" for what it has not.

    Raises:
        UsageError: It is no tag of the registry, or not one that was made with it.
        ModelNotFound: It is not in this clone.
    """
    from ledgit.errors import ModelNotFound
    from ledgit.records.registry_names import parse_tag

    name = tag.removeprefix("refs/tags/")
    named = parse_tag(name)
    if named is None:
        raise UsageError(f"{name!r} is no tag of the registry; those are NAME@v1.2.0, NAME#STAGE#N and NAME@deprecated")
    state = registry.state
    event = next((event for event in state.events if event.tag == name), None)
    if event is None:
        problem = next((one.what for one in state.problems if one.name == name), "")
        if problem:
            raise UsageError(f"{name}: {problem}")
        raise ModelNotFound(name, "no such tag is here; 'git fetch --tags' gets it")
    version = state.find(event.model).versions.get(event.version)
    number = version.number if version is not None else event.number
    return {
        "event": event.action,
        "name": event.model,
        "version": event.version,
        "number": "" if number is None else str(number),
        "stage": event.stage,
        "run": (version.run if version is not None else event.run) or "",
        "path": (version.path if version is not None else event.path) or "",
        "commit": event.commit,
        "author": event.author,
        "address": event.email,
        "reason": event.reason,
        "tag": name,
    }
