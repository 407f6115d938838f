/** The API key, where the service requires one: for as long as this tab is open, and for no other. */
const NAME = "healer-key";

let key = storedKey();

export function keyHeaders(): Record<string, string> {
  return key ? { "X-API-Key": key } : {};
}

/** What cannot stand in a header is no part of a key: a line's end that was copied along, say. */
export function setKey(typed: string): void {
  key = typed.replace(/[^\x21-\x7e]/g, "");
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    // Storage is forbidden here: the key must be entered again after a reload.
  }
}

function storedKey(): string {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}
