import { describe, expect, it } from "vitest";

import type { Answer, Verdict } from "../api/types";
import type { Item, Phase } from "./item";
import { EVERYTHING, shown, totals } from "./list";

const item = (name: string, phase: Phase, verdict?: { verdict: Answer; probability: number }): Item => ({
  id: name, name, phase, file: new Blob(), explanation: "", losses: 0, resends: 0, review: { mark: null, note: "" },
  ...(verdict && { verdict: verdict as Verdict }),
});

const items = [
  item("tile 10", { is: "done" }, { verdict: "no", probability: 0.1 }),
  item("tile 9", { is: "done" }, { verdict: "yes", probability: 0.9 }),
  item("tile 2", { is: "waiting" }),
  item("tile 1", { is: "failed", trouble: { code: "x", title: "x", detail: "x", canRetry: true } }),
  item("tile 3", { is: "explaining" }, { verdict: "indeterminate", probability: 0.4 }),
];
const names = (view: Partial<typeof EVERYTHING>): string[] => shown(items, { ...EVERYTHING, ...view }).map(({ name }) => name);

describe("the worklist", () => {
  it("counts a verdict as soon as it is known", () => {
    expect(totals(items)).toMatchObject({ all: 5, yes: 1, no: 1, indeterminate: 1, open: 1, failed: 1 });
  });

  it("sorts names as people do", () => {
    expect(names({ sorting: "name" })).toEqual(["tile 1", "tile 2", "tile 3", "tile 9", "tile 10"]);
  });

  it("puts tiles without a probability last, both ways", () => {
    expect(names({ sorting: "likeliest" }).slice(0, 3)).toEqual(["tile 9", "tile 3", "tile 10"]);
    expect(names({ sorting: "unlikeliest" }).slice(0, 3)).toEqual(["tile 10", "tile 3", "tile 9"]);
  });

  it("filters by verdict and by probability, ends included", () => {
    expect(names({ category: "yes" })).toEqual(["tile 9"]);
    expect(names({ category: "failed" })).toEqual(["tile 1"]);
    expect(names({ least: 0.4, most: 0.9 })).toEqual(["tile 9", "tile 3"]);
  });
});
