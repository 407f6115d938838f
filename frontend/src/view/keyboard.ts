import { useEffect } from "react";

import { canRetry, isOpen, type Item } from "../session/item";
import { visibleItems } from "../session/worklist";
import { cancel, retry } from "../session/queue";
import { removeTiles, undoRemoval } from "../session/removal";
import { setMark } from "../session/review";
import { getState, itemOf, select, setState } from "../session/store";
import { texts } from "../texts";
import { report, togglePin } from "./actions";
import { openFileDialog } from "./fileInputs";
import { HELP } from "./Help";
import { type Shortcuts, useShortcuts } from "./shortcuts";

const KEYS: Record<string, (item: Item | undefined) => void> = {
  j: () => {
    selectAdjacent(1);
  },
  k: () => {
    selectAdjacent(-1);
  },
  ArrowDown: () => {
    selectAdjacent(1);
  },
  ArrowUp: () => {
    selectAdjacent(-1);
  },
  o: () => {
    openFileDialog("files");
  },
  a: (item) => {
    if (item) setMark(item, "agree");
  },
  d: (item) => {
    if (item) setMark(item, "disagree");
  },
  n: (item) => {
    if (item) document.querySelector<HTMLElement>(`[data-note="${CSS.escape(item.id)}"]`)?.focus();
  },
  c: (item) => {
    if (item) togglePin(item.id);
  },
  r: (item) => {
    if (item && canRetry(item)) retry(item.id);
  },
  p: (item) => {
    if (item) void report(item);
  },
  f: () => {
    document.getElementById("full-screen")?.click();
  },
  w: () => {
    setState(({ windowsShown }) => ({ windowsShown: !windowsShown }));
  },
  Delete: (item) => {
    if (item) cancelOrRemove(item);
  },
  "?": () => {
    document.getElementById(HELP)?.click();
  },
  Escape: () => {
    setState({ showsDetail: false });
  },
};

const SHORTCUTS: Shortcuts = Object.fromEntries(
  Object.entries(KEYS).map(([key, action]) => [
    key,
    () => {
      action(itemOf(getState().selected));
    },
  ]),
);

/** The keys of the tiles' page. */
export function useKeyboard(): void {
  useShortcuts(SHORTCUTS, texts.help.keys);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (!isUndo(event) || !getState().removal) return;
      event.preventDefault();
      undoRemoval();
    };
    window.addEventListener("keydown", pressed);
    return () => {
      window.removeEventListener("keydown", pressed);
    };
  }, []);
}

/** In a field, the browser undoes what was typed there. */
function isUndo({ key, ctrlKey, metaKey, shiftKey, altKey, target }: KeyboardEvent): boolean {
  const command = (ctrlKey || metaKey) && !shiftKey && !altKey && key.toLowerCase() === "z";
  return command && !(target instanceof HTMLElement && target.matches("input, textarea, select"));
}

/** To the next (1) or previous (-1) tile as listed; its row takes the focus where a row had it. */
export function selectAdjacent(by: 1 | -1): void {
  const { items, view, selected, showsDetail } = getState();
  const rows = visibleItems(items, view);
  const at = rows.findIndex((item) => item.id === selected);
  const next = rows[at < 0 ? 0 : at + by];
  if (!next) return;
  const focused = document.activeElement?.closest("[data-row]") !== null;
  select(next.id);
  setState({ showsDetail });
  requestAnimationFrame(() => {
    const row = document.querySelector<HTMLElement>(`[data-row="${next.id}"]`);
    row?.scrollIntoView({ block: "nearest" });
    if (focused) row?.querySelector("button")?.focus();
  });
}

function cancelOrRemove(item: Item): void {
  if (isOpen(item)) cancel(item.id);
  else removeTiles([item.id]);
}
