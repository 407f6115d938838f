import { create } from "zustand";

/** Whether keys work alone. Who dictates or has a tremor can turn them off (WCAG 2.1.4). */
const CHOICE = "healer.single-keys";
const useChoice = create(() => ({ single: localStorage.getItem(CHOICE) !== "off" }));

export const useSingleKeys = (): boolean => useChoice((choice) => choice.single);
export const singleKeys = (): boolean => useChoice.getState().single;

export function setSingleKeys(single: boolean): void {
  if (single) localStorage.removeItem(CHOICE);
  else localStorage.setItem(CHOICE, "off");
  useChoice.setState({ single });
}
