import { imageMeta } from "image-meta";

import type { Limits } from "../api/types";
import type { Failure } from "../session/item";
import { texts } from "../texts";
import { formatOf } from "./format";

/** What the service would refuse anyway, said before anything is sent; null where it may pass. */
export async function check(file: Blob, limits: Limits | null): Promise<Failure | null> {
  if (file.size === 0) return texts.failure.empty;
  if (!limits) return null;
  if (file.size > limits.max_bytes) return texts.failure.tooManyBytes(file.size, limits.max_bytes);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const format = formatOf(bytes);
  if (format === null || !limits.formats.includes(format))
    return texts.failure.otherFormat(limits.formats);
  const { width, height } = sizeOf(bytes);
  if (width * height > limits.max_pixels)
    return texts.failure.tooManyPixels(width, height, limits.max_pixels);
  return null;
}

/** From the header; zeros where it cannot be read, for the service will say so better. */
function sizeOf(bytes: Uint8Array): { width: number; height: number } {
  try {
    const { width = 0, height = 0 } = imageMeta(bytes);
    return { width, height };
  } catch {
    return { width: 0, height: 0 };
  }
}
