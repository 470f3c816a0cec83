"""Which codes belong to a branch, also after it was rebased or squashed.

What was found out is kept for the branch's tip: as long as that doesn't move only codes that
are new are looked at. A code whose commit the branch contains costs a line of ``git log``; only
the others are compared by tree, by the declared code paths, and by patch-id.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ledgit.errors import GitFailed, NotFound
from ledgit.git import Branch, CodeFacts, Link, code_patch_ids, find_base, stamp, try_git

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledgit.git import Repo
    from ledgit.records import CodeRef
    from ledgit.store.index_database import Database
    from ledgit.store.index_quick import CodesAlone

__all__ = ["Linked", "Links"]

_KEPT = 4
"""Tips whose answers are kept."""

_SIGNS = frozenset("@^~:{} ")

_WAYS = ("commit", "tree", "subtree", "patch-id")


class _Code(NamedTuple):
    """A code as it is known, and the patch-id that was found out later ('': there is none)."""

    facts: CodeFacts
    derived: str | None = None


class Linked:
    """The codes of revisions, as queries ask for them.

    Args:
        repo: The repository.
        database: The index's.
        live: Whether codes of live runs are asked for too.

    Attributes:
        settled: Whether what was found last changes with the repository's refs alone.
    """

    def __init__(self, repo: Repo, database: Database, live: bool) -> None:
        self._repo, self._database, self._live = repo, database, live
        self.settled = False

    def __call__(self, rev: str) -> tuple[set[int], set[int]]:
        """Return the numbers of the finalized runs' codes that belong to *rev*, and of the live runs'.

        Raises:
            NotFound: There is no such revision.
        """
        links = Links(self._repo, self._database, rev)
        found = links.codes(self._live)
        self.settled = links.settled
        return found

    def mark(self, branch: str) -> object:
        """Return what the finalized runs' codes of a *branch* depend on, in two stats and no process; None: on more."""
        repo = self._repo
        # What has these signs changes without a ref; so does what is no branch but a file of Git's, as FETCH_HEAD.
        if repo.shallow or _SIGNS & set(branch) or ".." in branch or os.path.exists(os.path.join(repo.git_dir, branch)):
            return None
        refs = stamp(repo, "refs/")
        return None if refs is None else (branch, refs, self._database.meta("generation"))


