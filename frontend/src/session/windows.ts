import type { Answer, Window } from "../api/types";

export function countWindows(
  windows: readonly Window[],
): Record<Answer, number> & { highest: number } {
  const counts = { yes: 0, indeterminate: 0, no: 0, highest: 0 };
  for (const { verdict, probability } of windows) {
    counts[verdict] += 1;
    counts.highest = Math.max(counts.highest, probability);
  }
  return counts;
}
