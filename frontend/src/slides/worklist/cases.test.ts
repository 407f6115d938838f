import { expect, it } from "vitest";

import { prediction, tile } from "../../session/fixtures";
import { caseOf, tilesOfCase } from "./cases";

const named = (id: string, name: string, change = {}): ReturnType<typeof tile> => ({
  ...tile(id, change),
  name,
});

it.each([
  ["C-12/tile.png", undefined, "C-12"],
  ["biopsies/C-12/tile.png", undefined, "C-12"],
  ["C-12/tile.png", " C-13 ", "C-13"],
  ["C-12/tile.png", " ", "C-12"],
  ["tile.png", undefined, null],
])("%s, given %s, is of case %s", (name, given, expected) => {
  expect(caseOf({ name, ...(given !== undefined && { case: given }) })).toBe(expected);
});

it("tiles of a case are counted with their worst verdict and the reader's disagreements", () => {
  const items = [
    named("a", "C-12/a.png", { verdict: prediction({ verdict: "no" }) }),
    named("b", "b.png", {
      case: "C-12",
      verdict: prediction({ verdict: "indeterminate" }),
      review: { mark: "disagree", note: "" },
    }),
    named("c", "C-13/c.png", { verdict: prediction({ verdict: "yes" }) }),
  ];
  expect(tilesOfCase(items, "C-12")).toEqual({
    count: 2,
    worst: "indeterminate",
    disagreements: 1,
  });
  expect(tilesOfCase(items, "C-14")).toBeNull();
});
