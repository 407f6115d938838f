import type { ReactElement } from "react";

import type { Thresholds } from "../api/types";
import { texts } from "../texts";
import { percent } from "./numbers";
import { Scale } from "./Scale";

interface Props {
  name: string;
  probability: number;
  thresholds: Thresholds;
  calibrated: boolean;
  /** What to make of it where it is not calibrated. */
  caution: string;
}

/** A probability in figures and between its thresholds. */
export function ProbabilityScale({
  name,
  probability,
  thresholds,
  calibrated,
  caution,
}: Props): ReactElement {
  const words = calibrated ? texts.verdict.calibrated : texts.verdict.uncalibrated;
  return (
    <>
      <p className="mt-4 flex flex-wrap items-baseline justify-between gap-x-3 text-sm">
        <span>
          {name} ({words})
        </span>
        <strong className="text-lg tabular-nums">{percent(probability)}</strong>
      </p>
      <Scale probability={probability} thresholds={thresholds} />
      {!calibrated && <p className="mt-3 text-sm">{caution}</p>}
    </>
  );
}
