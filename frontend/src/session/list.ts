import { type Item, type Outcome, outcomeOf } from "./item";

export type Sorting = "added" | "name" | "likeliest" | "unlikeliest";

/** What of the worklist is shown, and in which order. Probabilities in [0, 1]. */
export interface View {
  outcome: Outcome | "all";
  sorting: Sorting;
  least: number;
  most: number;
}

export const EVERYTHING: View = { outcome: "all", sorting: "added", least: 0, most: 1 };

export type Totals = Record<Outcome | "all", number>;

export function totals(items: readonly Item[]): Totals {
  const counts: Totals = { all: items.length, yes: 0, indeterminate: 0, no: 0, failed: 0, open: 0 };
  for (const item of items) counts[outcomeOf(item)] += 1;
  return counts;
}

export function shown(items: readonly Item[], view: View): Item[] {
  return items.filter((item) => fits(item, view)).sort(ORDERS[view.sorting]);
}

function fits(item: Item, { outcome, least, most }: View): boolean {
  if (outcome !== "all" && outcomeOf(item) !== outcome) return false;
  if (least <= 0 && most >= 1) return true;
  const probability = item.verdict?.probability;
  return probability !== undefined && probability >= least && probability <= most;
}

const names = new Intl.Collator(undefined, { numeric: true });
const LAST = -1;

const ORDERS: Record<Sorting, (one: Item, other: Item) => number> = {
  added: () => 0,
  name: (one, other) => names.compare(one.name, other.name),
  likeliest: (one, other) => (other.verdict?.probability ?? LAST) - (one.verdict?.probability ?? LAST),
  unlikeliest: (one, other) => (one.verdict?.probability ?? 2) - (other.verdict?.probability ?? 2),
};
