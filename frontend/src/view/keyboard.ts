import { useEffect } from "react";

import { canRetry, isOpen, type Item } from "../session/item";
import { visibleItems } from "../session/worklist";
import { cancel, retry } from "../session/queue";
import { removeTiles, undoRemoval } from "../session/removal";
import { setMark } from "../session/review";
import { getState, itemOf, select, setState } from "../session/store";
import { report, togglePin } from "./actions";
import { openFileDialog } from "./fileInputs";
import { HELP } from "./Help";
import { singleKeys } from "./shortcuts";

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

/** Shortcuts, where no field, dialog or viewer wants the key itself. */
export function useKeyboard(): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (isUndo(event) && getState().removal) {
        event.preventDefault();
        undoRemoval();
        return;
      }
      const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action || isTyping(event) || (event.key.length === 1 && !singleKeys())) return;
      event.preventDefault();
      action(itemOf(getState().selected));
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

function isTyping(event: KeyboardEvent): boolean {
  const { target } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  if (!(target instanceof HTMLElement)) return false;
  const dialog = target.closest("dialog");
  if (dialog) return dialog.open; // one that has just closed can hold the focus until the next frame
  if (target.matches("input, textarea, select")) return true;
  return event.key.startsWith("Arrow") && target.closest("[data-viewer]") !== null;
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
