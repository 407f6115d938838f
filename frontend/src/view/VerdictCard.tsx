import type { ReactElement } from "react";

import type { Verdict } from "../api/types";
import { positiveWindows, isAgainstAdvice, isCalibrated } from "../session/reliability";
import { texts } from "../texts";
import { Icon } from "./icons";
import { ProbabilityScale } from "./ProbabilityScale";
import { SecondAnswerNote } from "./SecondAnswerNote";
import { cardBackground } from "./verdictColours";
import { VerdictHeading } from "./VerdictHeading";

/** The verdict in words, colour and shape, and where its probability lies. */
export function VerdictCard({ verdict }: { verdict: Verdict }): ReactElement {
  const { sentences, probability, uncalibratedMeans, because } = texts.verdict;
  const second = verdict.second_answer;
  const hidden = positiveWindows(verdict);
  return (
    <section className={`rounded-xl p-4 ${cardBackground(verdict)}`}>
      {isAgainstAdvice(verdict) && <Caution>{texts.verdict.againstAdvice}</Caution>}
      {verdict.warnings?.map(({ code }) => (
        <Caution key={code}>{texts.verdict.warned[code] ?? texts.verdict.warnedOtherwise}</Caution>
      ))}
      <VerdictHeading verdict={verdict.verdict} />
      <p className="mt-1">{sentences[verdict.verdict]}</p>
      {verdict.reason && <p className="mt-1 text-sm">{because(verdict.reason)}</p>}
      {hidden && <HiddenWindows {...hidden} />}
      {second && <SecondAnswerNote answer={second} />}
      <ProbabilityScale
        name={probability}
        probability={verdict.probability}
        thresholds={verdict.model.thresholds}
        calibrated={isCalibrated(verdict)}
        caution={uncalibratedMeans}
      />
    </section>
  );
}

function Caution({ children }: { children: string }): ReactElement {
  return (
    <p className="mb-3 flex items-center gap-2 font-semibold text-unsure">
      <Icon name="warning" />
      {children}
    </p>
  );
}

function HiddenWindows(windows: { yes: number; of: number }): ReactElement {
  return (
    <p className="mt-3 flex items-center gap-2 rounded-lg border-2 border-yes bg-surface p-3 font-semibold text-yes">
      <Icon name="windows" className="size-6" />
      {texts.verdict.positiveWindows(windows)}
    </p>
  );
}
