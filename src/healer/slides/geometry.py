"""Where something is on a slide: pixels of the finest level ("level-0 pixels") throughout."""

from __future__ import annotations

from dataclasses import dataclass

UM2_PER_MM2 = 1e6


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in level-0 pixels; `x` and `y` are its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def intersection(self, other: Area) -> Area | None:
        """None where they share no pixel."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        width = min(self.right, other.right) - left
        height = min(self.bottom, other.bottom) - top
        return Area(left, top, width, height) if width > 0 and height > 0 else None


@dataclass(frozen=True, slots=True)
class Resolution:
    """Micrometres per level-0 pixel along each axis; `source` names what stated them."""

    x: float
    y: float
    source: str

    @property
    def mean(self) -> float:
        return float((self.x * self.y) ** 0.5)

    def mm2(self, area: Area) -> float:
        return area.width * self.x * area.height * self.y / UM2_PER_MM2

    def mm(self, area: Area) -> tuple[float, float, float, float]:
        """Left, top, width and height in millimetres."""
        across, down = self.x / 1000, self.y / 1000
        return area.x * across, area.y * down, area.width * across, area.height * down


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the pyramid; `downsample` is level-0 pixels per pixel of this level."""

    width: int
    height: int
    downsample: float
