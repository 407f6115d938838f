import { readPreference, writePreference } from "../preferences";

export type Theme = "system" | "light" | "dark";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

const CHOICE = "healer.theme";

export function theme(): Theme {
  const chosen = readPreference(CHOICE);
  return THEMES.find((known) => known === chosen) ?? "system";
}

export function applyTheme(chosen: Theme = theme()): void {
  writePreference(CHOICE, chosen === "system" ? null : chosen);
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}
