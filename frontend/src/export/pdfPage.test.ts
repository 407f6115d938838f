import { describe, expect, it } from "vitest";

import { cut, wrap } from "./pdfPage";

const ruler = (text: string): number => text.length;

describe("wrap", () => {
  it("breaks between words", () => {
    expect(wrap("one two three", 7, ruler)).toEqual(["one two", "three"]);
  });

  it("breaks a word that is longer than a line", () => {
    expect(wrap("a abcdefgh", 4, ruler)).toEqual(["a ab", "cdef", "gh"]);
  });

  it("keeps paragraphs", () => {
    expect(wrap("one\n\ntwo", 9, ruler)).toEqual(["one", "", "two"]);
  });

  it("never writes beyond its width", () => {
    for (let width = 1; width < 12; width += 1) {
      for (const line of wrap("some words, averyverylongone, and more", width, ruler))
        expect(line.length).toBeLessThanOrEqual(width);
    }
  });
});

it("says where text was cut off", () => {
  expect(cut(["a", "b", "c"], 2)).toEqual(["a", "b …"]);
  expect(cut(["a", "b"], 2)).toEqual(["a", "b"]);
});
