"""What MLflow's runs say of the code: commit and branch of the repository that they go to."""

from __future__ import annotations

import os

from mlflow.tracking.context.abstract_context import RunContextProvider
from mlflow.utils.mlflow_tags import MLFLOW_GIT_BRANCH, MLFLOW_GIT_COMMIT

from ledgit.errors import LedgitError
from ledgit.mlflow.uris import repository_path

__all__ = ["CodeContext"]


class CodeContext(RunContextProvider):
    """Commit and branch, without the package GitPython; `mlflow.run_context_provider`.

    Only where the tracking URI is of scheme ``ledgit``: what other stores hold is none of ours.
    """

    def in_context(self) -> bool:
        """Whether runs go to a repository."""
        from mlflow.tracking import get_tracking_uri

        return str(get_tracking_uri()).startswith("ledgit:")

    def tags(self) -> dict[str, str]:
        """Return the tags; none where there is no repository or no commit."""
        from mlflow.tracking import get_tracking_uri

        from ledgit.git import Repo, head_of

        try:
            branch, commit = head_of(Repo.discover(repository_path(str(get_tracking_uri())), environ=dict(os.environ)))
        except LedgitError:
            return {}
        found = {MLFLOW_GIT_COMMIT: commit, MLFLOW_GIT_BRANCH: branch}
        return {key: value for key, value in found.items() if value}
