import { contextOf } from "./canvas";
import { formatOf } from "./format";

/** Longer side of a thumbnail in pixels: sharp at twice the density of its 48 px. */
const THUMBNAIL_SIDE = 96;

/**
 * A thumbnail of a page, and a picture of it that any browser draws; null where this browser can
 * draw neither, as further pages of anything but a TIFF.
 */
export async function createPreview(
  file: Blob,
  page: number,
): Promise<{ drawable: Blob; thumbnail: string } | null> {
  try {
    const head = new Uint8Array(await file.slice(0, 12).arrayBuffer());
    const isTiff = formatOf(head) === "TIFF";
    if (page > 1 && !isTiff) return null;
    const drawable = isTiff ? await fromTiff(file, page) : file;
    return { drawable, thumbnail: URL.createObjectURL(await thumbnailOf(drawable)) };
  } catch {
    return null;
  }
}

async function fromTiff(file: Blob, page: number): Promise<Blob> {
  const { tiffToPng } = await import("./tiff");
  return tiffToPng(file, page);
}

async function thumbnailOf(picture: Blob): Promise<Blob> {
  const bitmap = await createImageBitmap(picture);
  const side = Math.min(bitmap.width, bitmap.height);
  const edge = Math.min(THUMBNAIL_SIDE, side);
  const canvas = new OffscreenCanvas(edge, edge);
  const left = (bitmap.width - side) / 2;
  const top = (bitmap.height - side) / 2;
  contextOf(canvas).drawImage(bitmap, left, top, side, side, 0, 0, edge, edge);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}
