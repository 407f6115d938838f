import type { Answer } from "../../api/types";
import type { Item } from "../../session/item";

const BY_RISK: readonly Answer[] = ["yes", "indeterminate", "no"];

export interface TilesOfCase {
  count: number;
  worst: Answer | null;
  disagreements: number;
}

/** The case a reader gave a tile, else the folder that it lay in, as it is for slides. */
export function caseOf({ case: given, name }: Pick<Item, "case" | "name">): string | null {
  if (given?.trim()) return given.trim();
  return name.split("/").at(-2) ?? null;
}

/** The tiles of this session that belong to a case; null where none does. */
export function tilesOfCase(items: readonly Item[], name: string): TilesOfCase | null {
  const tiles = items.filter((item) => caseOf(item) === name);
  if (tiles.length === 0) return null;
  const verdicts = new Set(tiles.map(({ verdict }) => verdict?.verdict));
  return {
    count: tiles.length,
    worst: BY_RISK.find((verdict) => verdicts.has(verdict)) ?? null,
    disagreements: tiles.filter(({ review }) => review.mark === "disagree").length,
  };
}
