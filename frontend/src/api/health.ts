import { PATHS } from "./paths";
import type { Health } from "./types";

/** How the service is, or undefined where nobody answers. */
export async function fetchHealth(): Promise<Health | undefined> {
  try {
    const response = await fetch(PATHS.health, { cache: "no-store" });
    const health = (await response.json()) as Partial<Health>;
    return health.ready === undefined ? undefined : (health as Health); // 503 has the same body
  } catch {
    return undefined;
  }
}
