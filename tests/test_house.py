"""The house limits that ruff does not know, checked on the source text; every breach is listed at once."""

import ast
from collections.abc import Callable, Iterator

import pytest

PACKAGE = "radfusion"
MODULE_LINES, BODY_LINES, NESTING, ARGUMENTS = 400, 40, 3, 6
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
Breach = tuple[int, str]


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]


def public(tree) -> Iterator[ast.stmt]:
    """Public classes and functions, and their public methods; nothing inside a function."""
    for node in tree.body:
        if isinstance(node, DEFINITIONS) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def first_parameter_is_bound(function, tree) -> bool:
    owners = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and function in node.body)
    static = any(getattr(decorator, "id", "") == "staticmethod" for decorator in function.decorator_list)
    return any(owners) and not static


def parameters(function, tree):
    """All parameters of a fixed name, without self or cls."""
    positional = [*function.args.posonlyargs, *function.args.args]
    return [*positional[first_parameter_is_bound(function, tree) :], *function.args.kwonlyargs]


def depth(node, level: int = 0) -> int:
    """Deepest block under a node; an `elif` lies no deeper than its `if`, a nested definition starts anew."""
    deepest = level
    for child in ast.iter_child_nodes(node):
        if isinstance(child, DEFINITIONS):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, depth(child, level + (isinstance(child, BLOCKS) and not is_elif)))
    return deepest


def body_lines(function) -> int:
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def long_bodies(tree) -> Iterator[Breach]:
    for function in functions(tree):
        if (lines := body_lines(function)) > BODY_LINES:
            yield function.lineno, f"{function.name}: body of {lines} lines, at most {BODY_LINES}"


def deep_bodies(tree) -> Iterator[Breach]:
    for function in functions(tree):
        if (level := depth(function)) > NESTING:
            yield function.lineno, f"{function.name}: nested {level} deep, at most {NESTING}"


def many_arguments(tree) -> Iterator[Breach]:
    for function in functions(tree):
        if (count := len(parameters(function, tree))) > ARGUMENTS:
            yield function.lineno, f"{function.name}: {count} arguments, at most {ARGUMENTS}"


def prints(tree) -> Iterator[Breach]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            yield node.lineno, "print"


def blanket_excepts(tree) -> Iterator[Breach]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if any(each is None or getattr(each, "id", "") in ("Exception", "BaseException") for each in caught):
            yield node.lineno, "blanket except"


def is_own_import(node) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or (node.module or "").split(".")[0] == PACKAGE
    return isinstance(node, ast.Import) and any(alias.name.split(".")[0] == PACKAGE for alias in node.names)


def hidden_imports(tree) -> Iterator[Breach]:
    hidden = {node for function in functions(tree) for node in ast.walk(function) if is_own_import(node)}
    for node in hidden:
        yield node.lineno, "own import inside a function"


def undocumented(tree) -> Iterator[Breach]:
    if ast.get_docstring(tree) is None:
        yield 1, "module without a docstring"
    for node in public(tree):
        if ast.get_docstring(node) is None:
            yield node.lineno, f"{node.name}: public and without a docstring"


def unannotated(tree) -> Iterator[Breach]:
    for node in public(tree):
        if not isinstance(node, FUNCTIONS):
            continue
        for argument in parameters(node, tree):
            if argument.annotation is None:
                yield node.lineno, f"{node.name}: argument {argument.arg} without a type"
        if node.returns is None:
            yield node.lineno, f"{node.name}: result without a type"


EVERYWHERE = (long_bodies, deep_bodies, blanket_excepts, undocumented, unannotated)
NOT_IN_CLI = (many_arguments, prints, hidden_imports)


def breaches(source: str, checks: tuple[Callable[[ast.Module], Iterator[Breach]], ...]) -> list[Breach]:
    """All breaches of one module's source as (line, what), in order."""
    found = [breach for check in checks for breach in check(ast.parse(source))]
    if (lines := source.count("\n")) > MODULE_LINES:
        found.append((1, f"module of {lines} lines, at most {MODULE_LINES}"))
    return sorted(found)


def test_the_package_keeps_the_house_limits(root):
    listed = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        checks = EVERYWHERE if path.parent == root / PACKAGE / "cli" else EVERYWHERE + NOT_IN_CLI
        found = breaches(path.read_text(encoding="utf-8"), checks)
        listed += [f"{path.relative_to(root)}:{line}: {what}" for line, what in found]
    assert not listed, f"{len(listed)} breaches of the house limits\n" + "\n".join(listed)


DOCUMENTED = '"""Module."""\n'
NESTED = "def _f(a):\n" + "".join("    " * level + "if a:\n" for level in range(1, 5)) + "    " * 5 + "a = 1\n"
BREACHES = {
    "body of 41 lines": "def _f():\n" + "    a = 1\n" * 41,
    "module of 402 lines": "a = 1\n" * 401,
    "nested 4 deep": NESTED,
    "7 arguments": "def _f(a, b, c, *, d, e, g, h):\n    return a",
    "print": "print(1)",
    "blanket except": "try:\n    a = 1\nexcept (ValueError, Exception):\n    raise",
    "own import inside a function": "def _f():\n    from radfusion import core\n    return core",
    "f: public and without a docstring": "def f() -> int:\n    return 1",
    "argument a without a type": 'def f(a) -> int:\n    """F."""\n    return a',
    "result without a type": 'class C:\n    """C."""\n\n    def f(self, a: int):\n        """F."""\n        return a',
}
KEPT = {
    "elif chain": "def _f(a):\n    if a == 1:\n        a = 2\n"
    + "".join(f"    elif a == {i}:\n        a = 1\n" for i in range(2, 9)),
    "bound self": "class _C:\n    def f(self, a, b, c, *, d, e, g):\n        return a",
    "third-party import": "def _f():\n    import torch\n    return torch",
    "long docstring": 'def _f():\n    """Text.\n' + "    more\n" * 60 + '    """\n    return 1',
    "private": "def _f(a):\n    return a",
}


@pytest.mark.parametrize("what", BREACHES)
def test_a_breach_is_found_and_named(what):
    found = breaches(DOCUMENTED + BREACHES[what], EVERYWHERE + NOT_IN_CLI)
    assert [message for _, message in found if what in message]


@pytest.mark.parametrize("what", KEPT)
def test_what_is_allowed_is_left_alone(what):
    assert breaches(DOCUMENTED + KEPT[what], EVERYWHERE + NOT_IN_CLI) == []
