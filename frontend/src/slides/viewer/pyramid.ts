import { requestBlob, type Result } from "../api/request";
import type { Box } from "../api/types";

/** A Deep Zoom pyramid: each level half of the next, in square tiles that overlap a little. */
export interface Pyramid {
  width: number;
  height: number;
  tileSize: number;
  overlap: number;
  maxLevel: number;
  tileUrl(level: number, column: number, row: number): string;
}

/** A tile's picture on a canvas of `pixels` a side: where its corner goes, and how much it is enlarged. */
export interface Placed {
  url: string;
  x: number;
  y: number;
  scale: number;
}

/** Read a pyramid's description; its tiles' addresses keep what follows the question mark. */
export async function fetchPyramid(url: string): Promise<Result<Pyramid>> {
  const file = await requestBlob(url);
  if (file.is !== "answered") return file;
  return { is: "answered", value: pyramidOf(url, await file.value.text()) };
}

const attribute = (text: string, name: string): string =>
  new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1] ?? "";

export function pyramidOf(url: string, description: string): Pyramid {
  const [path = "", query] = url.split("?");
  const folder = `${path.replace(/\.dzi$/, "")}_files`;
  const [width, height, tileSize, overlap] = ["Width", "Height", "TileSize", "Overlap"].map(
    (name) => Number(attribute(description, name)),
  ) as [number, number, number, number];
  const ending = `.${attribute(description, "Format")}${query ? `?${query}` : ""}`;
  return {
    width,
    height,
    tileSize,
    overlap,
    maxLevel: Math.ceil(Math.log2(Math.max(width, height, 1))),
    tileUrl: (level, column, row) => `${folder}/${level}/${column}_${row}${ending}`,
  };
}

/** The coarsest level that is more than one tile, or the whole where it is small. */
export function firstLevel({ maxLevel, tileSize }: Pyramid): number {
  return Math.min(maxLevel, Math.floor(Math.log2(tileSize)));
}

/** Without its finest levels: what is no sharper than that is not fetched. */
export function coarser(pyramid: Pyramid, levels: number): Pyramid {
  const { width, height, maxLevel } = pyramid;
  const left = Math.min(levels, maxLevel);
  return {
    ...pyramid,
    width: Math.ceil(width / 2 ** left),
    height: Math.ceil(height / 2 ** left),
    maxLevel: maxLevel - left,
  };
}

/** A square around a box, with a margin, at least `least` pixels of level 0 a side. */
export function squareAround({ x, y, width, height }: Box, least: number): Box {
  const side = Math.max(width, height, least) * 1.1;
  return { x: x + width / 2 - side / 2, y: y + height / 2 - side / 2, width: side, height: side };
}

/** The tiles that show a square of the slide in `pixels` a side, from the level just fine enough. */
export function tilesOf(pyramid: Pyramid, square: Box, pixels: number): Placed[] {
  const { maxLevel, tileSize, overlap } = pyramid;
  const halvings = Math.floor(Math.log2(square.width / pixels));
  const level = Math.max(0, maxLevel - Math.max(0, halvings));
  const down = 2 ** (maxLevel - level);
  const scale = (pixels * down) / square.width;
  const range = (from: number, length: number, whole: number): number[] => {
    const last = Math.ceil(whole / down / tileSize) - 1;
    const first = Math.max(0, Math.floor(from / down / tileSize));
    const end = Math.min(last, Math.floor((from + length) / down / tileSize));
    return Array.from({ length: Math.max(0, end - first + 1) }, (_, at) => first + at);
  };
  const corner = (at: number, from: number): number =>
    (at * tileSize - (at > 0 ? overlap : 0) - from / down) * scale;
  return range(square.y, square.height, pyramid.height).flatMap((row) =>
    range(square.x, square.width, pyramid.width).map((column) => ({
      url: pyramid.tileUrl(level, column, row),
      x: corner(column, square.x),
      y: corner(row, square.y),
      scale,
    })),
  );
}
