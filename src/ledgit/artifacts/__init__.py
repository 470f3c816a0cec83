"""Large artifacts: content in Ledgit's own cache, in DVC's layout, pointers in the run's tree.

Names are looked up when first used: what only logs small files loads none of it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.artifacts.adding import add_data, changed_data, data_cache, init_dvc
    from ledgit.artifacts.cache import Cache, check_oid
    from ledgit.artifacts.downloading import download_tree, download_url
    from ledgit.artifacts.files import FEW, sync_all
    from ledgit.artifacts.folders import (
        LeftOut,
        Member,
        Scan,
        Taken,
        decode_list,
        encode_list,
        read_small,
        scan_folder,
        take_folder,
    )
    from ledgit.artifacts.hashing import Hashes, copy_and_digest, copy_data, digest_file, in_threads
    from ledgit.artifacts.many import present
    from ledgit.artifacts.moved import Moved
    from ledgit.artifacts.place import DVC_GITIGNORE, Place, data_place, dvc_config, find_place, without_credentials
    from ledgit.artifacts.previews import Picture, Preview, preview, preview_folder
    from ledgit.artifacts.remote import ObjectRemote, open_remote

__all__ = [
    "DVC_GITIGNORE",
    "FEW",
    "Cache",
    "Hashes",
    "LeftOut",
    "Member",
    "Moved",
    "ObjectRemote",
    "Picture",
    "Place",
    "Preview",
    "Scan",
    "Taken",
    "add_data",
    "changed_data",
    "check_oid",
    "copy_and_digest",
    "copy_data",
    "data_cache",
    "data_place",
    "decode_list",
    "digest_file",
    "download_tree",
    "download_url",
    "dvc_config",
    "encode_list",
    "find_place",
    "in_threads",
    "init_dvc",
    "open_remote",
    "present",
    "preview",
    "preview_folder",
    "read_small",
    "scan_folder",
    "sync_all",
    "take_folder",
    "without_credentials",
]

_HOMES = {
    "adding": ("add_data", "changed_data", "data_cache", "init_dvc"),
    "cache": ("Cache", "check_oid"),
    "downloading": ("download_tree", "download_url"),
    "files": ("FEW", "sync_all"),
    "folders": (
        "LeftOut",
        "Member",
        "Scan",
        "Taken",
        "decode_list",
        "encode_list",
        "read_small",
        "scan_folder",
        "take_folder",
    ),
    "hashing": ("Hashes", "copy_and_digest", "copy_data", "digest_file", "in_threads"),
    "many": ("present",),
    "place": ("DVC_GITIGNORE", "Place", "data_place", "dvc_config", "find_place", "without_credentials"),
    "previews": ("Picture", "Preview", "preview", "preview_folder"),
    "moved": ("Moved",),
    "remote": ("ObjectRemote", "open_remote"),
}
# ``mlflow.artifacts`` has functions for users, which live in the tracking package, far above.
# A name that is looked up there when it is asked for is no import of it from here.
_FOR_USERS = frozenset({"download_artifacts", "list_artifacts", "load_dict", "load_image", "load_text"})


def __getattr__(name: str) -> object:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    where = "ledgit.tracking" if name in _FOR_USERS else f"ledgit.artifacts.{home}"
    if home is None and name not in _FOR_USERS:
        raise AttributeError(f"module 'ledgit.artifacts' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(where), name)
    globals()[name] = value
    return value
