"""Command lines are recorded without their secrets."""

from __future__ import annotations

import random
import string
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.records import is_secret_name, redact_command

SECRET = "hunter2-xyzzy"
AWS = "AKIAIOSFODNN7EXAMPLE"
AWS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
GITHUB = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--password", SECRET], ["-password", SECRET], [f"--password={SECRET}"], [f"--db-password={SECRET}"],
        ["--db.password", SECRET], ["--token", SECRET], [f"--token={SECRET}"], [f"--hf_token={SECRET}"], ["--auth",
        SECRET],
        ["--api-key", SECRET], [f"api_key={SECRET}"], [f"API_KEY={SECRET}"], [f"apikey={SECRET}"], ["--secret", SECRET],
        [f"AWS_SECRET_ACCESS_KEY={SECRET}"], ["--aws-access-key", SECRET], ["--wandb_key", SECRET],
        [f"wandb.key={SECRET}"],
        [f"model.api_key={SECRET}"], [f"+trainer.logger.api_key={SECRET}"], ["--passwd", SECRET], ["--passphrase",
        SECRET],
        [f"https://ada:{SECRET}@example.org/x.git"], [f"--url=https://ada:{SECRET}@example.org/x"],
        [f"postgresql://ada:{SECRET}@db:5432/x"], [f"--dsn=postgresql://ada:{SECRET}@db/x"], [f"redis://:{SECRET}@h"],
        [f"https://example.org/?token={SECRET}&x=1"], [f"https://example.org/?x=1&sig=1&api_key={SECRET}"],
        ["mysql", "-p" + SECRET], ["/usr/bin/mysqldump", "-p" + SECRET, "db"], ["sshpass", "-p", SECRET, "ssh"],
        ["curl", "-u", f"ada:{SECRET}", "x"], ["curl", "-H", f"Authorization: Bearer {SECRET}"],
        ["curl", "-H", f"X-Api-Key: {SECRET}"], [f"--header=PRIVATE-TOKEN: {SECRET}"], ["--password", "-" + SECRET],
        ["bash", "-c", f"export API_TOKEN={SECRET}; python train.py"], ["sh", "-c",
        f"train --password {SECRET} --lr 0.1"],
        ["sh", "-c", f"train --password='{SECRET}'"], [f'{{"password": "{SECRET}"}}'], [f"{{'api_key': '{SECRET}'}}"],
        [f"--config={{password: {SECRET}}}"], ["--password", SECRET, "--token", SECRET], [f"--password:{SECRET}"],
        ["bash", "-c", f"curl -H 'Authorization: Token {SECRET}' x"], ["--my-pat", SECRET], ["--access-token",
        SECRET], [f"-DpassWord={SECRET}"], ["--credentials", SECRET],
    ],
)  # fmt: skip
def test_the_value_of_a_telling_name_is_gone(arguments: list[str]) -> None:
    shown = redact_command(["python", *arguments])

    assert SECRET not in " ".join(shown)
    assert any("***" in argument for argument in shown)


