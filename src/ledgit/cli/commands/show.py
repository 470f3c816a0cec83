"""``ledgit show``: one run."""

from __future__ import annotations

import argparse
import math
import time
from typing import TYPE_CHECKING

from ledgit.cli import context, details, parsing, render, showing, terminal, text
from ledgit.compare import direction, input_facts, sparkline
from ledgit.errors import GitFailed, LedgitError, NotFound, NotHere

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledgit.git import Link
    from ledgit.records.record import RunRecord
    from ledgit.repository import Run

HELP = """\
Show one run: params, metrics with their histories, tags, note, code, data, environment and artifacts.
Without RUN, the newest one. With --artifact, or as RUN:PATH, what is in a file that it logged.
"""
EPILOG = """
ledgit show                             the newest run
ledgit show calm-owl
ledgit show calm-owl --packages         with everything that was installed
ledgit show calm-owl --branch main      and where main has its code, squashed or not
ledgit show calm-owl --fetch            with what a shallow clone lacks
ledgit show calm-owl --json | jq .metrics
ledgit show calm-owl:plots/loss.png     a picture, a table, a text; a folder's files
"""
NOTE_TAG = "mlflow.note.content"
SPARK = 24
MOST_NESTED = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser, nargs="?")
    parser.add_argument("--packages", action="store_true", help="list the installed packages")
    parser.add_argument(
        "--branch",
        metavar="BRANCH",
        help="say which commit of BRANCH has the run's code, also after a rebase or a squash merge; default: HEAD",
    )
    parser.add_argument(
        "--artifact", metavar="PATH", help="show what is in this file or folder of the run; --fetch gets it if need be"
    )
    details.add_fetch(parser)
    parser.add_argument("--left-out", action="store_true", help="list the files that the code snapshot left out")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Print the run."""
    repository = context.repository()
    found, path = showing.find(repository, args.ref) if args.ref else (repository.runs.first(), None)
    if found is None:
        terminal.note("ledgit: there are no runs yet")
        return NotFound.exit_code
    if args.artifact is not None or path is not None:
        return showing.show_artifact(found, args.artifact or path or "", args.format, fetch=args.fetch)
    (record,), _ = details.records(repository, [found], fetch=args.fetch)
    link = _link(found, args.branch)
    if args.format == "json":
        terminal.write(render.json_text(as_dict(found, record, link)))
        return 0
    style = text.Style(terminal.use_color())
    terminal.write(
        "\n".join(_Page(found, record, link, context.directions(repository), style, args).lines()) + "\n", page=True
    )
    return 0


def _link(found: Run, branch: str | None) -> Link | None:
    """Return the commit of *branch*, or of what is checked out, that the run's code belongs to."""
    if branch is not None:
        return found.links(branch)
    try:
        return found.links()
    except (NotFound, GitFailed):  # no commit yet, or a history that can't be read: the run can be shown
        return None


def as_dict(found: Run, record: RunRecord, link: Link | None) -> dict[str, object]:
    """Return the run for JSON: the keys of a list, and what only one run shows."""
    from ledgit.records import Environment

    info, environment = record.info, record.environment or Environment()
    shown = found.to_dict()
    shown["code"] = {
        **shown["code"],
        "upstream": info.code.upstream,
        "patch_id": info.code.patch_id,
        "left_out": [{"path": path, "size": size, "reason": reason} for path, size, reason in info.code.left_out],
    }
    return {
        **shown,
        "heads": list(found.heads),
        "link": None if link is None else {"commit": link.commit, "by": link.by},
        "deleted": found.deleted,
        "command": list(info.command),
        "entry_point": info.entry_point,
        "host": info.host,
        "inputs": [
            {**fact.to_dict(), "source_type": item.source_type, "source": item.source, "context": item.context}
            for item in record.inputs
            for fact in input_facts([item])
        ],
        "artifacts": [
            {"path": item.path, "size": item.size, "digest": item.digest, "stored": item.stored}
            for item in record.artifacts
        ],
        "environment": {
            "python": environment.python,
            "platform": environment.platform,
            "gpus": list(environment.gpus),
            "packages": dict(environment.packages),
            "origins": dict(environment.origins),
        },
        "conflicts": {key: list(values) for key, values in found.conflicts.items()},
    }


