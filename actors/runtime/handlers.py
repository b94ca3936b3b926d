"""Which method takes which message: read from annotations, once a class, and checked."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from actors.runtime.errors import BadHandler

H = TypeVar("H", bound=Callable[..., Any])
Table = dict[type, Callable[[Any, Any], Any]]

_MARK = "__handles_message__"
_TABLE = "_handler_table"


def handles(method: H) -> H:
    """Mark a method as the handler of the type that its one argument is annotated with.

    A union of types is allowed. The method may be `async`; while it awaits, the mailbox waits.

    Raises:
        BadHandler: when the method does not take exactly one annotated message.
    """
    parameters = list(inspect.signature(method).parameters.values())
    name = getattr(method, "__qualname__", repr(method))
    if len(parameters) != 2:
        raise BadHandler(
            f"{name} must take self and one message; write `def {name.rpartition('.')[2]}"
            "(self, message: MessageType)`"
        )
    if parameters[1].annotation is inspect.Parameter.empty:
        raise BadHandler(
            f"{name} does not say which message it takes; annotate `{parameters[1].name}` "
            "with the message's type"
        )
    setattr(method, _MARK, parameters[1].name)
    return method


def table_of(cls: type) -> Table:
    """The handlers of an actor class, by message type.

    Raises:
        BadHandler: two handlers for one type, an override without `@handles`, or an annotation
            that is not a class.
        NameError: an annotation names something that is not defined (yet).
    """
    known: Table | None = vars(cls).get(_TABLE)
    if known is None:
        known = _read(cls)
        setattr(cls, _TABLE, known)
    return known


def _read(cls: type) -> Table:
    table: Table = {}
    for name in _handler_names(cls):
        method = getattr(cls, name)
        if not hasattr(method, _MARK):
            raise BadHandler(
                f"{cls.__name__}.{name} overrides a handler without being one; "
                "put @handles on it as well, or give it another name"
            )
        for message_type in _message_types(cls, name, method):
            if message_type in table:
                other = table[message_type].__name__
                raise BadHandler(
                    f"{cls.__name__} has two handlers for {message_type.__name__}: {other} and "
                    f"{name}; keep one, or give one of them another message type"
                )
            table[message_type] = method
    return table


def _handler_names(cls: type) -> list[str]:
    """Names of handlers in the order of their definition, base classes first."""
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if hasattr(value, _MARK):
                names[name] = None
    return list(names)


def _message_types(cls: type, name: str, method: Callable[..., Any]) -> list[type]:
    parameter: str = getattr(method, _MARK)
    # Only this annotation is resolved: a reply's type may be imported for the checker alone.
    only = types.SimpleNamespace(__annotations__={parameter: method.__annotations__[parameter]})
    hint = get_type_hints(only, globalns=getattr(method, "__globals__", {}))[parameter]
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    found: list[type] = []
    for member in members:
        bare = get_origin(member) or member
        if not isinstance(bare, type):
            raise BadHandler(
                f"{cls.__name__}.{name} takes {member!r}, which is not a message type; "
                "annotate it with a class or a union of classes"
            )
        found.append(bare)
    return found
