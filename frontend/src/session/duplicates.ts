import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

import type { Item } from "./item";

/** Not the browser's own SHA-256, which a page served over plain HTTP from another machine has not. */
export async function digestOf(file: Blob): Promise<string> {
  return bytesToHex(sha256(new Uint8Array(await file.arrayBuffer())));
}

/** For each tile whose bytes stand in the list before it: the first that has them. By id. */
export function findOriginals(items: readonly Item[]): Map<string, Item> {
  const first = new Map<string, Item>();
  const duplicates = new Map<string, Item>();
  for (const item of items) {
    if (item.digest === undefined) continue;
    const original = first.get(item.digest);
    if (original) duplicates.set(item.id, original);
    else first.set(item.digest, item);
  }
  return duplicates;
}
