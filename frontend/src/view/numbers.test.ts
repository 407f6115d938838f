import { expect, it } from "vitest";

import { duration, megabytes, ordinal, percent } from "./numbers";

const plain = (text: string): string => text.replaceAll("\u00a0", " ");

it.each([
  [0, "0.0 %"],
  [0.00005, "< 0.1 %"],
  [0.724, "72.4 %"],
  [0.9999, "> 99.9 %"],
  [1, "100.0 %"],
])("%f is %s", (share, text) => {
  expect(plain(percent(share))).toBe(text);
});

it("says sizes and times as people do", () => {
  expect([megabytes(4200), megabytes(20_971_520)].map(plain)).toEqual(["4.2 kB", "21 MB"]);
  expect([duration(41.8), duration(61_234)].map(plain)).toEqual(["42 ms", "61.2 s"]);
});

it.each([
  [1, "1st"],
  [2, "2nd"],
  [3, "3rd"],
  [4, "4th"],
  [11, "11th"],
  [12, "12th"],
  [21, "21st"],
  [102, "102nd"],
  [113, "113th"],
])("%i is %s", (place, text) => {
  expect(ordinal(place)).toBe(text);
});
