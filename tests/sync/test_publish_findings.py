"""What a push must not publish: secrets, files that the host refuses, and what stands on them."""

from __future__ import annotations

import sys

import pytest
from tests.sync.publish_kit import TOKEN, Clone

from ledgit.errors import ConfigError, MissingDependency
from ledgit.store.edit import Edit, edit_run
from ledgit.store.sync.held import REFUSED, SECRET, SIZE, Held, hold


def test_a_secret_holds_its_run_and_no_other(clone: Clone) -> None:
    """The reason names file, line, kind and first characters; never the secret."""
    first = clone.run("first")
    bad = clone.run("bad", params={"lr": 0.1, "password": "hunter2"})
    last = clone.run("last")

    found = clone.review()

    assert found.publish == [first, last]
    (finding,) = found.findings
    assert (finding.runs, finding.path, finding.line) == ((bad,), ".ledgit/run/params.yaml", 2)
    held = found.held[bad]
    assert held.kind == SECRET
    assert "params.yaml:2" in held.reason
    assert "--allow-secret" in held.reason
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"tags": {"url": "https://ada:hunter2@example.org/x"}}, ".ledgit/run/tags.yaml"),
        ({"params": {"hf": "hf_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iLmN"}}, ".ledgit/run/params.yaml"),
        ({"files": {"logs/out.txt": f"using {TOKEN}\n"}}, ".ledgit/run/artifacts/logs/out.txt"),
    ],
)
def test_values_and_files_of_a_run_are_scanned(clone: Clone, options: dict[str, object], path: str) -> None:
    """Whatever a run logs becomes public with it."""
    run = clone.run("bad", **options)  # type: ignore[arg-type]

    found = clone.review()

    assert list(found.held) == [run]
    assert [finding.path for finding in found.findings] == [path]


def test_uncommitted_changes_are_scanned(clone: Clone) -> None:
    """A token typed into train.py for an afternoon."""
    clone.write(train__py=f"import x\nx.login('{TOKEN}')\n")
    bad = clone.run("bad")

    found = clone.review(policy="all")

    assert (found.findings[0].runs, found.findings[0].path, found.findings[0].line) == ((bad,), "train.py", 2)
    assert found.findings[0].kind == "a GitHub token"


def test_what_a_later_commit_removed_is_found(clone: Clone) -> None:
    """In code as well as in the tags of a run: history is pushed too."""
    clone.commit("Oops", leak__py=f"token = '{TOKEN}'\n")
    clone.git(clone.path, "rm", "-q", "leak.py")
    clone.git(clone.path, "commit", "-q", "-m", "Remove it")
    code = clone.run("code")
    clone.git(clone.path, "push", "-q", "origin", "main~2:refs/heads/old")
    tagged = clone.run("tagged", tags={"password": "hunter2"})
    edit_run(clone.repo, clone.folder, tagged, Edit(delete_tags=("password",)))

    found = clone.review(policy="all")

    assert set(found.held) == {code, tagged}
    by_path = {finding.path: finding.runs for finding in found.findings}
    assert by_path["leak.py"] == (code, tagged)
    assert by_path[".ledgit/run/tags.yaml"] == (tagged,)


def test_commit_messages_are_scanned(clone: Clone) -> None:
    """They are pushed with the code."""
    clone.commit(f"Log in with {TOKEN}")
    run = clone.run("told")

    found = clone.review(policy="all")

    assert list(found.held) == [run]
    assert found.findings[0].path == "commit message"


def test_what_is_public_already_is_not_held_against_a_run(clone: Clone) -> None:
    """A public file that is moved, or was there before."""
    clone.commit("Test data", sample__py=f"token = '{TOKEN}'\n")
    clone.git(clone.path, "push", "-q", "origin", "main")
    same = clone.run("same")
    (clone.path / "sample.py").rename(clone.path / "moved.py")
    moved = clone.run("moved")

    found = clone.review(policy="all")

    assert found.publish == [same, moved]
    assert found.findings == []


def test_a_finding_can_be_let_through(clone: Clone) -> None:
    """For a run by the call, for a line by a remark, for paths and texts by the committed configuration."""
    clone.write(train__py=f"token = '{TOKEN}'\n")
    run = clone.run("bad")
    assert clone.review(policy="all").publish == []

    allowed = clone.review(policy="all", allow_secrets=[run])
    assert allowed.publish == [run]
    assert allowed.findings[0].allowed

    assert clone.review(policy="all", scan=False).publish == [run]
    for pattern in ("train.py", "re:ghp_.*"):
        (clone.path / ".ledgit").mkdir(exist_ok=True)
        (clone.path / ".ledgit" / "config.yaml").write_text(f"secrets:\n  allow: ['{pattern}']\n")
        assert clone.review(policy="all").publish == [run]
    (clone.path / ".ledgit" / "config.yaml").write_text("secrets: yes\n")
    with pytest.raises(ConfigError, match="secrets"):
        clone.review(policy="all")

    clone.git(clone.path, "config", "ledgit.secretScan", "false")
    assert clone.review(policy="all").publish == [run]


def test_the_scan_says_how_far_it_is(clone: Clone) -> None:
    """For a bar, where there is much to scan."""
    clone.run("one")
    told: list[tuple[str, int, int | None]] = []

    clone.review(progress=lambda *step: told.append(step))

    assert told
    assert all(done <= (total or 0) for _, done, total in told)


