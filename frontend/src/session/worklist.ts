import type { Mark } from "../api/types";
import { findOriginals } from "./duplicates";
import { type Item, type Outcome, outcomeOf } from "./item";
import { positiveWindows, isAgainstAdvice, isWarned, markOf } from "./reliability";

export type Sorting = "added" | "name" | "likeliest" | "unlikeliest";

/** What the worklist can be narrowed to. A tile has one outcome, and any of the others. */
export type Category =
  "all" | Outcome | Mark | "against_advice" | "warned" | "hidden_windows" | "duplicate";

/** What of the worklist is shown, and in which order. Probabilities in [0, 1]. */
export interface View {
  category: Category;
  sorting: Sorting;
  least: number;
  most: number;
}

export const DEFAULT_VIEW: View = { category: "all", sorting: "added", least: 0, most: 1 };

export type Totals = Record<Category, number>;

export function countByCategory(items: readonly Item[]): Totals {
  const counts: Totals = {
    all: items.length,
    yes: 0,
    indeterminate: 0,
    no: 0,
    failed: 0,
    open: 0,
    "high-grade": 0,
    "low-grade": 0,
    serrated: 0,
    against_advice: 0,
    warned: 0,
    hidden_windows: 0,
    duplicate: findOriginals(items).size,
  };
  for (const item of items) {
    const mark = markOf(item);
    counts[outcomeOf(item)] += 1;
    if (mark) counts[mark] += 1;
    if (isAgainstAdvice(item.verdict)) counts.against_advice += 1;
    if (isWarned(item.verdict)) counts.warned += 1;
    if (positiveWindows(item.verdict)) counts.hidden_windows += 1;
  }
  return counts;
}

export function visibleItems(items: readonly Item[], view: View): Item[] {
  const belongs = membership(items, view.category);
  return items.filter((item) => belongs(item) && inRange(item, view)).sort(ORDERS[view.sorting]);
}

function membership(items: readonly Item[], category: Category): (item: Item) => boolean {
  switch (category) {
    case "all":
      return () => true;
    case "high-grade":
    case "low-grade":
    case "serrated":
      return (item) => markOf(item) === category;
    case "against_advice":
      return (item) => isAgainstAdvice(item.verdict);
    case "warned":
      return (item) => isWarned(item.verdict);
    case "hidden_windows":
      return (item) => positiveWindows(item.verdict) !== null;
    case "duplicate": {
      const duplicates = findOriginals(items);
      return (item) => duplicates.has(item.id);
    }
    default:
      return (item) => outcomeOf(item) === category;
  }
}

function inRange(item: Item, { least, most }: View): boolean {
  if (least <= 0 && most >= 1) return true;
  const probability = item.verdict?.probability;
  return probability !== undefined && probability >= least && probability <= most;
}

const names = new Intl.Collator(undefined, { numeric: true });
const LAST = -1;

const ORDERS: Record<Sorting, (one: Item, other: Item) => number> = {
  added: () => 0,
  name: (one, other) => names.compare(one.name, other.name),
  likeliest: (one, other) =>
    (other.verdict?.probability ?? LAST) - (one.verdict?.probability ?? LAST),
  unlikeliest: (one, other) => (one.verdict?.probability ?? 2) - (other.verdict?.probability ?? 2),
};
