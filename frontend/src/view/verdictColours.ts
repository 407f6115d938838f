import type { Answer, Verdict } from "../api/types";
import { isAgainstAdvice, isWarned } from "../session/reliability";

export const VERDICT_COLOURS: Record<Answer, { text: string; soft: string; solid: string }> = {
  yes: { text: "text-yes", soft: "bg-yes-soft", solid: "bg-yes" },
  no: { text: "text-no", soft: "bg-no-soft", solid: "bg-no" },
  indeterminate: { text: "text-unsure", soft: "bg-unsure-soft", solid: "bg-unsure" },
};

/** A card's ground: what a reader must not overlook speaks louder than the verdict. */
export function cardBackground(verdict: Verdict): string {
  if (isAgainstAdvice(verdict) || isWarned(verdict)) return VERDICT_COLOURS.indeterminate.soft;
  return verdict.second_answer?.mark ? "bg-precursor-soft" : VERDICT_COLOURS[verdict.verdict].soft;
}