@pytest.mark.parametrize(
    "token",
    [AWS, AWS_KEY, GITHUB, JWT, "github_pat_" + "11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ", "glpat-aBcDeFgHiJkLmNoPqRsT",
     "xoxb-1234567890-abcdefGHIJ", "sk-proj-aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789", "hf_aBcDeFgHiJkLmNoPqRsTuVwXyZ",
     "sk_live_aBcDeFgHiJkLmN", "AIzaSyA1234567890abcdefghijklmnopqrstuv",
     "0123456789abcdef0123456789abcdef01234567"[::-1],
     "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "pypi-AgEIcHlwaS5vcmcCJDEyMzQ1Njc4"],
)  # fmt: skip
@pytest.mark.parametrize(
    "form", ["{}", "--value={}", "x={}", "https://{}@github.com/a/b", "a,{},b", "'{}'", "run {} now"]
)
def test_known_tokens_and_random_strings_are_gone_wherever_they_stand(token: str, form: str) -> None:
    assert token not in " ".join(redact_command(["python", "train.py", form.format(token), "--lr", "0.1"]))


@pytest.mark.parametrize(
    "argv",
    [
        ["python", "train.py", "--lr", "0.1", "--epochs=10", "-v"],
        ["python", "-m", "torch.distributed.run", "--nproc_per_node=8", "train.py"],
        ["train", "--tokenizer", "bert-base-uncased", "--max-tokens", "512", "--num_tokens=3", "--pad_token_id=0"],
        ["train", "--data", "/data/experiments/2026-11-23/very/long/path/to/some/training/file.parquet"],
        ["train", "--output-dir=/scratch/users/ada/experiments/transformer_large_baseline_run_number_seven"],
        ["train", "--sort-key", "date", "--keyboard", "us", "--monkey=see", "--patience", "5", "--path", "x"],
        ["train", "--optimizer.name=AdamW", "model.hidden=[512,256,128]", "https://example.org/data.csv?x=1"],
        ["git", "clone", "https://github.com/ada/project.git", "git@github.com:ada/project.git"],
        ["mysql", "-u", "ada", "db"], ["train", "-p", "8"], ["train", "--author", "Ada"], ["train", "--compass", "n"],
        ["train", "--description", "a quick look at the second baseline with more data and fewer layers than before"],
        [],
    ],
)  # fmt: skip
def test_ordinary_commands_stay_as_they_are(argv: list[str]) -> None:
    assert redact_command(argv) == argv


def test_the_name_of_an_option_stays() -> None:
    assert redact_command(["train", "--password", "x", "--lr", "0.1", "--token=y", "https://ada:z@h/p"]) == [
        "train", "--password", "***", "--lr", "0.1", "--token=***", "https://***@h/p"
    ]  # fmt: skip


def test_a_password_asked_for_on_the_terminal_takes_no_other_option_with_it() -> None:
    assert redact_command(["tool", "--password", "--verbose", "--lr", "0.1"]) == [
        "tool", "--password", "--verbose", "--lr", "0.1"
    ]  # fmt: skip


secrets = st.text(string.ascii_letters + string.digits + "+/=_-.!$%&*@:;,#~ é\"'", min_size=4, max_size=40).filter(
    lambda text: not text.startswith("--") and text.strip("*") and len(set(text)) > 3
)
named = st.sampled_from(["password", "token", "api_key", "API-KEY", "secret", "DB_PASSWORD", "access_key",
"auth_token", "private-key"])  # fmt: skip


@settings(max_examples=300)
@given(named, secrets, st.booleans(), st.lists(st.sampled_from(["--lr", "0.1", "train.py", "-v"]), max_size=3))
def test_a_secret_after_a_telling_name_never_remains(name: str, secret: str, joined: bool, rest: list[str]) -> None:
    given_ = [f"--{name}={secret}"] if joined else [f"--{name}", secret]

    shown = redact_command(["python", *rest, *given_, *rest])

    assert secret not in " ".join(shown) or secret in " ".join(["python", *rest, f"--{name}", "***", *rest])


@settings(max_examples=300)
@given(
    st.text(string.ascii_letters + string.digits, min_size=4, max_size=30), st.sampled_from(["https", "postgres", "s3"])
)
def test_a_password_in_a_url_never_remains(secret: str, scheme: str) -> None:
    (shown,) = redact_command([f"{scheme}://ada:{secret}@example.org/path?x=1"])

    assert shown == f"{scheme}://***@example.org/path?x=1"


def test_random_keys_in_base64_or_hex_never_remain() -> None:
    rng = random.Random(11)
    for _ in range(300):
        key = rng.randbytes(rng.randint(24, 48))
        for text in (key.hex(), b64encode(key).decode(), urlsafe_b64encode(key).decode().rstrip("=")):
            for form in ("{}", "x={}", "--value={}", "/data/of/ada/in/a/long/folder/with/many/parts/{}"):
                assert text not in redact_command([form.format(text)])[0], text


@given(st.lists(st.text(max_size=30), max_size=6))
def test_redacting_never_fails_and_keeps_the_number_of_arguments(argv: list[str]) -> None:
    assert len(redact_command(argv)) == len(argv)
    assert redact_command(redact_command(argv)) == redact_command(argv)


@pytest.mark.parametrize(("name", "secret"), [("password", True), ("tokenizer", False), ("max_tokens", False),
("api_key", True),
                                              ("key", True), ("monkey", False), ("sort_key", False), ("PATH",
                                              False), ("author", False)])  # fmt: skip
def test_telling_names(name: str, secret: bool) -> None:
    assert is_secret_name(name) == secret
