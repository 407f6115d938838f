import { describe, expect, it } from "vitest";

import type { Limits } from "../api/types";
import { check } from "./check";
import { filesFromInput } from "./files";
import { toRgba, orientationTransform } from "./tiff";

const limits: Limits = { max_bytes: 1000, max_pixels: 100, formats: ["PNG", "JPEG", "TIFF"] };

/** A PNG's header, which is all that is read before sending. */
function png(width: number, height: number): Blob {
  const header = new DataView(new ArrayBuffer(33));
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].forEach((byte, at) => {
    header.setUint8(at, byte);
  });
  header.setUint32(8, 13);
  [0x49, 0x48, 0x44, 0x52].forEach((byte, at) => {
    header.setUint8(12 + at, byte);
  });
  header.setUint32(16, width);
  header.setUint32(20, height);
  return new Blob([header]);
}

describe("check", () => {
  it.each([
    [png(10, 10), undefined],
    [png(10, 11), "too_many_pixels"],
    [new Blob([]), "empty_file"],
    [new Blob([new Uint8Array(1001)]), "too_many_bytes"],
    [new Blob(["dear colleague"]), "not_an_image"],
    [new Blob(["BM and so on"]), "not_an_image"],
    [new Blob(["II*\0, damaged"]), undefined],
  ])("%#", async (file, code) => {
    expect((await check(file, limits))?.code).toBe(code);
  });

  it("leaves to the service what it does not know yet", async () => {
    expect(await check(new Blob(["dear colleague"]), null)).toBeNull();
  });
});

it("takes the pictures of a folder, and says how much it left", () => {
  const file = (name: string, webkitRelativePath: string): File =>
    ({ name, webkitRelativePath }) as File;
  const folder = [
    file("a.PNG", "case/a.PNG"),
    file("b.tiff", "case/b.tiff"),
    file("notes.txt", "case/notes.txt"),
  ];
  const { files, skippedFiles } = filesFromInput(folder as unknown as FileList);
  expect(files.map(({ name }) => name)).toEqual(["case/a.PNG", "case/b.tiff"]);
  expect(skippedFiles).toBe(1);
});

it.each([
  [[0, 128, 255], 8, [0, 128, 255, 255]],
  [[0, 32896, 65535], 16, [0, 128, 255, 255]],
  [[1, 2, 3, 9], 8, [1, 2, 3, 255]],
])("colours of a TIFF: %j in %i bits", (rgb, bits, rgba) => {
  expect([...toRgba(rgb, 1, bits)]).toEqual(rgba);
});

/** Where TIFF 6.0 says that the first stored pixel's corner stands: [right, bottom] of the upright picture. */
it.each([
  [2, [30, 0]],
  [3, [30, 20]],
  [4, [0, 20]],
  [5, [0, 0]],
  [6, [20, 0]],
  [7, [20, 30]],
  [8, [0, 30]],
])("orientation %i of 30 × 20 pixels puts the first stored corner at %j", (orientation, corner) => {
  const transform = orientationTransform(orientation, 30, 20);
  if (!transform) throw new Error("not turned");
  const [a, b, c, d, e, f] = transform;
  expect([e, f]).toEqual(corner);
  const opposite = [30 * a + 20 * c + e, 30 * b + 20 * d + f];
  const size = orientation > 4 ? [20, 30] : [30, 20];
  expect(opposite.map((at, axis) => at + (corner[axis] ?? 0))).toEqual(size);
});

it("turns nothing where nothing is to be turned", () => {
  expect([0, 1, 9].map((orientation) => orientationTransform(orientation, 30, 20))).toEqual([
    null,
    null,
    null,
  ]);
});
