import type { ReactElement } from "react";

import type { SecondAnswer } from "../api/types";
import { texts } from "../texts";
import { Icon } from "./icons";
import { percent } from "./numbers";

/** What the headline alone would hide: a likely precursor stands out, anything else is one quiet line. */
export function SecondAnswerNote({ answer }: { answer: SecondAnswer }): ReactElement {
  const { second, words, likely, calibrated, uncalibrated } = texts.verdict;
  const figures = `${second}: ${words[answer.verdict]}, ${percent(answer.probability)} (${answer.calibrated ? calibrated : uncalibrated})`;
  if (!answer.mark)
    return (
      <p className="mt-3 text-sm">
        {answer.sentence} {figures}.
      </p>
    );
  return (
    <div className="mt-3 rounded-lg border-2 border-precursor bg-surface p-3">
      <h4 className="flex items-center gap-2 text-lg/6 font-semibold text-precursor">
        <Icon name="precursor" className="size-6" />
        {likely[answer.mark]}
      </h4>
      <p className="mt-1">{answer.sentence}</p>
      <p className="mt-1 text-sm text-quiet">{figures}.</p>
    </div>
  );
}
