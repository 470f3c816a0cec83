"""What looks like a secret, and what only looks a little like one."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import ConfigError
from ledgit.store.sync.secret_rules import ASSIGNMENT, KEYWORDS, RULES, SHORTEST, may_assign
from ledgit.store.sync.secrets import Allowed, is_scanned, scan_blob

_LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iL"
_HEX = hashlib.sha512(b"x").hexdigest()


def token(prefix: str, length: int, alphabet: str = _LETTERS) -> str:
    """Return a token that no scanner of this file's own text finds."""
    return prefix + (alphabet * 9)[:length]


# Kind → what a service hands out.
TOKENS = {
    "an AWS access key": token("AKIA", 16, "Q3EGHIJK7MNPQRSTU2WX"),
    "a GitHub token": token("ghp_", 36),
    "a GitLab token": token("glpat-", 20),
    "a Slack token": "xoxb-" + "123456789012-1234567890123-" + token("", 24),
    "a Slack webhook": "https://hooks.slack" + ".com/services/T00000000/B00000000/" + token("", 24),
    "a Hugging Face token": token("hf_", 34),
    "an OpenAI key": token("sk-proj-", 48),
    "an Anthropic key": token("sk-ant-api03-", 80),
    "an API key": token("sk-", 48),
    "a Google API key": token("AIza", 35),
    "a Google OAuth secret": token("GOCSPX-", 28),
    "an Azure storage key": "AccountName=x;AccountKey=" + token("", 86) + "==",
    "a Stripe key": token("sk_live_", 24),
    "a PyPI token": token("pypi-AgEIcHlwaS5vcmc", 60),
    "an npm token": token("npm_", 36),
    "a Docker token": token("dckr_pat_", 27),
    "a Databricks token": "dapi" + _HEX[:32],
    "a DigitalOcean token": "dop_v1_" + _HEX[:64],
    "a SendGrid key": token("SG.", 22) + "." + token("", 43),
    "a Telegram token": "1234567890:AA" + token("", 33),
    "a Mailchimp key": _HEX[:32] + "-us12",
    "a Twilio key": "SK" + _HEX[:32],
    "a JSON web token": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + token("", 43),
    "a Neptune token": "eyJhcGlfYWRkcmVzcyI" + token("", 60),
    "a Weights & Biases key": token("wandb_v1_", 60),
    "an NVIDIA key": token("nvapi-", 64),
    "a Vault token": token("hvs.", 40),
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA " + "PRIVATE KEY-----",
    "an age secret key": "AGE-SECRET-KEY-1" + token("", 58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    "a password in a URL": "postgres://" + "ada:hunter2@db.internal:5432/runs",
    "a token in a URL": "https://" + token("", 30) + "@git.internal/x.git",
}


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("frame", ['KEY = "{}"\n', "export X={}\n", "first\n\n# see {} here\n", '{{"a": "{}"}}', "{}"])
def test_tokens_of_well_known_services_are_found(kind: str, frame: str) -> None:
    """Wherever they stand, on their line, with their kind, and never shown whole."""
    text = frame.format(TOKENS[kind])

    (hit,) = scan_blob("train.py", text.encode())

    assert hit.kind == kind
    assert hit.line == frame[: frame.index("{}")].count("\n") + 1
    assert hit.secret in text
    assert hit.secret not in repr(hit)
    assert len(hit.shown) <= 5


def test_every_rule_is_tried_by_its_kind() -> None:
    """No rule about words asks for fewer bytes than the words that are looked at have."""
    shortest = min(len(value) for value in TOKENS.values())

    assert shortest >= SHORTEST
    assert all(rule.anchors for rule in RULES)


def test_aws_secret_keys_are_found_by_the_name_before_them() -> None:
    """Forty characters alone could be anything."""
    key = token("", 40, "wJalrXUtnFEMI/K7MDENG+bPxRfiCY")

    (hit,) = scan_blob("train.py", f'aws_secret_access_key = "{key}"\n'.encode())

    assert hit.kind == "an AWS secret key"
    assert scan_blob("train.py", f'digest = "{key}"\n'.encode()) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".ledgit/run/params.yaml", 'password: "hunter2"\n'),
        (".ledgit/run/params.yaml", 'db.password: "correct-horse"\n'),
        (".ledgit/run/params.yaml", "password: 123456\n"),
        (".ledgit/run/tags.yaml", 'mlflow.note.content: "use password: hunter2 for it"\n'),
        (".ledgit/run/tags.yaml", 'WANDB_API_KEY: "' + _HEX[:40] + '"\n'),
        ("train.py", 'PASSWORD = "hunter2"\n'),
        ("train.py", "connect(user='ada', password='s3cr3t!')\n"),
        ("train.py", 'config["db_password"] = "s3cr3t!"\n'),
        ("train.py", 'def f(password: str = "s3cr3t!") -> None: ...\n'),
        ("train.py", '    "client_secret": "8fj3kd9sm2",\n'),
        ("train.py", 'auth_token = "' + _HEX[:40] + '"\n'),
        ("notebook.ipynb", '   "source": ["password = \\"hunter2\\"\\n"]\n'),
        (".env", "DB_PASSWORD=hunter2\n"),
        ("deploy.sh", "export MYSQL_PWD=hunter2\n"),
        ("conf/app.toml", "smtp_pass = 'a1b2c3d4'\n"),
        ("app.properties", "spring.datasource.password=hunter2\n"),
        ("curl.txt", "Authorization: Bearer " + _HEX[:40] + "\n"),
    ],
)
def test_values_of_telling_names_are_found(path: str, text: str) -> None:
    """A password may be any word; a token has to look like one."""
    (hit,) = scan_blob(path, text.encode())

    assert hit.kind.startswith(("the value of", "credentials"))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("train.py", "password = getpass('Password: ')\n"),
        ("train.py", "password=os.environ['DB_PASSWORD']\n"),
        ("train.py", 'token = os.environ.get("HF_TOKEN", "")\n'),
        ("train.py", "api_key=settings.api_key,\n"),
        ("train.py", 'parser.add_argument("--password", help="password: ask for it")\n'),
        ("train.py", 'pad_token = "<pad>"; eos_token="</s>"; cls_token = "classification1234"\n'),
        ("train.py", 'tokenizer = "bert-base-uncased-2023-v1"\n'),
        ("train.py", "max_tokens = 512\nnum_tokens: int = 12345678901234567890\n"),
        ("train.py", 'password = "changeme"\npassword = "<your password>"\npassword = "${PASSWORD}"\n'),
        ("train.py", "API_KEY = 'your-api-key-goes-here-1234'\n"),
        ("train.py", 'if text.startswith("-----BEGIN RSA PRIVATE KEY-----"):\n'),
        ("train.py", 'f"postgres://{user}:{password}@{host}/db"\n'),
        ("README.md", "clone https://github.com/owner/repo or ssh://git@github.com:22/owner/repo\n"),
        ("README.md", "postgres://user:password@localhost/db, docker://image:tag@sha256:" + _HEX[:64] + "\n"),
        (
            "config.yaml",
            "password: ${DB_PASSWORD}\nsecret: !vault key\ntoken: null\nprivate_key: /run/secrets/key.pem\n",
        ),
        ("config.yaml", "secret_name: projects/x/secrets/y1234567890\nsort_key: accuracy_validation_set_2\n"),
        ("config.yaml", "monitor_key: validation_accuracy_top1\npass: first_pass_only_1234\ntokens: 1e9\n"),
        ("kaggle.md", "the secret: attention\nthe password is asked for\n"),
    ],
)
def test_names_and_placeholders_are_no_secrets(path: str, text: str) -> None:
    """Look-ups, samples, special tokens and prose."""
    assert scan_blob(path, text.encode()) == []


