import { check } from "../intake/check";
import type { ChosenFiles } from "../intake/files";
import { createPreview } from "../intake/preview";
import { digestOf } from "./duplicates";
import type { Item } from "./item";
import { sendWaiting } from "./queue";
import { change, getState, itemOf, setState } from "./store";

/** Previews are decoded a few at a time: fifty at once would stop the page. */
const AT_ONCE = 2;

const preparationQueue: string[] = [];
let preparing = 0;

/** Take files into the worklist; they are checked, drawn and sent from here on. */
export function addFiles(chosen: ChosenFiles): void {
  const added = chosen.files.map(({ file, name }) => itemFor(file, name));
  setState((session) => ({
    items: [...session.items, ...added],
    selected: session.selected ?? added[0]?.id ?? null,
    showsDetail: session.showsDetail || (added.length === 1 && session.items.length === 0),
    skippedFiles: chosen.skippedFiles,
  }));
  prepare(added.map((item) => item.id));
}

/** Check and draw these, also where that was broken off before. */
export function prepare(ids: readonly string[]): void {
  preparationQueue.push(...ids);
  work();
}

function itemFor(file: Blob, name: string): Item {
  const review = { mark: null, note: "" };
  return {
    id: newId(),
    file,
    name,
    phase: { is: "checking" },
    explanation: "",
    review,
    losses: 0,
    resends: 0,
  };
}

/** Random, and not `randomUUID`, which a page served over plain HTTP from another machine has not. */
function newId(): string {
  return [...crypto.getRandomValues(new Uint32Array(4))]
    .map((part) => part.toString(16).padStart(8, "0"))
    .join("");
}

function work(): void {
  while (preparing < AT_ONCE) {
    const id = preparationQueue.shift();
    if (id === undefined) return;
    preparing += 1;
    void prepareOne(id).finally(() => {
      preparing -= 1;
      work();
    });
  }
}

async function prepareOne(id: string): Promise<void> {
  const item = itemOf(id);
  if (!item) return;
  const failure = await check(item.file, getState().health?.limits ?? null);
  if (failure) {
    if (itemOf(id)?.phase.is === "checking") change(id, { phase: { is: "failed", failure } });
    return;
  }
  change(id, { digest: await digestOf(item.file) });
  if (itemOf(id)?.phase.is === "checking") change(id, { phase: { is: "waiting" } });
  sendWaiting();
  await updatePreview(id);
}

/** Pictures the browser cannot draw are still sent: the service reads more than a browser does. */
export async function updatePreview(id: string): Promise<void> {
  const item = itemOf(id);
  if (!item) return;
  const { page, thumbnail } = item;
  const preview = await createPreview(item.file, page ?? 1);
  const now = itemOf(id);
  if (now && now.page === page) {
    if (thumbnail) URL.revokeObjectURL(thumbnail);
    change(id, preview ?? { drawable: null });
  } else if (preview) URL.revokeObjectURL(preview.thumbnail);
}
