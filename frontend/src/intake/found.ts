/** Files a person gave, by drop, paste or choice. */
export interface Found {
  files: { file: File; name: string }[];
  /** How many of a folder's files were no pictures by their names. */
  leftOut: number;
}

const PICTURE = /\.(png|jpe?g|tiff?|webp|bmp)$/i;

export function chosen(list: FileList | null): Found {
  const files = [...(list ?? [])];
  const ofFolder = files.some((file) => file.webkitRelativePath !== "");
  return ofFolder ? pictures(files) : { files: files.map(named), leftOut: 0 };
}

/** What a paste or a drop carries; whole folders are walked through. */
export async function carried(transfer: DataTransfer): Promise<Found> {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry())
    .filter((entry) => entry !== null);
  const plain = [...transfer.files];
  if (!entries.some((entry) => entry.isDirectory)) return { files: plain.map(named), leftOut: 0 };
  const files = (await Promise.all(entries.map((entry) => filesIn(entry)))).flat();
  return pictures(files);
}

function pictures(files: File[]): Found {
  const kept = files.filter((file) => PICTURE.test(file.name));
  return { files: kept.map(named), leftOut: files.length - kept.length };
}

function named(file: File): { file: File; name: string } {
  return { file, name: file.webkitRelativePath || file.name };
}

async function filesIn(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) return [await fileOf(entry as FileSystemFileEntry)];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const files: File[] = [];
  for (;;) {
    const batch = await batchOf(reader);
    if (batch.length === 0) return files;
    files.push(...(await Promise.all(batch.map(filesIn))).flat());
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => {
    entry.file(resolve, reject);
  });
}

function batchOf(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => {
    reader.readEntries(resolve, reject);
  });
}
