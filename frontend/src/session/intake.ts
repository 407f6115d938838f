import { check } from "../intake/check";
import type { Found } from "../intake/found";
import { createPreview } from "../intake/preview";
import { digestOf } from "./duplicates";
import type { Item } from "./item";
import { pump } from "./queue";
import { change, getState, itemOf, setState } from "./store";

/** Previews are decoded a few at a time: fifty at once would stop the page. */
const AT_ONCE = 2;

const unchecked: string[] = [];
let checking = 0;

/** Take files into the worklist; they are checked, drawn and sent from here on. */
export function take(found: Found): void {
  const added = found.files.map(({ file, name }) => itemFor(file, name));
  setState((session) => ({
    items: [...session.items, ...added],
    selected: session.selected ?? added[0]?.id ?? null,
    reading: session.reading || (added.length === 1 && session.items.length === 0),
    leftOut: found.leftOut,
  }));
  prepareAgain(added.map((item) => item.id));
}

/** Check and draw these, also where that was broken off before. */
export function prepareAgain(ids: readonly string[]): void {
  unchecked.push(...ids);
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
  while (checking < AT_ONCE) {
    const id = unchecked.shift();
    if (id === undefined) return;
    checking += 1;
    void prepare(id).finally(() => {
      checking -= 1;
      work();
    });
  }
}

async function prepare(id: string): Promise<void> {
  const item = itemOf(id);
  if (!item) return;
  const trouble = await check(item.file, getState().health?.limits ?? null);
  if (trouble) {
    if (itemOf(id)?.phase.is === "checking") change(id, { phase: { is: "failed", trouble } });
    return;
  }
  change(id, { digest: await digestOf(item.file) });
  if (itemOf(id)?.phase.is === "checking") change(id, { phase: { is: "waiting" } });
  pump();
  await illustrate(id);
}

/** Pictures the browser cannot draw are still sent: the service reads more than a browser does. */
export async function illustrate(id: string): Promise<void> {
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
