"""Parameters of entry points: their types, what a person gave, and both brought together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from ledgit.errors import ParameterError, UsageError
from ledgit.records.harmless import clean, fit
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.mlproject import EntryPoint
    from ledgit.records.scalars import Scalar

__all__ = ["TYPES", "Bound", "Parameter", "bind", "parse_type", "read_parameters"]

#: MLflow's types, then ours; ``choice[a,b]`` is one too.
TYPES = ("string", "float", "path", "uri", "int", "bool")
_OTHER_SPELLINGS = {
    "str": "string",
    "integer": "int",
    "boolean": "bool",
    "double": "float",
    "number": "float",
}
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Parameter(Values):
    """A declared parameter.

    Attributes:
        name: Without dashes.
        type: One of `TYPES`, or ``choice``. What no one knows is ``string``, as MLflow has it.
        default: As text; None: a value has to be given.
        choices: Of a ``choice``: the values there are.
        declared: Whether the file says the type.
    """

    __slots__ = ("choices", "declared", "default", "name", "type")

    def __init__(
        self,
        name: str,
        type: str = "string",  # noqa: A002
        default: str | None = None,
        choices: Sequence[str] = (),
        *,
        declared: bool = True,
    ) -> None:
        self.name, self.type, self.default = name, type, default
        self.choices, self.declared = tuple(choices), declared

    @property
    def spelled(self) -> str:
        """The type as ``MLproject`` has it."""
        return f"choice[{','.join(self.choices)}]" if self.type == "choice" else self.type


def parse_type(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the type that *text* spells and the choices there are; None if it is no type.

    ``str integer boolean double number`` are other spellings.
    """
    text = text.strip()
    if text.startswith("choice[") and text.endswith("]"):
        choices = tuple(choice.strip() for choice in text[len("choice[") : -1].split(","))
        return ("choice", choices) if all(choices) else None
    text = _OTHER_SPELLINGS.get(text, text)
    return (text, ()) if text in TYPES else None


class Bound(Values):
    """The values that an entry point is run with.

    Attributes:
        values: Text of each declared parameter, as the command gets it; paths are absolute.
        typed: What the run's params become, of declared and extra ones: numbers where they are numbers. Paths are
            as they were given.
        extra: Text of those that are not declared: they are appended to the command.
        downloads: Declared paths that are addresses: they have to be fetched, and `replaced` in `values`.
        unsure: Names of those that the program may log as another text: paths, which it gets absolute, and switches
            that are not spelled as true or false. If it does, its word is the one to keep.
    """

    __slots__ = ("downloads", "extra", "typed", "unsure", "values")

    def __init__(
        self,
        values: Mapping[str, str] | None = None,
        typed: Mapping[str, Scalar] | None = None,
        extra: Mapping[str, str] | None = None,
        downloads: Mapping[str, str] | None = None,
        unsure: Iterable[str] = (),
    ) -> None:
        self.values, self.typed = dict(values or {}), dict(typed or {})
        self.extra, self.downloads, self.unsure = dict(extra or {}), dict(downloads or {}), frozenset(unsure)

    def replaced(self, name: str, value: str) -> Bound:
        """Return the same with *value* as the command's text of the declared parameter *name*."""
        downloads = {key: uri for key, uri in self.downloads.items() if key != name}
        return Bound({**self.values, name: value}, self.typed, self.extra, downloads, self.unsure)


