"""Study files as trees of YAML: values set by hand, and the line of every mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from radfusion.core.registry import nearest
from radfusion.errors import StudyError

__all__ = ["parse_yaml", "plain_values", "set_value", "study_error"]

Key = tuple[str | int, ...]


def parse_yaml(text: str, file: Path) -> CommentedMap:
    """Parse the text of a study file; it must be a mapping.

    Raises
    ------
    StudyError
        With the line, when it is no YAML or no mapping.
    """
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        message = f"not valid YAML: {error.problem or error.context}"
        raise StudyError(" ".join(message.split()), file=file, line=line) from error
    except YAMLError as error:
        raise StudyError(f"not valid YAML: {' '.join(str(error).split())}", file=file) from error
    if not isinstance(tree, CommentedMap):
        raise StudyError("a study file is a mapping of keys; `radfusion new` writes one", file=file, line=1)
    return tree


def set_value(tree: CommentedMap, override: str, file: Path) -> None:
    """Set one value of the tree, given as ``dotted.key=value``.

    Raises
    ------
    StudyError
        When it is not written so, or the key leads nowhere.
    """
    dotted, equals, text = override.partition("=")
    if not equals or not dotted.strip():
        raise StudyError(f"--set {override!r}: write dotted.key=value", file=file)
    *parents, last = dotted.strip().split(".")
    node: Any = tree
    for name in parents:
        node = _child(node, name, dotted=dotted, file=file)
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise StudyError(f"--set {override!r}: {text!r} is not a YAML value", file=file) from error
    if isinstance(node, CommentedSeq):
        node[_position(node, last, dotted=dotted, file=file)] = value
    else:
        node[last] = value


def _child(node: Any, name: str, *, dotted: str, file: Path) -> Any:
    if isinstance(node, CommentedSeq):
        found = node[_position(node, name, dotted=dotted, file=file)]
        if not isinstance(found, CommentedMap | CommentedSeq):
            raise StudyError(f"--set {dotted}: {name!r} is a value, nothing can be set in it", file=file)
        return found
    if not isinstance(node.get(name), CommentedMap | CommentedSeq):
        node[name] = CommentedMap()
    return node[name]


def _position(node: CommentedSeq, name: str, *, dotted: str, file: Path) -> int:
    if not name.isdigit() or int(name) >= len(node):
        raise StudyError(f"--set {dotted}: {name!r} is not a position from 0 to {len(node) - 1}", file=file)
    return int(name)


def plain_values(node: Any, tree: CommentedMap, file: Path, *, key: Key = ()) -> Any:
    """Plain JSON values; a date or other YAML object is refused rather than turned into text."""
    if isinstance(node, Mapping):
        return {str(name): plain_values(value, tree, file, key=(*key, str(name))) for name, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain_values(value, tree, file, key=(*key, position)) for position, value in enumerate(node)]
    if node is None or isinstance(node, bool | int | float | str):
        return node
    kind = type(node).__name__.lower()
    raise StudyError(
        f"a {kind} is not allowed here; put it in quotes", file=file, line=_line(tree, key), key=_dotted(key)
    )


def study_error(error: ValidationError, model: type[BaseModel], tree: CommentedMap, *, file: Path) -> StudyError:
    """Every mistake that a settings class found in the tree, each with its line and key.

    Parameters
    ----------
    error : pydantic.ValidationError
        What the class found.
    model : type
        The class of the whole study.
    tree : ruamel.yaml.comments.CommentedMap
        The file.
    file : pathlib.Path
        Its name.
    """
    found = [(_line(tree, key), _dotted(key), message) for key, message in _messages(error, model)]
    found = list(dict.fromkeys(sorted(found, key=lambda item: item[0])))
    first, *others = found
    tail = "".join(f"\n{file}:{line}: {key}: {message}" for line, key, message in others)
    return StudyError(first[2] + tail, file=file, line=first[0], key=first[1])


def _messages(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Key, str]]:
    for detail in error.errors():
        key = tuple(part for part in detail["loc"] if not str(part).startswith("function-"))
        if detail["type"] == "extra_forbidden":
            allowed = _allowed(key, model)
            yield key, f"unknown key; {nearest(str(key[-1]), allowed)}" if allowed else "unknown key"
        elif detail["type"] == "missing":
            yield key, "this key is required"
        else:
            yield key, _sentence(detail)


def _sentence(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    given = detail["input"]
    if detail["type"] == "value_error" or isinstance(given, dict | list):
        return message
    return f"{message[0].lower()}{message[1:]}; got {given!r}"


def _allowed(key: Key, model: type[BaseModel]) -> list[str]:
    """Names allowed beside the last part of a key, found by walking the settings classes."""
    kinds: list[Any] = [model]
    for part in key[:-1]:
        if isinstance(part, int):
            continue
        tagged = [kind for kind in kinds if any(field.default == part for field in kind.model_fields.values())]
        if len(kinds) > 1 and tagged:  # one of several classes, told apart by the value of a field
            kinds = tagged
            continue
        fields = [kind.model_fields[part] for kind in kinds if part in kind.model_fields]
        kinds = [kind for field in fields for kind in _kinds(field.annotation) if hasattr(kind, "model_fields")]
    return list(kinds[0].model_fields) if kinds else []


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _kinds(argument)


def _line(tree: CommentedMap, key: Key) -> int:
    """Line of a key, or of its nearest parent that is written in the file."""
    node: Any = tree
    line = 1
    for part in key:
        try:
            position = node.lc.key(part) if isinstance(node, CommentedMap) else node.lc.item(part)
            node = node[part]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
        line = position[0] + 1
    return line


def _dotted(key: Key) -> str:
    return ".".join(str(part) for part in key)
