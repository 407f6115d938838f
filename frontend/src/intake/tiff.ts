import { fromBlob, type GeoTIFFImage } from "geotiff";

import { context } from "./preview";

/** The first picture of a TIFF, as PNG; throws where it is none that can be decoded. */
export async function tiffToPng(file: Blob): Promise<Blob> {
  const tiff = await fromBlob(file);
  const image = await tiff.getImage();
  const rgb = await image.readRGB({ interleave: true });
  const canvas = new OffscreenCanvas(image.getWidth(), image.getHeight());
  const pixels = toRgba(rgb, canvas.width * canvas.height, depthOf(image));
  context(canvas).putImageData(new ImageData(pixels, canvas.width), 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** Greys and palettes come as 8 bits already; true colours in their own depth. */
function depthOf(image: GeoTIFFImage): number {
  const RGB = 2;
  const directory = image.fileDirectory;
  return directory.getValue("PhotometricInterpretation") === RGB ? image.getBitsPerSample() : 8;
}

export function toRgba(rgb: ArrayLike<number>, count: number, bits: number): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(count * 4);
  const scale = 255 / (2 ** bits - 1);
  const samples = rgb.length / count;
  for (let at = 0; at < count; at += 1) {
    for (let band = 0; band < 3; band += 1) rgba[at * 4 + band] = (rgb[at * samples + band] ?? 0) * scale;
    rgba[at * 4 + 3] = 255;
  }
  return rgba;
}
