"""What a model needs installed: resolved from the model's own modules, in this process, pinned to what is here.

MLflow loads the model in a subprocess and watches what it imports, which takes seconds. Here the objects that
make up the model say which modules their classes and functions come from, and what those that
are no installed package import; each is looked up among the installed distributions.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

from ledgit.errors import UsageError
from ledgit.models.flavors import Flavor

__all__ = ["Mismatch", "check_requirements", "infer_requirements", "pinned"]

_MOST_OBJECTS = 20_000  # a model's parts; what comes after is of the same few classes
#: Modules whose distribution has another name; the others are found by name or by the slow list of all.
_NAMES = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "lightning_fabric": "lightning",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
_NOT_NEEDED = frozenset(
    {"ledgit", "pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack", "__main__", "mlflow"}
)


class Mismatch:
    """A requirement that this environment does not meet.

    Attributes:
        name: The distribution.
        wanted: What the model says: ``==1.9.1``.
        installed: What is here; None if it is not.
    """

    __slots__ = ("installed", "name", "wanted")

    def __init__(self, name: str, wanted: str, installed: str | None) -> None:
        self.name, self.wanted, self.installed = name, wanted, installed

    def __repr__(self) -> str:
        return f"<Mismatch {self}>"

    def __str__(self) -> str:
        return f"{self.name} is {self.installed or 'not installed'}, the model wants {self.wanted or 'it'}"


def infer_requirements(
    flavor: Flavor, objects: Iterable[object], more: Iterable[str] = (), code: Sequence[str] = ()
) -> list[str]:
    """Return what a model needs, as pinned lines of a ``requirements.txt``, sorted.

    Args:
        flavor: Its flavor: whose package comes first.
        objects: The model, and what belongs to it.
        more: Distributions that are needed besides.
        code: Files and folders of Python code that go with it.
    """
    wanted = [_provider(flavor)] if flavor.package else []
    wanted += more
    for module in sorted(modules_of(objects, code)):
        found = distribution_of(module)
        if found is not None:
            wanted.append(found)
    lines = {_normal(name): pinned(name) for name in wanted}
    return [lines[name] for name in sorted(lines)]


def _provider(flavor: Flavor) -> str:
    """Return the flavor's package, or what is installed in its place (``xgboost-cpu``)."""
    if _version(flavor.package) is not None:
        return flavor.package
    return distribution_of(flavor.module) or flavor.package


def pinned(name: str) -> str:
    """Return ``name==version`` as installed, without a build's local part; the name alone if it is not installed."""
    version = _version(name)
    return name if version is None else f"{name}=={version.partition('+')[0]}"


def modules_of(objects: Iterable[object], code: Sequence[str] = ()) -> set[str]:
    """Return the top-level modules that *objects* and the files of *code* need, without the standard library's."""
    found: set[str] = set()
    own: list[ModuleType] = []  # of the user's, looked into
    own_names = {os.path.basename(path).removesuffix(".py") for path in code}
    for name in _walk(objects):
        module = sys.modules.get(name)
        if module is not None and not _is_installed(module):
            own.append(module)
        else:
            found.add(name.partition(".")[0])
    seen: set[str] = set()
    while own:
        module = own.pop()
        if module.__name__ in seen:
            continue
        seen.add(module.__name__)
        for name in _imports(getattr(module, "__file__", None)):
            inner = sys.modules.get(name)
            if inner is not None and not _is_installed(inner):
                own.append(inner)
            else:
                found.add(name.partition(".")[0])
    for file in _files(code):
        found |= {name.partition(".")[0] for name in _imports(file)}
    return {name for name in found - own_names - _NOT_NEEDED if name and name not in sys.stdlib_module_names}


def _walk(objects: Iterable[object]) -> Iterator[str]:
    """Yield the names of the modules that the classes and functions in *objects* come from."""
    waiting = list(objects)
    seen: set[int] = set()
    kept: list[object] = []  # so that no id is given out twice
    while waiting and len(seen) < _MOST_OBJECTS:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, str | bytes | int | float | None):
            continue
        seen.add(id(one))
        kept.append(one)
        if isinstance(one, ModuleType):
            yield one.__name__
        elif isinstance(one, FunctionType):
            yield from _of_function(one, waiting)
        elif isinstance(one, type):
            for cls in one.__mro__:
                yield str(cls.__module__)
            if one.__module__ == "__main__":
                waiting += [value for value in vars(one).values() if isinstance(value, FunctionType)]
        else:
            waiting.append(type(one))
            waiting += _parts(one)


def _of_function(function: FunctionType, waiting: list[object]) -> Iterator[str]:
    yield function.__module__ or ""
    names = set(function.__code__.co_names)
    for inner in function.__code__.co_consts:
        names |= set(getattr(inner, "co_names", ()))
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType | FunctionType | type) or type(value).__module__ != "builtins":
            waiting.append(value)
        elif value is None and f"{name}" in sys.modules and name not in sys.stdlib_module_names:
            yield name  # imported inside the function
    for cell in function.__closure__ or ():
        try:
            waiting.append(cell.cell_contents)
        except ValueError:
            continue  # not filled yet


