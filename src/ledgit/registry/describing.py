"""What people write about models and versions: descriptions and tags, which are no tags of Git and can change."""

from __future__ import annotations

from ledgit.errors import UsageError
from ledgit.registry.reading import RegistryReading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ledgit.records.registry_state import ModelVersion, RegisteredModel

__all__ = ["RegistryDescribing", "described"]


class RegistryDescribing(RegistryReading):
    """Descriptions and tags; each edit is a commit of this clone's ledger, and goes with the next push."""

    def create_model(
        self, name: str, *, description: str | None = None, tags: Mapping[str, Any] | None = None
    ) -> RegisteredModel:
        """Make a model without versions, with what is to be said about it.

        Raises:
            InvalidName: It can't be a model's name.
            Conflict: There is one of this name.
        """
        from ledgit.errors import Conflict
        from ledgit.records.registry_names import check_model_name

        check_model_name(name)
        known = self.state.models.get(name)
        if known is not None and not known.deleted:
            raise Conflict(f"there is a registered model {name!r} already")
        values = described("", description, tags)
        if known is not None:
            from ledgit.store.journal import now_ms

            old = {key: None for key in known.values if key == "description" or key.startswith("tags.")}
            values = {**old, "deleted": None, "created": now_ms(), **values}
        self._edit(name, values)
        return self.state.find(name)

    def description(self, reference: str) -> str:
        """Return what people wrote about a model or a version; "" if nothing.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
        """
        name, prefix = self._place(reference)
        return str(self.state.find(name).values.get(f"{prefix}description", ""))

    def tags(self, reference: str) -> dict[str, str]:
        """Return the tags of a model or a version.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
        """
        name, prefix = self._place(reference)
        start = f"{prefix}tags."
        values = self.state.find(name).values
        return {key[len(start) :]: str(value) for key, value in values.items() if key.startswith(start)}

    def describe(self, reference: str, text: str) -> None:
        """Write the description of a model or of a version; an empty one removes it.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
        """
        name, prefix = self._place(reference)
        self._edit(name, {f"{prefix}description": text or None})

    def set_tags(self, reference: str, tags: Mapping[str, Any]) -> None:
        """Set tags of a model or of a version.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
            InvalidName: A key can't be stored.
        """
        name, prefix = self._place(reference)
        self._edit(name, described(prefix, None, tags))

    def delete_tags(self, reference: str, *keys: str) -> list[str]:
        """Remove tags of a model or of a version, and return those that were there.

        Raises:
            ModelNotFound, VersionNotFound: There is none.
        """
        name, prefix = self._place(reference)
        values = self.state.find(name).values
        found = [key for key in keys if f"{prefix}tags.{key}" in values]
        if found:
            self._edit(name, {f"{prefix}tags.{key}": None for key in found})
        return found

    def describe_model(self, name: str, text: str) -> None:
        """Write the description of the model *name*, whatever characters the name has."""
        self._edit(name, {"description": text or None})

    def describe_version(self, version: ModelVersion, text: str) -> None:
        """Write the description of a version."""
        self._edit(version.model, {f"version.{version.version}.description": text or None})

    def edit_model_tags(self, name: str, tags: Mapping[str, Any]) -> None:
        """Set tags of the model *name*; None removes one, which need not be there."""
        self._edit(name, described("", None, tags))

    def edit_version_tags(self, version: ModelVersion, tags: Mapping[str, Any]) -> None:
        """Set tags of a version; None removes one, which need not be there."""
        self._edit(version.model, described(f"version.{version.version}.", None, tags))

    def archive(self, version: ModelVersion, *, archived: bool = True) -> None:
        """Say that a version is in MLflow's stage Archived, where any number of versions can be; or that it isn't."""
        key = f"version.{version.version}.stage"
        known = self.state.find(version.model).values.get(key)
        if archived or known is not None:
            self._edit(version.model, {key: "Archived" if archived else None})

    def rename_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a model that has no versions yet another name.

        Raises:
            ModelNotFound: There is none.
            Conflict: It has versions, which are tags that others have; or the new name is taken.
        """
        from ledgit.errors import Conflict

        model = self.model(name)
        if model.events:
            raise Conflict(
                f"{model.name!r} has versions, and those are tags that others have and deploy from; register them under"
                f" the new name instead: 'ledgit registry register RUN {new_name}', or copy_model_version()"
            )
        made = self.create_model(new_name, description=model.description, tags=model.tags)
        self._edit(model.name, {"deleted": True})
        return made

    def _place(self, reference: str) -> tuple[str, str]:
        from ledgit.registry.references import parse_reference

        if reference in self.state.models:  # a name may have an @ in it
            return self.model(reference).name, ""
        named = parse_reference(reference, whole=True)
        if not named.selector:
            return self.model(named.model).name, ""
        version = self.state.version(named.model, named.selector, deregistered=True)
        return version.model, f"version.{version.version}."

    def _edit(self, name: str, values: Mapping[str, Any]) -> None:
        from ledgit.store.registry import edit_model

        edit_model(self.opened.repo, self.opened.folder, name, values)


def described(prefix: str, description: str | None, tags: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a description and tags as keys of a model's record.

    Raises:
        InvalidName: A key can't be stored.
        UsageError: *tags* are no mapping.
    """
    from ledgit.records.names import check_key

    if tags is not None and not hasattr(tags, "items"):
        raise UsageError("tags are a mapping of names to values")
    values: dict[str, Any] = {}
    for key, value in (tags or {}).items():
        check_key("tag", key)
        values[f"{prefix}tags.{key}"] = None if value is None else str(value)
    if description:
        values[f"{prefix}description"] = description
    return values
