"""Where a run's artifacts stand in its tree."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from ledgit.records.artifacts import DVC, ArtifactRecord, dvc_pointer

__all__ = ["keep_artifact"]


def keep_artifact(
    artifact: ArtifactRecord, place: str, blobs: Mapping[str, str]
) -> tuple[ArtifactRecord, bytes | str | None]:
    """Return an artifact that another commit of the run has, for a tree in which it stands at *place*.

    Args:
        artifact: As the other commit lists it.
        place: Where it stands below ``artifacts/``, without ``.dvc``.
        blobs: Artifact path → id of its content, or of its pointer.

    Returns:
        The record, and the content of its file: an id, or bytes; None if it is nowhere.
    """
    moved = replace(artifact, file=None if place == artifact.path else place)
    if artifact.stored == DVC and os.path.basename(place) != os.path.basename(artifact.file or artifact.path):
        # A pointer names the file beside it.
        md5 = artifact.digest.removeprefix("md5:")
        return moved, dvc_pointer(os.path.basename(place), md5, artifact.size, artifact.nfiles)
    return moved, blobs.get(artifact.path)
