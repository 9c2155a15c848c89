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
            yield f'<text x="{self.left - 7}" y="{self.y(y) + 4:.1f}" text-anchor="end">{y:,.10g}</text>'
        for x in x_lines:
            yield f'<path class="grid" d="M{self.x(x):.1f} {self.top}V{self.bottom}"/>'
            yield f'<text x="{self.x(x):.1f}" y="{self.bottom + 17}" text-anchor="middle">{x:,.0f}</text>'
        yield f'<text x="{(self.left + self.right) / 2}" y="{self.size[1] - 9}" text-anchor="middle">{x_title}</text>'
        if y_title:
            middle = (self.top + self.bottom) / 2
            yield f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">{y_title}</text>'


class Panel:
    """Curves {name: [(x, y), …]} over one quantity, both axes logarithmic, the names above one another at the left."""
    size = (420, 340)

    def __init__(self, title, x_title, curves, colours, at=0, size=None):
        self.title, self.x_title, self.curves, self.colours, self.at = title, x_title, curves, colours, at
        points = [p for some in curves.values() for p in some]
        self.range = min(x for x, _ in points), max(x for x, _ in points)
        self.chart = Chart(size or self.size, (64, 34, 34, 46), self.range, powers_of_ten([y for _, y in points if y > 0]))

    def svg(self):
        c = self.chart
        yield f'<g transform="translate({self.at} 0)"><text x="{c.left}" y="20" style="font-weight:bold">{self.title}</text>'
        yield from c.grid(decades(*self.range), self.x_title)
        for i, (name, points) in enumerate(self.curves.items()):
            colour = self.colours[name]
            path = "L".join(f"{c.x(a):.1f} {c.y(b):.1f}" for a, b in points)
            yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            yield from (f'<circle cx="{c.x(a):.1f}" cy="{c.y(b):.1f}" r="3.5" fill="{colour}"/>' for a, b in points)
            yield f'<text x="{c.left + 10}" y="{c.top + 16 + 16 * i}" style="fill:{colour}">{name}</text>'
        yield "</g>"


def document(title, size, lines, style=""):
    body = "\n".join(lines)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" role="img">\n<title>{title}</title>\n'
            f"<style>text{{font:12px sans-serif;fill:#333}}.grid{{stroke:#ddd}}rect{{fill:#fff}}{style}</style>\n"
            f'<rect width="100%" height="100%"/>\n{body}\n</svg>\n')
