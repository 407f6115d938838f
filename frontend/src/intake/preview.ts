import { formatOf } from "./format";

/** Longer side of a thumbnail in pixels: sharp at twice the density of its 48 px. */
const THUMBNAIL_SIDE = 96;

/** A thumbnail, and a picture any browser draws; null where this browser can draw neither. */
export async function draw(file: Blob): Promise<{ drawable: Blob; thumbnail: string } | null> {
  try {
    const head = new Uint8Array(await file.slice(0, 12).arrayBuffer());
    const drawable = formatOf(head) === "TIFF" ? await fromTiff(file) : file;
    return { drawable, thumbnail: URL.createObjectURL(await thumbnailOf(drawable)) };
  } catch {
    return null;
  }
}

async function fromTiff(file: Blob): Promise<Blob> {
  const { tiffToPng } = await import("./tiff");
  return tiffToPng(file);
}

async function thumbnailOf(picture: Blob): Promise<Blob> {
  const bitmap = await createImageBitmap(picture);
  const side = Math.min(bitmap.width, bitmap.height);
  const edge = Math.min(THUMBNAIL_SIDE, side);
  const canvas = new OffscreenCanvas(edge, edge);
  const left = (bitmap.width - side) / 2;
  const top = (bitmap.height - side) / 2;
  context(canvas).drawImage(bitmap, left, top, side, side, 0, 0, edge, edge);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}

export function context(canvas: OffscreenCanvas): OffscreenCanvasRenderingContext2D {
  const drawing = canvas.getContext("2d");
  if (!drawing) throw new Error("this browser gives no canvas");
  return drawing;
}