class _Page:
    """The text of one run, section by section; an empty section is left out."""

    def __init__(
        self,
        found: Run,
        record: RunRecord,
        link: Link | None,
        directions: dict[str, str],
        style: text.Style,
        args: argparse.Namespace,
    ) -> None:
        self.run, self.record, self.link = found, record, link
        self.directions, self.style, self.args = directions, style, args
        self.limit = terminal.table_width()
        self.longest = 0  # points of a metric

    def lines(self) -> list[str]:
        """Return every line."""
        sections = [
            ("", self._facts()),
            ("note", self._note()),
            ("params", self._pairs(self.run.params)),
            ("metrics", self._metrics()),
            ("tags", self._pairs({key: value for key, value in self.run.tags.items() if key != NOTE_TAG})),
            ("inputs", self._inputs()),
            ("artifacts", self._artifacts()),
            ("conflicts", self._conflicts()),
            ("left out of the code", self._left_out() if self.args.left_out else []),
            ("packages", self._packages()),
        ]
        lines = [f"{self.style.bold(text.clean(self.run.name))}  {self.style.yellow(self.run.id)}"]
        for title, body in sections:
            if body:
                lines += ["", self.style.bold(title)] if title else []
                lines += ["  " + line for line in body]
        return lines

    def _facts(self) -> list[str]:
        found, info, style = self.run, self.record.info, self.style
        took = text.duration(found.end - found.start) if found.end is not None else ""
        status = "LOST (no sign of life)" if found.lost else found.status
        facts = [
            ("experiment", text.clean(found.experiment)),
            ("status", style.status(found.status)(status) + (style.red("  deleted") if found.deleted else "")),
            ("started", f"{text.moment(found.start)} ({text.age(found.start, time.time())})"),
            ("took", took),
            ("by", text.clean(" on ".join(part for part in (found.user, info.host) if part))),
            ("command", text.clean(" ".join(_quoted(info.command)))),
            ("code", self._code()),
            ("belongs to", self._belongs()),
            ("commit", style.yellow((found.commit or "")[:12])),
            ("edited", self._edited()),
            ("nested in", self._parent()),
            ("holds", self._children()),
            ("ran on", self._environment()),
            ("problem", style.red(text.clean(found.problem))),
        ]
        return [f"{name:<10}  {value}" for name, value in facts if value]

    def _code(self) -> str:
        code = self.record.info.code
        if not code.commit and not code.tree:
            return "" if self.run.active else self.style.red("not recorded") + " ('ledgit log' says why)"
        where = " @ ".join(part for part in (text.clean(code.branch or ""), (code.commit or "")[:12]) if part)
        extra = [self.style.cyan("with uncommitted changes")] if code.dirty else []
        if code.state:
            extra.append(f"in the middle of a {text.clean(code.state)}")
        if code.left_out:
            total = text.size(sum(size for _, size, _ in code.left_out))
            files = "1 file" if len(code.left_out) == 1 else f"{len(code.left_out)} files"
            extra.append(f"{files} left out ({total}; see --left-out)")
        return ", ".join([where or "no commit yet", *extra])

    def _belongs(self) -> str:
        """Return where the run's code is on the branch, when its own commit isn't there."""
        branch = text.clean(self.args.branch or "the current branch")
        if self.link is None:
            return f"no commit of {branch}" if self.args.branch else ""
        if self.link.by == "commit":
            return f"{branch}, by its commit" if self.args.branch else ""
        same = {"tree": "the same files", "subtree": "the same code paths", "patch-id": "the same changes"}
        commit = self.style.yellow(self.link.commit[:12])
        return f"{commit} of {branch}, which has {same[self.link.by]} (by {self.link.by})"

    def _parent(self) -> str:
        if not self.run.parent_run:
            return ""
        shown = self.style.yellow(self.run.parent_run[:8])
        found = context.repository().runs.view("all").ids(self.run.parent_run).first()
        return f"{text.clean(found.name)} {shown}" if found is not None else shown

    def _children(self) -> str:
        nested = context.repository().runs.children(self.run.id).sort("start_time").limit(MOST_NESTED + 1)
        names = [text.clean(child.name) for child in nested]
        if len(names) > MOST_NESTED:
            names[MOST_NESTED:] = [f"… (ledgit ls 'parent_run = \"{self.run.id[:8]}\"')"]
        return ", ".join(names)

    def _edited(self) -> str:
        found = self.run
        if len(found.heads) > 1:
            heads = ", ".join(head[:12] for head in found.heads)
            return f"on several machines ({heads}); the next edit joins them"
        return self.style.yellow((found.head or "")[:12]) if found.head != found.commit else ""

    def _conflicts(self) -> list[str]:
        """Return the params that machines logged differently: the first value is the run's."""
        lines = []
        for key, (first, *others) in sorted(self.run.conflicts.items()):
            also = ", ".join(text.exact(value) for value in others)
            lines.append(f"{text.clean(key)} is {text.exact(first)}, logged first; elsewhere {also}")
        return lines

    def _environment(self) -> str:
        environment = self.record.environment
        if environment is None:
            return ""
        parts = [f"Python {environment.python}" if environment.python else "", environment.platform]
        parts += [", ".join(environment.gpus)]
        if environment.packages:
            parts.append(f"{len(environment.packages)} packages (--packages lists them)")
        return text.clean(", ".join(part for part in parts if part))

    def _packages(self) -> list[str]:
        environment = self.record.environment
        return self._pairs(environment.versions) if environment is not None and self.args.packages else []

    def _note(self) -> list[str]:
        note = str(self.run.tags.get(NOTE_TAG, ""))
        return text.clean_lines(note) if note else []

    def _pairs(self, values: object) -> list[str]:
        items = dict(values)  # type: ignore[call-overload]
        rows = [[text.clean(key), text.exact(items[key])] for key in sorted(items)]
        return self._table([render.Column("name"), render.Column("value", least=8)], rows)

    def _metrics(self) -> list[str]:
        columns = [
            render.Column("name"),
            render.Column("value", right=True),
            render.Column("history"),
            render.Column("points", least=4),
        ]
        rows = [
            [text.clean(key), text.number(self.run.metrics[key], 6), *self._history(key)]
            for key in sorted(self.run.metrics)
        ]
        return self._table(columns, rows) + self._reduced()

    def _reduced(self) -> list[str]:
        """Return what to say if the histories are so long that not all of their points are here."""
        from ledgit.records.record import REDUCED_POINTS

        if not self.record.full or self.longest > REDUCED_POINTS:  # what was read once is kept beside the cache
            return []
        from ledgit.artifacts import Cache

        cache = Cache(context.repository().folder.cache)
        if all(cache.has(oid) for oid, _ in self.record.full):
            return []
        return [
            f"at most {REDUCED_POINTS:,} points of each are here; 'ledgit artifacts fetch {self.run.id[:8]}' gets all"
        ]

    def _history(self, key: str) -> tuple[str, str]:
        """Return a metric's history as a line, and what to say about it."""
        try:
            values = self.run.history(key).values
        except NotHere:
            low, high = self.run.ranges.get(key, (0.0, 0.0))
            return "", f"{text.number(low)} to {text.number(high)}" if key in self.run.ranges else ""
        except LedgitError as error:
            return "", text.clean(f"history not here: {error}")
        self.longest = max(self.longest, len(values))
        if len(values) < 2:
            return "", ""
        return sparkline(values, SPARK), f"{len(values)} points{_best(values, direction(key, self.directions))}"

    def _inputs(self) -> list[str]:
        rows = [
            [
                text.clean(item.name),
                text.clean(item.digest)[:16],
                "" if fact.size is None else text.size(fact.size),
                "" if fact.rows is None else f"{fact.rows} row{'' if fact.rows == 1 else 's'}",
                text.clean(item.context),
                text.clean(source_words(item.source_type, item.source)),
            ]
            for item in self.record.inputs
            for fact in input_facts([item])
        ]
        columns = [render.Column(name, least=6) for name in ("name", "digest", "size", "rows", "context", "source")]
        return self._table(
            [column for place, column in enumerate(columns) if any(row[place] for row in rows)],
            [[cell for place, cell in enumerate(row) if any(other[place] for other in rows)] for row in rows],
        )

    def _artifacts(self) -> list[str]:
        rows = [
            [
                text.clean(item.path),
                text.size(item.size),
                text.clean(item.digest)[:16],
                "" if item.stored == "git" else item.stored,
            ]
            for item in self.record.artifacts
        ]
        return self._table(
            [
                render.Column("path", least=12),
                render.Column("size", right=True),
                render.Column("digest"),
                render.Column("in"),
            ],
            rows,
        )

    def _left_out(self) -> list[str]:
        rows = [
            [text.clean(path), text.size(size), text.clean(why)] for path, size, why in self.record.info.code.left_out
        ]
        return self._table([render.Column("path"), render.Column("size", right=True), render.Column("why")], rows)

    def _table(self, columns: list[render.Column], rows: list[list[str]]) -> list[str]:
        limit = None if self.limit is None else self.limit - 2
        return render.table(columns, rows, style=self.style, limit=limit, header=False)[0] if rows else []


def _quoted(words: Iterable[str]) -> list[str]:
    from shlex import quote

    return [quote(word) for word in words]


def _best(values: Sequence[float], way: str | None) -> str:
    """Return the best value of a history where it is known which way is better."""
    known = [value for value in values if not math.isnan(value)]
    if way is None or not known:
        return ""
    return f", best {text.number(max(known) if way == 'maximize' else min(known))}"


def source_words(kind: str, source: str) -> str:
    """Return where a data set came from, in words: sources that are JSON hold more than a line can show."""
    import json

    try:
        facts = json.loads(source) if source.startswith("{") else {}
    except (ValueError, RecursionError):
        facts = {}
    known = {key: str(value) for key, value in facts.items() if value} if isinstance(facts, dict) else {}
    if kind == "dvc":
        url, state = known.get("url", ""), known.get("state", "")
        marks = [word for word in (f"in {url}" if url else "", state if state != "verified" else "") if word]
        return f"{known.get('pointer', 'DVC')}{', ' if marks else ''}{', '.join(marks)}"
    return next((known[key] for key in ("path", "uri", "url", "name") if key in known), "" if known else source)
