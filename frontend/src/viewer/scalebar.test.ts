import { expect, it } from "vitest";

import { scaleBar } from "./scalebar";

it.each([
  [0.5, 140, 50],
  [0.25, 140, 20],
  [1, 100, 100],
  [0.1, 100, 10],
  [12, 140, 1000],
  [0.004, 140, 0.5],
])("%f µm a pixel in %i pixels: %f µm", (mpp, room, micrometres) => {
  const bar = scaleBar(mpp, room);
  expect(bar.micrometres).toBe(micrometres);
  expect(bar.pixels).toBeLessThanOrEqual(room * 1.0001);
  expect(bar.pixels * mpp).toBeCloseTo(micrometres);
});