def bind(entry_point: EntryPoint, given: Mapping[str, object], base: str, folder: str = "") -> Bound:
    """Bring *given* values together with the defaults of *entry_point*, and check them.

    What is not declared is kept as `Bound.extra`, as MLflow has it, unless it looks like a declared name misspelled.

    Args:
        entry_point: What is to be run.
        given: Values by name; numbers and booleans are taken by their `str`, None counts as not given.
        base: The folder that given paths are relative to: where the person is.
        folder: The folder that default paths are relative to: the project's. They stay relative, because the
            command runs in a copy of that folder; "": it is not looked whether they are there.

    Raises:
        ParameterError: A value is missing, is not of its type, or can't be an argument of a program; a name is empty
            or misspelled.
    """
    declared = entry_point.parameters
    texts = {str(name): _text(entry_point, str(name), value) for name, value in given.items() if value is not None}
    _check_names(entry_point, texts)
    values: dict[str, str] = {}
    typed: dict[str, Scalar] = {}
    downloads: dict[str, str] = {}
    for name, parameter in declared.items():
        text = texts.get(name, parameter.default)
        if text is None:
            wanting = [one for one in declared.values() if one.default is None and one.name not in texts]
            given_as = " ".join(f"-P {one.name}={_hint(one)}" for one in wanting)
            raise ParameterError(entry_point.name, name, f"has no value and no default; give {given_as}")
        values[name] = text
        typed[name] = _checked(entry_point, parameter, text)
        if parameter.type == "path":
            if _is_address(text):
                downloads[name] = text
            else:
                values[name] = _path(entry_point, parameter, text, base if name in texts else None, folder)
    extra = {name: text for name, text in texts.items() if name not in declared}
    typed.update((name, _guess(text)) for name, text in extra.items())
    unsure = {name for name, text in values.items() if str(typed[name]).lower() != text.lower()}
    unsure = {name for name in unsure if declared[name].type in ("path", "bool")}
    return Bound(values, typed, extra, downloads, unsure)


def _text(entry_point: EntryPoint, name: str, value: object) -> str:
    text = str(value)
    if "\0" in text:
        raise ParameterError(entry_point.name, name, "has a NUL character, which no program can be given")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise ParameterError(entry_point.name, name, "has text that is not valid Unicode") from None
    return text


def _check_names(entry_point: EntryPoint, given: Mapping[str, str]) -> None:
    declared = entry_point.parameters
    for name in given:
        if not name or "\0" in name:
            raise ParameterError(entry_point.name, name, "is no name that a parameter can have")
        if name in declared:
            continue
        near = _meant(name, [known for known in declared if known not in given])
        if near:
            reason = f"is not declared; did you mean {near!r}? It has {', '.join(declared)}"
            raise ParameterError(entry_point.name, name, reason)


def _meant(name: str, known: Sequence[str]) -> str:
    """Return which of *known* is probably meant: MLflow would append the misspelled one without a word."""
    from difflib import get_close_matches

    folded = name.lower().replace("-", "_")
    by_folded = {other.lower().replace("-", "_"): other for other in known}
    near = get_close_matches(folded, list(by_folded), n=1, cutoff=0.8)
    if not near:  # in short names two letters that changed places are much
        near = [other for other in by_folded if other in _swapped(folded)]
    # lambda_l1 and lambda_l2 are two parameters, not one misspelled.
    if not near or (near[0] != folded and _letters(near[0]) == _letters(folded)):
        return ""
    return by_folded[near[0]]


def _swapped(name: str) -> set[str]:
    return {name[:at] + name[at + 1] + name[at] + name[at + 2 :] for at in range(len(name) - 1)}


def _letters(name: str) -> str:
    return "".join(char for char in name if not char.isdigit())


def _hint(parameter: Parameter) -> str:
    if parameter.type == "choice":
        return "|".join(parameter.choices)
    return {"float": "NUMBER", "int": "NUMBER", "bool": "true|false", "path": "PATH", "uri": "URI"}.get(
        parameter.type, "VALUE"
    )


