"""Large artifacts: content in Ledgit's own cache, in DVC's layout, pointers in the run's tree."""

from ledgit.artifacts.cache import cache_path, digest_file, open_cached, put_file

__all__ = ["cache_path", "digest_file", "open_cached", "put_file"]

# ``mlflow.artifacts`` has functions for users, which live in the tracking package, far above.
# A name that is looked up there when it is asked for is no import of it from here.
_FOR_USERS = frozenset({"download_artifacts", "list_artifacts", "load_dict", "load_image", "load_text"})


def __getattr__(name: str) -> object:
    if name not in _FOR_USERS:
        raise AttributeError(f"module 'ledgit.artifacts' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module("ledgit.tracking"), name)
    globals()[name] = value
    return value
