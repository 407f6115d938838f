"""What the two processes say to each other: JSON, so that a decoder gone wrong cannot run code."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from healer import errors
from healer.screening.gate import GateReport

if TYPE_CHECKING:
    from healer.config import GateMode


@dataclass(frozen=True, slots=True)
class Order:
    """`size` bytes of a file lie on the slate; `page` is the one to read where it holds several."""

    size: int
    mode: GateMode
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """The pixels lie on the slate. The rest is as in Admitted."""

    height: int
    width: int
    mpp: float | None
    gate: GateReport | None
    timings: dict[str, float]
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A RequestError: its class, and its fields."""

    kind: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, error: errors.RequestError) -> Refused:
        return cls(type(error).__name__, error.fields())

    def error(self) -> errors.RequestError:
        kind: type[errors.RequestError] = getattr(errors, self.kind)
        if not issubclass(kind, errors.RequestError):
            raise TypeError(self.kind)
        fields = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.fields.items()
        }
        return kind(**fields)


@dataclass(frozen=True, slots=True)
class Failed:
    """A mistake of ours; or the system failed us, with `errno`, as where files run out."""

    trace: str
    errno: int | None = None


Reply = Read | Refused | Failed


def encoded(message: Order | Reply) -> bytes:
    return json.dumps(asdict(message)).encode()
