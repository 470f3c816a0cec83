"""Code of whoever made a model runs only where somebody vouches for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from tests.conftest import GitFunction

import ledgit as mlflow
from ledgit.errors import UntrustedModel

pytestmark = pytest.mark.frameworks


class Trap:
    """Writes a file when it is unpickled, as a hostile model would do worse."""

    def __reduce__(self) -> Any:
        return open, (os.environ["TRAP"], "w")

    def predict(self, data: Any) -> Any:
        return data


class Sprung(LogisticRegression):
    """The same as an estimator."""

    def __reduce__(self) -> Any:
        return open, (os.environ["TRAP"], "w")


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What exists once the trap has sprung."""
    monkeypatch.setenv("TRAP", str(tmp_path / "sprung"))
    return tmp_path / "sprung"


@pytest.fixture
def colleague(repo: Path, git: GitFunction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: Path) -> Path:
    """A clone that has fetched the runs of another one, whose models are traps; the test works there."""
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(repo, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(repo, "push", "-q", "origin", "main")
    git(repo, "config", "ledgit.publish", "all")
    with mlflow.start_run(run_name="hostile"):
        mlflow.sklearn.log_model(Sprung(), "pickled", serialization_format="pickle")
        mlflow.sklearn.log_model(Sprung(), "cloud", serialization_format="cloudpickle")
        mlflow.pyfunc.log_model("python", python_model=Trap(), registered_model_name="python")
        Path("evil.py").write_text("import os\nopen(os.environ['TRAP'], 'w')\n")
        mlflow.sklearn.log_model(LogisticRegression(), "with_code", code_paths=["evil.py"])
        mlflow.sklearn.log_model(LogisticRegression().fit([[0], [1]], [0, 1]), "safe")
    assert not trap.exists()
    subprocess.run([sys.executable, "-m", "ledgit", "push"], cwd=repo, check=True, capture_output=True)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(tmp_path / "remote.git"), "clone")
    git(clone, "config", "ledgit.publish", "all")
    subprocess.run([sys.executable, "-m", "ledgit", "pull"], cwd=clone, check=True, capture_output=True)
    monkeypatch.chdir(clone)
    return clone


PICKLES = ["runs:/hostile/pickled", "runs:/hostile/cloud", "runs:/hostile/python", "runs:/hostile/with_code"]


def test_a_pickle_of_a_fetched_run_is_refused_before_it_is_read(colleague: Path, trap: Path) -> None:
    """It says what would run, whose it is, and what to do."""
    whose = r"would run code from .*run hostile .* of Ada Lovelace <ada@example.org>"
    for uri in PICKLES:
        with pytest.raises(UntrustedModel, match=whose):
            mlflow.pyfunc.load_model(uri)
        with pytest.raises(UntrustedModel, match="trust=True"):
            mlflow.models.load(uri)

    assert not trap.exists()


def test_an_image_that_would_not_load_its_model_is_warned_of(colleague: Path, trap: Path) -> None:
    """Else one finds out when the container doesn't start; what holds no code needs no word."""

    def build(model: str, *more: str) -> str:
        command = [sys.executable, "-m", "ledgit", "models", "build-docker", f"runs:/hostile/{model}"]
        where = f"{model}-{len(more)}"
        return subprocess.run([*command, where, *more], check=True, capture_output=True, text=True).stderr

    assert "model.pkl runs code, and" in build("pickled")
    assert "Ada Lovelace <ada@example.org>" in build("with_code")
    assert "" == build("pickled", "--trust") == build("safe")
    assert not trap.exists()


def test_a_format_that_holds_no_code_needs_nobodys_word(colleague: Path) -> None:
    """skops is loaded from anywhere."""
    assert [1] == mlflow.sklearn.load_model("runs:/hostile/safe").predict([[5]]).tolist()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_consent_in_the_call_lets_it_run(colleague: Path, trap: Path) -> None:
    """The trap shows that it does; so nothing else kept it from running."""
    for uri in PICKLES[:3]:
        with pytest.raises((AttributeError, TypeError)):  # what was unpickled is a file, no model
            mlflow.pyfunc.load_model(uri, trust=True).predict([[1]])

        assert trap.exists(), uri
        trap.unlink()