def _parts(one: object) -> list[object]:
    if isinstance(one, dict):
        return [*one.values()]
    if isinstance(one, list | tuple | set | frozenset):
        return [*one]
    if hasattr(type(one), "__array__"):
        return []  # a million numbers tell nothing
    parts = vars(one).values() if hasattr(one, "__dict__") else ()
    return [part for part in parts if not isinstance(part, str | bytes | int | float | None)]


@cache
def _places() -> tuple[str, ...]:
    import sysconfig

    paths = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    import site

    paths |= {*site.getsitepackages(), site.getusersitepackages()} if hasattr(site, "getsitepackages") else set()
    return tuple(f"{path.rstrip('/')}/" for path in paths if path)


def _is_installed(module: ModuleType) -> bool:
    if module.__name__ == "__main__":
        return False
    file = getattr(module, "__file__", None)
    if file is None:  # built in, or a namespace package
        return True
    return file.startswith(_places()) or module.__name__.partition(".")[0] in _NOT_NEEDED


def _imports(file: str | None) -> set[str]:
    """Return the modules that a Python file imports, by their full names; a file that can't be read has none."""
    if not file or not file.endswith(".py"):
        return set()
    try:
        with open(file, "rb") as stream:
            tree = ast.parse(stream.read(), file)
    except (OSError, SyntaxError, ValueError):
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def _files(code: Sequence[str]) -> Iterator[str]:
    for path in code:
        if os.path.isdir(path):
            for folder, _, names in os.walk(path):
                yield from (os.path.join(folder, name) for name in names)
        else:
            yield path


@cache
def distribution_of(module: str) -> str | None:
    """Return the distribution that the top-level *module* was installed with; None if none is known."""
    for name in (_NAMES.get(module, module), module.replace("_", "-")):
        if _version(name) is not None and _owns(name, module):
            return _proper(name)
    found = _all_modules().get(module, ())
    return _proper(found[0]) if found else None


@cache
def _all_modules() -> dict[str, list[str]]:
    from importlib.metadata import packages_distributions

    return dict(packages_distributions())  # 0.3 s: it reads the list of files of everything installed


@cache
def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except (PackageNotFoundError, ValueError):
        return None


def _owns(name: str, module: str) -> bool:
    """Whether the distribution *name* is likely the one *module* came with: another may have the module's name."""
    found = sys.modules.get(module)
    file = getattr(found, "__file__", None)
    if file is None:
        return True
    from importlib.metadata import distribution

    root = str(distribution(name).locate_file(""))
    return file.startswith(root.rstrip("/") + "/") or not file.startswith(_places())


def _proper(name: str) -> str:
    from importlib.metadata import distribution

    return str(distribution(name).metadata["Name"] or name)


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def given_requirements(given: str | Sequence[str]) -> list[str]:
    """Return the lines of what the user gave: a list, or a file's path.

    Raises:
        UsageError: The file can't be read, or a line is no text.
    """
    if isinstance(given, str):
        try:
            with open(given, encoding="utf-8") as stream:
                lines = [line.strip() for line in stream]
        except OSError as error:
            raise UsageError(f"the requirements {given!r} can't be read: {error.strerror}") from None
    else:
        lines = [line for line in given if isinstance(line, str)]
        if len(lines) < len(given):
            raise UsageError("requirements are a list of texts, or the path of a file")
    return [line for line in lines if line and not line.startswith("#")]


def check_requirements(folder: str) -> list[Mismatch]:
    """Return what the model in *folder* wants and this environment does not have, in the order of its file.

    Lines that say no version, options of pip and links are passed over.
    """
    try:
        with open(os.path.join(folder, "requirements.txt"), encoding="utf-8", errors="replace") as stream:
            lines = stream.read(1 << 20).splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        mismatch = _check(line)
        if mismatch is not None:
            found.append(mismatch)
    return found


def _check(line: str) -> Mismatch | None:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    try:
        wanted = Requirement(line.partition(" #")[0].strip())
    except InvalidRequirement:
        return None
    if _normal(wanted.name) in {"mlflow", "mlflow-skinny", "ledgit"}:  # it is read without
        return None
    if wanted.marker is not None and not wanted.marker.evaluate():
        return None
    installed = _version(wanted.name)
    try:
        if installed is not None and wanted.specifier.contains(installed, prereleases=True):
            return None
    except InvalidVersion:
        return None
    return Mismatch(wanted.name, str(wanted.specifier), installed)


def environment_files(folder: str, lines: Sequence[str]) -> dict[str, Any]:
    """Write the files that say what a model needs into *folder*; return the MLmodel's ``env``."""
    import yaml

    python = ".".join(map(str, sys.version_info[:3]))
    build = [pinned(name) for name in ("pip", "setuptools", "wheel") if _version(name) is not None]
    files = {
        "requirements.txt": "".join(f"{line}\n" for line in lines),
        "python_env.yaml": yaml.safe_dump(
            {"python": python, "build_dependencies": build, "dependencies": ["-r requirements.txt"]}, sort_keys=False
        ),
        "conda.yaml": yaml.safe_dump(
            {
                "channels": ["conda-forge"],
                "dependencies": [
                    f"python={python}",
                    build[0].replace("==", "<=") if build else "pip",
                    {"pip": list(lines)},
                ],
                "name": "mlflow-env",
            },
            sort_keys=False,
        ),
    }
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
            stream.write(text)
    return {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
