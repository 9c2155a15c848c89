"""Frame, axes and grid of the drawings that benchmarks make, as SVG."""
import math


def powers_of_ten(values):
    """The two between which all values lie."""
    return 10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values)))


def decades(low, high):
    return [10.0 ** e for e in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]


class Chart:
    """Places in a frame: margins are left, right, top, bottom; y is logarithmic, x too unless it is even."""

    def __init__(self, size, margins, x, y, even=False):
        self.size, self.x_range, self.y_range, self.even = size, x, y, even
        self.left, self.top = margins[0], margins[2]
        self.right, self.bottom = size[0] - margins[1], size[1] - margins[3]

    def x(self, value):
        low, high = self.x_range
        part = (value - low) / (high - low) if self.even else math.log(value / low) / math.log(high / low)
        return self.left + (self.right - self.left) * part

    def y(self, value):
        low, high = self.y_range
        return self.bottom - (self.bottom - self.top) * math.log(max(value, low) / low) / math.log(high / low)

    def grid(self, x_lines, x_title, y_title=None):
        for y in decades(*self.y_range):
            yield f'<path class="grid" d="M{self.left} {self.y(y):.1f}H{self.right}"/>'
            yield f'<text x="{self.left - 7}" y="{self.y(y) + 4:.1f}" text-anchor="end">{y:g}</text>'
        for x in x_lines:
            yield f'<path class="grid" d="M{self.x(x):.1f} {self.top}V{self.bottom}"/>'
            yield f'<text x="{self.x(x):.1f}" y="{self.bottom + 17}" text-anchor="middle">{x:,.0f}</text>'
        yield f'<text x="{(self.left + self.right) / 2}" y="{self.size[1] - 9}" text-anchor="middle">{x_title}</text>'
        if y_title:
            middle = (self.top + self.bottom) / 2
            yield f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">{y_title}</text>'


def document(title, size, lines, style=""):
    body = "\n".join(lines)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" role="img">\n<title>{title}</title>\n'
            f"<style>text{{font:12px sans-serif;fill:#333}}.grid{{stroke:#ddd}}rect{{fill:#fff}}{style}</style>\n"
            f'<rect width="100%" height="100%"/>\n{body}\n</svg>\n')
