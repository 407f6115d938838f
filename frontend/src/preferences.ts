/**
 * Choices in this browser's local storage. Where a browser forbids it (site data blocked, say), the
 * page works as ever and remembers none.
 */
export function readPreference(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Null removes it. Returns whether the browser took it. */
export function writePreference(name: string, value: string | null): boolean {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
    return true;
  } catch {
    return false;
  }
}
