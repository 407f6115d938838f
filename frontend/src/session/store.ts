import { create } from "zustand";

import type { Health } from "../api/types";
import { type Item, isOpen, waitingLine } from "./item";
import { EVERYTHING, type View } from "./list";
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
  reading: boolean;
  keep: boolean;
  pause: Pause | null;
  /** Why the service wants an API key; null where it does not. */
  locked: string | null;
  health: Health | null;
  reach: "unknown" | "reached" | "lost";
  /** Something that did not work, until the person has read it. */
  notice: string | null;
  /** Files of a folder that were no pictures, and so were left out. */
  leftOut: number;
  /** What was removed last, for as long as it can be brought back. */
  removal: Removal | null;
  /** Whether the windows of a wide field are drawn over its picture. */
  windowsShown: boolean;
}

export const useSession = create<Session>()(() => ({
  items: [],
  selected: null,
  pinned: null,
  view: EVERYTHING,
  reading: false,
  keep: false,
  pause: null,
  locked: null,
  health: null,
  reach: "unknown",
  notice: null,
  leftOut: 0,
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
  setState({ selected: id, reading: id !== null });
}

export function remove(ids: ReadonlySet<string>): void {
  setState(({ items, selected, pinned }) => {
    const kept = items.filter((item) => !ids.has(item.id));
    const gone = selected !== null && ids.has(selected);
    const next = gone ? neighbour(items, kept, selected) : selected;
    return {
      items: kept,
      selected: next,
      ...(next === null && { reading: false }),
      pinned: pinned !== null && ids.has(pinned) ? null : pinned,
    };
  });
}

/** The tile after a removed one, else the one before. */
function neighbour(items: Item[], kept: Item[], removed: string): string | null {
  const at = items.findIndex((item) => item.id === removed);
  const left = new Set(kept.map((item) => item.id));
  const near = [...items.slice(at + 1), ...items.slice(0, at).reverse()];
  return near.find((item) => left.has(item.id))?.id ?? null;
}

export function place(id: string): number {
  return waitingLine(getState().items).findIndex((item) => item.id === id) + 1;
}

export const someOpen = (session: Session): boolean => session.items.some(isOpen);