def _run_files(seed: int) -> dict[str, bytes]:
    """Return what is in a typical run, with every kind of digest and id that Ledgit or DVC writes."""
    made = random.Random(seed)
    hexes = [made.randbytes(20).hex() for _ in range(20)]
    sha256 = [made.randbytes(32).hex() for _ in range(20)]
    picture = base64.b64encode(made.randbytes(60_000)).decode()
    lock = "".join(f'name = "p{n}"\nversion = "1.{n}"\nhash = "sha256:{digest}"\n' for n, digest in enumerate(sha256))
    lock += f"integrity sha512-{base64.b64encode(made.randbytes(64)).decode()}\n"
    cells = {"cells": [{"outputs": [{"data": {"image/png": picture}}], "source": ["plt.plot(history)\n"]}]}
    return {
        ".ledgit/run/run.yaml": (
            f"id: {hexes[0][:32]}\nname: calm-owl-{seed}\nstatus: FINISHED\nuser: ada\nhost: node-17\n"
            f"command:\n- python\n- train.py\n- --api-key\n- '***'\ncode:\n  commit: {hexes[1]}\n  tree: {hexes[2]}\n"
            f"  patch_id: {hexes[3]}\n  subtrees:\n    src: {hexes[4]}\n"
            f"  submodules:\n  - path: lib\n    commit: {hexes[5]}\n"
        ).encode(),
        ".ledgit/run/params.yaml": (
            f'lr: 0.001\nseed: {seed}\ntokenizer: "bert-base-cased"\npad_token_id: 50256\neos_token: "<|endoftext|>"\n'
            f'checkpoint: "{sha256[0]}"\nkey: "accuracy"\nsecret_sauce: "none"\nmodel_key: "resnet50_a1_2023_final"\n'
        ).encode(),
        ".ledgit/run/tags.yaml": f'mlflow.source.git.commit: "{hexes[6]}"\ndataset: "{sha256[1]}"\n'.encode(),
        ".ledgit/run/inputs.yaml": f"- name: train\n  digest: md5:{hexes[7][:32]}\n  source: s3://bucket/data\n".encode(),
        ".ledgit/run/artifacts.yaml": f"- path: model.pt\n  size: 12345\n  digest: md5:{hexes[8][:32]}\n".encode(),
        ".ledgit/run/artifacts/model.pt.dvc": f"outs:\n- md5: {hexes[9][:32]}\n  size: 1\n  hash: md5\n".encode(),
        ".ledgit/run/environment.yaml": (
            f"python: 3.11.9\npackages:\n  keyring: 25.2.1\n  tokenizers: 0.19.1\nlock: sha256:{sha256[2]}\n"
        ).encode(),
        ".ledgit/run/dvc.yaml": b"params:\n- params.yaml\nmetrics:\n- metrics.yaml\nplots:\n- history\n",
        "poetry.lock": lock.encode(),
        "analysis.ipynb": json.dumps(cells, indent=1).encode(),
        "page.html": f'<img src="data:image/png;base64,{picture}"><script integrity="sha384-{picture[:64]}">'.encode(),
        "ids.csv": "".join(f"{digest},{seed}\n" for digest in hexes + sha256).encode(),
    }


