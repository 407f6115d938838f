import { fetchHealth } from "../api/health";
import { getState, setState } from "./store";

const UNHEALTHY_INTERVAL_MS = 2_000;
const HEALTHY_INTERVAL_MS = 30_000;

let next: ReturnType<typeof setTimeout> | undefined;
let onChange: () => void = () => undefined;

/** Check the service's health for as long as the page lives; `changed` is called after each check. */
export function startHealthChecks(changed: () => void): void {
  onChange = changed;
  window.addEventListener("online", checkHealthNow);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) checkHealthNow();
  });
  checkHealthNow();
}

export function checkHealthNow(): void {
  clearTimeout(next);
  next = undefined;
  void checkHealth();
}

async function checkHealth(): Promise<void> {
  const health = await fetchHealth();
  setState(health ? { health, connection: "reached" } : { connection: "lost" });
  onChange();
  clearTimeout(next); // two checks can overlap; one of them continues
  const isHealthy = getState().connection === "reached" && getState().health?.ready === true;
  next = setTimeout(checkHealthNow, isHealthy ? HEALTHY_INTERVAL_MS : UNHEALTHY_INTERVAL_MS);
}
