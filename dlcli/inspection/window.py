"""Which inputs one unit can see along one axis (Araujo et al., 2019, "Computing Receptive Fields of ConvNets")."""

import math
from dataclasses import dataclass, replace
from fractions import Fraction


@dataclass(frozen=True, kw_only=True)
class Window:
    """Positions `start` .. `start + width() - 1` of the input are what position 0 of this axis sees.

    Position 1 sees the same, `jump` further on. Cells lie on a grid; up-sampling by `factor` puts a
    finer grid over the one `above`, and a window in fine cells covers whole coarse ones. So widths
    stay exact where a plain fraction of a jump would not; where units differ, the widest counts.
    """

    start: Fraction = Fraction(0)
    reach: int = 0  # cells of this grid that are seen, less one
    step: int = 1  # cells between neighbours
    extra: int = 0  # input positions that a merge added
    above: "Window | None" = None
    factor: int = 1

    def width(self, neighbours: int = 0) -> int:
        """Input positions that a unit sees together with so many units beside it."""
        cells = self.reach + neighbours * self.step
        seen = 1 + cells if self.above is None else self.above.width(cells // self.factor)
        return seen + self.extra

    @property
    def jump(self) -> Fraction:
        """Input positions between the windows of two neighbours."""
        return self.step * (Fraction(1) if self.above is None else self.above.jump / self.factor)

    def slid(self, size: int, stride: int = 1, dilation: int = 1, before: int = 0) -> "Window":
        """After a convolution or pooling of that many taps. before: positions of padding in front."""
        return replace(
            self,
            reach=self.reach + (size - 1) * dilation * self.step,
            start=self.start - before * self.jump,
            step=self.step * stride,
        )

    def spread(self, size: int, factor: int, before: int = 0) -> "Window":
        """After a transposed convolution of that many taps; repeating every value is one of `factor` taps."""
        first = -((size - 1 - before) // factor)  # lowest coarse cell that reaches fine position 0
        return Window(start=self.start + first * self.jump, reach=size - 1, above=self, factor=factor)


def union(windows: list[Window]) -> Window:
    """What is seen over all of several paths. Their jumps are taken to be the widest path's."""
    widest = max(windows, key=Window.width)
    start = min(window.start for window in windows)
    end = max(window.start + window.width() for window in windows)
    return replace(widest, start=start, extra=widest.extra + math.ceil(end - start) - widest.width())


def padding_before(size: int | None, taps: int, stride: int) -> int:
    """Positions that padding "same" puts in front. size: of the axis; open: taken as a multiple of the stride."""
    added = taps - stride if size is None else (-(-size // stride) - 1) * stride + taps - size
    return max(added, 0) // 2
