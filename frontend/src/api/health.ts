import type { Health } from "./types";

/** How the service is, or undefined where nobody answers. */
export async function askHealth(): Promise<Health | undefined> {
  try {
    const response = await fetch("/health", { cache: "no-store" });
    return response.ok ? ((await response.json()) as Health) : undefined;
  } catch {
    return undefined;
  }
}