def test_a_large_text_is_named_not_scanned(clone: Clone) -> None:
    """And the run goes."""
    clone.commit("Data", big__csv="1,2\n" * 1_400_000)
    clone.git(clone.path, "config", "ledgit.publish", "all")
    run = clone.run("big")

    found = clone.review()

    assert found.publish == [run]
    assert any("big.csv" in note and "not scanned" in note for note in found.notes)


# --- sizes


def test_a_file_larger_than_the_host_takes_holds_its_run(clone: Clone) -> None:
    """The reason names the file and its size; other runs go."""
    fine = clone.run("fine")
    clone.git(clone.path, "config", "ledgit.maxObjectSize", "1m")
    clone.commit("Weights", weights__bin="x" * (2 << 20))
    large = clone.run("large")

    found = clone.review(policy="all")

    assert found.publish == [fine]
    assert found.held[large].kind == SIZE
    assert "weights.bin is 2 MB" in found.held[large].reason

    clone.git(clone.path, "config", "ledgit.maxObjectSize", "0")
    assert clone.review(policy="all").publish == [fine, large]


def test_a_large_file_on_a_known_host_is_remarked_upon(clone: Clone) -> None:
    """GitHub refuses 100 MB and advises against 50."""
    clone.git(clone.path, "remote", "set-url", "origin", "https://github.com/owner/repo.git")
    size = 52 << 20
    with (clone.path / "w.bin").open("wb") as file:
        file.truncate(size)
    clone.git(clone.path, "config", "ledgit.snapshotMaxFile", "60m")
    run = clone.run("large")

    found = clone.review(policy="all")

    assert found.publish == [run]
    assert [note for note in found.notes if "w.bin is 52 MB" in note and "GitHub" in note]


# --- runs that depend on others


def test_a_run_started_from_a_held_run_stays_with_it(clone: Clone) -> None:
    """Its commit would bring the other one's along."""
    bad = clone.run("bad", params={"password": "hunter2"})
    head = next(run for run in clone.candidates() if run.id == bad).heads[0]
    clone.git(clone.path, "checkout", "-q", "--detach", head)
    child = clone.run("child")
    clone.git(clone.path, "checkout", "-q", "main")
    fine = clone.run("fine")

    found = clone.review()

    assert found.publish == [fine]
    assert found.held[child].kind == SECRET
    assert found.carried == {child: {bad}}


def test_a_run_that_the_host_refused_stays_until_it_changes(clone: Clone) -> None:
    """The host would refuse it again; what was started from it stays as well."""
    refused = clone.run("refused")
    head = next(run for run in clone.candidates() if run.id == refused).heads
    clone.git(clone.path, "checkout", "-q", "--detach", head[0])
    child = clone.run("child")
    clone.git(clone.path, "checkout", "-q", "main")
    note = Held(head, "the host said no", REFUSED, 1, "origin")
    hold(clone.folder, {refused: note})

    found = clone.review()
    assert found.publish == []
    assert found.held[refused] == note
    assert "started from the code of run refused" in found.held[child].reason

    edit_run(clone.repo, clone.folder, refused, Edit(set_tags={"a": "b"}))
    assert set(clone.review().publish) == {refused, child}


def test_only_the_new_run_is_scanned(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other runs on the remote, a push of one reads that run's files alone."""
    import ledgit.store.sync.secrets as secrets

    for number in range(5):
        clone.run(f"old {number}", params={"number": number})
    clone.publish()
    run = clone.run("new", params={"number": 99})
    scanned: list[str] = []
    scan = secrets.scan_blob

    def watched(path: str, data: bytes) -> list[secrets.Hit]:
        scanned.append(path)
        return scan(path, data)

    monkeypatch.setattr(secrets, "scan_blob", watched)

    found = clone.review(candidates=[new for new in clone.candidates() if new.id == run])

    assert found.publish == [run]
    assert len(scanned) == len(set(scanned))
    assert sum(path.endswith("params.yaml") for path in scanned) == 1


def test_a_thorough_scan_knows_more_kinds(clone: Clone) -> None:
    """By a library's rules, on top of ours, and with the same excuses."""
    token = "rubygems_" + "0123456789abcdef" * 3
    clone.write(train__py=f"key = '{token}'\n")
    run = clone.run("odd")
    assert clone.review(policy="all").publish == [run]

    clone.git(clone.path, "config", "ledgit.secretScan", "thorough")
    found = clone.review(policy="all")

    assert list(found.held) == [run]
    assert found.findings[0].line == 1
    assert "Kingfisher" in found.held[run].reason
    assert token not in repr(found)


def test_a_thorough_scan_without_its_library_says_what_to_install(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than scan less than was asked for."""
    clone.run("any")
    clone.git(clone.path, "config", "ledgit.secretScan", "thorough")
    monkeypatch.setitem(sys.modules, "kingfisher_sdk", None)

    with pytest.raises(MissingDependency, match=r"ledgit\[secrets\]"):
        clone.review()


def test_an_impossible_setting_of_the_scan_is_said(clone: Clone) -> None:
    """A typing error must not switch the scan off."""
    clone.run("any")
    clone.git(clone.path, "config", "ledgit.secretScan", "thorogh")

    with pytest.raises(ConfigError, match=r"(?i)ledgit\.secretScan"):
        clone.review()
