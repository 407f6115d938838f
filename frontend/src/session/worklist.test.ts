import { describe, expect, it } from "vitest";

import { findOriginals } from "./duplicates";
import { prediction, tile } from "./fixtures";
import type { Item } from "./item";
import { type Category, DEFAULT_VIEW, visibleItems, countByCategory } from "./worklist";

const second = {
  question: "dysplasia-or-cancer-1",
  verdict: "yes",
  probability: 0.9,
  calibrated: false,
  sentence: "",
} as const;
const warning = { code: "blurred", measured: 1, threshold: 2, sentence: "Blurred." };

const wide = { code: "wide_field", measured: 3100, threshold: 1120, sentence: "It is wide." };
const window = { x: 0, y: 0, width: 9, height: 9, probability: 0.9, verdict: "yes" } as const;

const items: Item[] = [
  tile("tile 10", {
    phase: { is: "done" },
    verdict: prediction({
      probability: 0.1,
      second_answer: { ...second, mark: "high-grade" },
      warnings: [wide],
      windows: [window],
    }),
  }),
  tile("tile 9", {
    phase: { is: "done" },
    verdict: prediction({
      verdict: "yes",
      probability: 0.9,
      second_answer: { ...second, mark: null },
    }),
    digest: "1",
  }),
  tile("tile 2"),
  tile("tile 1", {
    phase: { is: "failed", failure: { code: "x", title: "x", detail: "x", canRetry: false } },
  }),
  tile("tile 3", {
    phase: { is: "explaining" },
    verdict: prediction({
      verdict: "indeterminate",
      probability: 0.4,
      gate: { passed: false, warnings: [warning] },
    }),
  }),
  tile("tile 4", {
    phase: { is: "done" },
    verdict: prediction({ verdict: "yes", probability: 0.9 }),
    digest: "1",
  }),
];
const ids = (view: Partial<typeof DEFAULT_VIEW>): string[] =>
  visibleItems(items, { ...DEFAULT_VIEW, ...view }).map(({ id }) => id);

describe("the worklist", () => {
  it("counts a verdict as soon as it is known, and what it alone would hide", () => {
    expect(countByCategory(items)).toEqual({
      all: 6,
      yes: 2,
      no: 1,
      indeterminate: 1,
      open: 1,
      failed: 1,
      "high-grade": 1,
      "low-grade": 0,
      serrated: 0,
      against_advice: 1,
      warned: 1,
      hidden_windows: 1,
      duplicate: 1,
    });
  });

  it("sorts names as people do", () => {
    expect(ids({ sorting: "name" })).toEqual([
      "tile 1",
      "tile 2",
      "tile 3",
      "tile 4",
      "tile 9",
      "tile 10",
    ]);
  });

  it("puts tiles without a probability last, both ways", () => {
    expect(ids({ sorting: "likeliest" }).slice(0, 4)).toEqual([
      "tile 9",
      "tile 4",
      "tile 3",
      "tile 10",
    ]);
    expect(ids({ sorting: "unlikeliest" }).slice(0, 4)).toEqual([
      "tile 10",
      "tile 3",
      "tile 9",
      "tile 4",
    ]);
  });

  it.each<[Category, string[]]>([
    ["yes", ["tile 9", "tile 4"]],
    ["failed", ["tile 1"]],
    ["open", ["tile 2"]],
    ["high-grade", ["tile 10"]],
    ["serrated", []],
    ["against_advice", ["tile 3"]],
    ["warned", ["tile 10"]],
    ["hidden_windows", ["tile 10"]],
    ["duplicate", ["tile 4"]],
  ])("narrows to %s", (category, found) => {
    expect(ids({ category })).toEqual(found);
    expect(countByCategory(items)[category]).toBe(found.length);
  });

  it("narrows by probability, ends included", () => {
    expect(ids({ least: 0.4, most: 0.9 })).toEqual(["tile 9", "tile 3", "tile 4"]);
  });
});

it("names the first tile of the same bytes", () => {
  expect([...findOriginals(items)].map(([id, original]) => [id, original.name])).toEqual([
    ["tile 4", "tile 9.png"],
  ]);
});
