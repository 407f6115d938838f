import type { Mark, Verdict } from "../api/types";
import type { Item } from "./item";

/** Whether this was answered although the gate found the picture not assessable. */
export function isAgainstAdvice(verdict: Verdict | undefined): boolean {
  return verdict?.gate?.passed === false;
}

/** A calibration holds for pictures like those it was made on: neither what the gate refuses nor a wide field. */
export function isCalibrated(verdict: Verdict): boolean {
  return verdict.calibrated && !isAgainstAdvice(verdict) && !verdict.windows?.length;
}

/** Whether the service warns of the picture that it answered, as of one too wide. */
export function isWarned(verdict: Verdict | undefined): boolean {
  return (verdict?.warnings?.length ?? 0) > 0;
}

/** Windows read as cancer in a field that as a whole is not: null where there are none, or it is. */
export function positiveWindows(verdict: Verdict | undefined): { yes: number; of: number } | null {
  if (!verdict?.windows || verdict.verdict === "yes") return null;
  const yes = verdict.windows.filter((window) => window.verdict === "yes").length;
  return yes > 0 ? { yes, of: verdict.windows.length } : null;
}

/** The precursor that is likely where no cancer was read; null where none is. */
export function markOf({ verdict }: Item): Mark | null {
  return verdict?.second_answer?.mark ?? null;
}
