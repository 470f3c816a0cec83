"""Projects: what can be run, where it runs, whether it can be repeated, and sweeps over its parameters.

::

    import ledgit as mlflow

    mlflow.projects.run(".", entry_point="train", parameters={"alpha": 0.5})
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.adding import AddedFile, AddedFiles, add_files
    from ledgit.projects.creating import create_project
    from ledgit.projects.finding import all_projects, find_project
    from ledgit.projects.fluent import run
    from ledgit.projects.launching import Launch, Launched, launch
    from ledgit.projects.mlproject import EntryPoint, EnvironmentSpec, Project, read_project
    from ledgit.projects.parameters import Bound, Parameter, bind
    from ledgit.projects.running import Plan, Request, execute, make_plan
    from ledgit.projects.secrets import SecretFound
    from ledgit.projects.sharing import SharedProject, ShareOptions, share_project
    from ledgit.projects.sources import Source, resolve
    from ledgit.projects.submitted import SubmittedRun
    from ledgit.projects.unbundling import OpenedBundle, is_bundle, open_bundle
    from ledgit.projects.workfolder import WorkFolder

_MODULES = {
    "adding": ("AddedFile", "AddedFiles", "add_files"),
    "creating": ("create_project",),
    "finding": ("all_projects", "find_project"),
    "launching": ("Launch", "Launched", "launch"),
    "fluent": ("run",),
    "mlproject": ("EntryPoint", "EnvironmentSpec", "Project", "read_project"),
    "parameters": ("Bound", "Parameter", "bind"),
    "running": ("Plan", "Request", "execute", "make_plan"),
    "secrets": ("SecretFound",),
    "sharing": ("ShareOptions", "SharedProject", "share_project"),
    "sources": ("Source", "resolve"),
    "submitted": ("SubmittedRun",),
    "unbundling": ("OpenedBundle", "is_bundle", "open_bundle"),
    "workfolder": ("WorkFolder",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AddedFile",
    "AddedFiles",
    "Bound",
    "EntryPoint",
    "EnvironmentSpec",
    "Launch",
    "Launched",
    "OpenedBundle",
    "Parameter",
    "Plan",
    "Project",
    "Request",
    "SecretFound",
    "ShareOptions",
    "SharedProject",
    "Source",
    "SubmittedRun",
    "WorkFolder",
    "add_files",
    "all_projects",
    "bind",
    "create_project",
    "execute",
    "find_project",
    "is_bundle",
    "launch",
    "make_plan",
    "open_bundle",
    "read_project",
    "resolve",
    "run",
    "share_project",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'ledgit.projects' has no attribute {name!r}")
    module = _PLACES[name]
    value: object = getattr(__import__(f"ledgit.projects.{module}", fromlist=[name]), name)  # see ledgit/__init__.py
    globals()[name] = value
    return value
