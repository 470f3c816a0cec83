"""What no tag can get past, by many altered ones."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import GitFunction, run_git
from tests.registry.conftest import MakeRun
from tests.registry.keys import allow, make_ssh_key, sign_with_ssh

import ledgit
from ledgit.registry import Registry
from ledgit.registry.receiving import check_push
from ledgit.registry.signatures import BAD, GOOD, NONE, UNKNOWN, is_signed, read_verdict
from ledgit.registry.tags import parse_tag_object, person, trailers

ZERO = "0" * 40


def test_no_altered_byte_of_a_signed_promotion_is_let_in(
    repo: Path, tmp_path: Path, make_run: MakeRun, registry: Registry, git: GitFunction
) -> None:
    """Wherever it is, and whatever it becomes: the signature is of another text, or there is none."""
    (repo / ".ledgit").mkdir()
    (repo / ".ledgit" / "config.yaml").write_text("registry:\n  policy:\n    - {stages: '*', signed: true}\n")
    git(repo, "add", ".ledgit")
    git(repo, "commit", "-qm", "agree")
    key = make_ssh_key(tmp_path / "keys", "ada")
    sign_with_ssh(repo, key)
    allow(repo, tmp_path / "signers", ada=key)
    registry.register(make_run(), "churn")
    registry.promote("churn@1", "prod", sign=True)
    ref = "refs/tags/churn#prod#1"
    genuine = (git(repo, "cat-file", "tag", ref) + "\n").encode()
    oid = git(repo, "rev-parse", ref)
    git(repo, "update-ref", "-d", ref)
    server = ledgit.open(repo)
    assert [] == check_push(server, [(ZERO, oid, ref)], {})
    signed = genuine.index(b"-----BEGIN SSH")

    @settings(max_examples=30)
    @given(st.integers(0, signed - 1), st.integers(0, 255))
    def alter(place: int, byte: int) -> None:
        forged = bytearray(genuine)
        if forged[place] == byte:
            return
        forged[place] = byte
        # What a stranger's Git stores, whatever ours would say to it.
        made = run_git(repo, "hash-object", "-t", "tag", "-w", "--literally", "--stdin", stdin=bytes(forged))

        assert check_push(server, [(ZERO, made, ref)], {}), (place, byte)

    alter()


@given(st.binary(max_size=300))
def test_any_bytes_are_a_tag_with_a_problem(content: bytes) -> None:
    """No object makes the hook fail in another way than by refusing it."""
    found = parse_tag_object("a" * 40, content)

    assert found.message is None
    assert found.problem


@given(st.text(max_size=60))
def test_any_text_is_somebody(text: str) -> None:
    """Or nobody."""
    who, when = person(text)

    assert isinstance(who.address, str)
    assert when >= 0


@given(st.sampled_from(["ssh", "gpg", "x509"]), st.integers(-15, 255), st.text(max_size=200))
def test_only_a_zero_and_git_s_own_words_make_a_signature_good(kind: str, code: int, said: str) -> None:
    """Whatever else a program prints."""
    found = read_verdict(kind, code, said)

    assert found.state in {GOOD, BAD, UNKNOWN}
    assert found.state != GOOD or code == 0


def test_a_good_line_does_not_help_where_git_failed() -> None:
    """As when a signature is good and its key expired or not allowed."""
    good = 'Good "git" signature for ada@example.org with ED25519 key SHA256:abc\n'
    gpg = "[GNUPG:] GOODSIG ABC Ada <ada@example.org>\n[GNUPG:] VALIDSIG DEF 2026\n"

    assert (GOOD, "ada@example.org") == ((one := read_verdict("ssh", 0, good)).state, one.address)
    assert UNKNOWN == read_verdict("ssh", 1, good).state
    assert (GOOD, "DEF") == ((one := read_verdict("gpg", 0, gpg)).state, one.key)
    assert UNKNOWN == read_verdict("gpg", 1, gpg).state
    assert BAD == read_verdict("gpg", 1, "[GNUPG:] EXPKEYSIG ABC Ada <ada@example.org>\n").state
    assert BAD == read_verdict("gpg", 1, "[GNUPG:] REVKEYSIG ABC Ada <ada@example.org>\n").state
    assert UNKNOWN == read_verdict("gpg", 1, "error: cannot run gpg: No such file or directory\n").state


def test_a_signature_begins_a_line() -> None:
    """Words about one in a message are none."""
    assert "" == is_signed(b"object x\n\nsay -----BEGIN PGP SIGNATURE-----\n")
    assert "gpg" == is_signed(b"object x\n\nwords\n-----BEGIN PGP SIGNATURE-----\n")
    assert NONE == "none"


def test_trailers_are_lines_of_their_own() -> None:
    """In the middle of one they are words."""
    message = "Register\n\nLedgit-Run: a\nsee Ledgit-Run: b\nLedgit-Run: c\n"

    assert ["a", "c"] == trailers(message, "Ledgit-Run")


def test_numbers_of_other_scripts_are_no_numbers(
    repo: Path, make_run: MakeRun, registry: Registry, git: GitFunction
) -> None:
    """Python calls a raised one a digit; as a tag's date or a claim's number it must stop nobody from working."""
    run = make_run()
    registry.register(run, "churn")
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "update-ref", "refs/ledgit/versions/churn/\u00b9", head)
    forged = f"object {head}\ntype commit\ntag spam@v1.0.0\ntagger Eve <eve@example.org> \u00b9 +0000\n\nwords\n"
    oid = git(repo, "hash-object", "-t", "tag", "-w", "--literally", "--stdin", stdin=forged.encode())
    git(repo, "update-ref", "refs/tags/spam@v1.0.0", oid)
    fresh = Registry(ledgit.open(repo))

    made = fresh.register(run, "churn")

    assert 2 == made.number
    assert ["churn"] == [model.name for model in fresh.models()]
    assert any(problem.name == "spam@v1.0.0" for problem in fresh.state.problems)
