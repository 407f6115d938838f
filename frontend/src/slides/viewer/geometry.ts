import type { Box, Region, Ring, SlideScale, UnreadTissue } from "../api/types";

/** In pixels of level 0. */
export interface Point {
  x: number;
  y: number;
}

/** Polygons with their holes, as an SVG path; to be filled by the even-odd rule. */
export function pathOf(polygons: readonly (readonly Ring[])[]): string {
  return polygons
    .flatMap((rings) => rings.map((ring) => `M${ring.map(([x, y]) => `${x} ${y}`).join("L")}Z`))
    .join("");
}

/** Whether a point lies within polygons and in none of their holes. */
export function contains(polygons: readonly (readonly Ring[])[], point: Point): boolean {
  return polygons.some((rings) => rings.filter((ring) => isInside(ring, point)).length % 2 === 1);
}

/** Even-odd: how often a line to the right crosses the ring. */
function isInside(ring: Ring, { x, y }: Point): boolean {
  let inside = false;
  ring.forEach(([x1, y1], at) => {
    const [x2, y2] = ring[(at + 1) % ring.length] ?? [x1, y1];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  });
  return inside;
}

export function polygonsOf(feature: UnreadTissue["features"][number]): Ring[][] {
  const { geometry } = feature;
  return geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
}

/** Why the tissue at a point was not read; undefined where it was, or where there is none. */
export function reasonAt(unread: UnreadTissue | null, point: Point): string | undefined {
  return unread?.features.find((feature) => contains(polygonsOf(feature), point))?.properties
    .reason;
}

export function centreOf({ x, y, width, height }: Box): Point {
  return { x: x + width / 2, y: y + height / 2 };
}

export function within(box: Box, { x, y }: Point): boolean {
  return x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
}

/** Where a region is in another list of them: while a slide is read, regions grow and change places. */
export function placeOf(region: Region | undefined, regions: readonly Region[]): number | null {
  if (!region) return null;
  const peak = centreOf(region.peak_box);
  const at = regions.findIndex(({ kind, box }) => kind === region.kind && within(box, peak));
  return at < 0 ? null : at;
}

/** Micrometres between two points; pixels need not be square. */
export function distance(from: Point, to: Point, { x, y }: Pick<SlideScale, "x" | "y">): number {
  return Math.hypot((to.x - from.x) * x, (to.y - from.y) * y);
}
