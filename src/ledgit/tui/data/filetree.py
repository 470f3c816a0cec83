"""The files that a run logged, as folders that open and close."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledgit.repository import Run
    from ledgit.store.artifacts.listing import ArtifactFile
    from ledgit.tui.session import Session

__all__ = ["FileTree", "Node", "read_tree"]

#: Files that are listed; of more the first.
MOST = 50_000
_ALL_OPEN = 100  # files of which all folders are open at first


class Node(NamedTuple):
    """A row: a file or a folder.

    Attributes:
        path: Among the artifacts.
        name: The last part of it.
        depth: How many folders it is in.
        files: Files in a folder; 0 for a file.
        size: Bytes; None where nobody knows.
        here: Whether all of it is in this clone.
        stored: ``git`` or ``dvc``; "" for folders.
    """

    path: str
    name: str
    depth: int
    files: int
    size: int | None
    here: bool
    stored: str = ""


class FileTree:
    """Files in folders.

    Args:
        files: By path.
        more: Whether there are more that are not among them.
    """

    def __init__(self, files: Iterable[ArtifactFile] = (), *, more: bool = False) -> None:
        self.more = more
        self.opened: set[str] = set()
        self._children: dict[str, dict[str, Node]] = {"": {}}
        count = 0
        for file in files:
            self._add(file)
            count += 1
        self.count = count
        if count <= _ALL_OPEN:
            self.opened.update(self._children)

    def _add(self, file: ArtifactFile) -> None:
        parts = file.path.split("/")
        above = ""
        for depth, part in enumerate(parts[:-1]):
            path = f"{above}/{part}" if above else part
            node = self._children[above].get(part)
            if node is None or not node.files:
                node = Node(path, part, depth, 0, 0, True)
            size = None if node.size is None or file.size is None else node.size + file.size
            self._children[above][part] = node._replace(files=node.files + 1, size=size, here=node.here and file.here)
            above = path
            self._children.setdefault(above, {})
        self._children[above].setdefault(
            parts[-1],
            Node(file.path, parts[-1], len(parts) - 1, file.nfiles or 0, file.size, file.here, file.stored),
        )

    def rows(self) -> list[Node]:
        """Return what is seen: everything in open folders, folders first."""
        found: list[Node] = []
        waiting = list(reversed(self._sorted("")))
        while waiting:
            node = waiting.pop()
            found.append(node)
            if node.path in self.opened and node.path in self._children:
                waiting += reversed(self._sorted(node.path))
        return found

    def _sorted(self, path: str) -> list[Node]:
        return sorted(self._children[path].values(), key=lambda node: (node.path not in self._children, node.name))

    def is_folder(self, path: str) -> bool:
        """Whether *path* is a folder whose files are known."""
        return path in self._children

    def node(self, path: str) -> Node | None:
        """Return what is at *path*."""
        above, _, name = path.rpartition("/")
        return self._children.get(above, {}).get(name)

    def toggle(self, path: str) -> None:
        """Open or close a folder."""
        self.opened ^= {path}


def read_tree(session: Session, run: Run) -> FileTree:
    """Return the files of *run*. Called in a thread.

    Raises:
        NotHere: The run's commit is not in this clone.
    """
    from itertools import islice

    if not run.record().artifacts:
        return FileTree()
    files = list(islice(session.repository.each_artifact_file(run), MOST + 1))
    return FileTree(files[:MOST], more=len(files) > MOST)
