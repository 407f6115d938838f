import { create } from "zustand";

import { readPreference, writePreference } from "../preferences";

/** Whether keys work alone. Who dictates or has a tremor can turn them off (WCAG 2.1.4). */
const CHOICE = "healer.single-keys";
const useChoice = create(() => ({ single: readPreference(CHOICE) !== "off" }));

export const useSingleKeys = (): boolean => useChoice((choice) => choice.single);
export const singleKeys = (): boolean => useChoice.getState().single;

export function setSingleKeys(single: boolean): void {
  writePreference(CHOICE, single ? null : "off");
  useChoice.setState({ single });
}
