export type Theme = "system" | "light" | "dark";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

const CHOICE = "healer.theme";

export function theme(): Theme {
  const chosen = localStorage.getItem(CHOICE);
  return THEMES.find((known) => known === chosen) ?? "system";
}

export function applyTheme(chosen: Theme = theme()): void {
  if (chosen === "system") localStorage.removeItem(CHOICE);
  else localStorage.setItem(CHOICE, chosen);
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}