@pytest.mark.parametrize("seed", range(10))
def test_what_runs_consist_of_is_no_secret(seed: int) -> None:
    """Run ids, commit ids, digests, lock files and pictures in notebooks are random, and public."""
    found = {path: scan_blob(path, data) for path, data in _run_files(seed).items()}

    assert {path: hits for path, hits in found.items() if hits} == {}


def test_ledgits_own_code_and_documents_hold_no_secret() -> None:
    """The rules meet real code: parsers of command lines, tables of secrets' names, guides."""
    top = Path(__file__).parents[2]
    files = [
        *(top / "src").rglob("*.py"),
        *(top / "docs").rglob("*.md"),
        *(top / "examples").rglob("*"),
    ]

    found = {str(path): scan_blob(str(path), path.read_bytes()) for path in files if path.is_file()}

    assert len(found) > 200
    assert {path: hits for path, hits in found.items() if hits} == {}


def test_files_that_are_no_text_are_passed_over() -> None:
    """Pictures, weights, and what Ledgit derives from other files of the run."""
    assert scan_blob("blob", b"\0" + TOKENS["a GitHub token"].encode()) == []
    assert not any(map(is_scanned, ["a.png", "m.PT", ".ledgit/run/entry.json", ".ledgit/run/history/loss.tsv"]))
    assert all(map(is_scanned, ["a.py", "Makefile", ".env", ".ledgit/run/tags.yaml", "history/notes.tsv"]))


def test_text_of_two_bytes_a_letter_is_read() -> None:
    """Windows' shells write .env files so."""
    text = f"X={TOKENS['a GitHub token']}\r\n".encode("utf-16")

    assert [hit.kind for hit in scan_blob(".env", text)] == ["a GitHub token"]


def test_a_line_can_say_that_it_holds_no_secret() -> None:
    """In the words that other scanners take, on the line or before it, and for that line alone."""
    secret = TOKENS["a GitHub token"]
    text = (
        f'A = "{secret}"  # pragma: allowlist secret\n'
        f"# pragma: allowlist nextline secret\nB = '{secret}1'\n"
        f'C = "{secret}2"\nD = "{secret}3"  # gitleaks:allow\n'
    )

    assert [hit.line for hit in scan_blob("train.py", text.encode())] == [4]


