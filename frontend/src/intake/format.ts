/** A picture's format by its first bytes, in the service's own names; null where it is none of them. */
export function formatOf(bytes: Uint8Array): string | null {
  const head = String.fromCharCode(...bytes.subarray(0, 12));
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return "PNG";
  if (head.startsWith("\xff\xd8\xff")) return "JPEG";
  if (/^(II[*+]\0|MM\0[*+])/.test(head)) return "TIFF";
  if (head.startsWith("RIFF") && head.slice(8) === "WEBP") return "WEBP";
  if (head.startsWith("BM")) return "BMP";
  return null;
}
