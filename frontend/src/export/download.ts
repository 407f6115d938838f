/** Give a file to the person. */
export function saveFile(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
  }, 10_000);
}

/** For example healer-worklist-2026-01-31-160507.csv, in the person's own time; never the same name twice. */
export function exportName(kind: string, extension: string, now: Date = new Date()): string {
  return uniqueName(`healer-${kind}-${stampOf(now)}`, extension);
}

/** The tile's name stands first, so that reports sort by tile; the request id distinguishes two of one name. */
export function reportName(tile: string, request: string, now: Date = new Date()): string {
  const parts = [
    "healer-report",
    forFiles(tile),
    stampOf(now),
    forFiles(request).slice(0, SHOWN_OF_REQUEST),
  ];
  return uniqueName(parts.filter((part) => part !== "").join("-"), "pdf");
}

const MAX_NAME = 80;
const SHOWN_OF_REQUEST = 8;
const usedNames = new Set<string>();

function uniqueName(stem: string, extension: string): string {
  const nth = (count: number): string =>
    count === 1 ? `${stem}.${extension}` : `${stem}-${count}.${extension}`;
  let count = 1;
  while (usedNames.has(nth(count))) count += 1;
  usedNames.add(nth(count));
  return nth(count);
}

function stampOf(now: Date): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

/** What every file system takes; of a long name, its end, where scanners put what differs. */
function forFiles(name: string): string {
  const stem = name.replace(/\.[A-Za-z0-9]{1,5}$/, "");
  const plain = stem
    .normalize("NFC")
    .replace(/[\p{C}\s<>:"/\\|?*]+/gu, "_")
    .replace(/^[._-]+|[._-]+$/g, "");
  return Array.from(plain).slice(-MAX_NAME).join("");
}