def test_the_persons_configuration_vouches_for_a_model_or_an_author(
    colleague: Path, trap: Path, git: GitFunction
) -> None:
    """By address or name, once and for all."""
    for word in ("ada@example.org", "pickled", "other, ada@example.org"):
        git(colleague, "config", "ledgit.trustedModels", "somebody@example.org")
        git(colleague, "config", "--add", "ledgit.trustedModels", word)

        with mlflow.sklearn.load_model("runs:/hostile/pickled"):
            assert trap.exists(), word
        trap.unlink()
        git(colleague, "config", "--unset-all", "ledgit.trustedModels")


def test_what_the_repository_brings_along_does_not_count(colleague: Path, trap: Path, git: GitFunction) -> None:
    """Neither its committed configuration nor a file named like Git's."""
    (colleague / ".ledgit").mkdir(exist_ok=True)
    (colleague / ".ledgit/config.yaml").write_text("trustedModels: [ada@example.org]\n")
    (colleague / ".gitconfig").write_text("[ledgit]\n\ttrustedModels = ada@example.org\n")

    with pytest.raises(UntrustedModel):
        mlflow.sklearn.load_model("runs:/hostile/pickled")

    assert not trap.exists()


def test_a_run_that_claims_to_be_of_this_clone_is_not_believed(colleague: Path, trap: Path, repo: Path) -> None:
    """Who made a run is written in the run, so by anybody: what counts is what this clone knows itself."""
    assert mlflow.open().folder.clone_id
    ours, theirs = (path / ".git/ledgit/clone.json" for path in (colleague, repo))
    ours.write_bytes(ours.read_bytes()[:7] + theirs.read_bytes()[7:23] + ours.read_bytes()[23:])

    with pytest.raises(UntrustedModel):
        mlflow.sklearn.load_model("runs:/hostile/pickled")

    assert not trap.exists()


def test_what_was_logged_here_needs_no_consent_and_what_was_changed_since_does(repo: Path) -> None:
    """While the run is active, after it, by any URI; not a file that somebody else put in its place."""
    model = LogisticRegression().fit([[0], [1]], [0, 1])
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(model, "m", serialization_format="pickle")
        mlflow.sklearn.load_model("m")
    mlflow.sklearn.load_model(f"runs:/{run.id}/m")

    mlflow.log_text("other", "m/model.pkl", run_id=run.id)

    with pytest.raises(UntrustedModel, match="was not logged in this clone"):
        mlflow.sklearn.load_model(f"runs:/{run.id}/m")


def test_a_model_that_is_logged_again_under_its_name_is_still_ones_own(repo: Path) -> None:
    """What the first one had and the second has not stays beside it."""
    with mlflow.start_run():
        mlflow.sklearn.log_model(LogisticRegression(C=1), "m", input_example=[[1.0]], signature=False)
        mlflow.sklearn.log_model(LogisticRegression(C=2), "m", serialization_format="pickle")

    assert 2 == mlflow.sklearn.load_model("m").C


def test_false_is_no_even_for_ones_own(repo: Path) -> None:
    """A server that must never run a pickle says so."""
    mlflow.sklearn.log_model(LogisticRegression(), "m", serialization_format="pickle")

    with pytest.raises(UntrustedModel, match="trust=False was given"):
        mlflow.sklearn.load_model("m", trust=False)
    mlflow.end_run()


