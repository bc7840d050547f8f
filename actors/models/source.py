"""What the source of diffusers says of a pipeline's class, read without importing it: to import it
would load torch.
"""

import ast
import importlib.util
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from actors.models.syntax import literal, parse

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_DEPTH = 20
_LENGTHS = {"max_length", "max_sequence_length", "tokenizer_max_length"}


class UnknownValue(Exception):
    """An expression needs more than a folder's configs to be computed."""


@dataclass(frozen=True)
class Facts:
    """What a model's folder says: its `model_index.json`, and the config of each of its
    components.
    """

    index: Mapping[str, Any]
    configs: Mapping[str, Mapping[str, Any]]

    def has(self, component: str) -> bool:
        origin = self.index.get(component)
        return isinstance(origin, list) and origin[0] is not None


@dataclass(frozen=True)
class PipelineSource:
    """The class of one pipeline, and the text of the file that it stands in."""

    name: str
    tree: ast.ClassDef
    text: str
    module: ast.Module = field(repr=False)

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def call(self) -> dict[str, Any] | None:
        """The parameters of its call and those of their defaults that are plain values, or None if
        it has no call.
        """
        function = self.functions.get("__call__")
        return None if function is None else _parameters(function.args)

    @cached_property
    def components(self) -> dict[str, str]:
        """What it is made of, with the class as the source writes it: the arguments of its
        constructor that have no default.
        """
        function = self.functions.get("__init__")
        if function is None:
            return {}
        required = function.args.args[1 : len(function.args.args) - len(function.args.defaults)]
        return {arg.arg: ast.unparse(arg.annotation) if arg.annotation else "" for arg in required}

    @cached_property
    def tokenizers(self) -> dict[str, str]:
        """Its tokenizers, and the class of each."""
        function = self.functions.get("__init__")
        named = (
            {arg.arg: arg.annotation for arg in function.args.args if "tokenizer" in arg.arg}
            if function
            else {}
        )
        return {name: ast.unparse(kind) if kind else "" for name, kind in named.items()}

    @cached_property
    def longest_text(self) -> int | None:
        """The most tokens that its code reads of a text, if its call does not name a limit."""
        lengths = [
            part.value.value
            for part in ast.walk(self.tree)
            if (isinstance(part, ast.keyword) and part.arg in _LENGTHS)
            or (
                isinstance(part, ast.Assign)
                and ast.unparse(part.targets[0]).removeprefix("self.") in _LENGTHS
            )
            if isinstance(part.value, ast.Constant) and isinstance(part.value.value, int)
        ]
        return max(lengths, default=None)

    @cached_property
    def optional(self) -> frozenset[str]:
        """The components that diffusers lets a folder lack."""
        for node in self.tree.body:
            if (
                isinstance(node, ast.Assign)
                and ast.unparse(node.targets[0]) == "_optional_components"
            ):
                return frozenset(_strings(node.value))
        return frozenset()

    @cached_property
    def decoders(self) -> tuple["PipelineSource", ...]:
        """The pipelines that it is made of, if it is several in one."""
        names = {
            ast.unparse(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)
        }
        found = [
            source_of(name)
            for name in sorted(names)
            if name.endswith("Pipeline") and name != self.name
        ]
        return tuple(source for source in found if source is not None)

    def expression(self, name: str) -> ast.expr | None:
        """What its constructor assigns to `self.name`, or what the property of that name
        returns.
        """
        if (function := self.functions.get(name)) is not None:
            returns = [
                node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Return) and node.value is not None
            ]
            return returns[0] if len(returns) == 1 else None
        constructor = self.functions.get("__init__")
        for node in ast.walk(constructor) if constructor else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == f"self.{name}":
                return node.value
        return None

    def value(self, node: ast.expr, facts: Facts, function: ast.FunctionDef | None = None) -> Any:
        """The value of an expression of the class for a folder. Raises UnknownValue if the folder
        does not tell.
        """
        try:
            return _Evaluation(self, facts, function).of(node)
        except (TypeError, ValueError, ArithmeticError) as exc:
            raise UnknownValue(ast.unparse(node)) from exc