def test_many_excused_lines_do_not_hide_the_one_that_is_not() -> None:
    """What is excused does not count towards the most that are told of one file."""
    secret = TOKENS["a GitHub token"]
    text = f'A = "{secret}"  # pragma: allowlist secret\n' * 50 + f'B = "{secret}"\n'

    assert [hit.line for hit in scan_blob("train.py", text.encode())] == [51]
    assert len(scan_blob("train.py", f'A = "{secret}"\n'.encode() * 50)) == 20


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("tests/**", "tests/a/b.py", True),
        ("tests/", "tests/b.py", True),
        ("tests/**", "src/tests/b.py", False),
        ("*.ipynb", "a/b/c.ipynb", True),
        ("**/fixtures/*.json", "a/fixtures/x.json", True),
        ("**/fixtures/*.json", "fixtures/x.json", True),
        ("conf/?.yaml", "conf/a.yaml", True),
        ("conf/?.yaml", "conf/ab.yaml", False),
        ("re:ghp_.*", "anything.py", True),
        ("re:ghp_", "anything.py", False),
    ],
)
def test_a_repository_says_what_is_no_secret(pattern: str, path: str, covered: bool) -> None:
    """By the file's path, as .gitignore does, or by the whole text."""
    (hit,) = scan_blob(path, TOKENS["a GitHub token"].encode())

    assert Allowed([pattern]).covers(path, hit) is covered


@pytest.mark.parametrize("item", ["re:(", "", 3, None])
def test_an_impossible_allowance_is_said(item: object) -> None:
    """Rather than ignored: it would hold runs back for no visible reason."""
    with pytest.raises(ConfigError, match=r"secrets\.allow"):
        Allowed([item])


@settings(max_examples=200)
@given(before=st.binary(max_size=60), after=st.binary(max_size=60), kind=st.sampled_from(sorted(TOKENS)))
def test_no_surroundings_hide_a_token_that_stands_alone(before: bytes, after: bytes, kind: str) -> None:
    """Whatever is on the lines before and after it."""
    clean = before.replace(b"\0", b"").replace(b"pragma", b"").lstrip(b"\xff\xfe")
    data = clean + b"\n " + TOKENS[kind].encode() + b" \n" + after.replace(b"\0", b"")

    assert kind in {hit.kind for hit in scan_blob("x.txt", data)}


@settings(max_examples=300)
@given(data=st.binary(max_size=400), path=st.sampled_from(["a.py", "a.yaml", ".env", "x"]))
def test_any_bytes_can_be_scanned(data: bytes, path: str) -> None:
    """Lines are counted from 1 and there are no more than the file has."""
    assert all(1 <= hit.line <= data.count(b"\n") + 1 or data[:1] in b"\xff\xfe" for hit in scan_blob(path, data))


@pytest.mark.parametrize(
    "text",
    [
        b"password" * 100_000,
        b'password="' * 60_000,
        b"password = " + b"1" * 600_000,
        b"://" * 200_000,
        b"a://b:" * 100_000,
        b"https://" + b"a" * 600_000,
        b"sk-" * 200_000,
        b"eyJ" + b"a.eyJ" * 120_000,
        b"-----BEGIN " * 60_000,
        b"aws" * 200_000,
        b"my_password: '" + b"your_token_" * 60_000,
        b"token: '" + b"xX" * 300_000 + b"'",
        (b"secret_key_" * 50_000) + b'= "x"',
    ],
    ids=lambda text: text[:12].decode(),
)
def test_no_text_makes_the_scanner_slow(text: bytes) -> None:
    """600 KB made to be slow take no longer than a few seconds, however slow the machine."""
    begun = time.process_time()

    scan_blob("x.yaml", text)

    assert time.process_time() - begun < 5


_PIECES = (
    *KEYWORDS,
    *(
        b"word wd wort phrase code s id key str string ection prod production dev root 1 42 izers ring _ . - : = := =>"
    ).split(),
    *(
        b" ",
        b"  ",
        b"\t",
        b" " * 90,
        b"\t" * 120,
        b"]",
        b'"',
        b"'",
        b"\\",
        b"\n",
        b": str =",
        b"value-1234",
        b"hunter2",
    ),
)


@given(st.lists(st.sampled_from(_PIECES), max_size=14).map(b"".join))
@settings(max_examples=600)
def test_the_quick_look_passes_whatever_the_expression_matches(text: bytes) -> None:
    """It may be wrong in one way only."""
    for keyword in KEYWORDS:
        at = text.find(keyword)
        while at >= 0:
            match = ASSIGNMENT.match(text, at)
            assert match is None or not match.group().startswith(keyword) or may_assign(text, at, keyword)
            at = text.find(keyword, at + 1)
