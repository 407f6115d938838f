import { expect, it } from "vitest";

import type { Region, Ring, UnreadTissue } from "../api/types";
import { contains, distance, pathOf, placeOf, reasonAt } from "./geometry";

const square = (x: number, y: number, side: number): Ring => [
  [x, y],
  [x + side, y],
  [x + side, y + side],
  [x, y + side],
  [x, y],
];
const WITH_HOLE: Ring[][] = [[square(0, 0, 100), square(40, 40, 20)], [square(200, 0, 50)]];

it.each([
  [10, 10, true],
  [50, 50, false], // in the hole
  [220, 20, true],
  [150, 20, false],
  [-1, 10, false],
])("%i, %i is inside: %s", (x, y, inside) => {
  expect(contains(WITH_HOLE, { x, y })).toBe(inside);
});

it("polygons are one path, holes and all", () => {
  expect(pathOf([[square(0, 0, 1)], [square(5, 5, 2)]])).toBe(
    "M0 0L1 0L1 1L0 1L0 0ZM5 5L7 5L7 7L5 7L5 5Z",
  );
});

it("says why tissue was not read", () => {
  const unread: UnreadTissue = {
    type: "FeatureCollection",
    features: [
      {
        type: "Feature",
        geometry: { type: "Polygon", coordinates: [square(0, 0, 10)] },
        properties: { reason: "out_of_focus" },
      },
      {
        type: "Feature",
        geometry: { type: "MultiPolygon", coordinates: [[square(20, 0, 10)]] },
        properties: { reason: "not_visited" },
      },
    ],
  };
  expect(reasonAt(unread, { x: 5, y: 5 })).toBe("out_of_focus");
  expect(reasonAt(unread, { x: 25, y: 5 })).toBe("not_visited");
  expect(reasonAt(unread, { x: 15, y: 5 })).toBeUndefined();
  expect(reasonAt(null, { x: 5, y: 5 })).toBeUndefined();
});

it("a distance is in micrometres, along each side by its own scale", () => {
  expect(distance({ x: 0, y: 0 }, { x: 300, y: 400 }, { x: 0.5, y: 0.5 })).toBeCloseTo(250);
  expect(distance({ x: 0, y: 0 }, { x: 30, y: 40 }, { x: 1, y: 0 })).toBeCloseTo(30);
});

it("a region is found again where it has grown and moved down the list", () => {
  const region = (kind: Region["kind"], x: number, width: number): Region =>
    ({
      kind,
      box: { x, y: 0, width, height: 10 },
      peak_box: { x, y: 0, width: 10, height: 10 },
    }) as Region;
  const chosen = region("cancer", 100, 10);
  const later = [region("cancer", 500, 10), region("precursor", 90, 50), region("cancer", 90, 50)];
  expect(placeOf(chosen, later)).toBe(2);
  expect(placeOf(chosen, later.slice(0, 2))).toBeNull();
  expect(placeOf(undefined, later)).toBeNull();
});
