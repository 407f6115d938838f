import { create } from "zustand";

import type { Health } from "../api/types";
import { type Item, isOpen, waitingInOrder } from "./item";
import { DEFAULT_VIEW, type View } from "./worklist";
import type { Removal } from "./removal";

export interface Pause {
  /** When to go on, in milliseconds since the epoch. */
  until: number;
  why: string;
}

export interface Session {
  items: Item[];
  selected: string | null;
  /** The tile others are compared with. */
  pinned: string | null;
  view: View;
  /** On a narrow screen, either the list or the selected tile is seen. */
  showsDetail: boolean;
  persist: boolean;
  pause: Pause | null;
  /** Why the service wants an API key; null where it does not. */
  keyRequest: string | null;
  health: Health | null;
  connection: "unknown" | "reached" | "lost";
  /** Something that did not work, until the person has read it. */
  notice: string | null;
  /** Files of a folder that were no pictures, and so were left out. */
  skippedFiles: number;
  /** What was removed last, for as long as it can be brought back. */
  removal: Removal | null;
  /** Whether the windows of a wide field are drawn over its picture. */
  windowsShown: boolean;
}

export const useSession = create<Session>()(() => ({
  items: [],
  selected: null,
  pinned: null,
  view: DEFAULT_VIEW,
  showsDetail: false,
  persist: false,
  pause: null,
  keyRequest: null,
  health: null,
  connection: "unknown",
  notice: null,
  skippedFiles: 0,
  removal: null,
  windowsShown: true,
}));

export const { getState, setState } = useSession;

export function itemOf(id: string | null): Item | undefined {
  return getState().items.find((item) => item.id === id);
}

export function change(id: string, change: Partial<Item>): void {
  setState(({ items }) => ({
    items: items.map((item) => (item.id === id ? { ...item, ...change } : item)),
  }));
}

export function select(id: string | null): void {
  setState({ selected: id, showsDetail: id !== null });
}

export function removeItems(ids: ReadonlySet<string>): void {
  setState(({ items, selected, pinned }) => {
    const remaining = items.filter((item) => !ids.has(item.id));
    const gone = selected !== null && ids.has(selected);
    const next = gone ? neighbour(items, remaining, selected) : selected;
    return {
      items: remaining,
      selected: next,
      ...(next === null && { showsDetail: false }),
      pinned: pinned !== null && ids.has(pinned) ? null : pinned,
    };
  });
}

/** The tile after a removed one, else the one before. */
function neighbour(items: Item[], remaining: Item[], removed: string): string | null {
  const at = items.findIndex((item) => item.id === removed);
  const left = new Set(remaining.map((item) => item.id));
  const near = [...items.slice(at + 1), ...items.slice(0, at).reverse()];
  return near.find((item) => left.has(item.id))?.id ?? null;
}

export function positionInQueue(id: string): number {
  return waitingInOrder(getState().items).findIndex((item) => item.id === id) + 1;
}

export const someOpen = (session: Session): boolean => session.items.some(isOpen);
