import { expect, it } from "vitest";

import { area, timeLeft } from "./numbers";

it.each([
  [0.2, "1 s"],
  [59.4, "59 s"],
  [60, "1 min"],
  [90, "2 min"],
  [3599, "60 min"],
  [3600, "1 h"],
  [9000, "2 h 30 min"],
])("%s seconds are %s", (seconds, text) => {
  expect(timeLeft(seconds).replaceAll("\u00a0", " ")).toBe(text);
});

it.each([
  [0, "0.00 mm²"],
  [9.876, "9.88 mm²"],
  [12.345, "12.3 mm²"],
  [203.4, "203 mm²"],
])("%s mm² are %s", (mm2, text) => {
  expect(area(mm2).replaceAll("\u00a0", " ")).toBe(text);
});
