"""Runs go from clone to clone, and everybody ends with the same ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.faults.kit import fingerprint
from tests.sync.kit import LEDGER, Clone, inboxes, lines_of, make_clone, make_host, tree_of


def always_first(host: Path, ref: str) -> Path:
    """A hook that moves *ref* between a client's look and its push: somebody else was quicker."""
    hook = host / "hooks" / "update"
    who = "-c user.name=x -c user.email=x@example.org"
    make = f'git {who} commit-tree "{ref}^{{tree}}" -p {ref} -m "other"'
    hook.write_text(f'#!/bin/sh\n[ "$1" = {ref} ] || exit 0\ngit update-ref {ref} $({make})\n')
    hook.chmod(0o755)
    return hook


def test_a_run_goes_from_one_clone_to_another(ada: Clone, ben: Clone, host: Path) -> None:
    run = ada.log()

    pushed, pulled = ada.push(), ben.pull()

    assert [run] == pushed.sent.new == pulled.changes.new
    assert {run} == ada.listed() == ben.listed() == lines_of(host)
    assert ada.tree == ben.tree == tree_of(host, LEDGER)
    assert ada.ledger == ben.ledger == run_git(host, "rev-parse", LEDGER)
    assert set() == ada.loose() == ben.loose()


def test_pushes_and_pulls_in_any_order_end_in_the_same_tree(ada: Clone, ben: Clone, host: Path, tmp_path: Path) -> None:
    """Two people and a CI job, who edit the same runs."""
    bot = make_clone(str(host), tmp_path / "bot")
    shared = ada.log("shared")
    ada.push()
    ben.pull()
    bot.pull()
    ada.edit(shared, set_tags={"reviewed": "ada"})
    ben.edit(shared, set_tags={"reviewed": "ben", "good": "yes"})
    bot.edit(shared, deleted=True)
    mine = [clone.log(clone.path.name) for clone in (ada, ben, bot) for _ in range(3)]
    ben.compact()

    for clone, verb in ((bot, "push"), (ada, "pull"), (ben, "push"), (ada, "push"), (bot, "pull"), (ben, "pull")):
        getattr(clone, verb)()

    assert {shared, *mine} == lines_of(host)
    assert 1 == len({ada.tree, ben.tree, bot.tree, tree_of(host, LEDGER)})
    assert 3 == len(ada.heads(shared))
    assert 1 == len({ada.ledger, ben.ledger, bot.ledger})
    for clone in (ada, ben, bot):
        assert set() == clone.loose()
        clone.git("fsck", "--strict")
    run_git(host, "fsck", "--strict")


def test_nothing_new_writes_nothing(ada: Clone, host: Path) -> None:
    ada.log()
    ada.push()
    before = (ada.refs(), run_git(host, "for-each-ref"), run_git(host, "count-objects", "-v"))

    again, pulled = ada.push(), ada.pull()

    assert 0 == again.attempts
    assert not again.sent
    assert not pulled.changes
    assert before == (ada.refs(), run_git(host, "for-each-ref"), run_git(host, "count-objects", "-v"))


def test_a_first_push_of_nothing_makes_no_ledger(ada: Clone, host: Path) -> None:
    assert 0 == ada.push().attempts
    assert "refs/heads/main" == run_git(host, "for-each-ref", "--format=%(refname)")


def test_edits_deletions_and_restorations_travel(ada: Clone, ben: Clone) -> None:
    run = ada.log()
    ada.push()
    ben.pull()
    ben.edit(run, deleted=True)
    gone = ben.push()
    seen = ada.pull()
    ada.edit(run, deleted=False)
    back = ada.push()

    assert [run] == gone.sent.edited == seen.changes.edited == back.sent.edited
    assert [] == gone.sent.new
    assert ada.ledger == run_git(ada.path, "rev-parse", "refs/ledgit/remotes/origin/ledger")
    ben.pull()
    assert ada.tree == ben.tree


def test_history_is_one_line_that_carries_every_head(ada: Clone, ben: Clone, host: Path) -> None:
    """No ledger has two ledgers as parents, and the run's commits are all reached."""
    for clone in (ada, ben, ada, ben):
        clone.pull()
        clone.log()
        clone.compact()
        clone.log()
        clone.push()
    ada.pull()

    line = run_git(
        host, "rev-list", "--first-parent", "--reverse", "--grep=^Ledgit-Run", "--invert-grep", LEDGER
    ).split()
    roots = {run_git(host, "log", "-1", "--format=%(trailers:key=Ledgit-Root,valueonly)", tip) for tip in line[1:]}
    carried = set(run_git(host, "rev-list", LEDGER).split())
    heads = {head for run in ada.listed() for head in ada.heads(run)}

    assert 4 == len(line)
    assert {line[0]} == {root.strip() for root in roots}
    assert heads <= carried
    assert 8 == len(heads)
    assert 4 + 8 == len(carried)