class _Evaluation:
    """One expression, in the words of one function; what stands for a component is a Facts key,
    never its weights.
    """

    def __init__(
        self,
        source: PipelineSource,
        facts: Facts,
        function: ast.FunctionDef | None,
        depth: int = 0,
    ) -> None:
        if depth > _DEPTH:
            raise UnknownValue(source.name)
        self._source, self._facts, self._function, self._depth = source, facts, function, depth

    def of(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.Call):
            return self._called(node)
        return self._combined(node)

    def _combined(self, node: ast.expr) -> Any:
        match node:
            case ast.BinOp():
                return self._apply(node.op, self.of(node.left), self.of(node.right))
            case ast.Compare(ops=[only]):
                return self._apply(only, self.of(node.left), self.of(node.comparators[0]))
            case ast.UnaryOp(op=ast.Not()):
                return not self.of(node.operand)
            case ast.BoolOp():
                return self._first_that_decides(node)
            case ast.IfExp():
                return self.of(node.body if self.of(node.test) else node.orelse)
        raise UnknownValue(ast.unparse(node))

    def _apply(self, kind: ast.AST, left: Any, right: Any) -> Any:
        if type(kind) not in _OPERATORS or (isinstance(kind, ast.Pow) and abs(right) > 64):
            raise UnknownValue(type(kind).__name__)
        return _OPERATORS[type(kind)](left, right)

    def _first_that_decides(self, node: ast.BoolOp) -> Any:
        value: Any = None
        for part in node.values:
            value = self.of(part)
            if bool(value) is isinstance(node.op, ast.Or):
                break
        return value

    def _called(self, node: ast.Call) -> Any:
        match ast.unparse(node.func), node.args:
            case "len", [only]:
                return len(self.of(only))
            case "int", [only]:
                return int(self.of(only))
            case "hasattr", [owner, ast.Constant(value=str() as name)]:
                return ast.unparse(owner) != "self" or self._is_there(name)
            case "getattr", [owner, ast.Constant(value=str() as name), *_]:
                return (
                    self.of(ast.Attribute(owner, name))
                    if ast.unparse(owner) != "self" or self._is_there(name)
                    else None
                )
        raise UnknownValue(ast.unparse(node.func))

    def _is_there(self, name: str) -> bool:
        return self._facts.has(name) or self._source.expression(name) is not None

    def _attribute(self, node: ast.Attribute) -> Any:
        path = ast.unparse(node).split(".")
        if path[0] != "self":
            raise UnknownValue(ast.unparse(node))
        match path[1:]:
            case ["config", name]:
                return self._own_config(name)
            case [component, *config, name] if (
                config in ([], ["config"]) and component in self._facts.configs
            ):
                return self._config(component, name)
            case [name] if self._facts.has(name):
                return name  # a component: all that is asked of it is whether it is there
            case [name] if name in self._facts.index and self._source.expression(name) is None:
                return None
            case [name] if (found := self._source.expression(name)) is not None:
                owner = self._source.functions.get(name) or self._source.functions.get("__init__")
                return _Evaluation(self._source, self._facts, owner, self._depth + 1).of(found)
        raise UnknownValue(ast.unparse(node))

    def _own_config(self, name: str) -> Any:
        if name in self._facts.index:
            return self._facts.index[name]
        return self._default(self._source.functions.get("__init__"), name)

    def _config(self, component: str, name: str) -> Any:
        try:
            return self._facts.configs[component][name]
        except KeyError as exc:
            raise UnknownValue(f"{component}.{name}") from exc

    def _named(self, name: str) -> Any:
        function = self._function
        assigned = [
            node.value
            for node in (ast.walk(function) if function else ())
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
        ]
        if len(assigned) == 1:
            return _Evaluation(self._source, self._facts, function, self._depth + 1).of(
                assigned[0]
            )
        if function is not None and function.name == "__init__" and name in self._facts.index:
            return self._facts.index[name]
        if not assigned:
            return self._default(function, name)
        raise UnknownValue(name)

    def _default(self, function: ast.FunctionDef | None, name: str) -> Any:
        defaults = {} if function is None else _default_nodes(function.args)
        if isinstance(default := defaults.get(name), ast.Constant):
            return default.value
        raise UnknownValue(name)


@cache
def source_of(pipeline: str) -> PipelineSource | None:
    """The class of that name, or None if diffusers has none."""
    for path in pipelines_folder().glob("*/pipeline_*.py"):
        text = path.read_text(encoding="utf-8")
        if f"class {pipeline}(" not in text:
            continue
        module = parse(text)
        for node in module.body:
            if isinstance(node, ast.ClassDef) and node.name == pipeline:
                return PipelineSource(pipeline, node, text, module)
    return None


@cache
def text_to_image_classes() -> frozenset[str]:
    """The classes that diffusers itself lists as text-to-image, those for which it needs another
    library too.
    """
    names: set[str] = set()
    for node in ast.walk(
        parse((pipelines_folder() / "auto_pipeline.py").read_text(encoding="utf-8"))
    ):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith(
            "AUTO_TEXT2IMAGE_PIPELINES_MAPPING"
        ):
            names |= {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
    return frozenset(names) - {"OrderedDict"}


@cache
def text_in(place: str) -> str:
    """The text that a file of diffusers' pipelines gives a name, as `FILE:NAME`."""
    file, name = place.split(":")
    for node in parse((pipelines_folder() / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return str(literal(ast.unparse(node.value)))
    raise UnknownValue(place)


def pipelines_folder() -> Path:
    return package_folder("diffusers") / "pipelines"


def package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None  # those that are asked for are the farm's own requirements
    assert spec.origin is not None
    return Path(spec.origin).parent


def divisors_of_sides(node: ast.AST) -> Iterator[ast.expr]:
    """By what `height` and `width` are divided in a piece of code: the divisors of `height % 16`
    and of `int(height) // n`.
    """
    for part in ast.walk(node):
        if (
            isinstance(part, ast.BinOp)
            and isinstance(part.op, ast.Mod | ast.FloorDiv)
            and _is_side(part.left)
        ):
            yield part.right


def _is_side(node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "int" and node.args:
        node = node.args[0]
    return isinstance(node, ast.Name) and node.id in ("height", "width")


def _parameters(args: ast.arguments) -> dict[str, Any]:
    defaults = _default_nodes(args)
    values = {
        name: default.value
        for name, default in defaults.items()
        if isinstance(default, ast.Constant)
    }
    return {arg.arg: values.get(arg.arg) for arg in [*args.args, *args.kwonlyargs]}


def _default_nodes(args: ast.arguments) -> dict[str, ast.expr]:
    names = [arg.arg for arg in args.args]
    own = dict(zip(names[len(names) - len(args.defaults) :], args.defaults, strict=True))
    return own | {
        arg.arg: node
        for arg, node in zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if node is not None
    }


def _strings(node: ast.expr) -> Iterator[str]:
    return (
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )
