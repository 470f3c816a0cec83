"""The rules of docs/design/architecture.md, read from the code's own imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
PACKAGE = SOURCE / "ledgit"

# From the ground up; a package imports from those above it in this list and from itself.
LAYERS = [
    {"_version", "errors"},
    {"records"},
    {"query", "compare"},
    {"git"},
    {"artifacts"},
    {"store"},
    {"repository"},
    {"tracking"},
    {"models"},
    {"registry"},
    {"register"},
    {"client"},
    # MLflow's module names (ledgit.sklearn.autolog, ledgit.data.from_numpy) and the notebook's entry.
    {"data", "keras", "lightgbm", "lightning", "onnx", "pyfunc", "pytorch", "sklearn", "transformers", "xgboost"},
    {"importing"},
    {"exporting"},
    {"projects"},
    {"project"},
    {"review"},
    {"hooks"},
    {"demo"},
    {"tui"},
    {"mlflow"},
    {"cli"},
    {"__init__", "__main__"},
]
LONGEST_FILE = 500


@dataclass
class Import:
    """One imported module or name, and the line that asks for it."""

    target: str
    line: int
    typing_only: bool


@dataclass
class Module:
    """One source file."""

    name: str
    path: Path
    tree: ast.Module
    imports: list[Import] = field(default_factory=list)

    @property
    def unit(self) -> str:
        """The package or top-level module that the layers speak of."""
        return unit_of(self.name)


# The tree of errors and the public object model are each one unit in several files.
SAME = dict.fromkeys(["error_models", "error_projects", "error_roots"], "errors") | dict.fromkeys(
    [
        "artifact_upkeep",
        "cleaning",
        "experiment",
        "experiments",
        "opened",
        "registering",
        "run",
        "run_artifacts",
        "run_editing",
        "run_reading",
        "runset",
        "sharing",
        "views",
    ],
    "repository",
)


def unit_of(name: str) -> str:
    parts = name.split(".")
    unit = parts[1] if len(parts) > 1 else "__init__"
    return SAME.get(unit, unit)


@cache
def modules() -> dict[str, Module]:
    """Every module of the package but the demo's scripts, which belong to the user it plays."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.is_relative_to(PACKAGE / "demo" / "files"):
            continue
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf-8"), str(path)))
    for module in found.values():
        module.imports = list(imports(module, set(found)))
    return found


def imports(module: Module, names: set[str]) -> Iterator[Import]:
    typing_only = {
        id(child)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for child in ast.walk(statement)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) in typing_only)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.path}:{node.lineno}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield Import(full if full in names else str(node.module), node.lineno, id(node) in typing_only)


def ours(module: Module) -> Iterator[Import]:
    return (found for found in module.imports if found.target.split(".")[0] == "ledgit")


def where(module: Module, line: int) -> str:
    return f"{module.path.relative_to(SOURCE)}:{line}"


def level(unit: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if unit in layer)


def test_every_package_has_a_layer() -> None:
    """A new package is placed before it is used."""
    units = {module.unit for module in modules().values()}

    assert set() == units - set().union(*LAYERS)


def test_packages_import_only_from_layers_below() -> None:
    """The lower a layer, the less it knows."""
    wrong = [
        f"{where(module, found.line)}: {module.unit} imports {found.target}"
        for module in modules().values()
        for found in ours(module)
        if unit_of(found.target) != module.unit and level(unit_of(found.target)) >= level(module.unit)
    ]

    assert [] == wrong


def test_modules_do_not_import_each_other_in_circles() -> None:
    """Not even by imports inside functions: a circle is one module cut in two."""
    graph = {
        name: {found.target for found in ours(module) if not found.typing_only and found.target != name}
        for name, module in modules().items()
    }
    graph = {name: {t for t in targets if t in graph and not is_parent(t, name)} for name, targets in graph.items()}

    assert [] == circles(graph)


def is_parent(package: str, module: str) -> bool:
    return module.startswith(package + ".")


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Take away modules that import nothing left; what remains is in a circle or imports one."""
    left = {name: set(targets) for name, targets in graph.items()}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    used = set().union(*left.values()) if left else set()
    return sorted(f"{name} -> {', '.join(sorted(left[name] & left.keys()))}" for name in left if name in used)


@pytest.mark.parametrize(("library", "owner"), [("pygit2", "git"), ("dvc", "artifacts"), ("dvc_data", "artifacts")])
def test_a_library_is_imported_by_its_owner_alone(library: str, owner: str) -> None:
    """What libgit2 and DVC do wrong is mended in one place each."""
    wrong = [
        where(module, found.line)
        for module in modules().values()
        for found in module.imports
        if found.target.split(".")[0] == library and module.unit != owner
    ]

    assert [] == wrong


def test_only_the_git_package_runs_git() -> None:
    """Everybody else gets the armoured environment by going through it."""
    wrong = [
        where(module, call.lineno)
        for module in modules().values()
        if module.unit not in {"git", "demo"}
        for call in calls(module)
        if call.args and isinstance(call.args[0], ast.List | ast.Tuple) and first_text(call.args[0]) == "git"
    ]

    assert [] == wrong


def test_only_the_command_line_prints_or_exits() -> None:
    """The library returns values and raises errors."""
    wrong = [
        where(module, call.lineno)
        for module in modules().values()
        if module.unit not in {"cli", "__main__"}
        for call in calls(module)
        if ast.unparse(call.func) in {"print", "sys.exit", "exit", "quit"}
    ]

    assert [] == wrong


def test_the_environment_is_read_at_the_top_alone() -> None:
    """Below the interfaces everything is a parameter; git's own variables are handed to git."""
    wrong = [
        where(module, node.lineno)
        for module in modules().values()
        if module.unit not in {"cli", "tracking", "mlflow", "demo", "git", "__main__"}
        # Runs in the user's program, which nobody hands parameters to.
        if not module.name.endswith("_site.sitecustomize")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.environb", "os.getenv"}
    ]

    assert [] == wrong


def test_no_file_is_long() -> None:
    """Whoever opens a file can hold it in mind."""
    files = [*PACKAGE.rglob("*.py"), *Path(__file__).parent.rglob("*.py")]
    long = {str(path): n for path in files if (n := path.read_text(encoding="utf-8").count("\n")) > LONGEST_FILE}

    assert {} == long


def calls(module: Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))


def first_text(node: ast.List | ast.Tuple) -> object:
    return node.elts[0].value if node.elts and isinstance(node.elts[0], ast.Constant) else None


def test_a_circle_is_found() -> None:
    """The check itself can fail."""
    assert ["a -> b", "b -> a"] == circles({"a": {"b"}, "b": {"a"}, "c": {"a"}, "d": set()})