def _checked(entry_point: EntryPoint, parameter: Parameter, text: str) -> Scalar:
    """Return the value that *text* stands for.

    Raises:
        ParameterError: It is none of the parameter's type.
    """
    expected = ""
    if text == parameter.default and parameter.type in ("float", "int", "bool"):
        # As it stands: MLflow's own examples have {type: int, default: "None"}, and their programs know what it means.
        return _as_it_stands(parameter.type, text)
    try:
        if parameter.type == "float":
            expected = "a number"
            return float(text)
        if parameter.type == "int":
            expected = "a whole number"
            return int(text)
    except ValueError:
        raise ParameterError(entry_point.name, parameter.name, f"is {_shown(text)}, expected {expected}") from None
    if parameter.type == "bool":
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        expected = "true or false"
    elif parameter.type == "choice":
        if text in parameter.choices:
            return _guess(text)
        expected = f"one of {', '.join(parameter.choices)}"
    elif parameter.type == "uri" and not _is_address(text):
        expected = "an address with a scheme, such as s3://bucket/data"
    elif parameter.type == "path" and not text:
        expected = "a path"
    if expected:
        raise ParameterError(entry_point.name, parameter.name, f"is {_shown(text)}, expected {expected}")
    return text if parameter.declared else _guess(text)


def _as_it_stands(kind: str, text: str) -> Scalar:
    if kind == "bool":
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else text
    try:
        return float(text) if kind == "float" else int(text)
    except ValueError:
        return text


def _path(entry_point: EntryPoint, parameter: Parameter, text: str, base: str | None, folder: str) -> str:
    local = _local(text)
    root = folder if base is None else base
    if base is None and not folder:
        return local
    absolute = os.path.abspath(os.path.join(root, os.path.expanduser(local)))
    if not os.path.exists(absolute):
        where = "the project" if base is None else root
        reason = f"is {_shown(text)}, but there is no such file or folder in {where}"
        raise ParameterError(entry_point.name, parameter.name, reason)
    return local if base is None else absolute


def _local(text: str) -> str:
    if not text.startswith("file:"):
        return text
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(text).path)


def _is_address(text: str) -> bool:
    """Say whether *text* begins with a scheme (``file:`` is a path), as MLflow decides it."""
    from urllib.parse import urlsplit

    try:
        return urlsplit(text).scheme not in ("", "file")
    except ValueError:
        return False


def _shown(text: str) -> str:
    return fit(clean(repr(text)), 80)


def _guess(text: str) -> Scalar:
    """Read a number or boolean where it is spelled as one; ``007`` and ``1_000`` are text, as in ``ledgit record``."""
    if text in ("true", "True", "false", "False"):
        return text in ("true", "True")
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit():
        return int(text) if str(int(text[:20])) == text else text
    if text and text.isascii() and "_" not in text and text.strip() == text:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def read_parameters(words: Sequence[str]) -> dict[str, str]:
    """Return the parameters that the words behind ``-P`` give: ``name=value``, or ``@FILE`` with many.

    A file is YAML or JSON, one mapping of names to scalars; a value is the text that stands there. What is given by
    ``name=value`` counts before any file, and a later file before an earlier.

    Raises:
        UsageError: A word has no ``=``, or gives a name for the second time.
        ProjectError: A file can't be read, or holds something else; with the line.
    """
    filed: dict[str, str] = {}
    said: dict[str, str] = {}
    for word in words:
        if word.startswith("@"):
            filed.update(_read_file(word[1:]))
            continue
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UsageError(f"-P {_shown(word)} is not of the form name=value or @FILE")
        if name in said:
            raise UsageError(f"-P gives {name!r} twice: {_shown(said[name])} and {_shown(value)}")
        said[name] = value
    return filed | said


def _read_file(path: str) -> dict[str, str]:
    from ledgit.errors import ProjectError
    from ledgit.projects.marked import load_marked, read_text

    document = load_marked(read_text(path), path)
    if document.value is None:
        return {}
    if not isinstance(document.value, dict):
        raise ProjectError(path, f"is {document.kind()}, expected a mapping of parameters", document.line)
    for name, item in document.value.items():
        if item.value is None or isinstance(item.value, (dict, list)):
            reason = f"parameter {clean(name)!r} is {item.kind()}, expected a number or text"
            raise ProjectError(path, reason, document.lines[name])
    return {name: item.text for name, item in document.value.items()}
