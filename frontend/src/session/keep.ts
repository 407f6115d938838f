import { clear, entries, set, setMany, del } from "idb-keyval";

import { readPreference, writePreference } from "../preferences";
import { texts } from "../texts";
import { isOpen, type Item } from "./item";
import { illustrate } from "./intake";
import { getState, setState, useSession } from "./store";

/**
 * The worklist in this browser's own database, only where a person asked for it. Files lie under
 * their tile's id, once; everything else under "items", in order.
 */
const ITEMS = "items";
const CHOICE = "healer.keep";
const PAUSE_MS = 400;

type Kept = Omit<Item, "file" | "drawable" | "thumbnail">;

let pending: ReturnType<typeof setTimeout> | undefined;
const filed = new Set<string>();

export async function restore(): Promise<void> {
  useSession.subscribe(({ items, keep }, before) => {
    if (keep && items !== before.items) later();
  });
  if (readPreference(CHOICE) === null) return;
  const entriesKept = await readDatabase();
  if (!entriesKept) {
    refuseToKeep();
    return;
  }
  setState({ keep: true });
  const kept = new Map(entriesKept);
  const items = ((kept.get(ITEMS) ?? []) as Kept[]).flatMap((item) => {
    const file = kept.get(item.id);
    if (!(file instanceof Blob)) return [];
    filed.add(item.id);
    return [{ ...item, resends: 0, file } satisfies Item];
  });
  setState(({ items: added, selected }) => ({
    items: [...items, ...added],
    selected: selected ?? items[0]?.id ?? null,
  }));
  for (const item of items) await illustrate(item.id);
}

export function keepOrNot(keep: boolean): void {
  setState({ keep });
  if (keep) {
    if (!writePreference(CHOICE, "yes")) refuseToKeep();
    else later();
  } else {
    writePreference(CHOICE, null);
    clearTimeout(pending);
    pending = undefined;
    filed.clear();
    void emptyDatabase();
  }
}

/** Null where the browser forbids it, which it may do by throwing at once. */
async function readDatabase(): Promise<[string, Blob | Kept[]][] | null> {
  try {
    return await entries<string, Blob | Kept[]>();
  } catch {
    return null;
  }
}

async function emptyDatabase(): Promise<void> {
  try {
    await clear();
  } catch {
    // Forbidden here, so that nothing can lie in it.
  }
}

/** A browser that forbids its storage, or has no room left. */
function refuseToKeep(): void {
  clearTimeout(pending);
  pending = undefined;
  setState({ keep: false, notice: texts.keep.refused });
}

function later(): void {
  clearTimeout(pending);
  pending = setTimeout(() => {
    write().catch(refuseToKeep);
  }, PAUSE_MS);
}

/** Whether something changed that the database does not hold yet. */
export function isUnwritten(): boolean {
  return getState().keep && pending !== undefined;
}

async function write(): Promise<void> {
  const writing = pending;
  const { items, keep } = getState();
  if (!keep) return;
  const present = new Set(items.map((item) => item.id));
  const files = items.filter((item) => !filed.has(item.id));
  const gone = [...filed].filter((id) => !present.has(id));
  await setMany(files.map((item) => [item.id, item.file]));
  for (const item of files) filed.add(item.id);
  await set(ITEMS, items.map(withoutFile));
  for (const id of gone) {
    filed.delete(id);
    await del(id);
  }
  if (pending === writing) pending = undefined; // else it changed meanwhile, and is written once more
}

/** What was under way when the tab closed is asked again. */
function withoutFile(item: Item): Kept {
  const {
    id,
    name,
    gate,
    page,
    pages,
    verdict,
    explanation,
    answer,
    review,
    losses,
    resends,
    digest,
    exported,
  } = item;
  const always = {
    id,
    name,
    review,
    losses,
    resends,
    ...(gate && { gate }),
    ...(page !== undefined && { page }),
    ...(pages !== undefined && { pages }),
    ...(digest && { digest }),
    ...(exported && { exported }),
  };
  if (isOpen(item)) return { ...always, phase: { is: "waiting" }, explanation: "" };
  return {
    ...always,
    phase: item.phase,
    explanation,
    ...(verdict && { verdict }),
    ...(answer && { answer }),
  };
}
