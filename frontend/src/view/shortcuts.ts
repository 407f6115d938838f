import { useEffect, useRef } from "react";
import { create } from "zustand";

import { readPreference, writePreference } from "../preferences";

/** Whether keys work alone. Who dictates or has a tremor can turn them off (WCAG 2.1.4). */
const CHOICE = "healer.single-keys";
const useChoice = create(() => ({ single: readPreference(CHOICE) !== "off" }));

export const useSingleKeys = (): boolean => useChoice((choice) => choice.single);

export function setSingleKeys(single: boolean): void {
  writePreference(CHOICE, single ? null : "off");
  useChoice.setState({ single });
}

/** By `KeyboardEvent.key`, letters in lower case. */
export type Shortcuts = Record<string, () => void>;

/** Keys, and what they do, as the help dialog lists them. */
export type KeyList = readonly (readonly [keys: string, does: string])[];

const useListed = create<{ keys: KeyList }>(() => ({ keys: [] }));
export const useListedKeys = (): KeyList => useListed((listed) => listed.keys);

/** Shortcuts, where no field, dialog or viewer wants the key itself; the help dialog lists `keys`. */
export function useShortcuts(shortcuts: Shortcuts, keys: KeyList): void {
  useEffect(() => {
    useListed.setState({ keys });
  }, [keys]);
  const current = useRef(shortcuts);
  useEffect(() => {
    current.current = shortcuts;
  }, [shortcuts]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const action = current.current[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action || isTyping(event)) return;
      if (event.key.length === 1 && !useChoice.getState().single) return;
      event.preventDefault();
      action();
    };
    window.addEventListener("keydown", pressed);
    return () => {
      window.removeEventListener("keydown", pressed);
    };
  }, []);
}

function isTyping(event: KeyboardEvent): boolean {
  const { target } = event;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  if (!(target instanceof HTMLElement)) return false;
  const dialog = target.closest("dialog");
  if (dialog) return dialog.open; // one that has just closed can hold the focus until the next frame
  if (target.matches("input, textarea, select")) return true;
  return isUsedBy(target, event.key);
}

/** Whether what has the focus does something else at this key. */
function isUsedBy(target: HTMLElement, key: string): boolean {
  if (key === "Enter") return target.closest("button, a, summary") !== null;
  return key.startsWith("Arrow") && target.closest("[data-viewer]") !== null;
}
