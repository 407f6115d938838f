/** Give a file to the person, under a name that tells nothing of what is in it. */
export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => { URL.revokeObjectURL(link.href); }, 10_000);
}

/** For example healer-worklist-2026-01-31-1605.csv, in the person's own time. */
export function nameFor(kind: string, extension: string, now: Date = new Date()): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  return `healer-${kind}-${day}-${two(now.getHours())}${two(now.getMinutes())}.${extension}`;
}
