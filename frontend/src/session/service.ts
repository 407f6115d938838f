import { askHealth } from "../api/health";
import { getState, setState } from "./store";

const WATCHFUL_MS = 2_000;
const CALM_MS = 30_000;

let next: ReturnType<typeof setTimeout> | undefined;
let onChange: () => void = () => undefined;

/** Keep an eye on the service for as long as the page lives; `changed` is called after each look. */
export function watch(changed: () => void): void {
  onChange = changed;
  window.addEventListener("online", heartbeat);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) heartbeat();
  });
  heartbeat();
}

export function heartbeat(): void {
  clearTimeout(next);
  next = undefined;
  void look();
}

async function look(): Promise<void> {
  const health = await askHealth();
  setState(health ? { health, reach: "reached" } : { reach: "lost" });
  onChange();
  clearTimeout(next); // two looks can overlap; one of them goes on
  const calm = getState().reach === "reached" && getState().health?.ready === true;
  next = setTimeout(heartbeat, calm ? CALM_MS : WATCHFUL_MS);
}
