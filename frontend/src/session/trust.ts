import type { Mark, Verdict } from "../api/types";
import type { Item } from "./item";

/** Whether this was answered although the gate found the picture not assessable. */
export function isAgainstAdvice(verdict: Verdict | undefined): boolean {
  return verdict?.gate?.passed === false;
}

/** A calibration holds for pictures like those it was made on; the gate says that this is none. */
export function isCalibrated(verdict: Verdict): boolean {
  return verdict.calibrated && !isAgainstAdvice(verdict);
}

/** The precursor that is likely where no cancer was read; null where none is. */
export function markOf({ verdict }: Item): Mark | null {
  return verdict?.second_answer?.mark ?? null;
}
