"""The checks that jaxtyping's import hook adds to every function of t2i in tests.

jaxtyping checks the functions whose annotations have shapes. All others are checked by beartype alone, which takes
less than 1 µs per call where jaxtyping takes 20; except functions inside functions, which would be decorated, in a
millisecond, whenever the outer one is called. A function is decorated when it is first called, because most of the
thousands that a worker imports never are. Loops repeat their shapes: in each test, the first calls of a function are
checked.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any, get_args, get_type_hints

import beartype
import jaxtyping
from beartype.roar import BeartypeDecorHintException

CONF = beartype.BeartypeConf(is_pep484_tower=True, violation_type=jaxtyping.TypeCheckError)  # float accepts an int
WITH_SHAPES = jaxtyping.jaxtyped
MOST_CALLS = 30  # of a function with shapes that are checked in one test
PLAIN_INNER: set[CodeType] = set()  # of functions inside functions that have no shapes


_tests = 0  # that have begun


def new_test() -> None:
    """The first calls are counted again."""
    global _tests
    _tests += 1


def install(packages: list[str]) -> None:
    """Check every function and dataclass of these packages; call it before they are imported."""
    jaxtyping.jaxtyped = jaxtyped  # the name that the hook writes before every function and class
    jaxtyping.install_import_hook(packages, "shapes.checked")


@contextmanager
def unchecked() -> Iterator[None]:
    """Signatures are not checked within, as outside the tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def jaxtyped(*, typechecker: Callable[..., Any]) -> Callable[[Any], Any]:
    """The decorator for a function or class: jaxtyping's if it has shapes, otherwise beartype's."""

    def decorated(item: Any) -> Any:
        if inspect.isclass(item):
            if dataclasses.is_dataclass(item):
                item.__init__ = decorated(item.__init__)
            return item
        return inner(item, typechecker) if "<locals>" in item.__qualname__ else when_called(item, typechecker)

    return decorated


def inner(function: FunctionType, typechecker: Callable[..., Any]) -> Callable[..., Any]:
    """A function inside a function, checked if it has shapes."""
    if function.__code__ in PLAIN_INNER:
        return function
    if has_shapes(readable_hints(function)):
        return WITH_SHAPES(function, typechecker=typechecker)
    PLAIN_INNER.add(function.__code__)
    return function


def when_called(function: FunctionType, typechecker: Callable[..., Any]) -> Callable[..., Any]:
    """The function, checked from its first call on, unless jaxtyping's checks are switched off at the moment."""
    strict: Callable[..., Any] | None = None
    shaped, counted_in, left = False, 0, MOST_CALLS

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        nonlocal strict, shaped, counted_in, left
        if jaxtyping.config.jaxtyping_disable:
            return function(*args, **kwargs)
        if strict is None:
            strict = function  # for calls from within the next lines, as of one that replaces `compile` in a test
            hints = readable_hints(function)
            shaped = has_shapes(hints)
            strict = WITH_SHAPES(function, typechecker=typechecker) if shaped else without_shapes(function, hints)
        if shaped:
            if counted_in != _tests:
                counted_in, left = _tests, MOST_CALLS
            if not left:
                return function(*args, **kwargs)
            left -= 1
        return strict(*args, **kwargs)

    return call


def readable_hints(function: FunctionType) -> dict[str, Any]:
    """The annotations as types, without those whose names are only imported for mypy."""
    hints = {}
    for name, annotation in function.__annotations__.items():
        one = SimpleNamespace(__annotations__={name: annotation})
        try:
            hints |= get_type_hints(one, function.__globals__, include_extras=True)
        except (NameError, AttributeError, TypeError):
            continue
    return hints


def has_shapes(hints: dict[str, Any]) -> bool:
    return any(map(has_shape, hints.values()))


def has_shape(hint: Any) -> bool:
    """Whether `hint` is or contains a type such as Float[Tensor, "b c"]."""
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    return any(has_shape(part) for part in (hint if isinstance(hint, list) else get_args(hint)))


def without_shapes(function: FunctionType, hints: dict[str, Any]) -> Callable[..., Any]:
    """`function` checked by beartype."""
    if inspect.isgeneratorfunction(function):
        hints.pop("return", None)  # calling it always gives an iterator
    if not hints:
        return function
    twin = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    functools.update_wrapper(twin, function)
    twin.__kwdefaults__, twin.__annotations__ = function.__kwdefaults__, hints
    return checked(twin)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with checked annotations; unless one is `Self` or a recursive alias, which beartype cannot check."""
    try:
        return beartype.beartype(function, conf=CONF)
    except (BeartypeDecorHintException, AttributeError):  # the latter for recursive aliases
        return function
