"""Large artifacts: content in Ledgit's own cache, in DVC's layout, pointers in the run's tree."""

from ledgit.artifacts.cache import cache_path, digest_file, open_cached, put_file

__all__ = ["cache_path", "digest_file", "open_cached", "put_file"]
