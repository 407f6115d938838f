/** Files that were dropped, pasted or chosen. */
export interface ChosenFiles {
  files: { file: File; name: string }[];
  /** How many of a folder's files were no pictures by their names. */
  skippedFiles: number;
}

const PICTURE = /\.(png|jpe?g|tiff?|webp|bmp)$/i;

export function filesFromInput(list: FileList | null): ChosenFiles {
  const files = [...(list ?? [])];
  const ofFolder = files.some((file) => file.webkitRelativePath !== "");
  return ofFolder ? onlyPictures(files) : { files: files.map(withPath), skippedFiles: 0 };
}

/** What a paste or a drop carries; whole folders are walked through. */
export async function filesFromTransfer(transfer: DataTransfer): Promise<ChosenFiles> {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry())
    .filter((entry) => entry !== null);
  const plain = [...transfer.files];
  if (!entries.some((entry) => entry.isDirectory))
    return { files: plain.map(withPath), skippedFiles: 0 };
  const files = (await Promise.all(entries.map((entry) => filesIn(entry)))).flat();
  return onlyPictures(files);
}

function onlyPictures(files: File[]): ChosenFiles {
  const pictures = files.filter((file) => PICTURE.test(file.name));
  return { files: pictures.map(withPath), skippedFiles: files.length - pictures.length };
}

function withPath(file: File): { file: File; name: string } {
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
