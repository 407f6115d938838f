import { expect, it } from "vitest";

import { coarser, firstLevel, pyramidOf, squareAround, tilesOf } from "./pyramid";

const DESCRIPTION = `<?xml version="1.0" encoding="UTF-8"?>
<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="jpeg" Overlap="1" TileSize="254">
  <Size Width="9000" Height="6000"/>
</Image>`;
const pyramid = pyramidOf("/slides/ab12.dzi", DESCRIPTION);

it("a description says how large the slide is, and where its tiles are", () => {
  const { width, height, tileSize, overlap, maxLevel } = pyramid;
  expect([width, height, tileSize, overlap, maxLevel]).toEqual([9000, 6000, 254, 1, 14]);
  expect(pyramid.tileUrl(14, 3, 2)).toBe("/slides/ab12_files/14/3_2.jpeg");
  expect(firstLevel(pyramid)).toBe(7);
});

it("a coarser pyramid has the same tiles at the levels that it keeps", () => {
  const map = coarser({ ...pyramid, width: 9001 }, 3);
  expect([map.width, map.height, map.maxLevel]).toEqual([1126, 750, 11]);
  expect(map.tileUrl(11, 0, 1)).toBe(pyramid.tileUrl(11, 0, 1));
  expect(coarser(pyramid, 99).maxLevel).toBe(0);
});

it("another version of a map has other tiles", () => {
  const map = pyramidOf("/slides/ab12/map.dzi?v=7", DESCRIPTION.replace("jpeg", "png"));
  expect(map.tileUrl(9, 0, 1)).toBe("/slides/ab12/map_files/9/0_1.png?v=7");
});

it("a place is cut from the coarsest level that is fine enough", () => {
  const square = { x: 2032, y: 1016, width: 1024, height: 1024 };
  const tiles = tilesOf(pyramid, square, 128); // 8 pixels of level 0 for each: level 11
  expect(tiles.map(({ url }) => url)).toEqual([
    "/slides/ab12_files/11/1_0.jpeg",
    "/slides/ab12_files/11/1_1.jpeg",
  ]);
  // Column 1 begins at 254, less an overlap of 1; the square at 2032 / 8 = 254.
  expect(tiles[0]).toMatchObject({ x: -1, y: -127, scale: 1 });
  expect(tiles[1]).toMatchObject({ x: -1, y: 126, scale: 1 });
});

it("never closer than the slide itself, and never beside it", () => {
  const corner = tilesOf(pyramid, { x: -50, y: -50, width: 100, height: 100 }, 200);
  expect(corner.map(({ url }) => url)).toEqual(["/slides/ab12_files/14/0_0.jpeg"]);
  expect(corner[0]).toMatchObject({ x: 100, y: 100, scale: 2 });
  expect(tilesOf(pyramid, { x: 9500, y: 0, width: 100, height: 100 }, 100)).toEqual([]);
});

it("a small place is seen in its surroundings, a large one whole", () => {
  expect(squareAround({ x: 100, y: 100, width: 20, height: 20 }, 200)).toEqual({
    x: expect.closeTo(0) as number,
    y: expect.closeTo(0) as number,
    width: expect.closeTo(220) as number,
    height: expect.closeTo(220) as number,
  });
  expect(squareAround({ x: 0, y: 0, width: 1000, height: 400 }, 200).width).toBeCloseTo(1100);
});