def test_an_inbox_is_taken_in_by_the_next_push(
    ada: Clone, ben: Clone, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that always says somebody else was first, but for inboxes."""
    ada.log()
    ada.push()
    late = ben.log("late")
    hook = always_first(host, LEDGER)

    left = ben.push(losses=1)
    hook.unlink()
    seen = ada.pull()
    taken = ada.push()
    again = ben.pull()

    assert left.inbox is not None
    assert [late] == left.sent.new == seen.changes.new
    assert {late} & ben.listed()
    assert 1 == taken.attempts
    assert [] == inboxes(host)
    assert not again.changes
    assert ada.tree == ben.tree == tree_of(host, LEDGER)
    assert set() == ben.loose()
    assert [] == run_git(ben.path, "for-each-ref", "refs/ledgit/remotes/origin/inbox").split()


def test_an_inbox_that_was_taken_in_but_not_deleted_goes(ada: Clone, ben: Clone, host: Path) -> None:
    """Whoever took it in was stopped in between."""
    run = ada.log()
    ada.push()
    run_git(host, "update-ref", "refs/ledgit/inbox/0123456789abcdef-00000000", LEDGER)

    pushed = ben.push()

    assert 0 == pushed.attempts
    assert [] == inboxes(host)
    assert {run} == ben.listed()


@pytest.mark.parametrize("loss", ["deleted", "rewound", "mirrored"])
def test_a_ledger_that_the_remote_lost_is_restored(
    ada: Clone, ben: Clone, host: Path, tmp_path: Path, loss: str
) -> None:
    """By any clone that has it, and as it was: the same commits."""
    runs = {ada.log() for _ in range(3)}
    ada.push()
    runs.add(ada.log())
    ada.push()
    ben.pull()
    lost = run_git(host, "rev-parse", LEDGER)
    if loss == "deleted":
        run_git(host, "update-ref", "-d", LEDGER)
    elif loss == "rewound":
        run_git(host, "update-ref", LEDGER, f"{LEDGER}~1")
    else:
        run_git(tmp_path, "clone", "-q", str(host), "carol")
        run_git(tmp_path / "carol", "push", "-q", "--mirror", str(host))
        assert runs & lines_of(host) == set()

    kept = ben.pull()
    told = ben.push()
    new = ada.log()
    ada.push()

    assert [] == kept.changes.gone
    assert runs == ben.listed()
    # A pull takes note of what a remote was set back to; one that is empty is still known to have lost it.
    assert (loss != "rewound") == any("had lost its ledger" in note for note in told.notes)
    assert (1 if loss == "rewound" else 4) == len(told.sent.new)
    assert lost == run_git(host, "rev-parse", f"{LEDGER}~1")
    assert {*runs, new} == lines_of(host)


def test_a_ledger_rewound_and_pushed_to_is_joined_again(ada: Clone, ben: Clone, host: Path, tmp_path: Path) -> None:
    """Somebody without the lost part pushes first; then comes who has it."""
    old = ada.log()
    ada.push()
    ben.pull()
    lost = ada.log()
    ada.push()
    run_git(host, "update-ref", LEDGER, f"{LEDGER}~1")
    late = ben.log()
    ben.push()

    ada.push()
    ben.pull()

    assert {old, lost, late} == lines_of(host)
    assert ada.tree == ben.tree == tree_of(host, LEDGER)
    assert set(ada.heads(lost)) <= set(run_git(host, "rev-list", LEDGER).split())


def test_two_remotes_have_a_line_each_and_the_same_table(ada: Clone, host: Path, tmp_path: Path) -> None:
    """Repeated pushes to both add nothing."""
    from ledgit.store.sync import PushOptions, find_remote
    from ledgit.store.sync.pull import pull
    from ledgit.store.sync.push import push

    other = make_host(tmp_path / "hosts" / "other.git")
    ben = make_clone(str(other), tmp_path / "ben")
    first, second = ada.log(), ben.log()
    ada.push()
    ben.push()
    ada.git("remote", "add", "backup", str(other))
    backup = find_remote(ada.repo, "backup")

    pull(ada.repo, ada.folder, backup)
    ada.push()
    push(ada.repo, ada.folder, backup, PushOptions(policy="all"))
    tips = [run_git(path, "rev-parse", LEDGER) for path in (host, other)]
    ada.push()
    push(ada.repo, ada.folder, backup, PushOptions(policy="all"))

    assert {first, second} == lines_of(host) == lines_of(other)
    assert tree_of(host, LEDGER) == tree_of(other, LEDGER)
    assert tips == [run_git(path, "rev-parse", LEDGER) for path in (host, other)]
    for path in (host, other):
        run_git(path, "fsck", "--strict")


def test_runs_can_live_in_another_repository_than_the_code(ada: Clone, host: Path, tmp_path: Path) -> None:
    """Private runs of public code: an address instead of a remote's name."""
    private = make_host(tmp_path / "hosts" / "private.git")
    ada.git("config", "ledgit.remote", str(private))
    run = ada.log()

    ada.push()

    assert {run} == lines_of(private)
    assert set() == lines_of(host)
    assert "origin" == ada.git("remote")


def test_a_branch_can_carry_the_ledger(ada: Clone, ben: Clone, host: Path) -> None:
    """For hosts that take branches alone: nothing outside refs/heads is pushed."""
    hook = host / "hooks" / "pre-receive"
    hook.write_text('#!/bin/sh\ngrep -qv " refs/heads/" || exit 0\necho "only branches here" >&2\nexit 1\n')
    hook.chmod(0o755)
    for clone in (ada, ben):
        clone.git("config", "ledgit.ledgerRef", "refs/heads/ledgit")
    runs = {ada.log()}
    ada.push()
    runs.add(ben.log())
    race = always_first(host, "refs/heads/ledgit")
    left = ben.push(losses=1)
    race.unlink()
    ada.push()

    assert (left.inbox or "").startswith("refs/heads/ledgit-inbox/")
    assert runs == lines_of(host, "refs/heads/ledgit")
    assert {"refs/heads/main", "refs/heads/ledgit"} == set(run_git(host, "for-each-ref", "--format=%(refname)").split())


def test_nothing_of_the_users_is_touched(ada: Clone, ben: Clone, tmp_path: Path) -> None:
    """Work tree, index, HEAD, branches, configuration, FETCH_HEAD, reflogs, shallow: all as they were."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "reference-transaction", "post-checkout", "pre-auto-gc"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
        (hooks / name).chmod(0o755)
    for clone in (ada, ben):
        clone.git("fetch", "-q")  # writes FETCH_HEAD
        clone.git("tag", "-a", "-m", "mine", "v1")
        (clone.path / "train.py").write_text("print('changed')\n")
        clone.git("config", "core.hooksPath", str(hooks))
        clone.git("config", "push.followTags", "true")
        clone.git("config", "core.logAllRefUpdates", "always")
    ada.log()
    before = [fingerprint(clone.path) for clone in (ada, ben)]

    ada.push()
    ben.pull()

    assert before == [fingerprint(clone.path) for clone in (ada, ben)]
    assert 1 == len(ben.listed())
    assert not (tmp_path / "ran").exists()
    assert "" == ada.git("ls-remote", "--tags", "origin")


def test_a_new_root_is_followed_and_leaves_nothing_of_what_was_purged(ada: Clone, ben: Clone, host: Path) -> None:
    """By a clone that held the old ledger, has runs of its own, and pushes afterwards."""
    kept, leaked = ada.log("kept"), ada.log("leaked")
    ada.push()
    ben.pull()
    secret = ada.heads(leaked)[0]
    ada.purge(leaked)
    ada.push()
    root = root_of_everything(ada)
    run_git(ada.path, "push", "-q", "--force", str(host), f"{root}:{LEDGER}")
    mine = ben.log("mine")
    ben.compact()

    ben.push(accept_purges=True)
    ada.pull()

    for path in (host, ben.path, ada.path):
        run_git(path, "reflog", "expire", "--expire=now", "--all")
        run_git(path, "gc", "-q", "--prune=now")
        run_git(path, "fsck", "--strict")
        assert "missing" in run_git(path, "cat-file", "--batch-check", stdin=secret.encode())
    assert {kept, mine} == lines_of(host) == ada.listed() == ben.listed()
    assert root == run_git(host, "rev-parse", f"{LEDGER}^1")


def root_of_everything(clone: Clone) -> str:
    """A ledger without a previous one, as `gc --purge` makes it."""
    from ledgit.git import Objects, ObjectSet
    from ledgit.store.ledger import commit_ledger, every_line

    objects, fresh = Objects(clone.repo), ObjectSet()
    heads = [line.head for _, line in every_line(objects, clone.tree) if line.head]
    root = commit_ledger(
        objects, fresh, clone.tree or "", None, heads, who=("Ada", "a@example.org"), when=1_795_000_000
    )
    fresh.write(clone.repo).release()
    return root
