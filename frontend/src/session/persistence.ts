import { clear, entries, set, setMany, del } from "idb-keyval";

import { readPreference, writePreference } from "../preferences";
import { texts } from "../texts";
import { type Failure, isOpen, type Item, type Phase } from "./item";
import { updatePreview } from "./intake";
import { getState, setState, useSession } from "./store";

/**
 * The worklist in this browser's own database, only where a person chose it. Files lie under
 * their tile's id, once; everything else under "items", in order.
 */
const ITEMS = "items";
const CHOICE = "healer.keep";
const PAUSE_MS = 400;

type StoredItem = Omit<Item, "file" | "drawable" | "thumbnail">;

let pending: ReturnType<typeof setTimeout> | undefined;
const storedFiles = new Set<string>();

export async function restoreWorklist(): Promise<void> {
  useSession.subscribe(({ items, persist }, before) => {
    if (persist && items !== before.items) scheduleWrite();
  });
  if (readPreference(CHOICE) === null) return;
  const storedEntries = await readDatabase();
  if (!storedEntries) {
    reportStorageFailure();
    return;
  }
  setState({ persist: true });
  const stored = new Map(storedEntries);
  const items = ((stored.get(ITEMS) ?? []) as StoredItem[]).flatMap((item) => {
    const file = stored.get(item.id);
    if (!(file instanceof Blob)) return [];
    storedFiles.add(item.id);
    return [{ ...item, phase: migratePhase(item.phase), resends: 0, file } satisfies Item];
  });
  setState(({ items: added, selected }) => ({
    items: [...items, ...added],
    selected: selected ?? items[0]?.id ?? null,
  }));
  for (const item of items) await updatePreview(item.id);
}

/** Pages before this one stored a failure under another name. */
function migratePhase(phase: Phase | { is: "failed"; trouble: Failure }): Phase {
  return "trouble" in phase ? { is: "failed", failure: phase.trouble } : phase;
}

export function setPersistence(persist: boolean): void {
  setState({ persist });
  if (persist) {
    if (!writePreference(CHOICE, "yes")) reportStorageFailure();
    else scheduleWrite();
  } else {
    writePreference(CHOICE, null);
    clearTimeout(pending);
    pending = undefined;
    storedFiles.clear();
    void emptyDatabase();
  }
}

/** Null where the browser forbids it, which it may do by throwing at once. */
async function readDatabase(): Promise<[string, Blob | StoredItem[]][] | null> {
  try {
    return await entries<string, Blob | StoredItem[]>();
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
function reportStorageFailure(): void {
  clearTimeout(pending);
  pending = undefined;
  setState({ persist: false, notice: texts.keep.refused });
}

function scheduleWrite(): void {
  clearTimeout(pending);
  pending = setTimeout(() => {
    write().catch(reportStorageFailure);
  }, PAUSE_MS);
}

/** Whether something changed that the database does not hold yet. */
export function hasPendingWrite(): boolean {
  return getState().persist && pending !== undefined;
}

async function write(): Promise<void> {
  const writing = pending;
  const { items, persist } = getState();
  if (!persist) return;
  const present = new Set(items.map((item) => item.id));
  const files = items.filter((item) => !storedFiles.has(item.id));
  const gone = [...storedFiles].filter((id) => !present.has(id));
  await setMany(files.map((item) => [item.id, item.file]));
  for (const item of files) storedFiles.add(item.id);
  await set(ITEMS, items.map(withoutFile));
  for (const id of gone) {
    storedFiles.delete(id);
    await del(id);
  }
  if (pending === writing) pending = undefined; // else it changed meanwhile, and is written once more
}

/** What was under way when the tab closed is sent again. */
function withoutFile(item: Item): StoredItem {
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
    case: caseName,
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
    ...(caseName && { case: caseName }),
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
