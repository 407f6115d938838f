import { prepare } from "./intake";
import { isUnderWay, type Item } from "./item";
import { sendWaiting, abortRequests } from "./queue";
import { getState, removeItems, setState } from "./store";

/** Tiles taken off the worklist, and where they stood: kept until others are removed or this is closed. */
export interface Removal {
  removed: { item: Item; at: number }[];
  /** The tile others were compared with, where it was among them. */
  pinned: string | null;
}

export function removeTiles(ids: readonly string[]): void {
  const { items, pinned } = getState();
  const removedIds = new Set(ids);
  const removed = items.flatMap((item, at) => (removedIds.has(item.id) ? [{ item, at }] : []));
  if (removed.length === 0) return;
  abortRequests(ids);
  discardRemoved();
  removeItems(removedIds);
  setState({
    removal: { removed, pinned: pinned !== null && removedIds.has(pinned) ? pinned : null },
  });
  sendWaiting();
}

/** Bring back what was removed last, where it stood; what was under way is sent again. */
export function undoRemoval(): void {
  const { removal } = getState();
  if (!removal) return;
  const back = removal.removed.map(({ item, at }) => ({ item: requeued(item), at }));
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
  prepare(
    back
      .filter(({ item }) => item.phase.is === "checking" || item.drawable === undefined)
      .map(({ item }) => item.id),
  );
  sendWaiting();
}

/** The removed tiles are forgotten for good. */
export function discardRemoved(): void {
  for (const { item } of getState().removal?.removed ?? [])
    if (item.thumbnail) URL.revokeObjectURL(item.thumbnail);
  setState({ removal: null });
}

function requeued(item: Item): Item {
  if (!isUnderWay(item)) return item;
  if (item.verdict) return { ...item, phase: { is: "cancelled" } };
  return { ...item, explanation: "", phase: { is: "waiting" } };
}
