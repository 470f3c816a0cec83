"""Notes what a program's argument parser made of its arguments; put first on ``PYTHONPATH``, see ``capture.py``.

Runs in the user's interpreter, whatever version that is. It imports nothing that the program does not import, but for
json at the moment that something is noted, and never raises into the program.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST = 10_000
_DEEPEST = 20
# They parse arguments beside what a person calls the program.
_TOOLS = ("pip", "pip3", "uv", "conda", "mamba", "dvc", "ledgit", "git-ledgit", "mlflow", "pre-commit", "virtualenv")


def _note(target: str, kind: str, values: Any) -> None:
    """Append one line to *target*: what was parsed, by which program."""
    try:
        import json

        program = sys.argv[0] if sys.argv else ""
        folder, name = os.path.split(program)
        if name in _TOOLS or (name == "__main__.py" and os.path.basename(folder) in _TOOLS):
            return
        line = {"kind": kind, "program": program, "pid": os.getpid(), "values": _plain(values, 0)}
        data = (json.dumps(line) + "\n").encode()
        out = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(out, data)
        finally:
            os.close(out)
    except Exception:
        return


def _plain(value: Any, depth: int) -> Any:
    """Return *value* as JSON has it; what means nothing outside of the program (functions, objects) is left out."""
    if value is None or isinstance(value, (bool, int, float)):
        # A subclass (an enumeration of numbers) prints itself otherwise.
        return value if value is None or type(value) in (bool, int, float) else str(value)
    if isinstance(value, str):
        return str(value)[:_LONGEST]
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items() if _is_value(item)}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value if _is_value(item)]
    if isinstance(value, (set, frozenset)):
        return sorted(str(_plain(item, depth + 1)) for item in value)
    if hasattr(value, "__fspath__"):
        return os.fsdecode(value)
    name = getattr(value, "name", None)
    if isinstance(name, str):  # an enumeration's member, an open file
        return name
    return str(value)[:_LONGEST]


def _is_value(value: Any) -> bool:
    if callable(value) and not isinstance(value, type):
        return False
    # "<Model object at 0x7f…>" says nothing.
    kind: Any = type(value)
    silent = kind.__repr__ is object.__repr__ and kind.__str__ is object.__str__
    return not silent or hasattr(value, "__fspath__")


def _patch_argparse(module: Any, target: str) -> None:
    parser = module.ArgumentParser
    original = parser.parse_known_args
    inside: list[int] = []

    def parse_known_args(self: Any, args: Any = None, namespace: Any = None, *more: Any, **named: Any) -> Any:
        # Sub-commands are parsed by parsers of their own, within; and libraries parse lists of their own.
        own = not inside and (args is None or list(args) == sys.argv[1:])
        inside.append(1)
        try:
            found = original(self, args, namespace, *more, **named)
        finally:
            inside.pop()
        if own:
            try:
                values = dict(vars(found[0]))
            except Exception:
                values = {}
            # Hydra reads its overrides with argparse; what they made of the configuration is what counts.
            if "hydra_help" not in values:
                _note(target, "argparse", values)
        return found

    parse_known_args.__doc__ = original.__doc__
    parser.parse_known_args = parse_known_args


def _patch_click(module: Any, target: str) -> None:
    command = module.Command
    original = command.invoke

    def invoke(self: Any, ctx: Any) -> Any:
        try:
            values = dict(ctx.params)
        except Exception:
            values = {}
        if values:
            _note(target, "click", values)
        return original(self, ctx)

    invoke.__doc__ = original.__doc__
    command.invoke = invoke


def _patch_hydra(module: Any, target: str) -> None:
    original = module.run_job

    def run_job(task_function: Any, *more: Any, **named: Any) -> Any:
        def task(config: Any) -> Any:
            try:
                from omegaconf import OmegaConf

                _note(target, "hydra", OmegaConf.to_container(config, resolve=True))
            except Exception:  # noqa: S110 - a value that can't be resolved yet: see its .hydra/config.yaml
                pass
            return task_function(config)

        # Hydra has looked up the function's file by now; from here on it only calls it.
        return original(task, *more, **named)

    module.run_job = run_job


# Hydra's other modules take run_job from this one when they are imported: after the patch.
_PATCHES = {
    "argparse": _patch_argparse,
    "click.core": _patch_click,
    "typer._click.core": _patch_click,
    "hydra.core.utils": _patch_hydra,
}


class _Finder:
    """Patches a module right after it ran; whoever does not import it never pays for it."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._wanted = dict(_PATCHES)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        patch = self._wanted.get(name)
        if patch is None:
            return None
        del self._wanted[name]
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        try:
            self._follow(spec.loader, patch)
        except Exception:  # noqa: S110 - a loader of another kind: the program's own business is more important
            pass
        return spec

    def _follow(self, loader: Any, patch: Any) -> None:
        execute = loader.exec_module
        target = self._target

        def exec_module(module: Any) -> None:
            del loader.exec_module
            execute(module)
            try:
                patch(module, target)
            except Exception:  # noqa: S110 - as above
                pass

        loader.exec_module = exec_module


def _start(target: str) -> None:
    finder = _Finder(target)
    for name, patch in _PATCHES.items():
        if name in sys.modules:  # by a .pth file
            patch(sys.modules[name], target)
            del finder._wanted[name]
    sys.meta_path.insert(0, finder)


def _hand_on(own: str) -> None:
    """Run the ``sitecustomize`` that would have been found without this one."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != own]
    this = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        # The import that goes on here wants to find something under the name.
        if this is not None:
            sys.modules.setdefault("sitecustomize", this)


try:
    _start(os.environ["LEDGIT_CAPTURE_ARGS"])
except Exception:  # noqa: S110 - as above
    pass
_hand_on(os.path.dirname(os.path.abspath(__file__)))