def test_a_signed_version_is_trusted_if_git_accepts_the_signature(
    repo: Path, git: GitFunction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signature covers the commit, and with it every file; without the signer's key it is nobody's word."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    for name, value in (("gpg.format", "ssh"), ("user.signingKey", str(tmp_path / "key")), ("tag.gpgSign", "true")):
        git(repo, "config", name, value)
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(LogisticRegression(C=3), "m", serialization_format="pickle")
    mlflow.register.register_logged(info, "churn")
    (repo / ".git/ledgit/models-made").unlink()  # as in a clone that fetched it

    with pytest.raises(UntrustedModel, match="git does not accept the signature of churn@"):
        mlflow.sklearn.load_model("models:/churn/1")

    signers = tmp_path / "signers"
    signers.write_text(f"ada@example.org {(tmp_path / 'key.pub').read_text()}")
    git(repo, "config", "gpg.ssh.allowedSignersFile", str(signers))

    assert 3 == mlflow.sklearn.load_model("models:/churn/1").C
    with pytest.raises(UntrustedModel):  # the run itself is signed by nobody
        mlflow.sklearn.load_model("m")


def test_a_folder_of_ones_own_is_read_and_one_that_git_tracks_is_not(repo: Path, git: GitFunction) -> None:
    """What is tracked may have been fetched, also by DVC; beside a repository it is the user's."""
    model = LogisticRegression()
    for where in ("mine", "committed", "data/dvc", "made"):
        mlflow.sklearn.save_model(model, where, serialization_format="pickle")
        mlflow.sklearn.load_model(f"./{where}")
    git(repo, "add", "committed")
    (repo / "data.dvc").write_text("outs: []\n")
    (repo / "dvc.lock").write_text("stages:\n  train:\n    outs:\n    - path: made\n      md5: x\n")
    git(repo, "add", "data.dvc", "dvc.lock")

    mlflow.sklearn.load_model("./mine")
    for where, words in (
        ("committed", "committed/MLmodel is tracked"),
        ("data/dvc", "data.dvc is tracked"),
        ("made", "dvc.lock"),
        (f"git:{git(repo, 'stash', 'create')}#committed", "may be anybody's"),
    ):
        with pytest.raises(UntrustedModel, match=words):
            mlflow.sklearn.load_model(where if where.startswith("git:") else f"./{where}")


def test_types_that_skops_does_not_know_need_consent_whatever_the_file_says(tmp_path: Path) -> None:
    """The list of trusted types in the MLmodel is its maker's word; the caller's counts."""
    from sklearn.preprocessing import FunctionTransformer

    odd = FunctionTransformer(os.path.basename)
    mlflow.sklearn.save_model(odd, tmp_path / "m", skops_trusted_types=["posixpath.basename"])

    with pytest.raises(UntrustedModel, match=r"types in model.skops .*\(posixpath.basename\)"):
        mlflow.sklearn.load_model(tmp_path / "m", trust=False)
    given: Any = mlflow.sklearn.load_model(tmp_path / "m", trust=False, skops_trusted_types=["posixpath.basename"])

    assert given.func is os.path.basename


def as_bob(git: GitFunction, repo: Path, code: str) -> None:
    """Run *code* as somebody else would."""
    git(repo, "config", "user.email", "bob@example.org")
    subprocess.run([sys.executable, "-c", code], cwd=repo, check=True)
    git(repo, "config", "--unset", "user.email")


def test_everybody_who_wrote_to_the_run_has_to_be_trusted(repo: Path, git: GitFunction) -> None:
    """An edit can bring other files, and a tag of a trusted colleague on top of it does not vouch for them."""
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(LogisticRegression(C=3), "m", serialization_format="pickle")
    edit = f"import ledgit; ledgit.log_text('more', 'notes.txt', run_id={run.id!r})"
    as_bob(git, repo, edit)
    mlflow.get_run(run.id).set_tags({"seen": "yes"})
    mlflow.register.register_logged(info, "churn")
    (repo / ".git/ledgit/models-made").unlink()  # as in a clone that fetched it
    git(repo, "config", "--add", "ledgit.trustedModels", "ada@example.org")

    assert 3 == mlflow.sklearn.load_model("models:/churn/1").C  # registered at the run's own commit, before the edit
    with pytest.raises(UntrustedModel, match=r"<bob@example\.org> was not logged"):
        mlflow.sklearn.load_model(info.model_uri)

    git(repo, "config", "--add", "ledgit.trustedModels", "bob@example.org")

    assert 3 == mlflow.sklearn.load_model(info.model_uri).C


def test_who_registers_a_model_is_not_who_made_it(repo: Path, git: GitFunction) -> None:
    """A trusted colleague may register what somebody else trained."""
    script = (
        "import ledgit as mlflow; from sklearn.linear_model import LogisticRegression as Model\n"
        "mlflow.sklearn.log_model(Model(), 'm', serialization_format='pickle')"
    )
    as_bob(git, repo, script)
    mlflow.register.register_logged(mlflow.models.get_model_info("m"), "churn")
    (repo / ".git/ledgit/models-made").unlink()
    git(repo, "config", "ledgit.trustedModels", "ada@example.org")

    with pytest.raises(UntrustedModel, match=r"<bob@example\.org>"):
        mlflow.sklearn.load_model("models:/churn/1")
