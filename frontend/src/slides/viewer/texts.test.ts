import { expect, it } from "vitest";

import type { Region, Slide } from "../api/types";
import { accountsOf } from "./Coverage";
import { SHORTCUTS } from "./keys";
import { texts } from "./texts";

it.each([
  [12.34, "12.3 µm"],
  [999, "999.0 µm"],
  [1234, "1.23 mm"],
])("%f µm are said as %s", (length, said) => {
  expect(texts.measure.between(length, { x: 0, y: 0 }, { x: 3, y: 4 })).toBe(said);
});

it("where the scale is unknown, a distance is in pixels", () => {
  expect(texts.measure.between(null, { x: 0, y: 0 }, { x: 3000, y: 4000 })).toBe("5,000 px");
});

it("the account leaves out what is nothing, but never what was read", () => {
  const accounts = accountsOf({
    tissue_mm2: 2,
    read_mm2: 0,
    excluded_mm2: { out_of_focus: 1.5 },
    unreadable_mm2: 0,
    unvisited_mm2: 0.5,
    read_share: 0,
    least_share_for_no: 0.95,
  });
  expect(accounts).toEqual([
    ["read", 0],
    ["excluded: out of focus", 1.5],
    ["not visited", 0.5],
    ["all tissue", 2],
  ]);
});

it("a screen reader gets news of a reading at each tenth, not at each tile", () => {
  const progress = { done: 47, kept: 0, total: 100, seconds_left: 1, tiles_per_second: 50 };
  const slide = { state: "reading", verdict: null, probability: null, progress } as Slide;
  expect(texts.stateSaid(slide)).toBe("Being read, 40 %");
  expect(texts.stateSaid({ ...slide, progress: { ...progress, done: 49 } })).toBe(
    "Being read, 40 %",
  );
  expect(texts.stateSaid({ ...slide, state: "read", verdict: "yes", probability: 0.99 })).toContain(
    "Yes, 99",
  );
});

it("each letter that works is listed, and each that is listed works", () => {
  const listed = texts.keys.flatMap(([keys]) => keys.split(/ and | or /)).map((key) => key.trim());
  const letters = (keys: string[]): string[] =>
    keys.filter((key) => /^[A-Z]$/i.test(key)).map((key) => key.toUpperCase());
  expect(letters(listed).sort()).toEqual(letters(Object.keys(SHORTCUTS)).sort());
});

it("a region of doubtful tiles alone is not called suspected", () => {
  const region = { kind: "cancer", mark: null } as Region;
  expect(texts.regions.kind(region, false)).toBe("Suspected cancer");
  expect(texts.regions.kind(region, true)).toBe("Doubtful: possible cancer");
});
