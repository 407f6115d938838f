import { useEffect } from "react";

import { canRetry, isOpen, type Item } from "../session/item";
import { shown } from "../session/list";
import { cancel, retry } from "../session/queue";
import { forget, undoRemoval } from "../session/removal";
import { mark } from "../session/review";
import { getState, itemOf, select, setState } from "../session/store";
import { report, togglePin } from "./actions";
import { choose } from "./choosers";
import { HELP } from "./Help";
import { singleKeys } from "./shortcuts";

const KEYS: Record<string, (item: Item | undefined) => void> = {
  j: () => {
    step(1);
  },
  k: () => {
    step(-1);
  },
  ArrowDown: () => {
    step(1);
  },
  ArrowUp: () => {
    step(-1);
  },
  o: () => {
    choose("files");
  },
  a: (item) => {
    if (item) mark(item, "agree");
  },
  d: (item) => {
    if (item) mark(item, "disagree");
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
    if (item) drop(item);
  },
  "?": () => {
    document.getElementById(HELP)?.click();
  },
  Escape: () => {
    setState({ reading: false });
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
      if (!action || wantsKeys(event) || (event.key.length === 1 && !singleKeys())) return;
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

function wantsKeys(event: KeyboardEvent): boolean {
  const { target } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  if (!(target instanceof HTMLElement)) return false;
  const dialog = target.closest("dialog");
  if (dialog) return dialog.open; // one that has just closed can hold the focus until the next frame
  if (target.matches("input, textarea, select")) return true;
  return event.key.startsWith("Arrow") && target.closest("[data-viewer]") !== null;
}

/** To the next (1) or previous (-1) tile as listed; its row takes the focus where a row had it. */
export function step(by: 1 | -1): void {
  const { items, view, selected, reading } = getState();
  const rows = shown(items, view);
  const at = rows.findIndex((item) => item.id === selected);
  const next = rows[at < 0 ? 0 : at + by];
  if (!next) return;
  const focused = document.activeElement?.closest("[data-row]") !== null;
  select(next.id);
  setState({ reading });
  requestAnimationFrame(() => {
    const row = document.querySelector<HTMLElement>(`[data-row="${next.id}"]`);
    row?.scrollIntoView({ block: "nearest" });
    if (focused) row?.querySelector("button")?.focus();
  });
}

function drop(item: Item): void {
  if (isOpen(item)) cancel(item.id);
  else forget([item.id]);
}
