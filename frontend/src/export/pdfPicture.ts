import type { Answer, Verdict } from "../api/types";
import { contextOf } from "../intake/canvas";
import { percent } from "../view/numbers";
import type { PdfPage } from "./pdfPage";

export const COLOURS: Record<Answer, string> = {
  yes: "#a5321b",
  no: "#0d5f6c",
  indeterminate: "#7b5200",
};
/** Millimetres. */
export const PICTURE_SIDE = 78;
/** Longer side of the picture in the report: 250 dots an inch are enough for print. */
const PICTURE_PIXELS = 1200;

/** The tile as it was read, and the windows of a wide field over it. */
export async function drawPicture(
  page: PdfPage,
  { drawable, verdict }: { drawable?: Blob | null; verdict: Verdict },
  left: number,
  top: number,
): Promise<void> {
  if (!drawable) return;
  const bitmap = await createImageBitmap(drawable);
  const scale = Math.min(1, PICTURE_PIXELS / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(
    Math.max(1, bitmap.width * scale),
    Math.max(1, bitmap.height * scale),
  );
  contextOf(canvas).drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  drawWindows(canvas, verdict);
  const jpeg = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  const fit = PICTURE_SIDE / Math.max(canvas.width, canvas.height);
  const bytes = new Uint8Array(await jpeg.arrayBuffer());
  page.pdf.addImage(bytes, "JPEG", left, top, canvas.width * fit, canvas.height * fit);
}

function drawWindows(canvas: OffscreenCanvas, { windows, tile }: Verdict): void {
  const drawing = contextOf(canvas);
  drawing.font = "bold 22px sans-serif";
  drawing.textBaseline = "top";
  const [across, down] = [canvas.width / tile.width, canvas.height / tile.height];
  for (const { x, y, width, height, probability, verdict } of windows ?? []) {
    drawing.lineWidth = verdict === "yes" ? 6 : 3;
    drawing.strokeStyle = drawing.fillStyle = COLOURS[verdict];
    drawing.strokeRect(x * across, y * down, width * across, height * down);
    const label = percent(probability);
    drawing.fillRect(x * across, y * down, drawing.measureText(label).width + 10, 28);
    drawing.fillStyle = "#fff";
    drawing.fillText(label, x * across + 5, y * down + 3);
  }
}
