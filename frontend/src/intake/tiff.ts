import { fromBlob, type GeoTIFFImage } from "geotiff";

import { contextOf } from "./canvas";

/** One page of a TIFF, counted from 1, as PNG; throws where it cannot be decoded. */
export async function tiffToPng(file: Blob, page: number): Promise<Blob> {
  const tiff = await fromBlob(file);
  const image = await tiff.getImage(page - 1);
  const rgb = await image.readRGB({ interleave: true });
  const canvas = new OffscreenCanvas(image.getWidth(), image.getHeight());
  const pixels = toRgba(rgb, canvas.width * canvas.height, depthOf(image));
  contextOf(canvas).putImageData(new ImageData(pixels, canvas.width), 0, 0);
  return upright(canvas, await orientationOf(image)).convertToBlob({ type: "image/png" });
}

async function orientationOf(image: GeoTIFFImage): Promise<number> {
  const tag: unknown = image.fileDirectory.hasTag("Orientation")
    ? await image.fileDirectory.loadValue("Orientation")
    : 1;
  return typeof tag === "number" ? tag : 1;
}

/** As the service reads it, and other viewers show it: windows are in pixels of the upright picture. */
function upright(canvas: OffscreenCanvas, orientation: number): OffscreenCanvas {
  const { width, height } = canvas;
  const transform = orientationTransform(orientation, width, height);
  if (!transform) return canvas;
  const turned =
    orientation > 4 ? new OffscreenCanvas(height, width) : new OffscreenCanvas(width, height);
  const drawing = contextOf(turned);
  drawing.setTransform(...transform);
  drawing.drawImage(canvas, 0, 0);
  return turned;
}

type Transform = [number, number, number, number, number, number];

/** What TIFF's and EXIF's orientations 2 to 8 require, as a canvas transform; null where nothing is turned. */
export function orientationTransform(
  orientation: number,
  width: number,
  height: number,
): Transform | null {
  const transforms: Partial<Record<number, Transform>> = {
    2: [-1, 0, 0, 1, width, 0],
    3: [-1, 0, 0, -1, width, height],
    4: [1, 0, 0, -1, 0, height],
    5: [0, 1, 1, 0, 0, 0],
    6: [0, 1, -1, 0, height, 0],
    7: [0, -1, -1, 0, height, width],
    8: [0, -1, 1, 0, 0, width],
  };
  return transforms[orientation] ?? null;
}

/** Greys and palettes come as 8 bits already; true colours in their own depth. */
function depthOf(image: GeoTIFFImage): number {
  const RGB = 2;
  const directory = image.fileDirectory;
  return directory.getValue("PhotometricInterpretation") === RGB ? image.getBitsPerSample() : 8;
}

export function toRgba(
  rgb: ArrayLike<number>,
  count: number,
  bits: number,
): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(count * 4);
  const scale = 255 / (2 ** bits - 1);
  const samples = rgb.length / count;
  for (let at = 0; at < count; at += 1) {
    for (let band = 0; band < 3; band += 1)
      rgba[at * 4 + band] = (rgb[at * samples + band] ?? 0) * scale;
    rgba[at * 4 + 3] = 255;
  }
  return rgba;
}
