// Plots times over numbers of files as an SVG, both axes logarithmic. Pure.

/** The median. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? sorted[Math.floor(middle)]!
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

const WIDTH = 720;
const HEIGHT = 420;
const MARGIN = 60;
const COLOURS = ["#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f"];

/** One line for each name. */
export function plotTimes(
  points: readonly { readonly name: string; readonly files: number; readonly seconds: number }[],
): string {
  const names = [...new Set(points.map(({ name }) => name))];
  const files = points.map((point) => Math.log10(point.files));
  const times = points.map((point) => Math.log10(point.seconds));
  const x = scale(Math.floor(Math.min(...files)), Math.ceil(Math.max(...files)), MARGIN, WIDTH - 140);
  const y = scale(Math.floor(Math.min(...times)), Math.ceil(Math.max(...times)), HEIGHT - MARGIN, 20);
  const labels = labelHeights(points, names, y);
  const lines = names.map((name, at) => {
    const own = points.filter((point) => point.name === name).toSorted((one, other) => one.files - other.files);
    const path = own.map((point) => `${x(point.files).toFixed(1)},${y(point.seconds).toFixed(1)}`).join(" ");
    const last = own.at(-1)!;
    const colour = COLOURS[at % COLOURS.length];
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>` +
      `<text x="${x(last.files) + 6}" y="${labels.get(name)! + 4}" fill="${colour}">${
        name.replaceAll("&", "&amp;")
      }</text>`;
  });
  const grid = [
    ...powers(files).map((power) =>
      `<line x1="${x(10 ** power)}" x2="${x(10 ** power)}" y1="20" y2="${HEIGHT - MARGIN}" stroke="#ddd"/>` +
      `<text x="${x(10 ** power)}" y="${HEIGHT - MARGIN + 18}" text-anchor="middle">${
        (10 ** power).toLocaleString("en")
      }</text>`
    ),
    ...powers(times).map((power) =>
      `<line x1="${MARGIN}" x2="${WIDTH - 140}" y1="${y(10 ** power)}" y2="${y(10 ** power)}" stroke="#ddd"/>` +
      `<text x="${MARGIN - 6}" y="${y(10 ** power) + 4}" text-anchor="end">${10 ** power} s</text>`
    ),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">\n` +
    `<rect width="100%" height="100%" fill="white"/>\n${[...grid, ...lines].join("\n")}\n` +
    `<text x="${(WIDTH - 80) / 2}" y="${HEIGHT - 12}" text-anchor="middle">files</text>\n</svg>\n`;
}

/** The heights of the labels: at the ends of their lines, moved so that none overlaps another. */
function labelHeights(
  points: readonly { readonly name: string; readonly files: number; readonly seconds: number }[],
  names: readonly string[],
  y: (seconds: number) => number,
): Map<string, number> {
  const ends = names.map((name) => {
    const last = points.filter((point) => point.name === name).toSorted((one, other) => one.files - other.files).at(
      -1,
    )!;
    return { name, files: last.files, height: y(last.seconds) };
  }).toSorted((one, other) => one.height - other.height);
  const heights = new Map<string, number>();
  for (const { name, files, height } of ends) {
    const above = ends.filter((other) => other.files === files && heights.has(other.name));
    heights.set(name, Math.max(height, ...above.map((other) => heights.get(other.name)! + 14)));
  }
  return heights;
}

/** Maps a range of powers of ten to a range of points. */
function scale(from: number, to: number, first: number, last: number): (value: number) => number {
  const span = Math.max(1, to - from);
  return (value) => first + (Math.log10(value) - from) / span * (last - first);
}

function powers(logarithms: readonly number[]): number[] {
  const from = Math.floor(Math.min(...logarithms));
  const to = Math.ceil(Math.max(...logarithms));
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
