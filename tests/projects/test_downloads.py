"""Values of ``path`` and ``uri`` parameters that are addresses: what MLflow's types mean, over real servers."""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.projects.kit import ledgit, newest
from tests.projects.kit import project as project  # noqa: PLC0414 - a fixture

import ledgit as mlflow

MLPROJECT = """\
name: fetching
entry_points:
  main:
    parameters:
      data: path
      link: {type: uri, default: "s3://none"}
    command: "python show.py {data} {link}"
"""
SHOW = """\
import os, sys
path, link = sys.argv[1:]
inside = sorted(os.listdir(path)) if os.path.isdir(path) else open(path).read()
print(inside, "|", link, "|", os.path.basename(path), os.path.isabs(path))
"""


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves one file, and says where it was when it moved."""

    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/data.csv" if self.path == "/moved" else "file:///etc/passwd")
            self.end_headers()
        elif self.path.partition("?")[0] == "/data.csv":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x,y\n1,2\n")
        else:
            self.send_error(404)

    def log_message(self, *args: object) -> None:
        """Be quiet."""


@pytest.fixture
def https(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A server on this machine's loopback address; its address, and the file with the certificate that it goes by."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}", str(certificate)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetching(project: Path) -> Path:
    """A project whose program shows what it gets."""
    (project / "MLproject").write_text(MLPROJECT)
    (project / "show.py").write_text(SHOW)
    return project


def test_a_path_from_the_web_is_fetched_and_a_uri_is_handed_on(fetching: Path, https: tuple[str, str]) -> None:
    """Over https, with the host's certificate checked; the run records the addresses."""
    server, certificate = https
    trusting = {"SSL_CERT_FILE": certificate}
    given = {"data": f"{server}/data.csv?v=2", "link": "https://127.0.0.1:9/never-fetched"}
    words = [word for key, value in given.items() for word in ("-P", f"{key}={value}")]

    done = ledgit(fetching, "run", ".", *words, env=trusting)
    assert "x,y\n1,2\n | https://127.0.0.1:9/never-fetched | data.csv True" in done.out
    assert given == newest(fetching)["params"]
    moved = ledgit(fetching, "run", ".", "-P", f"data={server}/moved", "-P", "link=runs:/a/b", env=trusting)
    assert "| runs:/a/b | moved True" in moved.out
    for address, env, said in (
        (f"{server}/gone.csv", trusting, "HTTP Error 404"),
        (f"{server}/moved-to-a-file", trusting, "could not be downloaded"),
        (f"{server}/data.csv", {}, "certificate verify failed"),
        ("https://127.0.0.1:9/x", trusting, "refused"),
        ("gs://bucket/x", {}, "can't be fetched here (gs:); download it, and give its path"),
    ):
        refused = ledgit(fetching, "run", ".", "-P", f"data={address}", code=2, env=env)
        assert said in refused.err
        assert "data" in refused.err
    assert 2 == len(ledgit(fetching, "ls", "--json").json)


def test_a_path_may_be_an_artifact_of_a_run_or_a_version_of_a_model(fetching: Path) -> None:
    """``runs:/ID/PATH`` and ``models:/NAME/VERSION``, as MLflow spells them."""
    with mlflow.start_run() as run:
        mlflow.log_text("1 2 3", "sets/numbers.txt")
        mlflow.log_text("flavors: {}\n", "model/MLmodel")
        mlflow.log_text("weights", "model/weights.txt")
    mlflow.register_model(f"runs:/{run.info.run_id}/model", "wine")
    file = f"runs:/{run.info.run_id}/sets/numbers.txt"

    done = ledgit(fetching, "run", ".", "-P", f"data={file}")
    assert "1 2 3 | " in done.out
    assert "| numbers.txt True" in done.out
    assert file == newest(fetching)["params"]["data"]
    folder = ledgit(fetching, "run", ".", "-P", f"data=runs:/{run.info.run_id}/sets")
    assert "['numbers.txt'] |" in folder.out
    model = ledgit(fetching, "run", ".", "-P", "data=models:/wine/1")
    assert "['MLmodel', " in model.out
    assert "'weights.txt'] |" in model.out
    for address in (f"runs:/{run.info.run_id}/none", "models:/wine/7", "models:/beer/1", f"runs:/{'0' * 32}/x"):
        refused = ledgit(fetching, "run", ".", "-P", f"data={address}", code=None)
        assert refused.code in (2, 3), refused.err
        assert "Traceback" not in refused.err
    assert 4 == len(ledgit(fetching, "ls", "--json").json)
