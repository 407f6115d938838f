import { prepareAgain } from "./intake";
import { isUnderWay, type Item } from "./item";
import { pump, stop } from "./queue";
import { getState, remove, setState } from "./store";

/** Tiles taken off the worklist, and where they stood: kept until others are removed or this is closed. */
export interface Removal {
  taken: { item: Item; at: number }[];
  /** The tile others were compared with, where it was among them. */
  pinned: string | null;
}

export function forget(ids: readonly string[]): void {
  const { items, pinned } = getState();
  const gone = new Set(ids);
  const taken = items.flatMap((item, at) => (gone.has(item.id) ? [{ item, at }] : []));
  if (taken.length === 0) return;
  stop(ids);
  release();
  remove(gone);
  setState({ removal: { taken, pinned: pinned !== null && gone.has(pinned) ? pinned : null } });
  pump();
}

/** Bring back what was removed last, where it stood; what was under way is sent anew. */
export function undoRemoval(): void {
  const { removal } = getState();
  if (!removal) return;
  const back = removal.taken.map(({ item, at }) => ({ item: restarted(item), at }));
  setState((session) => {
    const items = [...session.items];
    for (const { item, at } of back) items.splice(Math.min(at, items.length), 0, item);
    return {
      items,
      selected: back[0]?.item.id ?? session.selected,
      pinned: session.pinned ?? removal.pinned,
      removal: null,
    };
  });
  prepareAgain(
    back
      .filter(({ item }) => item.phase.is === "checking" || item.drawable === undefined)
      .map(({ item }) => item.id),
  );
  pump();
}

/** The removed tiles are forgotten for good. */
export function release(): void {
  for (const { item } of getState().removal?.taken ?? [])
    if (item.thumbnail) URL.revokeObjectURL(item.thumbnail);
  setState({ removal: null });
}

function restarted(item: Item): Item {
  if (!isUnderWay(item)) return item;
  if (item.verdict) return { ...item, phase: { is: "cancelled" } };
  return { ...item, explanation: "", phase: { is: "waiting" } };
}