class Links:
    """The links of runs' codes to the commits of *rev*, a revision or a range ``A..B``."""

    def __init__(self, repo: Repo, database: Database | CodesAlone, rev: str) -> None:
        self._repo, self._database, self._rev = repo, database, rev
        self._base = find_base(repo)
        code, out, _ = try_git(repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        self._commit = out.decode("ascii", "replace").strip() if code == 0 else None
        # Of a shallow clone nothing is kept: deepening it changes the answers and not the tip.
        tips = self._commit or _ends(repo, rev)
        self._found = tips is not None
        self._key = None if tips is None or repo.shallow else f"{tips} {self._base or ''}"
        self._tip: int | None = None
        patches: dict[str, str] | None = None
        if self._key is not None:
            row = database.db.execute("SELECT n, patches FROM tip WHERE key = ?", (self._key,)).fetchone()
            if row is not None:
                self._tip = row[0]
                if row[1]:
                    patches = dict(database.db.execute("SELECT patch_id, oid FROM patch WHERE tip = ?", (self._tip,)))
        self._stored = patches is not None
        self.settled = False
        self._branch = Branch(repo, self._commit or rev, base=self._base, patches=patches)

    def codes(self, live: bool) -> tuple[set[int], set[int]]:
        """Return the numbers of the finalized runs' codes that belong, and of the live runs'.

        Raises:
            NotFound: There is no such revision.
        """
        if not self._found:
            raise NotFound(self._rev)
        unknown = self._unknown(self._database.runs.codes.name)
        self.settled = not unknown and self._tip is not None
        fresh = self._answers(unknown, keep=True)
        rows = self._database.db.execute("SELECT code FROM link WHERE tip = ? AND oid <> ''", (self._tip,))
        found = {number for (number,) in rows} | set(fresh)
        return found, set(self._answers(self._read(self._database.live.codes.name, ""))) if live else set()

    def of(self, code: CodeRef) -> Link | None:
        """Return the commit that *code* belongs to, None if to none.

        Raises:
            NotFound: There is no such revision.
        """
        if code.commit is None and code.tree is None:
            return None
        if self._commit is not None and code.commit is not None:
            # The common case, without reading the history's trees.
            ended, _, _ = try_git(self._repo, "merge-base", "--is-ancestor", code.commit, self._commit)
            if ended == 0:
                return Link(code.commit, "commit")
        number = self._database.runs.codes.find(code)
        if number is None:
            facts = CodeFacts(code.commit, code.tree, code.subtrees, code.patch_id)
            return self._answers({0: _Code(facts)}).get(0)
        sql = "SELECT oid, how FROM link WHERE tip = ? AND code = ?"
        row = self._database.db.execute(sql, (self._tip, number)).fetchone()
        if row is not None:
            return _link(row[0], row[1])
        known = self._read(self._database.runs.codes.name, "WHERE c.n = ?", number)
        return self._answers(known, keep=True).get(number)

    # ------------------------------------------------------------------ inside

    def _unknown(self, table: str) -> dict[int, _Code]:
        if self._tip is None:
            return self._read(table, "")
        condition = "LEFT JOIN link l ON l.tip = ? AND l.code = c.n WHERE l.code IS NULL"
        return self._read(table, condition, self._tip)

    def _read(self, table: str, condition: str, *values: object) -> dict[int, _Code]:
        from ledgit.records.parsing import loads  # a hook's 50 ms have no room for orjson's 12

        sql = f"SELECT c.n, c.oid, c.tree, c.patch_id, c.subtrees, c.derived FROM {table} c {condition}"
        found = {}
        for number, oid, tree, patch_id, subtrees, derived in self._database.db.execute(sql, values):
            paths = loads(subtrees.encode()) if subtrees else {}
            found[number] = _Code(CodeFacts(oid or None, tree or None, paths, patch_id or None), derived)
        return found

    def _answers(self, codes: Mapping[int, _Code], *, keep: bool = False) -> dict[int, Link]:
        """Return the links of *codes*; with *keep* store them, and that the others have none."""
        if not codes:
            return {}
        links = self._branch.links({number: code.facts for number, code in codes.items()})
        rest = {n: code for n, code in codes.items() if n not in links and code.facts.patch_id is None}
        derived = self._derive(rest)
        later = {n: CodeFacts(patch_id=derived.get(n, rest[n].derived)) for n in rest}
        links |= self._branch.links({n: facts for n, facts in later.items() if facts.patch_id})
        if keep and self._key is not None:
            decided = [n for n in codes if n in links or not self._undecided(codes[n], n in derived)]
            self._database.try_to_write(lambda: self._keep(decided, links, derived))
        return links

    def _undecided(self, code: _Code, derived: bool) -> bool:
        """Whether a code without a link may have one as soon as more objects are in this clone."""
        facts = code.facts
        if facts.patch_id is None and code.derived is None and not derived:
            return bool(facts.commit and facts.tree and self._branch.patches) or not self._branch.read_patches
        return bool(facts.patch_id or code.derived or derived) and not self._branch.read_patches

    def _derive(self, codes: Mapping[int, _Code]) -> dict[int, str]:
        """Find out the patch-ids of runs that ended before anybody had."""
        wanted = {
            n: (code.facts.commit, code.facts.tree)
            for n, code in codes.items()
            if code.derived is None and code.facts.commit and code.facts.tree
        }
        if not wanted or not self._branch.patches:
            return {}
        try:
            found = code_patch_ids(self._repo, wanted.values(), self._base)
        except GitFailed:
            return {}
        return {n: found[pair] or "" for n, pair in wanted.items() if pair in found}

    def _keep(self, codes: Sequence[int], links: Mapping[int, Link], derived: Mapping[int, str]) -> None:
        execute, many = self._database.db.execute, self._database.db.executemany
        execute("INSERT OR IGNORE INTO tip (key, patches) VALUES (?, 0)", (self._key,))
        (tip,) = execute("SELECT n FROM tip WHERE key = ?", (self._key,)).fetchone()
        self._tip = int(tip)
        for table, column in (("link", "tip"), ("patch", "tip"), ("tip", "n")):
            execute(f"DELETE FROM {table} WHERE {column} <= ?", (self._tip - _KEPT,))
        rows = [(tip, n, *links.get(n, ("", ""))) for n in codes]
        many("INSERT OR REPLACE INTO link VALUES (?, ?, ?, ?)", rows)
        many(
            f"UPDATE {self._database.runs.codes.name} SET derived = ? WHERE n = ?", [(p, n) for n, p in derived.items()]
        )
        if self._branch.read_patches and not self._stored:
            many("INSERT OR REPLACE INTO patch VALUES (?, ?, ?)", [(tip, *row) for row in self._branch.patches.items()])
            execute("UPDATE tip SET patches = 1 WHERE n = ?", (tip,))
            self._stored = True


def _ends(repo: Repo, rev: str) -> str | None:
    """Return the commits that stand for the range *rev*, as git has them; None if it is none."""
    code, out, _ = try_git(repo, "rev-parse", "--quiet", "--revs-only", "--end-of-options", rev)
    ends = out.decode("ascii", "replace").split()
    return ",".join(sorted(ends)) if code == 0 and ends else None


def _link(oid: str, how: str) -> Link | None:
    for way in _WAYS:
        if how == way:
            return Link(oid, way)  # type: ignore[arg-type]  # one of the four
    return None
